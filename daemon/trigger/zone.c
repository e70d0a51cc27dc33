/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: see zone.h. */
#include "daemon/trigger/zone.h"

#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>

#define DIRECTORY "/usr/share/zoneinfo"
#define NAME_BYTES_MAX 64
#define FIRST_STEP_S (64ll * 86400)

static bool name_ok(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= NAME_BYTES_MAX && *name != '/' && name[length - 1] != '/' &&
		!strstr(name, "//") &&
		strspn(name,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") ==
		length;
}

/* GLib would also take rules such as "EST5EDT,M3.2.0" or "+05", whose sign means different things to different people. */
static bool is_zone_file(const char *name)
{
	DF_FREE char *path = df_format(DIRECTORY "/%s", name);
	DF_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	char magic[4];

	return fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
		memcmp(magic, "TZif", 4) == 0;
}

int zone_open(const char *name, struct zone **zone, struct df_err *err)
{
	GTimeZone *opened;

	if (!name_ok(name))
		return df_err_set(err, -EINVAL,
			"\"%.64s\" is no name of a time zone; write it like Europe/Berlin or UTC",
			name);
	opened = is_zone_file(name) ? g_time_zone_new_identifier(name) : NULL;
	if (!opened)
		return df_err_set(err, -ENOENT,
			"there is no time zone %s on this machine; " DIRECTORY
			" has those that there are (package tzdata)",
			name);
	*zone = (struct zone *)opened;
	return 0;
}

void zone_close(struct zone *zone)
{
	if (zone)
		g_time_zone_unref((GTimeZone *)zone);
}

static int find(const struct zone *zone, int64_t seconds)
{
	return g_time_zone_find_interval((GTimeZone *)zone, G_TIME_TYPE_UNIVERSAL, seconds);
}

void zone_at(const struct zone *zone, int64_t seconds, struct zone_interval *interval)
{
	int number = find(zone, seconds);
	int64_t inside = seconds, outside = seconds, last = seconds + ZONE_HORIZON_S;

	interval->offset = g_time_zone_get_offset((GTimeZone *)zone, number);
	for (int64_t step = FIRST_STEP_S; outside == inside; step *= 2) {
		outside = inside + step < last ? inside + step : last;
		if (find(zone, outside) == number && outside < last)
			inside = outside;
		else
			break;
	}
	if (find(zone, outside) == number) {
		interval->end = last;
		return;
	}
	/* Intervals are numbered in the order of time. */
	while (outside - inside > 1) {
		int64_t middle = inside + (outside - inside) / 2;

		if (find(zone, middle) == number)
			inside = middle;
		else
			outside = middle;
	}
	interval->end = outside;
}
