/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions: see cron.h. */
#include "host/cron.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_MINUTES 1440

struct field {
	const char *what;
	unsigned int least, most;
	const char *names; /* three letters each, the first for `least`; NULL: none */
};

static const struct field fields[] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of the month", 1, 31, NULL},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of the week", 0, 7, "sunmontuewedthufrisat"},
};

static const struct {
	const char *name, *fields;
} words[] = {
	{"@hourly", "0 * * * *"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},
	{"@monthly", "0 0 1 * *"},
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

/* --- parsing --- */

static bool take_digits(const char **text, unsigned int *number)
{
	const char *at = *text;

	for (*number = 0; isdigit((unsigned char)*at) && at - *text < 4; at++)
		*number = *number * 10 + (unsigned int)(*at - '0');
	if (at == *text || isdigit((unsigned char)*at))
		return false;
	*text = at;
	return true;
}

static bool take_name(const char **text, const struct field *field, unsigned int *number)
{
	size_t length = 0;

	while (isalpha((unsigned char)(*text)[length]))
		length++;
	for (unsigned int i = 0; length == 3 && field->names && field->names[(size_t)3 * i]; i++) {
		if (strncasecmp(*text, field->names + (size_t)3 * i, 3) == 0) {
			*number = field->least + i;
			*text += 3;
			return true;
		}
	}
	return false;
}

static bool take_value(const char **text, const struct field *field, unsigned int *number)
{
	if (!isdigit((unsigned char)**text))
		return take_name(text, field, number);
	return take_digits(text, number) && *number >= field->least && *number <= field->most;
}

/* A week that ends on Sunday: sat-sun. */
static bool take_end(const char **text, const struct field *field, unsigned int from,
	unsigned int *to)
{
	if (!take_value(text, field, to))
		return false;
	if (*to == 0 && field->most == 7 && from > 0)
		*to = 7;
	return *to >= from;
}

static bool take_range(const char **text, const struct field *field, uint64_t *bits)
{
	unsigned int from = field->least, to = field->most, step = 1;
	bool range = **text == '*';

	if (range) {
		(*text)++;
	} else {
		if (!take_value(text, field, &from))
			return false;
		to = from;
		range = **text == '-';
		if (range) {
			(*text)++;
			if (!take_end(text, field, from, &to))
				return false;
		}
	}
	/* "5/10" means different things to different programs. */
	if (**text == '/') {
		(*text)++;
		if (!range || !take_digits(text, &step) || step < 1 || step > field->most)
			return false;
	}
	for (; from <= to; from += step)
		*bits |= 1ull << from;
	return true;
}

static int take_field(const char **text, const struct field *field, uint64_t *bits,
	struct df_err *err)
{
	const char *start = *text;

	for (*bits = 0; take_range(text, field, bits); (*text)++) {
		if (**text == ' ' || **text == '\t' || **text == '\0')
			return 0;
		if (**text != ',')
			break;
	}
	return df_err_set(err, -EINVAL,
		"the %s of a cron expression is %u to %u%s, a range such as 1-5, a step such as */5 or 1-5/2, or a list of these; this is %.*s",
		field->what, field->least, field->most,
		field->names ? ", or its name in three letters" : "", (int)strcspn(start, " \t"),
		start);
}

static const char *expand(const char *text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i].name) == 0)
			return words[i].fields;
	}
	return text;
}

static size_t count_fields(const char *text)
{
	size_t count = 0;

	while (*(text += strspn(text, " \t"))) {
		count++;
		text += strcspn(text, " \t");
	}
	return count;
}

static void fill(struct df_cron *cron, const uint64_t bits[5], const bool star[5])
{
	*cron = (struct df_cron){
		.minutes = bits[0],
		.hours = (uint32_t)bits[1],
		.days = (uint32_t)bits[2],
		.months = (uint32_t)bits[3],
		.weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
		.any_day = star[2],
		.any_weekday = star[4],
		.wild = star[0] || star[1],
	};
}

int df_cron_parse(const char *text, struct df_cron *cron, struct df_err *err)
{
	const char *at = expand(text);
	uint64_t bits[5];
	int64_t minute;
	bool star[5];
	struct df_cron made;

	if (count_fields(at) != 5)
		return df_err_set(err, -EINVAL,
			"a cron expression has five fields: minute, hour, day of the month, month, day of the week, such as \"*/5 8-18 * * mon-fri\"; this is \"%.100s\"",
			text);
	for (size_t i = 0; i < 5; i++) {
		int error;

		at += strspn(at, " \t");
		star[i] = *at == '*';
		error = take_field(&at, &fields[i], &bits[i], err);
		if (error)
			return error;
	}
	fill(&made, bits, star);
	if (!df_cron_next(&made, 0, INT64_MAX, &minute))
		return df_err_set(err, -EINVAL, "there is no such day in any year: \"%.100s\"",
			text);
	*cron = made;
	return 0;
}

/* --- the calendar --- */

static bool day_fits(const struct df_cron *cron, int64_t day)
{
	time_t seconds = (time_t)(day * DAY_MINUTES * 60);
	struct tm tm;
	bool date, weekday;

	if (!gmtime_r(&seconds, &tm) || !(cron->months >> (tm.tm_mon + 1) & 1))
		return false;
	date = cron->days >> tm.tm_mday & 1;
	weekday = cron->weekdays >> tm.tm_wday & 1;
	return cron->any_day || cron->any_weekday ? date && weekday : date || weekday;
}

/* The first minute of a day that fits, from `from` (0 to 1439) on; DAY_MINUTES: none. */
static int64_t find_minute(const struct df_cron *cron, int64_t from)
{
	for (unsigned int hour = (unsigned int)(from / 60); hour < 24; hour++, from = 0) {
		uint64_t left = cron->minutes >> (from % 60);

		if (cron->hours >> hour & 1 && left)
			return hour * 60 + from % 60 + __builtin_ctzll(left);
	}
	return DAY_MINUTES;
}

bool df_cron_next(const struct df_cron *cron, int64_t from, int64_t until, int64_t *minute)
{
	int64_t day = from / DAY_MINUTES - (from % DAY_MINUTES < 0);
	int64_t start = from - day * DAY_MINUTES, last = day + DF_CRON_YEARS * 366;

	for (; day < last && day * DAY_MINUTES < until; day++, start = 0) {
		int64_t found = day_fits(cron, day) ? find_minute(cron, start) : DAY_MINUTES;

		if (found == DAY_MINUTES)
			continue;
		if (day * DAY_MINUTES + found >= until)
			return false;
		*minute = day * DAY_MINUTES + found;
		return true;
	}
	return false;
}
