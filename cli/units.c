/* SPDX-License-Identifier: Apache-2.0 */
/* Times and sizes for people: see event.h. */
#include "cli/event.h"

#include <inttypes.h>
#include <stdio.h>

/* One digit behind the point below ten. */
static const char *say(double number, const char *unit, char text[UNITS_BYTES])
{
	snprintf(text, UNITS_BYTES, number < 9.95 ? "%.1f %s" : "%.0f %s", number, unit);
	return text;
}

const char *units_time(uint64_t ns, char text[UNITS_BYTES])
{
	double us = (double)ns / 1e3;

	if (us < 999.5)
		return say(us, "us", text);
	if (us < 999.5e3)
		return say(us / 1e3, "ms", text);
	return say(us / 1e6, "s", text);
}

const char *units_size(uint64_t bytes, char text[UNITS_BYTES])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double size = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(text, UNITS_BYTES, "%" PRIu64 " bytes", bytes);
		return text;
	}
	while (size >= 1023.5 && unit < 3) {
		size /= 1024;
		unit++;
	}
	return say(size, units[unit], text);
}

const char *units_age(uint64_t ms, char text[UNITS_BYTES])
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	uint64_t seconds = ms / 1000;
	size_t i = 0;

	/* From two of a unit on. */
	while (i < 3 && seconds < 2 * units[i].seconds)
		i++;
	snprintf(text, UNITS_BYTES, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].unit);
	return text;
}
