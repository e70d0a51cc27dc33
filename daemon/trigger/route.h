/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trigger http: paths besides /fn/NAME. There is nothing to run: requests are what makes its events. The routes themselves are exchanged
 * with the function in the registry (function/routes.h), so that no request comes between two revisions.
 */
#ifndef DAEMON_TRIGGER_ROUTE_H
#define DAEMON_TRIGGER_ROUTE_H

#include "daemon/trigger/trigger.h"

extern const struct trigger_kind route_kind;

#endif
