// SPDX-License-Identifier: Apache-2.0
/* What the feature `freeze` needs of the machine. */
#ifndef KERNEL_THAW_H
#define KERNEL_THAW_H

#include <kernel/arch/x86_64/arch.h>

/*
 * Loads all that a program can reach of the CPU besides general registers, whatever is there: segment
 * selectors (0, as a program starts), x87, vector and other state (arch_xsave), FS and GS base.
 *
 * x87 is initialised first: AMD's xrstor leaves its last instruction and data pointers alone unless an
 * exception is pending in the new state. Bases last: loading a selector may clear them.
 */
static inline void arch_reload(const void *vector_state, uint64_t fs_base, uint64_t gs_base)
{
	__asm__ volatile("mov %0, %%ds\n\t"
			 "mov %0, %%es\n\t"
			 "mov %0, %%fs\n\t"
			 "mov %0, %%gs\n\t"
			 "fninit"
			 :
			 : "r"(0)
			 : "memory");
	arch_xrstor(vector_state);
	arch_set_fs_base(fs_base);
	arch_set_gs_base(gs_base);
}

#endif
