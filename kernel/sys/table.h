// SPDX-License-Identifier: Apache-2.0
/*
 * The system-call table in use: filled at boot from the core and the loaded features. What dayfly
 * says about each call (full, partial, absent, no effect) stands in calls.def.
 */
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include <kernel/core/feature.h>

/* The core's own calls; everything else answers -ENOSYS and says so once. */
void table_init(void);
void table_add(const struct feature_call *calls, unsigned count);
/* Names the features that are not there and whose calls the program made since this was done last; when it
 * failed, also those that C libraries do without. */
void table_report_missing(bool failed);
/* Sums the counters into the statistics page. */
void table_count(void);
/* Handler of a call and the table itself, for the feature `trace`. */
typedef int64_t call_handler(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
call_handler **table_get(void);
/* Every call goes through `handler` from now on. */
void table_wrap(call_handler *handler);

#endif
