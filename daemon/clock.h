/* SPDX-License-Identifier: Apache-2.0 */
/* Times: nanoseconds of CLOCK_MONOTONIC, milliseconds since 1970, and texts of the latter. */
#ifndef DAEMON_CLOCK_H
#define DAEMON_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define CLOCK_TEXT_BYTES 32

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

/* RFC 3339 in UTC: "2026-01-31T12:00:00.123Z" */
static inline const char *clock_text(uint64_t wall_ms, char text[CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, CLOCK_TEXT_BYTES - length, ".%03uZ",
		(unsigned int)(wall_ms % 1000));
	return text;
}

#endif
