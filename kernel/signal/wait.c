// SPDX-License-Identifier: Apache-2.0
/* Calls that wait for a signal. */
#include <kernel/signal/signal.h>

/* Sleeps until a signal will be delivered. */
static void wait_deliverable(void)
{
	while (!signal_deliverable(current) && !(current->work & WORK_EXIT)) {
		if (thread_sleep(DF_FOREVER))
			break;
	}
	current->work |= WORK_SIGNAL;
}

int64_t sys_pause(void)
{
	wait_deliverable();
	return -EINTR;
}

int64_t sys_rt_sigsuspend(gva_t set, uint64_t set_bytes)
{
	uint64_t mask;

	if (set_bytes != sizeof(mask))
		return -EINVAL;
	if (user_get(&mask, set))
		return -EFAULT;
	signal_hooks.mask_push(mask);
	wait_deliverable();
	signal_hooks.mask_pop(true);
	return -EINTR;
}

/* Takes one of `wanted`, sleeping for it until the deadline. */
static int wait_for(uint64_t wanted, siginfo_t *info, uint64_t deadline)
{
	struct thread_signals *s = signals_of(current);
	int signal, r = 0;

	while (!(signal = signal_take(wanted, info))) {
		if (r == -ETIMEDOUT || deadline == 0)
			return -EAGAIN;
		if (r)
			return -EINTR;
		s->awaited = wanted;
		r = thread_sleep(deadline);
		s->awaited = 0;
	}
	return signal;
}

int64_t sys_rt_sigtimedwait(gva_t set, gva_t info_out, gva_t timeout, uint64_t set_bytes)
{
	uint64_t wanted, deadline = DF_FOREVER;
	struct timespec64 ts;
	siginfo_t info;
	int signal;

	if (set_bytes != sizeof(wanted))
		return -EINVAL;
	if (user_get(&wanted, set))
		return -EFAULT;
	if (timeout) {
		if (user_get(&ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = timespec_to_ns(&ts) ? deadline_in(timespec_to_ns(&ts)) : 0;
	}
	signal = wait_for(wanted & ~UNBLOCKABLE, &info, deadline);
	if (signal > 0 && info_out && user_put(info_out, &info))
		return -EFAULT;
	return signal;
}

/* Linux uses it inside of calls that were stopped and continued; called by hand it has nothing to do. */
int64_t sys_restart_syscall(void)
{
	return -EINTR;
}
