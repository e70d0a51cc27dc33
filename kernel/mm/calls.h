// SPDX-License-Identifier: Apache-2.0
/* The memory system calls, for the core's table, and those the kernel itself uses. */
#ifndef KERNEL_MM_CALLS_H
#define KERNEL_MM_CALLS_H

#include <dayfly/types.h>
#include <kernel/core/feature.h>

#define MM_CALLS 13
extern const struct feature_call mm_calls[MM_CALLS];

int64_t sys_mmap(gva_t addr, uint64_t bytes, unsigned prot, unsigned flags, int fd,
	uint64_t offset);
int64_t sys_mprotect(gva_t addr, uint64_t bytes, unsigned prot);

#endif
