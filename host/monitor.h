/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a monitor process and setting it up (dayfly/wire.h), for its clients.
 *
 *	df_monitor_start -> df_monitor_send -> df_monitor_receive -> events through slots (host/slot.h) -> df_monitor_stop
 *
 * The monitor gets its socket as descriptor 3, /dev/null as standard input and output, our standard error for emergencies, and
 * nothing else, provided that the caller opens everything with O_CLOEXEC. What it says is checked: it may have
 * been taken over by a guest. One thread at a time, except for df_monitor_is_alive.
 */
#ifndef HOST_MONITOR_H
#define HOST_MONITOR_H

#include "host/err.h"

#include <dayfly/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct df_monitor {
	pid_t pid; /* -1: none, or waited for */
	int socket; /* our end; -1: closed */
};

#define DF_MONITOR_NONE ((struct df_monitor){.pid = -1, .socket = -1})
#define DF_MONITOR __attribute__((cleanup(df_monitor_deinit)))

/* When it is told to end and does not. */
#define DF_MONITOR_GRACE_MS 2000u
#define DF_MONITOR_NO_LIMIT UINT32_MAX

/*
 * Starts the executable `path` with these words and this environment, each with a NULL at the end. Returns 0 or -errno with
 * *err set; *monitor is DF_MONITOR_NONE then. Ended by df_monitor_stop or df_monitor_deinit.
 */
int df_monitor_start(struct df_monitor *monitor, const char *path, char *const *arguments,
	char *const *environment, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Sends magic, version and the rest of *start with `count` descriptors, which stay the caller's. Does not block. Returns 0, also when the
 * monitor has ended already: df_monitor_receive knows what it said, or how it ended. Else -errno with *err set.
 */
int df_monitor_send(struct df_monitor *monitor, struct df_start *start, const int *descriptors,
	size_t count, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Waits at most `limit_ms` (DF_MONITOR_NO_LIMIT: for ever) for the monitor's answer and checks it. Returns 0; the monitor's own error (< 0) with its reason in *err,
 * *ready being filled then too; -ETIMEDOUT; -EPROTO for an impossible answer; -EPIPE if the monitor has ended, and *err says
 * how. *ready is all zero unless something was said here. Signals that are handled do not end the wait.
 */
int df_monitor_receive(struct df_monitor *monitor, unsigned int limit_ms, struct df_ready *ready,
	struct df_err *err) __attribute__((warn_unused_result));

/* Does its end of the socket still exist? Costs one system call; from any thread. */
bool df_monitor_is_alive(const struct df_monitor *monitor);

/*
 * Closes the socket, upon which the monitor ends, and waits for that; after `grace_ms` it is killed. Returns its exit status, or 128 +
 * the signal that ended it; -ECHILD when there was none.
 */
int df_monitor_stop(struct df_monitor *monitor, unsigned int grace_ms);

/*
 * Stops a monitor that ended unasked and says so: "the monitor ended with status 3". Returns -EPIPE.
 */
int df_monitor_ended(struct df_monitor *monitor, struct df_err *err);

/* df_monitor_stop with DF_MONITOR_GRACE_MS, unless there is none. */
void df_monitor_deinit(struct df_monitor *monitor);

#endif
