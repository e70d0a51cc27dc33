// SPDX-License-Identifier: Apache-2.0
/*
 * Times as programs pass them, and nanoseconds as the kernel counts them. Values too large for 64 bits
 * of ns (292 years) become "for ever".
 */
#ifndef KERNEL_TIMESPEC_H
#define KERNEL_TIMESPEC_H

#include <dayfly/hypercall.h>
#include <linux/time.h>
#include <kernel/time/clock.h>

struct timespec64 {
	int64_t tv_sec, tv_nsec;
};

struct itimerspec64 {
	struct timespec64 interval, value;
};

static inline bool timespec_valid(const struct timespec64 *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < (int64_t)NS_PER_S;
}

/* ts is valid. DF_FOREVER: beyond what can be counted. */
static inline uint64_t timespec_to_ns(const struct timespec64 *ts)
{
	if (ts->tv_sec >= INT64_MAX / (int64_t)NS_PER_S)
		return DF_FOREVER;
	return (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static inline struct timespec64 timespec_from_ns(uint64_t ns)
{
	return (struct timespec64){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S)};
}

/* The deadline that lies `ns` from now. */
static inline uint64_t deadline_in(uint64_t ns)
{
	uint64_t now = clock_monotonic();

	return ns >= DF_FOREVER - now ? DF_FOREVER : now + ns;
}

/* What the clock (a CLOCK_* that runs by itself) shows now. */
static inline uint64_t clock_now(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return clock_realtime();
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return clock_boottime();
	default:
		return clock_monotonic();
	}
}

/* The deadline at which the clock will show `ns`; one that has passed is now. */
static inline uint64_t deadline_at(int clock, uint64_t ns)
{
	uint64_t now = clock_now(clock);

	if (ns == DF_FOREVER)
		return DF_FOREVER;
	return ns > now ? deadline_in(ns - now) : clock_monotonic();
}

#endif
