/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cron.h"

#include "host/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t minute_of(const char *text)
{
	struct tm tm = {0};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
	return timegm(&tm) / 60;
}

static void check_next(const char *expression, const char *from, const char *want)
{
	struct df_cron cron;
	struct df_err err;
	int64_t found;

	if (df_cron_parse(expression, &cron, &err))
		fail_msg("%s: %s", expression, err.text);
	assert_true(df_cron_next(&cron, minute_of(from), INT64_MAX, &found));
	if (found != minute_of(want)) {
		time_t seconds = (time_t)(found * 60);
		char text[32];

		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", gmtime(&seconds));
		fail_msg("%s from %s: %s, not %s", expression, from, text, want);
	}
}

static void test_next(void **state)
{
	static const char *const cases[][3] = {
		{"* * * * *", "2026-11-23 10:15", "2026-11-23 10:15"},
		{"*/5 8-18 * * mon-fri", "2026-11-20 18:56", "2026-11-23 08:00"},
		{"0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"},
		{"0 0 29 2 */6", "2026-01-01 00:00", "2032-02-29 00:00"},
		{"30 4 1,15 * 5", "2026-11-02 00:00", "2026-11-06 04:30"},
		{"0 12 * * sat-sun", "2026-11-23 00:00", "2026-11-28 12:00"},
		{"0 12 * * 6-7", "2026-11-28 12:01", "2026-11-29 12:00"},
		{"0 12 * * 7", "2026-11-23 00:00", "2026-11-29 12:00"},
		{"59 23 31 DEC *", "2026-12-31 23:59", "2026-12-31 23:59"},
		{"10-20/5,3 * * * *", "2026-11-23 10:16", "2026-11-23 10:20"},
		{"@hourly", "2026-11-23 10:01", "2026-11-23 11:00"},
		{"@daily", "2026-11-23 10:01", "2026-11-24 00:00"},
		{"@weekly", "2026-11-23 10:01", "2026-11-29 00:00"},
		{"@monthly", "2026-11-23 10:01", "2026-12-01 00:00"},
		{"@yearly", "2026-11-23 10:01", "2027-01-01 00:00"},
		{"0 0 31 * *", "2026-11-01 00:00", "2026-12-31 00:00"},
		{"0 0 * * *", "1969-12-30 10:00", "1969-12-31 00:00"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_next(cases[i][0], cases[i][1], cases[i][2]);
}

static void test_until(void **state)
{
	struct df_cron cron;
	int64_t at;

	(void)state;
	assert_int_equal(df_cron_parse("0 12 * * *", &cron, NULL), 0);
	assert_false(df_cron_next(&cron, 0, 720, &at));
	assert_true(df_cron_next(&cron, 0, 721, &at));
	assert_int_equal(at, 720);
	assert_false(df_cron_next(&cron, 721, 721, &at));
}

static void test_refused(void **state)
{
	static const char *const wrong[] = {"", " ", "* * * *", "* * * * * *", "60 * * * *",
		"* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8",
		"-1 * * * *", "5-1 * * * *", "*/0 * * * *", "*/60 * * * *", "a * * * *",
		"1, * * * *", ",1 * * * *", "1,,2 * * * *", "* * * * monday", "5/10 * * * *",
		"* * 30 2 *", "* * 31 4,6,9,11 *", "99999999999 * * * *", "1-2-3 * * * *",
		"*-5 * * * *", "** * * * *", "@reboot", "jan * * * *", "* * * mon *",
		"0 0 * * fri-mon", "*/ * * * *", "1- * * * *", "0x1 * * * *"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct df_cron cron;
		struct df_err err = {0};

		if (df_cron_parse(wrong[i], &cron, &err) != -EINVAL || !err.text[0])
			fail_msg("taken: %s", wrong[i]);
	}
}

/* --- against a slow reading of the same words that shares no code: a set of texts, minute by minute --- */

static unsigned int chance(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8 & 0xffff ? (*seed >> 8 & 0xffff) % below : 0;
}

static void make_field(unsigned int *seed, unsigned int least, unsigned int most, char *text)
{
	unsigned int from = least + chance(seed, most - least + 1);
	unsigned int to = from + chance(seed, most - from + 1), step = 1 + chance(seed, most);

	switch (chance(seed, 6)) {
	case 0:
	case 1:
		strcpy(text, "*");
		break;
	case 2:
		sprintf(text, "*/%u", step);
		break;
	case 3:
		sprintf(text, "%u-%u", from, to);
		break;
	case 4:
		sprintf(text, "%u-%u/%u", from, to, step);
		break;
	default:
		sprintf(text, "%u,%u", from, to);
	}
}

static bool slow_field(const char *field, int value, int least, int most)
{
	int from, to, step, used;

	for (;; field = strchr(field, ',') + 1) {
		step = 1;
		if (*field == '*') {
			from = least;
			to = most;
			sscanf(field, "*/%d", &step);
		} else if (sscanf(field, "%d-%d/%d%n", &from, &to, &step, &used) < 2) {
			to = from = atoi(field);
			step = 1;
		}
		for (int i = from; i <= to; i += step) {
			if (i == value)
				return true;
		}
		if (!strchr(field, ','))
			return false;
	}
}

static bool slow_fits(char field[5][24], int64_t minute)
{
	time_t seconds = (time_t)(minute * 60);
	struct tm tm;
	bool day, weekday;

	gmtime_r(&seconds, &tm);
	day = slow_field(field[2], tm.tm_mday, 1, 31);
	weekday = slow_field(field[4], tm.tm_wday, 0, 7) ||
		(tm.tm_wday == 0 && slow_field(field[4], 7, 0, 7));
	return slow_field(field[0], tm.tm_min, 0, 59) && slow_field(field[1], tm.tm_hour, 0, 23) &&
		slow_field(field[3], tm.tm_mon + 1, 1, 12) &&
		(*field[2] == '*' || *field[4] == '*' ? day && weekday : day || weekday);
}

static void test_brute_force(void **state)
{
	unsigned int seed = 20261123;
	unsigned int hits = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		static const unsigned int range[5][2] = {
			{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}};
		int64_t at = minute_of("2027-01-01 00:00") + chance(&seed, 60000) * 20,
			until = at + 3000, found = 0;
		char field[5][24], text[128];
		struct df_cron cron;

		for (int i = 0; i < 5; i++)
			make_field(&seed, range[i][0], range[i][1], field[i]);
		/* Most of them in most months, so that there is something to compare. */
		if (round % 4)
			strcpy(field[3], "*");
		sprintf(text, "%s %s %s %s %s", field[0], field[1], field[2], field[3], field[4]);
		if (df_cron_parse(text, &cron, NULL))
			continue; /* the 31st of February */
		for (; at < until; at++) {
			bool want = slow_fits(field, at);
			bool got = df_cron_next(&cron, at, at + 1, &found) && found == at;

			hits += want;
			if (want != got)
				fail_msg("%s: minute %lld %s", text, (long long)at,
					want ? "left out" : "made up");
		}
		/* The next one is never before one that fits. */
		if (df_cron_next(&cron, until - 3000, until, &found)) {
			for (int64_t before = until - 3000; before < found; before++)
				assert_false(slow_fits(field, before));
		}
	}
	assert_true(hits > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
