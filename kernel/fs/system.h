// SPDX-License-Identifier: Apache-2.0
/* What uname(2), getpid(2) and /proc must say alike. */
#ifndef KERNEL_FS_SYSTEM_H
#define KERNEL_FS_SYSTEM_H

#include <kernel/core/hypercall.h>

#define SYSTEM_NAME "Linux"
#define SYSTEM_RELEASE "6.1.0-dayfly"
#define SYSTEM_VERSION "#1 dayfly"

static inline unsigned system_pid(void)
{
	return boot_info->pid;
}

#endif
