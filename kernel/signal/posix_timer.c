// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX timers: timer_create and its kin. Each has one queued signal of its own. While that waits, the
 * timer rests; when it is taken, the expirations missed meanwhile become the overrun and the timer goes
 * on. Timers on CPU time look again as those of itimer.c do.
 *
 * Absolute times are ns on the timer's own clock, and stay so when it jumps (a thaw).
 */
#include <kernel/mm/mm.h>
#include <kernel/signal/signal.h>

#define TIMERS_MAX 256
#define STEP_NS 4000000ULL /* pause of timers on CPU time, and of those whose signal is ignored */

struct posix_timer {
	struct list node;
	int id;
	int clock;
	int base; /* the clock that `expires` is on: CLOCK_MONOTONIC for what is so long from now */
	int cpu_tid; /* CLOCK_THREAD_CPUTIME_ID: whose */
	int notify; /* SIGEV_* */
	int tid; /* SIGEV_THREAD_ID */
	struct timer timer;
	uint64_t expires; /* 0: disarmed */
	uint64_t interval;
	uint64_t overrun;
	struct queued queued;
};

static struct list timers = LIST_INIT(timers);
static unsigned timer_count;
static int next_id;

static bool is_cpu_clock(int clock)
{
	return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static uint64_t timer_now(const struct posix_timer *t)
{
	struct thread *thread;

	if (t->clock == CLOCK_PROCESS_CPUTIME_ID)
		return clock_process_cpu();
	if (t->clock != CLOCK_THREAD_CPUTIME_ID)
		return clock_now(t->base);
	thread = thread_by_id(t->cpu_tid);
	if (!thread)
		return 0;
	return thread->cpu_ns +
		(thread == current ? clock_monotonic() - thread->switched_in_ns : 0);
}

/* Sets the core's timer for the next look, not before `step` has passed. */
static void arm(struct posix_timer *t, uint64_t step)
{
	uint64_t now = timer_now(t);

	if (t->notify == SIGEV_NONE)
		return;
	timer_set(&t->timer, deadline_in(max(step, t->expires > now ? t->expires - now : 0)));
}

/* Moves `expires` past now. Number of expirations that lie between. */
static uint64_t forward(struct posix_timer *t)
{
	uint64_t now = timer_now(t);
	uint64_t missed;

	if (t->expires > now)
		return 0;
	missed = (now - t->expires) / t->interval;
	t->expires += (missed + 1) * t->interval;
	return missed;
}

static void expired(struct posix_timer *t)
{
	struct thread *target = t->notify & SIGEV_THREAD_ID ? thread_by_id(t->tid) : NULL;
	siginfo_t info = t->queued.info;

	if ((t->notify & SIGEV_THREAD_ID) && !target)
		return;
	/* Nobody will take it, so nobody would let the interval go on. */
	if (signal_vanishes(target, info.si_signo)) {
		if (t->interval) {
			(void)forward(t);
			arm(t, STEP_NS);
		} else {
			t->expires = 0;
		}
		return;
	}
	if (!t->interval)
		t->expires = 0;
	if (!list_empty(&t->queued.node)) {
		t->overrun++;
		return;
	}
	t->overrun = 0;
	(void)signal_send(target, &info, &t->queued);
}

static void timer_fired(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer);

	if (t->expires > timer_now(t))
		arm(t, is_cpu_clock(t->clock) ? STEP_NS : 0);
	else
		expired(t);
}

void posix_timer_taken(struct posix_timer *t, siginfo_t *info)
{
	if (t->interval && t->expires) {
		t->overrun += forward(t);
		arm(t, 0);
	}
	t->overrun = min(t->overrun, (uint64_t)INT32_MAX);
	info->si_overrun = (int)t->overrun;
}

static struct posix_timer *find(int id)
{
	struct posix_timer *t;

	list_for_each(t, &timers, node) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

static void destroy(struct posix_timer *t)
{
	timer_cancel(&t->timer);
	/* A number left in a pending set without its information would come without a timer: take the
	 * whole signal back, if nothing else of that number waits. */
	if (!list_empty(&t->queued.node)) {
		list_del(&t->queued.node);
		pending_recount(t->queued.info.si_signo);
	}
	list_del(&t->node);
	kfree(t);
	timer_count--;
}

void posix_timers_exec(void)
{
	while (!list_empty(&timers))
		destroy(list_entry(timers.next, struct posix_timer, node));
}

static void clock_jumped(void)
{
	struct posix_timer *t;

	list_for_each(t, &timers, node)
		if (t->timer.set && t->base != CLOCK_MONOTONIC && !is_cpu_clock(t->clock))
			arm(t, 0);
}

static int check_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_TAI:
		return 0;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EPERM; /* they would have to wake a sleeping host */
	default:
		return -EINVAL;
	}
}

/* How the timer reports. The default is SIGALRM with the timer's id. */
static int read_event(struct posix_timer *t, gva_t from)
{
	sigevent_t event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};

	event.sigev_value.sival_int = t->id;
	if (from && user_get(&event, from))
		return -EFAULT;
	switch (event.sigev_notify) {
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		if (!thread_by_id(event._sigev_un._tid))
			return -EINVAL;
		__attribute__((fallthrough));
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		if (event.sigev_signo < 1 || event.sigev_signo > SIGNALS)
			return -EINVAL;
		break;
	case SIGEV_NONE:
		event.sigev_signo = SIGALRM; /* never sent */
		break;
	default:
		return -EINVAL;
	}
	t->notify = event.sigev_notify;
	t->tid = event._sigev_un._tid;
	t->queued.info.si_signo = event.sigev_signo;
	t->queued.info.si_code = SI_TIMER;
	t->queued.info.si_tid = t->id;
	t->queued.info.si_value = event.sigev_value;
	return 0;
}

int64_t sys_timer_create(int clock, gva_t event, gva_t id_out)
{
	struct posix_timer *t;
	int r = check_clock(clock);

	if (r)
		return r;
	if (timer_count >= TIMERS_MAX || !(t = kzalloc(sizeof(*t))))
		return -EAGAIN;
	timer_count++;
	signal_hooks.clock_jumped = clock_jumped;
	t->id = next_id++;
	t->clock = t->base = clock == CLOCK_TAI ? CLOCK_REALTIME : clock;
	t->cpu_tid = current->tid;
	t->timer.fire = timer_fired;
	t->timer.interrupts = true;
	t->queued.timer = t;
	list_init(&t->timer.node);
	list_init(&t->queued.node);
	list_add_tail(&timers, &t->node);
	r = read_event(t, event);
	if (r == 0)
		r = user_put(id_out, &t->id);
	if (r)
		destroy(t);
	return r;
}

static struct itimerspec64 current_value(struct posix_timer *t)
{
	uint64_t now = timer_now(t);
	uint64_t left = 0, next = t->expires;

	if (next && next <= now && t->interval)
		next += ((now - next) / t->interval + 1) * t->interval;
	if (next)
		left = next > now ? next - now : t->notify == SIGEV_NONE ? 0 : 1;
	return (struct itimerspec64){timespec_from_ns(t->interval), timespec_from_ns(left)};
}

int64_t sys_timer_settime(int id, int flags, gva_t new_value, gva_t old_value)
{
	struct itimerspec64 set, old;
	struct posix_timer *t;
	uint64_t value;

	if (!new_value)
		return -EINVAL;
	if (user_get(&set, new_value))
		return -EFAULT;
	if (!timespec_valid(&set.value) || !timespec_valid(&set.interval))
		return -EINVAL;
	t = find(id);
	if (!t)
		return -EINVAL;
	timers_run();
	old = current_value(t);
	timer_cancel(&t->timer);
	/* Half of the range: sums of two stay in it. */
	value = min(timespec_to_ns(&set.value), (uint64_t)INT64_MAX / 2);
	t->interval = min(timespec_to_ns(&set.interval), (uint64_t)INT64_MAX / 2);
	t->expires = 0;
	t->base = flags & TIMER_ABSTIME ? t->clock : CLOCK_MONOTONIC;
	if (value) {
		t->expires = flags & TIMER_ABSTIME ? value : timer_now(t) + value;
		arm(t, 0);
	}
	return old_value ? user_put(old_value, &old) : 0;
}

int64_t sys_timer_gettime(int id, gva_t value)
{
	struct posix_timer *t = find(id);
	struct itimerspec64 now;

	if (!t)
		return -EINVAL;
	timers_run();
	now = current_value(t);
	return user_put(value, &now);
}

int64_t sys_timer_getoverrun(int id)
{
	struct posix_timer *t = find(id);

	return t ? (int64_t)t->overrun : -EINVAL;
}

int64_t sys_timer_delete(int id)
{
	struct posix_timer *t = find(id);

	if (!t)
		return -EINVAL;
	destroy(t);
	return 0;
}
