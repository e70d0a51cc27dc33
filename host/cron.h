/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron expressions: five fields as in crontab(5), or @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually).
 *
 *	minute 0-59   hour 0-23   day of the month 1-31   month 1-12, jan-dec   day of the week 0-7, sun-sat (0 and 7 are Sunday)
 *
 * A field is a list, with commas, of `*`, a number, or a range `8-18`; a `*` or a range can have a step: `*`/15, 8-18/2. Names are of three letters,
 * in either case, also in lists and ranges. If neither the day of the month nor the day of the week begins with `*`, a day
 * needs to fit one of the two; else both.
 *
 * Pure computation on the calendar, without zones: a minute here is the number of minutes that a clock on the wall has counted since
 * 1970-01-01 00:00 of its own.
 */
#ifndef HOST_CRON_H
#define HOST_CRON_H

#include "host/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Years within which whatever can come at all comes: a 29 February on a given weekday. */
#define DF_CRON_YEARS 41

struct df_cron {
	uint64_t minutes; /* bit n: minute n */
	uint32_t hours, days, months, weekdays; /* bit 0 of weekdays: Sunday */
	bool any_day, any_weekday; /* the field began with `*` */
	bool wild; /* the minute's or the hour's field did */
};

/* Returns 0, or -EINVAL with *err set: wrong, or it never happens (30 February). */
int df_cron_parse(const char *text, struct df_cron *cron, struct df_err *err)
	__attribute__((warn_unused_result));

/* Finds the first minute that fits, from `from` on and before `until`. False: there is none, or not within DF_CRON_YEARS. Year 0 to 9999. */
bool df_cron_next(const struct df_cron *cron, int64_t from, int64_t until, int64_t *minute)
	__attribute__((warn_unused_result));

#endif
