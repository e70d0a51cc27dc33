// SPDX-License-Identifier: Apache-2.0
/* The vDSO: a small shared object with the clock functions (vdso.c), part of every guest. */
#ifndef KERNEL_VDSO_H
#define KERNEL_VDSO_H

#include <dayfly/layout.h>

/* Address of its ELF header, for AT_SYSINFO_EHDR. */
static inline gva_t vdso_address(void)
{
	return DF_VA_VDSO;
}

#endif
