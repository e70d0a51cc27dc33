// SPDX-License-Identifier: Apache-2.0
/*
 * `dayfly run --watch FILE`: what the program needs, as the kernel's feature `watch` tells it (kernel/watch/watch.c has the lines), and
 * behind that
 *
 *	memory BYTES	handed out at most
 *	touched BYTES	of guest memory, the kernel's too, that take room on the host
 *	took_ns NS	from the start of the monitor
 *
 * The guest is not trusted: a line is short and printable, and the file has a bound.
 */
#ifndef MONITOR_WATCH_H
#define MONITOR_WATCH_H

#include "vm.h"

/* Opens the file, if one is asked for. */
int watch_open(struct vm *vm, struct df_err *err);
void watch_line(struct vm *vm, const char *text);
/* The program has ended. */
void watch_end(struct vm *vm);

#endif
