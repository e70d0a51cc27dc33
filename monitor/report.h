// SPDX-License-Identifier: Apache-2.0
/* What the monitor tells the user on standard error: notes, traces, crash reports, statistics. Text
 * from the guest is shown with control characters replaced. */
#ifndef MONITOR_REPORT_H
#define MONITOR_REPORT_H

#include "vm.h"

/* Replaces what a terminal would act on or could not show. */
void report_clean(char *text);

void report_log(struct vm *vm, enum df_log_kind kind, const char *text);
/* A program died of a fault: data is struct df_fault and the text behind it, DF_DATA_BYTES in all. */
void report_fault(struct vm *vm, const uint8_t *data);
/* The kernel gave up with a text of at most `bytes`. */
void report_panic(struct vm *vm, const uint8_t *data, uint64_t bytes);
/* The guest stopped in a way that only a broken kernel (or a program that attacks it) causes. */
void report_stop(struct vm *vm, const char *what);
void report_stats(const struct vm *vm);

#endif
