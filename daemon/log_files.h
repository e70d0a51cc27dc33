/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log on disk: a directory of segments, files of whole lines that are only ever appended to and removed as a whole, oldest first.
 * A segment is named START-TIME.jsonl: how many bytes of the log come before it, and when it was begun (ms since 1970). Positions in a
 * log count bytes from its beginning, so they stay good while old segments go.
 *
 * One thread writes, prunes and sweeps. Any thread reads. Nothing is synchronised: after a power cut the last lines may be missing.
 */
#ifndef DAEMON_LOG_FILES_H
#define DAEMON_LOG_FILES_H

#include "host/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_READ_MAX (1u << 20) /* bytes of lines, at a time */

struct log_files {
	const char *directory; /* made with the first line */
	uint64_t quota_bytes, age_ms; /* what is kept */
	/* The writer's own; zero at first: */
	bool opened;
	uint64_t start,
		begun_ms; /* of the segment that is appended to; begun_ms 0: there is none */
	uint64_t bytes; /* in it */
};

/* Finds where it ends; half a line that a crash left is cut off. Nothing there is an empty log. Returns 0 or -errno. */
int log_files_open(struct log_files *files) __attribute__((warn_unused_result));

/* The position behind the last line. */
uint64_t log_files_end(const struct log_files *files);

/* Appends whole lines. Returns 0, or -errno: some of them may be there, all whole. */
int log_files_append(struct log_files *files, const char *lines, size_t length)
	__attribute__((warn_unused_result));

/* Removes segments that are too old, or too many. */
void log_files_prune(struct log_files *files);

/*
 * Appends the lines from position *after on, up to LOG_READ_MAX bytes and to the position `end`, and moves *after behind them. A position that is not there
 * any more is taken for the first one that is.
 */
void log_files_read(const char *directory, uint64_t *after, uint64_t end, struct df_str *lines);

/* The position of the last `count` lines before `end`. */
uint64_t log_files_tail(const char *directory, unsigned int count, uint64_t end);

/* Removes the oldest segments of all logs below `directory` until `quota_bytes` are left, and those older than `age_ms`; not the last one of a log. */
void log_files_sweep(const char *directory, uint64_t quota_bytes, uint64_t age_ms);

/* Removes a log. */
void log_files_remove(const char *directory);

#endif
