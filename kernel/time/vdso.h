// SPDX-License-Identifier: Apache-2.0
/* The vDSO: a small shared object with the clock functions, mapped by the monitor. */
#ifndef KERNEL_VDSO_H
#define KERNEL_VDSO_H

#include <dayfly/types.h>

/* Address of its ELF header, for AT_SYSINFO_EHDR. */
static inline gva_t vdso_address(void)
{
	return 0;
}

#endif
