// SPDX-License-Identifier: Apache-2.0
/*
 * Threads, sleeping and waking, timers. One vCPU, and the kernel is never preempted: a thread runs
 * in the kernel until it sleeps or returns to the program, so kernel data needs no locks, and a
 * condition that was checked can not change before the sleep that follows it.
 *
 * The core has one thread; the feature `tasks` makes more (thread_new).
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <dayfly/boot.h>
#include <kernel/core/list.h>

/* What the entry code saves, in this order (arch/x86_64/entry.S knows the offsets). */
struct frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* system-call number; -1 for exceptions and interrupts */
	uint64_t vector, error; /* exceptions */
	uint64_t rip, cs, rflags, rsp, ss;
};

enum thread_state { THREAD_RUNNABLE, THREAD_SLEEPING, THREAD_DEAD };

/* Bits of thread.work: looked at before each return to the program. */
#define WORK_SIGNAL 1u /* a signal may be deliverable */
#define WORK_RESCHED 2u /* another thread may be more deserving */
#define WORK_EXIT 4u /* the thread is to end */
#define WORK_RETURN 8u /* registers other than rax were changed: restore them all on return */

struct thread {
	uint64_t kernel_rsp; /* while not running; arch/x86_64/switch.S knows this offset (0) */
	uint64_t kernel_stack_top; /* 8 */
	uint64_t fs_base, gs_base; /* while not running */
	void *xsave; /* vector state while not running, 64-byte aligned */
	struct frame *frame; /* the program's registers, at the top of the kernel stack */
	unsigned work; /* WORK_*; entry.S knows this offset (48) */
	enum thread_state state;
	int tid;
	struct list run; /* on the run queue */
	struct list all; /* on thread_list */
	bool woken; /* set by thread_wake */
	bool follows_clock; /* sleeps until a clock shows a time: woken to look again when it jumps */
	uint64_t cpu_ns, switched_in_ns; /* CPU time so far; when it got the CPU */
	char name[16];
	/* Owned by features; the core keeps them and passes them on. */
	void *signal; /* feature signals */
	gva_t clear_tid; /* feature tasks: CLONE_CHILD_CLEARTID */
	gva_t robust_list; /* feature tasks */
	uint64_t robust_bytes;
};

extern struct thread *current;
extern struct list thread_list; /* all living threads; the first one first */
extern int thread_count;

/* --- sleeping --- */

struct waiter;
/* Who wants to be told about something. Embed it in the thing that can change. */
struct wait_queue {
	struct list waiters;
};

struct waiter {
	struct list node;
	/* Called by wait_queue_wake with the poll events that came true (EPOLL* bits). The default
	 * (wait_on, poll) wakes `thread`; epoll uses its own. Must not free the waiter. */
	void (*wake)(struct waiter *w, unsigned events);
	struct thread *thread;
};

void wait_queue_init(struct wait_queue *q);
void wait_queue_add(struct wait_queue *q, struct waiter *w);
void wait_queue_remove(struct waiter *w);
/* Calls wake of every waiter. */
void wait_queue_wake(struct wait_queue *q, unsigned events);

/* Wakes a sleeping thread; remembered if it is about to sleep. */
void thread_wake(struct thread *t);

/*
 * Sleeps until thread_wake, the deadline (guest monotonic ns, DF_FOREVER) or a signal.
 * Result: 0 woken, -ETIMEDOUT, -ERESTART (signal pending). Others run meanwhile; when none can, the
 * instance waits in the monitor. `current->woken` is cleared on return.
 */
int thread_sleep(uint64_t deadline_ns) must_check;

/* Sleeps on one queue: loop as  while (!condition) if ((r = wait_on(&q, deadline))) return r;  */
int wait_on(struct wait_queue *q, uint64_t deadline_ns) must_check;

/* As thread_sleep until the clock (CLOCK_*) shows `ns`. */
int thread_sleep_clock(int clock, uint64_t ns) must_check;

/* Lets another runnable thread go first. */
void thread_yield(void);

/* Makes a thread that will return to the program with the registers in `frame` (copied; its rsp and
 * fs_base are the caller's to set first). Not yet runnable: fill it, then thread_start. -ENOMEM, -EAGAIN. */
int thread_new(const struct frame *frame, uint64_t fs_base, struct thread **out) must_check;
void thread_start(struct thread *t);
/* Ends the current thread (never returns). The last one ends the instance with `status`. */
void thread_exit(int status) __attribute__((noreturn));
/* Number of threads that could run now, the current one among them. */
int thread_runnable(void);

/* The current thread waited in the monitor since then: that was no CPU time. */
void thread_idle_since(uint64_t start_ns);
/* First thread, from boot. */
void threads_init(void);
/* The current thread is the only one, and has the id that the boot page holds now. */
void thread_take_pid(void);
/* Disarms the tick: the instance that goes on from here will not have it. */
void thread_stop_ticks(void);
/* The instance goes on after all: takes what came due meanwhile, and arms the tick anew. */
void thread_start_ticks(void);

/* Ends the whole program. signal: 0 or what killed it. Never returns. */
void program_exit(int status, int signal) __attribute__((noreturn));

/* --- timers --- */

struct timer {
	struct list node;
	uint64_t deadline_ns; /* guest monotonic */
	void (*fire)(struct timer
			*t); /* the timer is no longer set when called; may set itself again */
	bool set;
	/* True: must interrupt a running program (interval timers, alarms), not only a waiting one. */
	bool interrupts;
};

void timer_set(struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer *t);
/* Deadline of the earliest timer, or DF_FOREVER. */
uint64_t timers_next(void);
/* After a hypercall that waited: takes host events, fires timers. 0, or -ERESTART (signal pending). */
int thread_poll_events(void) must_check;
/* Fires what is due. Called after each wait and tick, and by calls that look at timers. */
void timers_run(void);

/* As -ERESTART (errno.h), for calls that are restarted after every handler, SA_RESTART or not. */
#define ERESTARTNOINTR 513

/* --- hooks of features into the core; NULL while the feature is absent --- */

struct signal_hooks {
	/* True when the thread has a signal that would interrupt a sleep now. */
	bool (*pending)(struct thread *t);
	/* Before a return to the program with WORK_SIGNAL: deliver into current->frame, restart or
	 * turn -ERESTART in frame->rax into -EINTR. */
	void (*deliver)(void);
	/* A CPU fault of the program as a signal to the current thread. True: will be delivered. */
	bool (*fault)(int signal, int code, gva_t address);
	/* Posts a signal to the program (from the monitor: SIGINT, SIGWINCH..., SIGPIPE...). */
	void (*post)(int signal);
	void (*thread_init)(struct thread *t, struct thread *parent); /* parent NULL: first */
	void (*thread_exit)(struct thread *t);
	void (*exec)(void); /* execve resets handlers */
	/* Blocks exactly the signals in `mask` (bit n-1: signal n) while the current call sleeps: ppoll,
	 * pselect6, epoll_pwait. mask_pop puts the former mask back; when the call was interrupted that
	 * happens behind the delivery instead. */
	void (*mask_push)(uint64_t mask);
	void (*mask_pop)(bool interrupted);
	/* After a thaw: CLOCK_REALTIME and CLOCK_BOOTTIME have jumped. Set with the first timer: without any, an event
	 * touches no page for it. */
	void (*clock_jumped)(void);
};
extern struct signal_hooks signal_hooks;

struct device_hooks {
	/* Looks for packets from outside, wherever the kernel looks for what the host has to say. */
	void (*arrived)(void);
	/* The guest is about to wait: DF_WAIT_NET with what else goes with it, or 0 if a packet is there. */
	unsigned (*sleeps)(void);
	/* The guest is about to be frozen: what goes on with the outside ends here. */
	void (*freeze)(void);
};
extern struct device_hooks device_hooks;

struct task_hooks {
	/* clear_tid, robust futexes of a thread that ends */
	void (*thread_exit)(struct thread *t);
	/* execve, before the old program is gone: ends all other threads and returns when they have
	 * ended; the current one becomes the first thread. */
	void (*exec)(void);
};
extern struct task_hooks task_hooks;

/* Posts `signal` to the program; without the feature `signals` the default action ends it. */
void signal_post(int signal);

#endif
