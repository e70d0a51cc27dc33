// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `events`: its system calls, and what its files and calls have in common.
 */
#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/event/event.h>

static const struct file_ops no_ops;

int event_file_install(const struct file_ops *ops, unsigned flags, void *data)
{
	struct file *f;
	int r = file_new(ops, flags & ~(unsigned)O_CLOEXEC, data, &f);

	if (r)
		return r;
	r = fd_install(f, 0, flags & O_CLOEXEC);
	if (r < 0) {
		f->ops = &no_ops; /* the data is not the file's to release */
		file_unref(f);
	}
	return r;
}

/* The data's address is as good a number as any: it is unique while the file lives. */
void event_stat(struct file *f, struct stat *st, unsigned mode)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 15;
	st->st_ino = (gva_t)f->data >> 4;
	st->st_mode = mode;
	st->st_nlink = 1;
	st->st_blksize = 4096;
}

int event_mask_push(gva_t mask, uint64_t bytes, bool *pushed)
{
	uint64_t set;

	*pushed = false;
	if (!mask)
		return 0;
	if (bytes != sizeof(set))
		return -EINVAL;
	if (user_get(&set, mask))
		return -EFAULT;
	/* Without the feature `signals` no signal interrupts anything. */
	if (signal_hooks.mask_push) {
		signal_hooks.mask_push(set);
		*pushed = true;
	}
	return 0;
}

void event_mask_pop(bool pushed, bool interrupted)
{
	if (pushed)
		signal_hooks.mask_pop(interrupted);
}

int event_deadline(gva_t timespec, uint64_t *deadline)
{
	struct timespec64 ts;

	*deadline = DF_FOREVER;
	if (!timespec)
		return 0;
	if (user_get(&ts, timespec))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline = timespec_to_ns(&ts) ? deadline_in(timespec_to_ns(&ts)) : 0;
	return 0;
}

struct timespec64 event_left(uint64_t deadline)
{
	uint64_t now = clock_monotonic();

	return timespec_from_ns(deadline > now ? deadline - now : 0);
}

void event_time_left(gva_t timespec, uint64_t deadline)
{
	struct timespec64 left = event_left(deadline);

	/* Linux, too, keeps the result of the call when this can not be written. */
	if (timespec && user_put(timespec, &left))
		return;
}

static const struct feature_call calls[] = {
	{__NR_pipe, sys_pipe},
	{__NR_pipe2, sys_pipe2},
	{__NR_tee, sys_tee},
	{__NR_eventfd, sys_eventfd},
	{__NR_eventfd2, sys_eventfd2},
	{__NR_timerfd_create, sys_timerfd_create},
	{__NR_timerfd_settime, sys_timerfd_settime},
	{__NR_timerfd_gettime, sys_timerfd_gettime},
	{__NR_poll, sys_poll},
	{__NR_ppoll, sys_ppoll},
	{__NR_select, sys_select},
	{__NR_pselect6, sys_pselect6},
	{__NR_epoll_create, sys_epoll_create},
	{__NR_epoll_create1, sys_epoll_create1},
	{__NR_epoll_ctl, sys_epoll_ctl},
	{__NR_epoll_wait, sys_epoll_wait},
	{__NR_epoll_pwait, sys_epoll_pwait},
	{__NR_epoll_pwait2, sys_epoll_pwait2},
};

static void events_init(void)
{
	epoll_init();
}

FEATURE(events, "", events_init, calls);
