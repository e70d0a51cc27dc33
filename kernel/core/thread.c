// SPDX-License-Identifier: Apache-2.0
/*
 * Threads, sleeping, timers: see thread.h. The run queue holds runnable threads other than the
 * current one. When nothing can run, the instance waits in the monitor for a stream, a timer or a
 * host event. A tick is armed only while it can change something: a second thread could run, or a
 * timer must interrupt the program.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/console.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/ids.h>
#include <kernel/core/program.h>
#include <kernel/mm/mm.h>
#include <kernel/time/clock.h>
#include <kernel/core/errno.h>
#include <asm/signal.h>

#define TICK_NS 10000000ULL

static struct thread first_thread;
/* From the first instruction on: a tick, which marks it, may come before threads_init(). */
struct thread *current = &first_thread;
struct list thread_list = LIST_INIT(thread_list);
int thread_count;
struct signal_hooks signal_hooks;
struct task_hooks task_hooks;
struct device_hooks device_hooks;
struct event_hooks event_hooks;
struct freeze_hooks freeze_hooks;
const struct http_hooks *http_hooks;
int first_tid;

extern uint64_t kernel_stack_top;
extern uint32_t tick_seen;

void return_work(void);
void thread_first_return(void);

static struct list run_queue = LIST_INIT(run_queue);
static struct list timer_list = LIST_INIT(timer_list); /* by deadline */
static struct list dead_list = LIST_INIT(dead_list); /* threads whose stack may be freed now */
static uint64_t armed_ns; /* deadline of the monitor's tick, 0: not armed */
static int next_tid;

/* --- kernel stacks --- */

static struct list free_stacks = LIST_INIT(free_stacks); /* list nodes live on the stacks */
static uint64_t stacks_used = 1; /* the first thread's */

static uint64_t stack_new(void)
{
	uint64_t index;

	if (!list_empty(&free_stacks)) {
		struct list *node = free_stacks.next;

		list_del(node);
		return ((uint64_t)node | (DF_KSTACK_SIZE - 1)) + 1;
	}
	index = stacks_used;
	if (index >= boot_info->kstack_count) {
		static uint64_t count;

		count = count ? count : boot_info->kstack_count;
		if (index >= count) {
			int64_t r = hypercall(DF_CALL_GROW, DF_REGION_KSTACK, DF_KSTACK_SIZE, 0, 0);

			if (r < 0)
				return 0;
			count = (uint64_t)r / DF_KSTACK_SIZE;
		}
	}
	stacks_used++;
	return DF_VA_KSTACK + (index + 1) * DF_KSTACK_STRIDE;
}

static void stack_free(uint64_t top)
{
	list_add_tail(&free_stacks, (struct list *)(top - DF_KSTACK_SIZE));
}

/* --- the run queue --- */

static uint64_t next_deadline(bool interrupts_only)
{
	struct timer *t;

	list_for_each(t, &timer_list, node)
		if (t->interrupts || !interrupts_only)
			return t->deadline_ns;
	return DF_FOREVER;
}

/* Arms or disarms the monitor's tick for what the program could miss while it runs. */
static void tick_arm(void)
{
	/* With one thread only what must interrupt it counts; a sleeping one's deadline does, too. */
	uint64_t want = next_deadline(thread_count == 1), now = clock_monotonic();

	if (armed_ns <= now)
		armed_ns = 0; /* it has come, or is on its way */
	if (!list_empty(&run_queue)) {
		/* A tick that is due soon serves as the time slice. */
		want = min(want,
			armed_ns > now && armed_ns <= now + TICK_NS ? armed_ns : now + TICK_NS);
	}
	want = want == DF_FOREVER ? 0 : max(want, (uint64_t)1);
	/* A needless tick is cheaper than a hypercall: one armed earlier stays. */
	if (armed_ns && (!want || armed_ns <= want))
		return;
	if (want == armed_ns)
		return;
	armed_ns = want;
	hypercall(DF_CALL_TIMER, want, 0, 0, 0);
}

void thread_stop_ticks(void)
{
	if (armed_ns)
		hypercall(DF_CALL_TIMER, 0, 0, 0, 0);
	armed_ns = 0;
	tick_seen = 0;
	__atomic_store_n(&request_page->tick_pending, 0, __ATOMIC_RELEASE);
}

void thread_start_ticks(void)
{
	timers_run();
	tick_arm();
}

static void run_queue_add(struct thread *t)
{
	if (list_empty(&t->run))
		list_add_tail(&run_queue, &t->run);
}

int thread_runnable(void)
{
	struct list *l;
	int n = current->state == THREAD_RUNNABLE;

	for (l = run_queue.next; l != &run_queue; l = l->next)
		n++;
	return n;
}

static void reap(void)
{
	struct thread *t, *tmp;

	list_for_each_safe(t, tmp, &dead_list, run) {
		list_del(&t->run);
		stack_free(t->kernel_stack_top + 8);
		kfree(t->xsave);
		if (t != &first_thread)
			kfree(t);
	}
}

static void switch_to(struct thread *next)
{
	struct thread *prev = current;
	uint64_t now = clock_monotonic();

	prev->cpu_ns += now - prev->switched_in_ns;
	if (prev->state != THREAD_DEAD) {
		prev->fs_base = arch_fs_base();
		prev->gs_base = arch_gs_base();
		arch_xsave(prev->xsave);
	}
	next->switched_in_ns = now;
	current = next;
	kernel_stack_top = next->kernel_stack_top;
	arch_set_fs_base(next->fs_base);
	arch_set_gs_base(next->gs_base);
	arch_xrstor(next->xsave);
	/* A tick up to here may have marked `prev`, which may sleep for long. */
	if (tick_seen)
		next->work |= WORK_RESCHED;
	arch_switch(prev, next);
	reap();
}

/* --- host events and waiting --- */

static void host_events(void)
{
	uint64_t signals;

	/* Any tick has done its work by bringing us here. */
	if (tick_seen) {
		tick_seen = 0;
		__atomic_store_n(&request_page->tick_pending, 0, __ATOMIC_RELEASE);
	}
	if (device_hooks.arrived)
		device_hooks.arrived();
	if (!__atomic_load_n(&request_page->host_signals, __ATOMIC_RELAXED))
		return;
	signals = __atomic_exchange_n(&request_page->host_signals, 0, __ATOMIC_ACQ_REL);
	for (int s = 1; s < 64; s++)
		if (signals >> s & 1)
			signal_post(s);
}

void thread_idle_since(uint64_t start_ns)
{
	current->switched_in_ns += clock_monotonic() - start_ns;
}

static void wait_in_monitor(void)
{
	uint64_t start = clock_monotonic();
	unsigned ready, net = 0;

	if (freeze_hooks.idle && freeze_hooks.idle())
		return;
	if (device_hooks.sleeps)
		net = device_hooks.sleeps();
	if (net || !device_hooks.sleeps) {
		ready = (unsigned)hypercall(DF_CALL_WAIT, console_interest() | net,
			next_deadline(false), 0, 0);
		thread_idle_since(start);
		console_ready(ready);
	}
	host_events();
	timers_run();
}

static bool interrupted(void)
{
	return (current->work & WORK_EXIT) ||
		((current->work & WORK_SIGNAL) && signal_hooks.pending &&
			signal_hooks.pending(current));
}

uint64_t timers_next(void)
{
	return next_deadline(false);
}

int thread_poll_events(void)
{
	host_events();
	timers_run();
	if (!list_empty(&run_queue))
		thread_yield();
	return interrupted() ? -ERESTART : 0;
}

/* Runs others until `current` may go on. */
static void schedule(void)
{
	for (;;) {
		if (!list_empty(&run_queue)) {
			struct thread *next = list_entry(run_queue.next, struct thread, run);

			list_del(&next->run);
			if (thread_count > 1)
				tick_arm();
			if (next != current)
				switch_to(next);
			return;
		}
		if (current->state == THREAD_RUNNABLE)
			return;
		wait_in_monitor();
	}
}

static void sleep_timeout(struct timer *t)
{
	struct sleeper {
		struct timer timer;
		struct thread *thread;
	} *s = (struct sleeper *)t;

	thread_wake(s->thread);
}

int thread_sleep(uint64_t deadline_ns)
{
	struct {
		struct timer timer;
		struct thread *thread;
	} s = {.thread = current};

	host_events();
	timers_run();
	if (current->woken) {
		current->woken = false;
		return 0;
	}
	if (interrupted())
		return -ERESTART;
	if (deadline_ns <= clock_monotonic())
		return -ETIMEDOUT;
	list_init(&s.timer.node);
	s.timer.fire = sleep_timeout;
	if (deadline_ns != DF_FOREVER)
		timer_set(&s.timer, deadline_ns);
	current->state = THREAD_SLEEPING;
	schedule();
	timer_cancel(&s.timer);
	if (interrupted()) {
		current->woken = false;
		return -ERESTART;
	}
	if (deadline_ns != DF_FOREVER && deadline_ns <= clock_monotonic()) {
		current->woken = false;
		return -ETIMEDOUT;
	}
	current->woken = false;
	return 0;
}

void thread_wake(struct thread *t)
{
	t->woken = true;
	if (t->state != THREAD_SLEEPING)
		return;
	t->state = THREAD_RUNNABLE;
	run_queue_add(t);
	/* Two want the CPU now. (A thread that waits in the idle loop and is woken by it is alone.) */
	if (t != current && current->state == THREAD_RUNNABLE)
		tick_arm();
}

void thread_yield(void)
{
	if (list_empty(&run_queue))
		return;
	run_queue_add(current);
	schedule();
}

/* --- wait queues --- */

void wait_queue_init(struct wait_queue *q)
{
	list_init(&q->waiters);
}

void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
	list_add_tail(&q->waiters, &w->node);
}

void wait_queue_remove(struct waiter *w)
{
	list_del(&w->node);
}

void wait_queue_wake(struct wait_queue *q, unsigned events)
{
	struct waiter *w, *tmp;

	list_for_each_safe(w, tmp, &q->waiters, node) {
		if (w->wake)
			w->wake(w, events);
		else
			thread_wake(w->thread);
	}
}

int wait_on(struct wait_queue *q, uint64_t deadline_ns)
{
	struct waiter w = {.thread = current};
	int r;

	wait_queue_add(q, &w);
	r = thread_sleep(deadline_ns);
	wait_queue_remove(&w);
	return r;
}

/* --- life --- */

static int thread_prepare(struct thread *t, uint64_t stack_top)
{
	t->kernel_stack_top = stack_top - 8;
	t->frame = (struct frame *)(t->kernel_stack_top - sizeof(struct frame));
	t->state = THREAD_SLEEPING;
	list_init(&t->run);
	t->xsave = NULL;
	/* Not the one that the first thread has since the thaw. */
	if (next_tid == (int)boot_info->pid)
		next_tid++;
	t->tid = next_tid++;
	t->switched_in_ns = clock_monotonic();
	list_add_tail(&thread_list, &t->all);
	thread_count++;
	return 0;
}

void thread_take_pid(void)
{
	current->tid = first_tid = (int)boot_info->pid;
	next_tid = first_tid + 1;
}

void threads_init(void)
{
	struct thread *t = &first_thread;

	thread_prepare(t, DF_VA_KSTACK + DF_KSTACK_STRIDE);
	t->state = THREAD_RUNNABLE;
	thread_take_pid();
	kernel_stack_top = t->kernel_stack_top;
}

/* The area is aligned inside its allocation by keeping only page-aligned heap blocks for it. */
static void *xsave_alloc(void)
{
	return kzalloc(max((size_t)boot_info->xsave_bytes, (size_t)4096));
}

int thread_new(const struct frame *frame, uint64_t fs_base, struct thread **out)
{
	struct thread *t = kzalloc(sizeof(*t));
	uint64_t stack = t ? stack_new() : 0;
	uint64_t *sp;

	if (!current->xsave)
		current->xsave = xsave_alloc();
	if (!stack || !current->xsave) {
		if (stack)
			stack_free(stack);
		kfree(t);
		return -EAGAIN;
	}
	thread_prepare(t, stack);
	t->xsave = xsave_alloc();
	if (!t->xsave) {
		list_del(&t->all);
		thread_count--;
		stack_free(stack);
		kfree(t);
		return -EAGAIN;
	}
	arch_xsave(t->xsave);
	*t->frame = *frame;
	t->fs_base = fs_base;
	t->gs_base = arch_gs_base();
	memcpy(t->name, current->name, sizeof(t->name));
	/* What arch_switch pops: six registers and the return address. */
	sp = (uint64_t *)t->frame - 1;
	*--sp = (uint64_t)arch_thread_start;
	sp -= 6;
	memset(sp, 0, 6 * sizeof(*sp));
	t->kernel_rsp = (uint64_t)sp;
	if (signal_hooks.thread_init)
		signal_hooks.thread_init(t, current);
	*out = t;
	return 0;
}

void thread_first_return(void)
{
	reap();
}

void thread_start(struct thread *t)
{
	t->state = THREAD_RUNNABLE;
	run_queue_add(t);
	tick_arm();
}

void thread_exit(int status)
{
	struct thread *t = current;

	if (task_hooks.thread_exit)
		task_hooks.thread_exit(t);
	if (thread_count == 1)
		program_exit(status, 0);
	if (signal_hooks.thread_exit)
		signal_hooks.thread_exit(t);
	list_del(&t->all);
	thread_count--;
	t->state = THREAD_DEAD;
	/* Its stack is in use until the switch; whoever comes next frees it. */
	while (list_empty(&run_queue))
		wait_in_monitor();
	list_add_tail(&dead_list, &t->run);
	schedule();
	panic("a dead thread runs");
}

/* --- timers --- */

void timer_set(struct timer *t, uint64_t deadline_ns)
{
	struct timer *at;

	timer_cancel(t);
	t->deadline_ns = deadline_ns;
	t->set = true;
	list_for_each(at, &timer_list, node)
		if (at->deadline_ns > deadline_ns)
			break;
	list_add_before(&at->node, &t->node);
	if (t->interrupts)
		tick_arm();
}

void timer_cancel(struct timer *t)
{
	if (!t->set)
		return;
	t->set = false;
	list_del(&t->node);
}

void timers_run(void)
{
	uint64_t now;

	if (list_empty(&timer_list))
		return;
	now = clock_monotonic();
	while (!list_empty(&timer_list)) {
		struct timer *t = list_entry(timer_list.next, struct timer, node);

		if (t->deadline_ns > now)
			break;
		timer_cancel(t);
		t->fire(t);
	}
}

/* --- on the way back to the program --- */

/* Called with thread.work set, until it is clear. */
void return_work(void)
{
	struct thread *t = current;

	do {
		/* At once: a tick may set WORK_RESCHED between any two instructions. */
		unsigned work =
			__atomic_exchange_n(&t->work, t->work & WORK_EXIT, __ATOMIC_RELAXED);

		host_events();
		if (work & WORK_EXIT)
			thread_exit(0);
		if (work & WORK_RESCHED) {
			if (armed_ns && armed_ns <= clock_monotonic())
				armed_ns = 0;
			timers_run();
			thread_yield();
			tick_arm();
		}
		work |= t->work;
		if ((work & WORK_SIGNAL) && signal_hooks.deliver) {
			t->work &= ~WORK_SIGNAL;
			signal_hooks.deliver();
		}
	} while (t->work & ~WORK_RETURN);
	/* A tick that comes now is seen on the way out (entry.S). */
	__atomic_and_fetch(&t->work, ~WORK_RETURN, __ATOMIC_RELAXED);
}

void signal_post(int signal)
{
	if (signal_hooks.post) {
		signal_hooks.post(signal);
		return;
	}
	/* Without the feature `signals` every signal has its default action. */
	if (signal != SIGWINCH && signal != SIGCHLD && signal != SIGURG && signal != SIGCONT)
		program_exit(0, signal);
}
