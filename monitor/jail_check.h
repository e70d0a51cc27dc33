// SPDX-License-Identifier: Apache-2.0
/* Whether the jail works on this machine. */
#ifndef MONITOR_JAIL_CHECK_H
#define MONITOR_JAIL_CHECK_H

/*
 * The whole of `dayfly-monitor check-jail`: exit status 0, or 1 with the reason, and what to do about it, on standard
 * error.
 */
_Noreturn int jail_check_main(void);

#endif
