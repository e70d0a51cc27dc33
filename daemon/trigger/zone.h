/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones of the system (/usr/share/zoneinfo), as intervals in which the distance to UTC stays the same. GLib reads them: the C library knows
 * one zone per process. A zone stays as it was when it was opened. Any thread.
 */
#ifndef DAEMON_ZONE_H
#define DAEMON_ZONE_H

#include "host/err.h"

#include <stdint.h>

struct zone;

/* `name` is such as "Europe/Berlin" or "UTC". Returns 0, -ENOENT (there is no such zone) or -EINVAL (it is no name of one) with *err set. */
int zone_open(const char *name, struct zone **zone, struct df_err *err)
	__attribute__((warn_unused_result));
void zone_close(struct zone *zone); /* NULL is allowed */

/* How far ahead of an instant the end of its interval is looked for: some years more than cron expressions need. */
#define ZONE_HORIZON_S (45ll * 366 * 86400)

struct zone_interval {
	int64_t end; /* seconds since 1970: the first one with another offset; or the horizon */
	int64_t offset; /* seconds that are added to UTC */
};

/* The interval around an instant (seconds since 1970). */
void zone_at(const struct zone *zone, int64_t seconds, struct zone_interval *interval);

#endif
