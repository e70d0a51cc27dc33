// SPDX-License-Identifier: Apache-2.0
/*
 * Backtraces of programs and kernels that failed. The files that they take apart may be hostile, so
 * that is the work of a one-shot helper process (backtrace/), which locks itself down first. The process outside the jail
 * (outside.h) starts it and prints the lines that it writes; the monitor only serves it guest memory page by page.
 */
#ifndef MONITOR_BACKTRACE_H
#define MONITOR_BACKTRACE_H

#include "backtrace/wire.h"
#include "vm.h"

/*
 * Prints the call chain of a program on standard error. `maps`: text lines "start-end offset path" of
 * its executable mappings, from the guest and believed in nothing but where to look. Takes at most a
 * few seconds; prints a line that says so when there is no backtrace.
 */
void backtrace_program(struct vm *vm, const struct df_regs *regs, const char *maps);
/* The same for kernel code, whose names are in the kernel's own file. */
void backtrace_kernel(struct vm *vm, const struct df_regs *regs);

/* Reads the text lines; returns how many modules were filled. Exported for its tests. */
unsigned backtrace_modules(const char *maps, struct backtrace_module *out, unsigned max);

#endif
