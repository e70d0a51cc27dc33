// SPDX-License-Identifier: Apache-2.0
/* The clock: a page that the monitor fills plus the time-stamp counter, no exit. All in ns. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <kernel/core/lib.h>

uint64_t clock_monotonic(void);
uint64_t clock_realtime(void);
uint64_t clock_boottime(void);
uint64_t clock_process_cpu(void); /* CPU time of all threads */

#define NS_PER_S 1000000000ULL

#endif
