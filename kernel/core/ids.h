// SPDX-License-Identifier: Apache-2.0
/*
 * Process and thread ids. Each thaw gives the program a new pid (boot_info->pid), so that what it remembers
 * about "this process" is seen to be old. Inside, and in the locks whose words hold thread ids, the first
 * thread keeps the id it started with; both are valid wherever the program names a process or thread.
 */
#ifndef KERNEL_IDS_H
#define KERNEL_IDS_H

#include <kernel/core/hypercall.h>
#include <kernel/core/thread.h>

extern int first_tid; /* thread.tid of the first thread */

/* The id that the program is told. */
static inline int tid_shown(const struct thread *t)
{
	return t->tid == first_tid ? (int)boot_info->pid : t->tid;
}

/* thread.tid of the thread that the program means. */
static inline int tid_meant(int id)
{
	return id == (int)boot_info->pid ? first_tid : id;
}

static inline bool pid_is_own(int pid)
{
	return tid_meant(pid) == first_tid;
}

#endif
