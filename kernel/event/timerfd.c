// SPDX-License-Identifier: Apache-2.0
/*
 * timerfd: a timer as a file; a read gives the number of expirations since the last one.
 *
 * The core's timer fires at the first expiration only. Later ones are counted when somebody reads,
 * from the time that has passed, and then the timer is set again: a short interval that nobody reads
 * costs nothing. Times are kept on the monotonic clock, but for absolute ones of another clock: those stay
 * what they are when that clock jumps (a thaw).
 */
#include <linux/timerfd.h>
#include <kernel/event/event.h>
#include <kernel/mm/mm.h>

struct timer_file {
	struct list all; /* timer_files */
	int clock;
	int base; /* the clock that next_ns is on */
	bool cancels; /* TFD_TIMER_CANCEL_ON_SET */
	bool canceled; /* and the clock jumped since; the next read or settime says so */
	struct timer timer;
	uint64_t next_ns; /* the expiration after those in `ticks`; 0: disarmed */
	uint64_t interval_ns; /* 0: once */
	uint64_t ticks; /* expirations not read yet; only the first of them may be in it */
	struct wait_queue readers;
};

static struct list timer_files = LIST_INIT(timer_files);

static void arm(struct timer_file *t)
{
	timer_set(&t->timer, deadline_at(t->base, t->next_ns));
}

static void timer_file_fired(struct timer *timer)
{
	struct timer_file *t = container_of(timer, struct timer_file, timer);

	t->ticks++;
	t->next_ns = t->interval_ns ? t->next_ns + t->interval_ns : 0;
	wait_queue_wake(&t->readers, EPOLLIN);
}

/* Counts the expirations up to now. Does not set the timer. */
static void catch_up(struct timer_file *t)
{
	uint64_t now = clock_now(t->base);
	uint64_t missed;

	if (!t->next_ns || t->next_ns > now)
		return;
	if (t->timer.set)
		timer_cancel(&t->timer);
	missed = t->interval_ns ? (now - t->next_ns) / t->interval_ns + 1 : 1;
	t->ticks += missed;
	t->next_ns = t->interval_ns ? t->next_ns + missed * t->interval_ns : 0;
}

static int64_t timer_file_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct timer_file *t = f->data;
	uint64_t ticks;
	int r;

	(void)pos;
	if (n < sizeof(ticks))
		return -EINVAL;
	for (catch_up(t); t->ticks == 0; catch_up(t)) {
		if (t->canceled)
			break;
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&t->readers, DF_FOREVER);
		if (r)
			return r;
	}
	ticks = t->ticks;
	t->ticks = 0;
	if (t->next_ns)
		arm(t);
	if (t->canceled) {
		t->canceled = false;
		return -ECANCELED;
	}
	return user_put(buf, &ticks) ? -EFAULT : (int64_t)sizeof(ticks);
}

static unsigned timer_file_poll(struct file *f, struct poll_table *pt)
{
	struct timer_file *t = f->data;

	poll_wait(pt, &t->readers);
	catch_up(t);
	return t->ticks || t->canceled ? EPOLLIN : 0;
}

static int timer_file_stat(struct file *f, struct stat *st)
{
	event_stat(f, st, 0600);
	return 0;
}

static void timer_file_release(struct file *f)
{
	struct timer_file *t = f->data;

	timer_cancel(&t->timer);
	list_del(&t->all);
	kfree(t);
}

/* Absolute times of other clocks than CLOCK_MONOTONIC lie at another distance now. */
static void clock_jumped(void)
{
	struct timer_file *t;

	list_for_each(t, &timer_files, all) {
		if (t->cancels) {
			t->canceled = true;
			wait_queue_wake(&t->readers, EPOLLIN);
		}
		if (t->timer.set && t->base != CLOCK_MONOTONIC)
			arm(t);
	}
}

static const struct file_ops timer_file_ops = {
	.kind = "anon_inode:[timerfd]",
	.read = timer_file_read,
	.poll = timer_file_poll,
	.stat = timer_file_stat,
	.release = timer_file_release,
};

int64_t sys_timerfd_create(int clock, int flags)
{
	struct timer_file *t;
	int fd;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		break;
	default:
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	t->base = CLOCK_MONOTONIC;
	t->timer.fire = timer_file_fired;
	list_init(&t->timer.node);
	wait_queue_init(&t->readers);
	fd = event_file_install(&timer_file_ops,
		O_RDWR | ((unsigned)flags & (O_CLOEXEC | O_NONBLOCK)), t);
	if (fd < 0) {
		kfree(t);
		return fd;
	}
	list_add_tail(&timer_files, &t->all);
	event_hooks.clock_jumped = clock_jumped;
	return fd;
}

static struct itimerspec64 remaining(struct timer_file *t)
{
	uint64_t now = clock_now(t->base);
	uint64_t left = 0;

	catch_up(t);
	if (t->next_ns)
		left = t->next_ns > now ? t->next_ns - now : 1;
	return (struct itimerspec64){timespec_from_ns(t->interval_ns), timespec_from_ns(left)};
}

static struct timer_file *timer_file_get(int fd, int *error)
{
	struct file *f = fd_get(fd);

	*error = !f ? -EBADF : f->ops != &timer_file_ops ? -EINVAL : 0;
	return *error ? NULL : f->data;
}

/* Sets the first expiration; one that has passed counts at once, with those that would have followed. */
static void start(struct timer_file *t, uint64_t value, bool absolute)
{
	t->ticks = 0;
	t->next_ns = 0;
	t->base = absolute ? t->clock : CLOCK_MONOTONIC;
	if (!value)
		return;
	t->next_ns = absolute ? value : deadline_in(value);
	catch_up(t);
	if (t->next_ns)
		arm(t);
	if (t->ticks)
		wait_queue_wake(&t->readers, EPOLLIN);
}

int64_t sys_timerfd_settime(int fd, int flags, gva_t new_value, gva_t old_value)
{
	struct itimerspec64 set, old;
	struct timer_file *t;
	int error;

	if (user_get(&set, new_value))
		return -EFAULT;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !timespec_valid(&set.value) ||
		!timespec_valid(&set.interval))
		return -EINVAL;
	t = timer_file_get(fd, &error);
	if (!t)
		return error;
	old = remaining(t);
	timer_cancel(&t->timer);
	t->interval_ns = timespec_to_ns(&set.interval);
	start(t, timespec_to_ns(&set.value), flags & TFD_TIMER_ABSTIME);
	t->cancels = (flags & TFD_TIMER_CANCEL_ON_SET) && (flags & TFD_TIMER_ABSTIME) &&
		(t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM);
	/* As on Linux the timer is set all the same. */
	error = t->canceled && t->next_ns ? -ECANCELED : 0;
	t->canceled = false;
	return old_value && user_put(old_value, &old) ? -EFAULT : error;
}

int64_t sys_timerfd_gettime(int fd, gva_t value)
{
	struct itimerspec64 now;
	struct timer_file *t;
	int error;

	t = timer_file_get(fd, &error);
	if (!t)
		return error;
	now = remaining(t);
	return user_put(value, &now);
}
