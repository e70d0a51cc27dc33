/* SPDX-License-Identifier: Apache-2.0 */
/* When a schedule ticks: see schedule.h. */
#include "daemon/trigger/schedule.h"

#include "daemon/trigger/zone.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A change of the clock is looked for so far back: no zone ever moved by more than a day. */
#define LOOK_BACK_S (2 * 86400)
#define HOUR_MS 3600000

int schedule_init(struct schedule *schedule, uint64_t every_ms, const char *cron, const char *zone,
	struct df_err *err)
{
	int error;

	*schedule = (struct schedule){.every_ms = every_ms};
	if (every_ms)
		return 0;
	error = df_cron_parse(cron, &schedule->cron, err);
	return error ? error : zone_open(zone, &schedule->zone, err);
}

void schedule_deinit(struct schedule *schedule)
{
	zone_close(schedule->zone);
	schedule->zone = NULL;
}

static int64_t divide_up(int64_t a, int64_t b)
{
	return a / b + (a % b > 0);
}

/* What the clock on the wall did when the interval around an instant began, if that was lately. */
struct change {
	bool known;
	int64_t at; /* when */
	int64_t before; /* the offset before it */
};

static void find_change(const struct schedule *s, int64_t seconds, struct change *change)
{
	struct zone_interval interval;
	int64_t at = seconds - LOOK_BACK_S;

	*change = (struct change){.known = false};
	for (zone_at(s->zone, at, &interval); interval.end <= seconds;
		zone_at(s->zone, at, &interval)) {
		at = interval.end;
		*change = (struct change){.known = true, .at = at, .before = interval.offset};
	}
}

/* Is there a tick at a local time from `from` to before `until`, both in seconds? */
static bool find_local(const struct schedule *s, int64_t from, int64_t until, int64_t *found)
{
	int64_t minute;

	if (from >= until ||
		!df_cron_next(&s->cron, divide_up(from, 60), divide_up(until, 60), &minute))
		return false;
	*found = minute * 60;
	return true;
}

/* The first tick from `at` on within its interval, whose end is *end. */
static bool find_in_interval(const struct schedule *s, int64_t at, int64_t *end, int64_t *found)
{
	struct zone_interval now;
	struct change change;
	int64_t from, local;

	zone_at(s->zone, at, &now);
	*end = now.end;
	from = at + now.offset;
	if (!s->cron.wild) {
		find_change(s, at, &change);
		/* Left out: the times between the old reading and the new one. */
		if (change.known && at == change.at &&
			find_local(s, at + change.before, at + now.offset, &local)) {
			*found = at;
			return true;
		}
		/* Twice: the times up to the old reading have been. */
		if (change.known && from < change.at + change.before)
			from = change.at + change.before;
	}
	if (!find_local(s, from, now.end + now.offset, &local))
		return false;
	*found = local - now.offset;
	return true;
}

int64_t schedule_next(const struct schedule *s, int64_t after_ms)
{
	int64_t every = (int64_t)s->every_ms, at, horizon, end, found;

	if (after_ms < 0)
		after_ms = 0;
	if (every)
		return (after_ms / every + 1) * every;
	at = after_ms / 1000 + 1;
	for (horizon = at + ZONE_HORIZON_S; at < horizon; at = end) {
		if (find_in_interval(s, at, &end, &found))
			return found * 1000;
	}
	return SCHEDULE_NEVER;
}

/* Keeps the last `count` of them. */
static size_t collect(const struct schedule *s, int64_t after_ms, int64_t until_ms, int64_t *ticks,
	size_t count)
{
	size_t have = 0;

	for (int64_t at = schedule_next(s, after_ms); at <= until_ms; at = schedule_next(s, at)) {
		if (have == count)
			memmove(ticks, ticks + 1, --have * sizeof(*ticks));
		ticks[have++] = at;
	}
	return have;
}

size_t schedule_last(const struct schedule *s, int64_t after_ms, int64_t until_ms, int64_t *ticks,
	size_t count)
{
	int64_t reach = s->every_ms ? (int64_t)(s->every_ms * count) : HOUR_MS;

	/* From the end backwards in growing steps: a year may lie between, with a tick every second. */
	for (;; reach *= 2) {
		bool all = until_ms - after_ms <= reach;
		size_t have = collect(s, all ? after_ms : until_ms - reach, until_ms, ticks, count);

		if (all || have == count)
			return have;
	}
}

/* --- which of them are to be put now --- */

bool schedule_clock_is_back(const struct schedule_clock *clock, int64_t now_ms)
{
	return now_ms < clock->last_ms - SCHEDULE_BACK_MS;
}

size_t schedule_due(const struct schedule *s, enum schedule_missed missed, int64_t now_ms,
	struct schedule_clock *clock, int64_t *ticks, size_t count, bool *late)
{
	size_t due;

	*late = clock->looked_ms == 0 || now_ms - clock->looked_ms > SCHEDULE_AWAY_MS;
	clock->looked_ms = now_ms;
	/* Ticks that were put are not put again while a clock that was set back catches up; but nobody waits for days. */
	if (schedule_clock_is_back(clock, now_ms))
		clock->last_ms = now_ms;
	if (*late && missed == SCHEDULE_ONCE)
		count = 1;
	due = schedule_last(s, clock->last_ms, now_ms, ticks, count);
	if (due && *late && missed == SCHEDULE_SKIP) {
		clock->last_ms = ticks[due - 1];
		due = 0;
	}
	return due;
}
