/* SPDX-License-Identifier: Apache-2.0 */
/* What dayfly-net says, which is why it refused something, becomes lines of the function's log. One thread reads for all. */
#ifndef DAEMON_NET_LOG_H
#define DAEMON_NET_LOG_H

#include "daemon/function/function.h"

/*
 * A pipe for the standard error of a dayfly-net that serves this function: the end to write to, O_CLOEXEC, which is the caller's. It is read
 * until all of those are closed. -errno: there is none.
 */
int net_log_open(const struct function *function) __attribute__((warn_unused_result));

/* When all dayfly-nets have ended. */
void net_log_deinit(void);

#endif
