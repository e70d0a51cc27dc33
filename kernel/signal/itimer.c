// SPDX-License-Identifier: Apache-2.0
/*
 * alarm, getitimer, setitimer. ITIMER_REAL is a timer of the core; after it has fired, the next
 * interval starts when its SIGALRM is taken, as on Linux, so that a short one can not swamp us.
 *
 * ITIMER_VIRTUAL and ITIMER_PROF count the program's CPU time, both with the time it spends in kernel
 * calls. CPU time passes no faster than real time, so a core timer set to what is left looks again no
 * later than needed.
 */
#include <kernel/signal/signal.h>

#define CPU_STEP_NS 4000000ULL /* how often a CPU timer looks again at least (Linux: a jiffy) */

struct timeval64 {
	int64_t tv_sec, tv_usec;
};

struct itimerval64 {
	struct timeval64 interval, value;
};

/* Times in ns on the monotonic clock (real) or of CPU time (the others). */
struct itimer {
	struct timer timer;
	int signal;
	uint64_t expires; /* 0: disarmed */
	uint64_t interval;
};

enum { REAL, VIRTUAL, PROF, ITIMERS };

static struct itimer itimers[ITIMERS];

static void arm_cpu(struct itimer *it, uint64_t step)
{
	uint64_t now = clock_process_cpu();

	timer_set(&it->timer, deadline_in(max(step, it->expires > now ? it->expires - now : 0)));
}

static void cpu_fired(struct timer *timer)
{
	struct itimer *it = container_of(timer, struct itimer, timer);
	uint64_t now = clock_process_cpu();

	if (it->expires <= now) {
		signal_send_kernel(it->signal);
		if (!it->interval) {
			it->expires = 0;
			return;
		}
		it->expires += ((now - it->expires) / it->interval + 1) * it->interval;
	}
	arm_cpu(it, CPU_STEP_NS);
}

static void real_fired(struct timer *timer)
{
	struct itimer *it = container_of(timer, struct itimer, timer);

	if (!it->interval)
		it->expires = 0;
	signal_send_kernel(it->signal);
}

void itimer_taken(void)
{
	struct itimer *it = &itimers[REAL];
	uint64_t now = clock_monotonic();

	if (!it->interval || !it->expires || it->timer.set)
		return;
	if (it->expires <= now)
		it->expires += ((now - it->expires) / it->interval + 1) * it->interval;
	timer_set(&it->timer, it->expires);
}

void itimer_init(void)
{
	static const int signals[ITIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

	for (int i = 0; i < ITIMERS; i++) {
		itimers[i].signal = signals[i];
		itimers[i].timer.fire = i == REAL ? real_fired : cpu_fired;
		itimers[i].timer.interrupts = true;
		list_init(&itimers[i].timer.node);
	}
}

static uint64_t time_left(const struct itimer *it)
{
	uint64_t now = it == &itimers[REAL] ? clock_monotonic() : clock_process_cpu();

	if (!it->expires)
		return 0;
	return it->expires > now ? it->expires - now : 1000; /* due, but not yet seen */
}

static void set_itimer(struct itimer *it, uint64_t value, uint64_t interval)
{
	timer_cancel(&it->timer);
	it->interval = interval;
	it->expires = 0;
	if (!value)
		return;
	if (it == &itimers[REAL]) {
		it->expires = deadline_in(value);
		timer_set(&it->timer, it->expires);
	} else {
		it->expires = clock_process_cpu() + value;
		arm_cpu(it, 0);
	}
}

static struct timeval64 timeval_from_ns(uint64_t ns)
{
	return (struct timeval64){(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S / 1000)};
}

static int timeval_to_ns(const struct timeval64 *tv, uint64_t *ns)
{
	struct timespec64 ts = {tv->tv_sec, tv->tv_usec * 1000};

	if (tv->tv_usec < 0 || tv->tv_usec >= 1000000 || tv->tv_sec < 0)
		return -EINVAL;
	/* Half of the range: sums of two stay in it. */
	*ns = min(timespec_to_ns(&ts), (uint64_t)INT64_MAX / 2);
	return 0;
}

static struct itimerval64 current_value(const struct itimer *it)
{
	return (struct itimerval64){timeval_from_ns(it->interval), timeval_from_ns(time_left(it))};
}

int64_t sys_getitimer(int which, gva_t value)
{
	struct itimerval64 now;

	if (which < 0 || which >= ITIMERS)
		return -EINVAL;
	timers_run();
	now = current_value(&itimers[which]);
	return user_put(value, &now);
}

int64_t sys_setitimer(int which, gva_t new_value, gva_t old_value)
{
	struct itimerval64 set = {0}, old;
	uint64_t value, interval;

	/* Linux takes a missing value for zero. */
	if (new_value && user_get(&set, new_value))
		return -EFAULT;
	if (timeval_to_ns(&set.value, &value) || timeval_to_ns(&set.interval, &interval))
		return -EINVAL;
	if (which < 0 || which >= ITIMERS)
		return -EINVAL;
	timers_run();
	old = current_value(&itimers[which]);
	set_itimer(&itimers[which], value, interval);
	return old_value ? user_put(old_value, &old) : 0;
}

int64_t sys_alarm(unsigned seconds)
{
	uint64_t left = time_left(&itimers[REAL]);

	set_itimer(&itimers[REAL], seconds * NS_PER_S, 0);
	/* Rounded, but never to "none". */
	if (left && left < NS_PER_S)
		return 1;
	return (int64_t)((left + NS_PER_S / 2) / NS_PER_S);
}
