// SPDX-License-Identifier: Apache-2.0
/*
 * Signals take effect here: on a thread's way back to the program (signal_deliver), and when the CPU
 * reports a fault of it (signal_fault).
 *
 * There is nobody who could continue a stopped program, so none is stopped: SIGTSTP, SIGTTIN and
 * SIGTTOU are ignored by default (queue.c), SIGSTOP ends the program.
 */
#include <kernel/core/program.h>
#include <kernel/signal/signal.h>

/* Those whose default Linux calls "core", but for the ones that are sent on purpose (SIGQUIT, limits). */
#define REPORTED                                                                              \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGFPE) | \
		SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGSYS))

static void __attribute__((noreturn)) default_death(const siginfo_t *info)
{
	int signal = info->si_signo;

	if (signal == SIGSTOP)
		note("the program stopped itself (SIGSTOP); nobody could continue it");
	if (REPORTED & SIGNAL_BIT(signal))
		program_die(signal, info->si_code, info->si_code > 0 ? (gva_t)info->si_addr : 0);
	program_exit(0, signal);
}

/* The call is made again: the syscall instruction stands before the return address. */
static void restart_call(struct frame *f)
{
	f->rip -= 2;
	f->rax = f->orig_rax;
}

/* Enters the handler of one signal. */
static void handle(int signal, const siginfo_t *info)
{
	struct thread_signals *s = signals_of(current);
	struct action action = *action_of(signal);
	uint64_t return_mask = s->restore_mask ? s->saved_mask : s->blocked;
	uint64_t blocked = s->blocked | action.mask;

	if (action.flags & SA_RESETHAND)
		action_of(signal)->handler = HANDLER_DEFAULT;
	if (frame_push(&action, info, return_mask)) {
		/* Its stack is bad. The handler of SIGSEGV may have another one. */
		if (signal == SIGSEGV)
			program_die(SIGSEGV, SI_KERNEL, 0);
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	s->restore_mask = false;
	if (!(action.flags & SA_NODEFER))
		blocked |= SIGNAL_BIT(signal);
	signal_set_blocked(blocked);
}

/* The call that a signal interrupted is over, or is made again. */
static void settle_call(struct frame *f, bool again)
{
	if (again)
		restart_call(f);
	else
		f->rax = (uint64_t)-EINTR;
}

void signal_deliver(void)
{
	struct thread_signals *s = signals_of(current);
	struct frame *f = current->frame;
	bool interrupted = f->orig_rax != UINT64_MAX &&
		(f->rax == (uint64_t)-ERESTART || f->rax == (uint64_t)-ERESTARTNOINTR);
	siginfo_t info;
	int signal;

	if (!s)
		return;
	while ((signal = signal_take(~s->blocked, &info))) {
		if (signal_ignored(signal))
			continue;
		if (action_of(signal)->handler == HANDLER_DEFAULT)
			default_death(&info);
		if (interrupted) {
			settle_call(f,
				f->rax == (uint64_t)-ERESTARTNOINTR ||
					(action_of(signal)->flags & SA_RESTART));
			interrupted = false;
		}
		handle(signal, &info);
	}
	current->work &= ~WORK_SIGNAL;
	if (interrupted)
		restart_call(f);
	if (s->restore_mask) {
		s->restore_mask = false;
		signal_set_blocked(s->saved_mask);
	}
}

static bool has_handler(int signal)
{
	return action_of(signal)->handler > HANDLER_IGNORE &&
		!(signals_of(current)->blocked & SIGNAL_BIT(signal));
}

static void send_fault(int signal, int code, gva_t address)
{
	siginfo_t info = {.si_signo = signal, .si_code = code};

	info.si_addr = (void *)address;
	(void)signal_send(current, &info, NULL);
}

bool signal_fault(int signal, int code, gva_t address)
{
	struct thread_signals *s = signals_of(current);

	if (!s)
		return false;
	s->trap = current->frame->vector;
	s->error = current->frame->error;
	if (s->trap == 14)
		s->cr2 = address;
	if (!has_handler(signal))
		return false;
	send_fault(signal, code, address);
	return true;
}

void signal_force(int signal, int code, gva_t address)
{
	if (!has_handler(signal))
		program_die(signal, code, address);
	send_fault(signal, code, address);
}
