/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trigger `object`: objects of a bucket that come or go. There is no thread: the change itself stores its events (notify.h), so nothing has to
 * be remembered, and nothing is missed.
 */
#ifndef DAEMON_OBJECT_TRIGGER_H
#define DAEMON_OBJECT_TRIGGER_H

#include "daemon/object/notify.h"
#include "daemon/trigger/trigger.h"

extern const struct trigger_kind object_kind;

/* Adds the subscriptions of a function's triggers. Returns 0 or -ENOMEM. */
int object_trigger_list(const struct function_config *function, struct notify_list *list)
	__attribute__((warn_unused_result));

#endif
