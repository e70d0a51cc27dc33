// SPDX-License-Identifier: Apache-2.0
/* The core's system calls, one table per file. */
#ifndef KERNEL_SYS_CALLS_H
#define KERNEL_SYS_CALLS_H

#include <kernel/core/feature.h>

extern const struct feature_call io_calls[], misc_calls[], time_calls[];
extern const unsigned io_call_count, misc_call_count, time_call_count;

#endif
