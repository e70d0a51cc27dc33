// SPDX-License-Identifier: Apache-2.0
/*
 * The program's standard input, output and error: the monitor's own descriptors 0-2. All results are
 * bytes, or -errno as the program should see it, or -EINTR when a host event came first.
 */
#ifndef MONITOR_STREAMS_H
#define MONITOR_STREAMS_H

#include <dayfly/hypercall.h>

struct vm;

/* What fstat and F_GETFL say. An unusable descriptor gives zeros. */
void stream_stat(int stream, struct df_stream_stat *out);
/* Waits for readiness until the deadline (guest monotonic ns, 0: not at all), then moves what it can. */
int64_t stream_read(const struct vm *vm, int stream, void *buf, uint64_t bytes,
	uint64_t deadline_ns);
int64_t stream_write(const struct vm *vm, int stream, const void *buf, uint64_t bytes,
	uint64_t deadline_ns);
/* Waits until one of the interesting streams is ready. Ready bits (DF_WAIT_*), or 0. */
unsigned streams_wait(const struct vm *vm, unsigned interest, uint64_t deadline_ns);
/* Terminal ioctls; data is the structure both ways. -ENOTTY for others. */
int64_t stream_tty(int stream, uint64_t request, void *data);
/* Undoes what the program did to the terminal. Safe in any state. */
void streams_restore(void);

#endif
