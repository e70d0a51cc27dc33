// SPDX-License-Identifier: Apache-2.0
/* System calls about time: clocks and sleeping. Timers that send signals belong to `signals`. */
#include <kernel/core/errno.h>
#include <kernel/core/ids.h>
#include <kernel/core/thread.h>
#include <kernel/mm/user.h>
#include <kernel/sys/calls.h>
#include <kernel/time/timespec.h>

static uint64_t thread_cpu(const struct thread *t)
{
	return t->cpu_ns + (t == current ? clock_monotonic() - t->switched_in_ns : 0);
}

/* CPU clocks of a process or thread are negative ids: ~pid << 3 | thread 4 | kind. */
static int cpu_clock(int id, uint64_t *ns)
{
	int pid = (int)(~(unsigned)id >> 3);
	struct thread *t;

	if ((id & 3) > 2)
		return -EINVAL;
	if (!(id & 4)) {
		*ns = clock_process_cpu();
		return 0;
	}
	list_for_each(t, &thread_list, all) {
		if (t->tid == tid_meant(pid) || (!pid && t == current)) {
			*ns = thread_cpu(t);
			return 0;
		}
	}
	return -EINVAL;
}

static int read_clock(int id, uint64_t *ns)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_monotonic();
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_boottime();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = clock_process_cpu();
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu(current);
		return 0;
	default:
		return id < 0 ? cpu_clock(id, ns) : -EINVAL;
	}
}

static int64_t sys_clock_gettime(int id, gva_t out)
{
	struct timespec64 ts;
	uint64_t ns;
	int r = read_clock(id, &ns);

	if (r)
		return r;
	ts = timespec_from_ns(ns);
	return user_put(out, &ts);
}

static int64_t sys_clock_getres(int id, gva_t out)
{
	bool coarse = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE;
	struct timespec64 ts = {0, coarse ? 4000000 : 1};
	uint64_t ns;
	int r = read_clock(id, &ns);

	return r ? r : out ? user_put(out, &ts) : 0;
}

/* The host's clock is not the guest's to set. */
static int64_t sys_clock_settime(int id, gva_t in)
{
	(void)in;
	return id == CLOCK_REALTIME ? -EPERM : -EINVAL;
}

static int64_t sys_gettimeofday(gva_t tv, gva_t tz)
{
	struct timespec64 t = timespec_from_ns(clock_realtime());
	const int32_t zone[2] = {0, 0};

	t.tv_nsec /= 1000;
	return (tv && user_put(tv, &t)) || (tz && user_put(tz, &zone)) ? -EFAULT : 0;
}

static int64_t sys_time(gva_t out)
{
	int64_t s = (int64_t)(clock_realtime() / NS_PER_S);

	return out && user_put(out, &s) ? -EFAULT : s;
}

int thread_sleep_clock(int clock, uint64_t ns)
{
	int r;

	current->follows_clock = true;
	r = thread_sleep(deadline_at(clock, ns));
	current->follows_clock = false;
	return r;
}

static int64_t sleep_until_clock(int clock, uint64_t ns)
{
	int r;

	do
		r = thread_sleep_clock(clock, ns);
	while (!r);
	return r == -ETIMEDOUT ? 0 : -EINTR;
}

/* Sleeps until the deadline; when interrupted says what was left. */
static int64_t sleep_until(uint64_t deadline, gva_t left_out)
{
	struct timespec64 left;
	uint64_t now;
	int r;

	do
		r = thread_sleep(deadline);
	while (!r);
	if (r == -ETIMEDOUT)
		return 0;
	now = clock_monotonic();
	left = timespec_from_ns(deadline > now ? deadline - now : 0);
	if (left_out && user_put(left_out, &left))
		return -EFAULT;
	return -EINTR;
}

static int64_t sys_clock_nanosleep(int id, int flags, gva_t in, gva_t out)
{
	struct timespec64 ts;
	uint64_t now;

	if (id == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	if (read_clock(id, &now))
		return -EINVAL;
	if (user_get(&ts, in))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	if (flags & TIMER_ABSTIME)
		return sleep_until_clock(id, timespec_to_ns(&ts));
	return sleep_until(deadline_in(timespec_to_ns(&ts)), out);
}

static int64_t sys_nanosleep(gva_t in, gva_t out)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, in, out);
}

const struct feature_call time_calls[] = {
	{35, sys_nanosleep},
	{96, sys_gettimeofday},
	{201, sys_time},
	{227, sys_clock_settime},
	{228, sys_clock_gettime},
	{229, sys_clock_getres},
	{230, sys_clock_nanosleep},
};
const unsigned time_call_count = array_size(time_calls);
