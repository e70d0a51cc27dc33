/* SPDX-License-Identifier: Apache-2.0 */
/* What processes use. */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Memory that a process has for itself: without files, which all have in common. 0 if there is none. A pid that was reaped may belong to
 * another one by now, which this number alone would show.
 */
uint64_t memory_of(pid_t pid);

#endif
