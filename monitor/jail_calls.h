// SPDX-License-Identifier: Apache-2.0
/*
 * The lists of system calls that a jailed monitor may make. They are written down in jail_calls.def, and made into
 * filters when the monitor is built (jail_calls_build.c). For jail.c alone.
 */
#ifndef MONITOR_JAIL_CALLS_H
#define MONITOR_JAIL_CALLS_H

#include <host/err.h>
#include <stdbool.h>

#include "jail.h"

/* Stands for the process's own id in the filters as they are built; greater than any id. */
#define JAIL_CALLS_OWN_PID 0x7fffffff

/*
 * Installs the list of the set-up, or that of a running profile, for all threads. Each list that was installed stays:
 * a call must be on all of them. A call that is not kills the process (SIGSYS; no handler sees it). Needs
 * no_new_privs. 0, or -errno with *err set.
 */
int jail_calls_set_up(struct df_err *err) __attribute__((warn_unused_result));
int jail_calls_run(enum jail_profile profile, struct df_err *err)
	__attribute__((warn_unused_result));

/* False in the variant that installs nothing: jail_calls_sanitized.c. */
bool jail_calls_filtered(void);

#endif
