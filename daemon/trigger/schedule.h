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

#include <stdbool.h>
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

/* --- which of them are to be put now --- */

enum schedule_missed { SCHEDULE_SKIP, SCHEDULE_ONCE, SCHEDULE_ALL };

/* How far a clock may be set back before a schedule goes on at the new time instead of waiting until its last tick has come once more. */
#define SCHEDULE_BACK_MS (24 * 3600 * 1000)
/* Nobody has looked for so long: what came meanwhile was missed. */
#define SCHEDULE_AWAY_MS 30000

struct schedule_clock {
	int64_t last_ms; /* the last tick that was put, or when the schedule was made */
	int64_t looked_ms; /* when it was looked at last; 0: not yet */
};

/* Is it to be looked at although its next tick is still to come? */
bool schedule_clock_is_back(const struct schedule_clock *clock, int64_t now_ms);

/*
 * Which ticks are to be put at `now_ms`: at most `count`, the last ones, in order; *late says that they were missed. What is skipped is over:
 * clock->last_ms is set to it. Sets looked_ms. After each put the caller sets clock->last_ms to the tick.
 */
size_t schedule_due(const struct schedule *schedule, enum schedule_missed missed, int64_t now_ms,
	struct schedule_clock *clock, int64_t *ticks, size_t count, bool *late);

#endif
