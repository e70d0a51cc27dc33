/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: JSON lines, each with time, level, message, and for what belongs to a call function and request id.
 *
 * Lines are made in the caller's thread, written to standard error by a thread of the log's own (a slow terminal stops
 * nobody; when it is LOG_QUEUE_MAX bytes behind, lines are dropped and counted). Lines about a function are also kept in a ring in
 * memory per function name, for `dayfly logs`.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_QUEUE_MAX (1u << 20)
#define LOG_RING_BYTES (256u << 10) /* per function */
#define LOG_EVENT_MAX 4096u /* of what one event wrote, its end is kept */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

int log_init(enum log_level least) __attribute__((warn_unused_result)); /* 0 or -errno */
void log_level(enum log_level least); /* from now on */
void log_deinit(void); /* writes what is waiting */

/* About the daemon itself. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a function's ring holds: lines, numbered from 1. */
struct log_ring;
struct log_ring *log_ring_new(void) __attribute__((warn_unused_result));
void log_ring_free(struct log_ring *ring);

struct log_event {
	const char *function, *version, *request_id;
	enum log_level level;
	const char *message;
	const char *output; /* what the program wrote to standard error, any bytes; or NULL */
	size_t output_bytes;
	uint64_t duration_ns; /* 0: left out */
};

/* Into the ring and the log. */
void log_event(struct log_ring *ring, const struct log_event *event);

/*
 * Appends the ring's lines after number *after (0: all that are there) and sets *after to the last number. Waits up to `wait_ms` for
 * one if there is none.
 */
void log_ring_read(struct log_ring *ring, uint64_t *after, unsigned int wait_ms,
	struct df_str *lines);

#endif
