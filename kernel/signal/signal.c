// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `signals`: its system calls, its hooks into the core, and its part of a thread's life.
 */
#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/mm/mm.h>
#include <kernel/signal/signal.h>

/* A new thread inherits the mask and nothing else. On failure thread.signal stays NULL; clone sees it. */
static void thread_begins(struct thread *t, struct thread *parent)
{
	struct thread_signals *s = kzalloc(sizeof(*s));

	t->signal = s;
	if (!s)
		return;
	pending_init(&s->pending);
	s->alt.flags = SS_DISABLE;
	if (parent && parent->signal)
		s->blocked = signals_of(parent)->blocked;
}

static void thread_ends(struct thread *t)
{
	struct thread_signals *s = t->signal;

	if (!s)
		return;
	pending_clear(&s->pending);
	/* From now on it takes none; those it was woken for go to others. */
	t->signal = NULL;
	kfree(s);
	signal_retarget();
}

static bool thread_pending(struct thread *t)
{
	if (!signal_deliverable(t))
		return false;
	t->work |= WORK_SIGNAL;
	return true;
}

/* A broken pipe is the writing thread's own affair; everything else goes to the program. */
static void post(int signal)
{
	siginfo_t info = {.si_signo = signal};

	if (signal != SIGPIPE) {
		signal_send_kernel(signal);
		return;
	}
	info.si_code = SI_USER;
	info.si_pid = process_id();
	(void)signal_send(current, &info, NULL);
}

/* Handlers lie in the old program; what was ignored stays ignored. */
static void program_changes(void)
{
	struct thread_signals *s = signals_of(current);

	for (int i = 0; i < SIGNALS; i++) {
		gva_t handler =
			actions[i].handler == HANDLER_IGNORE ? HANDLER_IGNORE : HANDLER_DEFAULT;

		actions[i] = (struct action){.handler = handler};
	}
	s->alt = (struct alt_stack){.flags = SS_DISABLE};
	posix_timers_exec();
}

static void mask_push(uint64_t mask)
{
	struct thread_signals *s = signals_of(current);

	s->saved_mask = s->blocked;
	s->restore_mask = true;
	signal_set_blocked(mask);
}

static void mask_pop(bool interrupted)
{
	struct thread_signals *s = signals_of(current);

	if (interrupted) {
		current->work |= WORK_SIGNAL; /* signal_deliver puts the mask back */
		return;
	}
	s->restore_mask = false;
	signal_set_blocked(s->saved_mask);
}

static const struct feature_call calls[] = {
	{__NR_rt_sigaction, sys_rt_sigaction},
	{__NR_rt_sigprocmask, sys_rt_sigprocmask},
	{__NR_rt_sigpending, sys_rt_sigpending},
	{__NR_rt_sigsuspend, sys_rt_sigsuspend},
	{__NR_rt_sigtimedwait, sys_rt_sigtimedwait},
	{__NR_rt_sigqueueinfo, sys_rt_sigqueueinfo},
	{__NR_rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo},
	{__NR_rt_sigreturn, sys_rt_sigreturn},
	{__NR_sigaltstack, sys_sigaltstack},
	{__NR_kill, sys_kill},
	{__NR_tkill, sys_tkill},
	{__NR_tgkill, sys_tgkill},
	{__NR_pause, sys_pause},
	{__NR_alarm, sys_alarm},
	{__NR_getitimer, sys_getitimer},
	{__NR_setitimer, sys_setitimer},
	{__NR_timer_create, sys_timer_create},
	{__NR_timer_settime, sys_timer_settime},
	{__NR_timer_gettime, sys_timer_gettime},
	{__NR_timer_getoverrun, sys_timer_getoverrun},
	{__NR_timer_delete, sys_timer_delete},
	{__NR_signalfd, sys_signalfd},
	{__NR_signalfd4, sys_signalfd4},
	{__NR_restart_syscall, sys_restart_syscall},
};

static void signals_init(void)
{
	queue_init();
	frame_init();
	itimer_init();
	signal_hooks = (struct signal_hooks){
		.pending = thread_pending,
		.deliver = signal_deliver,
		.fault = signal_fault,
		.post = post,
		.thread_init = thread_begins,
		.thread_exit = thread_ends,
		.exec = program_changes,
		.mask_push = mask_push,
		.mask_pop = mask_pop,
	};
}

FEATURE(signals, "", signals_init, calls);
