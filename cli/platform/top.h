/* SPDX-License-Identifier: Apache-2.0 */
/* What `dayfly top` shows: the difference of two samples of the daemon's counters. */
#ifndef CLI_PLATFORM_TOP_H
#define CLI_PLATFORM_TOP_H

#include "cli/platform/platform.h"

/* What GET /stats and GET /processes said. */
struct top_sample {
	json_t *stats, *processes; /* references */
};

/* One function between two samples. */
struct top_row {
	const char *name; /* borrowed from the later sample */
	double events_per_s, errors_per_s;
	uint64_t p50_ns, p99_ns; /* 0: no event ended */
	uint64_t instances, busy, memory_bytes, queued;
};

struct top_view {
	struct top_row *rows; /* the busiest first */
	size_t count;
	double seconds; /* between the samples */
	struct top_row total; /* of all; name, p50 and p99 are not set */
	uint64_t uptime_ms, processes;
	uint64_t services, services_running;
};

/* Returns 0 or the exit status with *err set. */
int top_sample_take(struct top_sample *sample, struct df_err *err)
	__attribute__((warn_unused_result));
void top_sample_deinit(struct top_sample *sample);

/*
 * What happened between them. A daemon that was started anew meanwhile has counted from 0. The view borrows from `after`. Returns 0
 * or the exit status with *err set; top_view_deinit frees it.
 */
int top_view_make(const struct top_sample *before, const struct top_sample *after,
	struct top_view *view, struct df_err *err) __attribute__((warn_unused_result));
void top_view_deinit(struct top_view *view);

/* The same as JSON, a new reference; NULL without memory. */
json_t *top_view_json(const struct top_view *view) __attribute__((warn_unused_result));

#endif
