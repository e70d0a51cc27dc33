/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, and their Prometheus text (exposition format 0.0.4). A tally belongs to a function's name and lives on while revisions come and go.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/dispatch/dispatch.h"
#include "daemon/log.h"

#define METRICS_BUCKETS 16

struct histogram {
	uint64_t bucket[METRICS_BUCKETS + 1]; /* the last one: larger than all limits */
	uint64_t sum_ns;
};

/*
 * The same times once more, in steps of an eighth or less, so that medians can be told: count[i] are those up to spread_limit_ns(i).
 * The last step has all that is longer.
 */
#define SPREAD_STEPS 240

struct spread {
	uint64_t count[SPREAD_STEPS];
};

/* Numbers are changed with relaxed atomics, from any thread. */
struct tally {
	char name[FUNCTION_NAME_MAX + 1];
	uint64_t results[CALL_RESULTS];
	uint64_t cold_starts;
	uint64_t pages; /* put back */
	uint64_t bytes_in, bytes_out;
	struct histogram duration, thaw, queued;
	struct spread spread; /* of duration */
	struct log *log;
	/* protected by the lock of all tallies: */
	unsigned int references;
	LIST_ENTRY(tally) link;
};

/* The tally of a name, made if there is none: a reference. NULL without memory. */
struct tally *tally_get(const char *name) __attribute__((warn_unused_result));
struct tally *tally_ref(struct tally *tally);
void tally_unref(struct tally *tally);

/* Counts a call. */
void tally_call(struct tally *tally, const struct call *call, const struct call_reply *reply);

/* The upper end of a step, in ns. */
uint64_t spread_limit_ns(unsigned int step);

uint64_t tally_read(const uint64_t *counter);

/* All of it as text. */
void metrics_write(struct df_str *text);

#endif
