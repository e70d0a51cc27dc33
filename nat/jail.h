/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dayfly-net may do once it runs: sockets of the host's network (not even these where it serves a TAP device), its own memory,
 * nothing else. No files, no privileges, no programs, no signals to others.
 */
#ifndef NAT_JAIL_H
#define NAT_JAIL_H

#include "host/err.h"

enum jail_kind {
	JAIL_SOCKETS,
	JAIL_COPIER, /* reads, writes, and waits */
};

/* Enters it, for good. After the descriptors are there and the ports are open. -errno with *err set. */
int jail_enter(enum jail_kind kind, struct df_err *err) __attribute__((warn_unused_result));

#endif
