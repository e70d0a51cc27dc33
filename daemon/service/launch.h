/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a service: `dayfly-monitor run`. The supervisor's thread alone calls. */
#ifndef DAEMON_SERVICE_LAUNCH_H
#define DAEMON_SERVICE_LAUNCH_H

#include "daemon/service/service.h"
#include "host/net.h"

#include <sys/types.h>

struct launched {
	pid_t pid; /* of the monitor; -1: none */
	int pid_fd; /* readable when it has ended */
	int out_fd, error_fd; /* what it writes; they do not block; -1: at its end */
	int out_end, error_end; /* where it writes; -1 once it has been started */
	struct df_net net; /* `life` is readable when it is ready, and again when it has ended */
	char *features;
};

#define LAUNCHED_NONE ((struct launched){-1, -1, -1, -1, -1, -1, DF_NET_NONE, NULL})

/*
 * The first step: pipes, and the network if it has one. launched_end must follow in any case. Returns 0 with *waits set if `net.life`
 * must become readable before the second step, or -errno with *err set.
 */
int launch_begin(const struct service_settings *settings, const struct function *function,
	struct launched *launched, bool *waits, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * The second one: the monitor. It is killed when the calling thread ends, however that comes about. Returns 0, or -errno with *err set:
 * -EPIPE if the network could not be set up, and its error output says why.
 */
int launch_monitor(const struct service_settings *settings, const struct function *function,
	struct launched *launched, struct df_err *err) __attribute__((warn_unused_result));

/* Is there a process? */
bool launched_is_there(const struct launched *launched);

/*
 * Waits for a monitor that has ended and ends the network; the pipes stay. Returns the monitor's status as waitpid(2) has it, 0 without one.
 */
int launched_reap(struct launched *launched);

/* Closes the rest, and makes it LAUNCHED_NONE. */
void launched_end(struct launched *launched);

#endif
