/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: JSON lines, each with time, level, message, and for what belongs to a call function and request id. Every function's name has
 * one, the daemon has one for itself; they are on disk (log_files.h) below one directory, within quotas, and outlive the daemon.
 *
 * Lines are made in the caller's thread and written by a thread of the log's own, to the disk and to standard error: neither a slow disk nor a slow
 * terminal stops anybody. When it is LOG_QUEUE_MAX bytes behind, lines are dropped and counted. kill -9 loses what was not written yet, milliseconds.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include "host/err.h"
#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_QUEUE_MAX (4u << 20)
#define LOG_EVENT_MAX 4096u /* of what one event wrote, its end is kept */
#define LOG_BYTES_DEFAULT (10ull << 20) /* kept of a function's log */
#define LOG_AGE_DEFAULT_MS (7 * 86400000ull)

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* What goes to standard error too. */
enum log_echo { LOG_ECHO_ALL, LOG_ECHO_OWN, LOG_ECHO_NONE };

struct log_settings {
	enum log_level
		least; /* of the daemon's own log and of what is echoed; functions' logs have all */
	enum log_echo echo;
	uint64_t
		quota_bytes; /* all logs together; the newest segment of each is kept in any case */
	uint64_t age_ms; /* nothing is kept longer */
};

/* `directory` is for the logs alone, and is made. Returns 0 or -errno with *err set. */
int log_init(const char *directory, const struct log_settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));
void log_change(const struct log_settings *settings); /* from now on */
void log_deinit(void); /* writes what is waiting */

/* About the daemon itself. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct log;

/* The log of a function's name: a reference, the same log for the same name. Reads the disk. NULL without memory. */
struct log *log_get(const char *name) __attribute__((warn_unused_result));
void log_unref(struct log *log); /* NULL is allowed */

/* The daemon's own; no reference. NULL before log_init. */
struct log *log_own(void);

/* What is kept of it, within what is kept of all. */
void log_limit(struct log *log, uint64_t bytes, uint64_t age_ms);

/* Removes all that the log of a name has so far. */
void log_forget(const char *name);

struct log_event {
	const char *function;
	const char *version, *request_id; /* NULL: left out */
	enum log_level level;
	const char *message;
	const char *output; /* what the program wrote to standard error, any bytes; or NULL */
	size_t output_bytes;
	uint64_t duration_ns; /* 0: left out */
};

void log_event(struct log *log, const struct log_event *event);

/* A line that a service has written: any bytes but its end, at most LOG_EVENT_MAX. `stream` is "stdout" or "stderr". */
void log_output(struct log *log, const char *function, const char *stream, const char *text,
	size_t bytes);

/* Is the writer so far behind that it may soon have to drop lines? Who can make its sources wait should. */
bool log_is_behind(void);

/*
 * Appends lines from position *after on (0: the oldest that is kept), at most LOG_READ_MAX bytes, and moves *after behind them. All that was logged before the call is seen. Waits
 * up to `wait_ms` for a line if there is none. Reads the disk.
 */
void log_read(struct log *log, uint64_t *after, unsigned int wait_ms, struct df_str *lines);

/* The position of the last `count` lines. Reads the disk. */
uint64_t log_tail(struct log *log, unsigned int count);

#endif
