// SPDX-License-Identifier: Apache-2.0
/* What a program does with signals (rt_sigaction), and which ones a thread holds back (rt_sigprocmask). */
#include <kernel/signal/signal.h>

/* Flags that Linux keeps; programs find out by reading them back. */
#define KNOWN_FLAGS                                                                      \
	((uint64_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | \
		 SA_NODEFER | SA_RESTORER | SA_EXPOSE_TAGBITS) |                         \
		(uint32_t)SA_RESETHAND)

int64_t sys_rt_sigaction(int signal, gva_t new_action, gva_t old_action, uint64_t set_bytes)
{
	struct action action, old;

	if (set_bytes != sizeof(uint64_t))
		return -EINVAL;
	if (new_action && user_get(&action, new_action))
		return -EFAULT;
	if (signal < 1 || signal > SIGNALS)
		return -EINVAL;
	if (new_action && (UNBLOCKABLE & SIGNAL_BIT(signal)))
		return -EINVAL;
	old = *action_of(signal);
	if (new_action) {
		action.flags &= KNOWN_FLAGS;
		action.mask &= ~UNBLOCKABLE;
		*action_of(signal) = action;
		if (signal_ignored(signal))
			pending_forget(signal);
	}
	return old_action ? user_put(old_action, &old) : 0;
}

int64_t sys_rt_sigprocmask(int how, gva_t new_set, gva_t old_set, uint64_t set_bytes)
{
	uint64_t old = signals_of(current)->blocked;
	uint64_t set;

	if (set_bytes != sizeof(set))
		return -EINVAL;
	if (new_set) {
		if (user_get(&set, new_set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return old_set ? user_put(old_set, &old) : 0;
}

int64_t sys_rt_sigpending(gva_t set, uint64_t set_bytes)
{
	struct thread_signals *s = signals_of(current);
	uint64_t pending = (s->pending.set | shared_pending.set) & s->blocked;

	if (set_bytes > sizeof(pending))
		return -EINVAL;
	return user_copy_to((void *)set, &pending, set_bytes);
}
