/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that would set themselves going, directly or through others: a function's result goes to a destination, which is another function, or an object that
 * is told to functions. Such a ring is refused when it would be closed: when a function is deployed, when its destinations change,
 * and when a bucket's notifications change. (What slips through, because two of these come at the same time or a program writes objects itself, ends after
 * NOTIFY_HOPS_MAX rounds.)
 *
 * Any thread; looks at the registry and at notify.h.
 */
#ifndef DAEMON_OBJECT_LOOP_H
#define DAEMON_OBJECT_LOOP_H

#include "daemon/object/notify.h"

struct function_config;

/* May this function be deployed? Returns 0, -ELOOP, or -ENOMEM with *err set. */
int loop_check_function(const struct function_config *function, struct df_err *err)
	__attribute__((warn_unused_result));

/* May the function have these destinations (texts, empty: none)? The same. */
int loop_check_destinations(const char *function, const char *success, const char *failure,
	struct df_err *err) __attribute__((warn_unused_result));

/* May this subscription be added? The same. */
int loop_check_subscription(const struct notify_subscription *subscription, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
