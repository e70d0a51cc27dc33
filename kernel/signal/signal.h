// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the feature `signals`.
 *
 * A signal is sent (send.c, itimer.c, posix_timer.c, a fault, the monitor), waits in a queue of one
 * thread or of the program (queue.c), and leaves it when a thread returns to the program (deliver.c,
 * frame.c), waits for it (wait.c) or reads it (signalfd.c). A sleeping thread that could take a
 * signal is woken, and its thread_sleep answers -ERESTART.
 *
 * Sets are 64 bits: bit n-1 is signal n.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <linux/signal.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/thread.h>
#include <kernel/mm/user.h>
#include <kernel/time/timespec.h>

#define SIGNALS 64
#define SIGNAL_BIT(n) (1ULL << ((n)-1))
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define HANDLER_DEFAULT 0ULL
#define HANDLER_IGNORE 1ULL

/* As rt_sigaction has it. */
struct action {
	gva_t handler;
	uint64_t flags;
	gva_t restorer;
	uint64_t mask;
};

struct posix_timer;

/* A signal that waits, with what the receiver will be told. */
struct queued {
	struct list node;
	siginfo_t info;
	struct posix_timer *timer; /* it is part of this timer, which outlives it; NULL: heap */
};

struct pending {
	uint64_t set; /* numbers that wait; also those for which no struct queued could be had */
	struct list queue; /* struct queued, in order of arrival */
};

struct alt_stack {
	gva_t base;
	uint32_t flags; /* SS_* as set */
	uint64_t bytes; /* 0: none */
};

/* thread.signal */
struct thread_signals {
	uint64_t blocked;
	uint64_t saved_mask; /* what blocked was before the current call, while restore_mask */
	bool restore_mask;
	uint64_t awaited; /* blocked signals that rt_sigtimedwait waits for */
	struct pending pending;
	struct alt_stack alt;
	uint64_t trap, error, cr2; /* of the last fault; part of signal frames */
};

extern struct action actions[SIGNALS]; /* [n-1] for signal n */
extern struct pending shared_pending; /* sent to the program, not to one thread */
extern struct wait_queue signal_arrivals; /* signalfds */

static inline struct thread_signals *signals_of(struct thread *t)
{
	return t->signal;
}

static inline struct action *action_of(int signal)
{
	return &actions[signal - 1];
}

static inline int process_id(void)
{
	return (int)boot_info->pid;
}

/* --- queue.c --- */
void queue_init(void);
void pending_init(struct pending *p);
void pending_clear(struct pending *p);
/* Drops `signal` from all queues. */
void pending_forget(int signal);
/* Takes `signal` off the sets whose queues do not hold it (any more). */
void pending_recount(int signal);
/* True when nothing would happen now: ignored, or ignored by default. */
bool signal_ignored(int signal);
/* True when it would not even wait, sent to thread t or (NULL) to the program. */
bool signal_vanishes(struct thread *t, int signal);
/* Signals that t would take now if it returned to the program. */
uint64_t signal_deliverable(struct thread *t);
/*
 * Sends info->si_signo to thread t, or to the program (t NULL). Signals that are ignored vanish,
 * standard ones that wait already are not doubled. -EAGAIN: no room for one that must carry its
 * information. With `own`, that structure is queued (and must not be on a list).
 */
int signal_send(struct thread *t, const siginfo_t *info, struct queued *own);
/* Takes the next signal of `wanted` for the current thread. Its number, 0: none. */
int signal_take(uint64_t wanted, siginfo_t *info);
/* Sets what the current thread blocks, and sees to it that what is now deliverable is delivered. */
void signal_set_blocked(uint64_t blocked);
/* Looks for other threads to take the program's signals that the current thread does not. */
void signal_retarget(void);
/* Sends a signal of the kernel's own (SI_KERNEL) to the program. */
void signal_send_kernel(int signal);

/* --- deliver.c --- */
void signal_deliver(void);
bool signal_fault(int signal, int code, gva_t address);
/* A signal that can not be refused: a handler runs unless it is blocked or absent, then death. */
void signal_force(int signal, int code, gva_t address);

/* --- frame.c --- */
void frame_init(void);
/* Makes the current thread's frame enter the handler. -EFAULT: no room on the stack. */
int frame_push(const struct action *action, const siginfo_t *info, uint64_t return_mask) must_check;
int64_t sys_rt_sigreturn(void);
int alt_stack_set(struct alt_stack *alt, const stack_t *wanted, gva_t sp) must_check;
int64_t sys_sigaltstack(gva_t new_stack, gva_t old_stack);

/* --- action.c --- */
int64_t sys_rt_sigaction(int signal, gva_t new_action, gva_t old_action, uint64_t set_bytes);
int64_t sys_rt_sigprocmask(int how, gva_t new_set, gva_t old_set, uint64_t set_bytes);
int64_t sys_rt_sigpending(gva_t set, uint64_t set_bytes);

/* --- send.c --- */
int64_t sys_kill(int pid, int signal);
int64_t sys_tkill(int tid, int signal);
int64_t sys_tgkill(int tgid, int tid, int signal);
int64_t sys_rt_sigqueueinfo(int pid, int signal, gva_t info);
int64_t sys_rt_tgsigqueueinfo(int tgid, int tid, int signal, gva_t info);
struct thread *thread_by_id(int tid);

/* --- wait.c --- */
int64_t sys_rt_sigsuspend(gva_t set, uint64_t set_bytes);
int64_t sys_rt_sigtimedwait(gva_t set, gva_t info, gva_t timeout, uint64_t set_bytes);
int64_t sys_pause(void);
int64_t sys_restart_syscall(void);

/* --- itimer.c --- */
void itimer_init(void);
/* SIGALRM was taken: the interval goes on. */
void itimer_taken(void);
int64_t sys_alarm(unsigned seconds);
int64_t sys_getitimer(int which, gva_t value);
int64_t sys_setitimer(int which, gva_t new_value, gva_t old_value);

/* --- posix_timer.c --- */
/* The signal of a timer was taken: fills in the overrun and lets the interval go on. */
void posix_timer_taken(struct posix_timer *t, siginfo_t *info);
void posix_timers_exec(void);
int64_t sys_timer_create(int clock, gva_t event, gva_t id_out);
int64_t sys_timer_settime(int id, int flags, gva_t new_value, gva_t old_value);
int64_t sys_timer_gettime(int id, gva_t value);
int64_t sys_timer_getoverrun(int id);
int64_t sys_timer_delete(int id);

/* --- signalfd.c --- */
int64_t sys_signalfd(int fd, gva_t set, uint64_t set_bytes);
int64_t sys_signalfd4(int fd, gva_t set, uint64_t set_bytes, int flags);

#endif
