/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a schedule ticks: cron expressions on the clock of a zone, or every so often. Computation alone; ticker.h has the thread.
 *
 * Where a zone's clock is changed (docs/triggers.md tells it to users; it is what Debian's cron does):
 *
 *	minute or hour begins with `*`    ticks follow the time that passes: nothing in the hour that is left out, both times in the hour that comes twice
 *	both are given                    each local time ticks once: one that is left out at the moment of the change, one that comes twice the first time
 *
 * Times are milliseconds since 1970. A schedule is not changed once it is made; any thread.
 */
#ifndef DAEMON_SCHEDULE_H
#define DAEMON_SCHEDULE_H

#include "host/cron.h"
#include "host/err.h"

#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NEVER INT64_MAX

struct zone;

struct schedule {
	uint64_t every_ms; /* 0: cron */
	struct df_cron cron;
	struct zone *zone;
};

/*
 * Either `every_ms`, or `cron` with the zone's name. Returns 0, -EINVAL or -ENOENT with *err set. Every so often means whole multiples
 * since 1970 in UTC, so that neither restarts nor deploys move the ticks.
 */
int schedule_init(struct schedule *schedule, uint64_t every_ms, const char *cron, const char *zone,
	struct df_err *err) __attribute__((warn_unused_result));
void schedule_deinit(struct schedule *schedule);

/* The first tick after `after_ms`, or SCHEDULE_NEVER. */
int64_t schedule_next(const struct schedule *schedule, int64_t after_ms);

/* The last ticks after `after_ms` and not after `until_ms`, at most `count`, in order. Returns how many. */
size_t schedule_last(const struct schedule *schedule, int64_t after_ms, int64_t until_ms,
	int64_t *ticks, size_t count);

#endif
