/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of schedule.c and zone.c; the suite `triggers` compares them with another reading of the zones, minute by minute. */
#include "daemon/trigger/schedule.h"

#include "daemon/trigger/zone.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t ms_of(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm) * 1000ll;
}

static void say(int64_t ms, char text[32])
{
	time_t seconds = (time_t)(ms / 1000);

	strftime(text, 32, "%Y-%m-%d %H:%M:%S", gmtime(&seconds));
}

/* The ticks after `from`, as UTC. */
static void check_ticks(const char *cron, const char *zone, const char *from,
	const char *const *want)
{
	struct schedule schedule;
	struct df_err err;
	int64_t at = ms_of(from);

	if (schedule_init(&schedule, 0, cron, zone, &err))
		fail_msg("%s: %s", cron, err.text);
	for (; *want; want++) {
		char text[32];

		at = schedule_next(&schedule, at);
		say(at, text);
		if (strcmp(text, *want) != 0)
			fail_msg("%s in %s: %s, not %s", cron, zone, text, *want);
	}
	schedule_deinit(&schedule);
}

#define TICKS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_spring(void **state)
{
	(void)state;
	/* Berlin, 29 March 2026: 01:59:59 CET is followed by 03:00:00 CEST, at 01:00 UTC. */
	check_ticks("30 2 * * *", "Europe/Berlin", "2026-03-28 00:00:00",
		TICKS("2026-03-28 01:30:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"));
	/* Several that are left out are one tick, and so is one that falls on the moment itself. */
	check_ticks("0,30 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00:00",
		TICKS("2026-03-29 01:00:00", "2026-03-29 01:30:00", "2026-03-30 00:00:00"));
	check_ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29 00:15:00",
		TICKS("2026-03-29 00:30:00", "2026-03-29 01:00:00", "2026-03-29 01:30:00"));
	/* With a star as the minute: nothing in the hour that is not there. */
	check_ticks("*/30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00",
		TICKS("2026-03-30 00:00:00", "2026-03-30 00:30:00"));
	/* Half an hour, in the south. */
	check_ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-02 12:00:00",
		TICKS("2026-10-02 15:45:00", "2026-10-03 15:30:00", "2026-10-04 15:15:00"));
}

static void test_autumn(void **state)
{
	(void)state;
	/* Berlin, 25 October 2026: 02:59:59 CEST is followed by 02:00:00 CET, at 01:00 UTC. */
	check_ticks("30 2 * * *", "Europe/Berlin", "2026-10-24 00:00:00",
		TICKS("2026-10-24 00:30:00", "2026-10-25 00:30:00", "2026-10-26 01:30:00"));
	/* Also when it begins between the two. */
	check_ticks("30 2 * * *", "Europe/Berlin", "2026-10-25 00:45:00",
		TICKS("2026-10-26 01:30:00"));
	check_ticks("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00",
		TICKS("2026-10-26 01:30:00"));
	check_ticks("0 3 * * *", "Europe/Berlin", "2026-10-25 00:00:00",
		TICKS("2026-10-25 02:00:00", "2026-10-26 02:00:00"));
	check_ticks("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:15:00",
		TICKS("2026-10-25 00:30:00", "2026-10-25 01:00:00", "2026-10-25 01:30:00",
			"2026-10-25 02:00:00"));
	check_ticks("0 * * * *", "America/New_York", "2026-11-01 04:30:00",
		TICKS("2026-11-01 05:00:00", "2026-11-01 06:00:00", "2026-11-01 07:00:00"));
}

static void test_zones(void **state)
{
	static const char *const wrong[] = {"", "Europe/Bielefeld", "../../../etc/passwd",
		"/etc/localtime", "Europe/", "Europe", "EST5EDT,M3.2.0", "+05", "tzdata.zi",
		"zone.tab", "Europe//Berlin", "europe/berlin "};

	(void)state;
	/* A day that was not there, and one long before any change. */
	check_ticks("0 12 30 12 *", "Pacific/Apia", "2011-12-01 00:00:00",
		TICKS("2011-12-30 10:00:00", "2012-12-29 22:00:00"));
	check_ticks("0 0 1 1 *", "UTC", "2026-01-01 00:00:00", TICKS("2027-01-01 00:00:00"));
	check_ticks("0 0 29 2 *", "Asia/Kathmandu", "2026-11-23 00:00:00",
		TICKS("2028-02-28 18:15:00", "2032-02-28 18:15:00"));
	/* Rules go on where the table of changes ends. */
	check_ticks("0 12 1 7 *", "Europe/Berlin", "2090-01-01 00:00:00",
		TICKS("2090-07-01 10:00:00"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct df_err err = {0};
		struct zone *zone;

		if (zone_open(wrong[i], &zone, &err) == 0 || !err.text[0])
			fail_msg("taken: %s", wrong[i]);
	}
}

static void test_every(void **state)
{
	struct schedule s;
	int64_t ticks[8];

	(void)state;
	assert_int_equal(schedule_init(&s, 300000, NULL, NULL, NULL), 0);
	assert_int_equal(schedule_next(&s, ms_of("2026-11-23 10:15:00")),
		ms_of("2026-11-23 10:20:00"));
	assert_int_equal(schedule_next(&s, ms_of("2026-11-23 10:14:59")),
		ms_of("2026-11-23 10:15:00"));
	assert_int_equal(schedule_next(&s, -5), 300000);
	assert_int_equal(schedule_last(&s, ms_of("2026-11-23 10:00:00"),
				 ms_of("2026-11-23 10:15:00"), ticks, 8),
		3);
	assert_int_equal(ticks[0], ms_of("2026-11-23 10:05:00"));
	assert_int_equal(ticks[2], ms_of("2026-11-23 10:15:00"));
	assert_int_equal(schedule_last(&s, 0, ms_of("2026-11-23 10:15:00"), ticks, 2), 2);
	assert_int_equal(ticks[1], ms_of("2026-11-23 10:15:00"));
	assert_int_equal(schedule_last(&s, 10, 9, ticks, 2), 0);
	schedule_deinit(&s);
}

static void test_last(void **state)
{
	struct schedule s;
	int64_t ticks[3];

	(void)state;
	assert_int_equal(schedule_init(&s, 0, "30 2 * * *", "Europe/Berlin", NULL), 0);
	assert_int_equal(schedule_last(&s, ms_of("2026-01-01 00:00:00"),
				 ms_of("2026-03-29 12:00:00"), ticks, 3),
		3);
	assert_int_equal(ticks[2], ms_of("2026-03-29 01:00:00"));
	assert_int_equal(ticks[1], ms_of("2026-03-28 01:30:00"));
	assert_int_equal(schedule_last(&s, ms_of("2026-03-29 01:00:00"),
				 ms_of("2026-03-29 12:00:00"), ticks, 3),
		0);
	schedule_deinit(&s);
}

/* --- which ticks are put, and when --- */

/* A second's schedule that is looked at; what is due is put. */
static size_t look(const struct schedule *s, enum schedule_missed missed, int64_t now_ms,
	struct schedule_clock *clock, bool late)
{
	int64_t ticks[5];
	bool is_late;
	size_t due = schedule_due(s, missed, now_ms, clock, ticks, 5, &is_late);

	assert_int_equal(is_late, late);
	if (due) {
		assert_true(ticks[0] > clock->last_ms && ticks[due - 1] <= now_ms);
		clock->last_ms = ticks[due - 1];
	}
	return due;
}

static void test_due(void **state)
{
	const int64_t start = ms_of("2026-11-23 10:00:00");
	struct schedule s;

	(void)state;
	assert_int_equal(schedule_init(&s, 1000, NULL, NULL, NULL), 0);
	for (enum schedule_missed missed = SCHEDULE_SKIP; missed <= SCHEDULE_ALL; missed++) {
		struct schedule_clock clock = {.last_ms = start, .looked_ms = start};
		const size_t made_up[] = {0, 1, 5};

		/* In the ordinary course nothing is missed, also when a look comes late. */
		assert_int_equal(look(&s, missed, start + 999, &clock, false), 0);
		assert_int_equal(look(&s, missed, start + 1000, &clock, false), 1);
		assert_int_equal(look(&s, missed, start + 1000, &clock, false), 0);
		assert_int_equal(look(&s, missed, start + 4100, &clock, false), 3);
		/* The clock is set forward, or the machine slept. */
		assert_int_equal(look(&s, missed, start + 100000, &clock, true), made_up[missed]);
		assert_int_equal(look(&s, missed, start + 101000, &clock, false), 1);
		/* It is set back by a minute: nothing until the time was reached again. */
		assert_int_equal(look(&s, missed, start + 40000, &clock, false), 0);
		assert_int_equal(look(&s, missed, start + 69000, &clock, false), 0);
		assert_int_equal(look(&s, missed, start + 98000, &clock, false), 0);
		assert_int_equal(look(&s, missed, start + 102000, &clock, false), 1);
		/* By days: it goes on there. */
		assert_true(schedule_clock_is_back(&clock, start - 3 * SCHEDULE_BACK_MS));
		assert_int_equal(look(&s, missed, start - 3 * SCHEDULE_BACK_MS, &clock, false), 0);
		assert_int_equal(look(&s, missed, start - 3 * SCHEDULE_BACK_MS + 1000, &clock,
					 false),
			1);
		/* After a start. */
		clock.looked_ms = 0;
		assert_int_equal(look(&s, missed, start, &clock, true), made_up[missed]);
		assert_int_equal(look(&s, missed, start + 1000, &clock, false), 1);
	}
	schedule_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spring),
		cmocka_unit_test(test_autumn),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_every),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
