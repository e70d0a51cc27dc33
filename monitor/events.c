// SPDX-License-Identifier: Apache-2.0
/*
 * What reaches the vCPU thread from outside: signals meant for the program (Ctrl-C, window size,
 * SIGTERM ...), the guest's tick timer, and the limits of time.
 *
 * All arrive as signals. They are blocked except while the thread runs the guest (KVM_SET_SIGNAL_MASK
 * is avoided: the handler sets immediate_exit instead, which closes the race) or waits in ppoll.
 * Handlers only set flags.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "streams.h"
#include "vm.h"

#define TICK_SIGNAL (SIGRTMIN + 1)
#define LIMIT_SIGNAL (SIGRTMIN + 2)
#define LIMIT_AGAIN_NS 100000000
#define AGAIN_NS 20000000
#define DEAF_NS 1000000000u /* timeout(1) sends two at once */

static volatile sig_atomic_t signals_due;
static volatile uint64_t signals; /* bit n: signal n came */
static _Thread_local struct vm *here; /* that this thread runs */

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGUSR1, SIGUSR2};

/*
 * A signal may come between the look at a stream and a read or write that then blocks, since another process was faster, or a pipe
 * has room for less than is written. So the thread is interrupted once more, a little later.
 */
static void interrupt_again(struct vm *vm)
{
	struct itimerspec spec = {.it_value = timespec_of(AGAIN_NS)};

	if (vm->events.again_made)
		timer_settime(vm->events.again, 0, &spec, NULL);
}

static void on_signal(int signal)
{
	struct vm *vm = here;

	if (!vm)
		return;
	if (signal == TICK_SIGNAL) {
		vm->events.tick_due = 1;
	} else if (signal == LIMIT_SIGNAL) {
		vm->events.limit_due = 1;
	} else {
		__atomic_or_fetch(&signals, 1ULL << signal, __ATOMIC_RELAXED);
		signals_due = 1;
		interrupt_again(vm);
	}
	vm->run->immediate_exit = 1;
}

/* A mapped file became shorter. The guest's own accesses end in KVM_RUN; this was one of ours. */
static void on_bus(int signal)
{
	static const char text[] =
		"dayfly: stopped: the root image was changed while it was in use\n";

	(void)signal;
	streams_restore(); /* NOLINT(bugprone-signal-handler): one ioctl at most */
	/* Whether or not someone reads it. */
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(125);
}

bool events_pending(const struct vm *vm)
{
	return vm->events.tick_due || vm->events.limit_due || signals_due;
}

#ifndef sigev_notify_thread_id /* glibc has the field, but no name for it */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static int make_timer(clockid_t clock, int signal, timer_t *out, bool *made, struct df_err *err)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(clock, &ev, out))
		return df_err_set(err, -errno, "no timer: %s", df_errno_text(errno));
	*made = true;
	return 0;
}

/* Once more after a while, in case the first came between a look at the flags and a call that blocks. */
static void arm_limit(timer_t timer, uint64_t deadline_ns)
{
	struct itimerspec spec = {.it_interval = timespec_of(deadline_ns ? LIMIT_AGAIN_NS : 0),
		.it_value = timespec_of(deadline_ns)};

	timer_settime(timer, TIMER_ABSTIME, &spec, NULL);
}

static uint64_t cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void handle(int signal)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigemptyset(&act.sa_mask);
	sigaction(signal, &act, NULL);
}

int events_thread(struct vm *vm, struct df_err *err)
{
	struct events *e = &vm->events;
	int r;

	here = vm;
	handle(TICK_SIGNAL);
	handle(LIMIT_SIGNAL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, on_bus);
	r = make_timer(CLOCK_MONOTONIC, TICK_SIGNAL, &e->tick, &e->tick_made, err);
	r = r ? r : make_timer(CLOCK_MONOTONIC, LIMIT_SIGNAL, &e->wall, &e->wall_made, err);
	return r ? r
		 : make_timer(CLOCK_THREAD_CPUTIME_ID, LIMIT_SIGNAL, &e->cpu, &e->cpu_made, err);
}

int events_init(struct vm *vm, struct df_err *err)
{
	struct sigaction old;
	int r;

	here = vm;
	handle(TICK_SIGNAL);
	handle(LIMIT_SIGNAL);
	r = make_timer(CLOCK_MONOTONIC, LIMIT_SIGNAL, &vm->events.again, &vm->events.again_made,
		err);
	if (r)
		return r;
	for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
		/* What was ignored when we were started stays ignored (nohup). */
		sigaction(forwarded[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			handle(forwarded[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, on_bus);
	if (!vm->options->timeout_ms)
		return 0;
	r = make_timer(CLOCK_MONOTONIC, LIMIT_SIGNAL, &vm->events.wall, &vm->events.wall_made, err);
	if (!r)
		events_limits(vm, vm->options->timeout_ms * 1000000, 0);
	return r;
}

/*
 * A timer that is armed already stays as it is, though it will come too early for what runs now: then
 * it is armed anew. So an event that ends in time costs no system call here.
 */
void events_limits(struct vm *vm, uint64_t wall_ns, uint64_t cpu_ns)
{
	struct events *e = &vm->events;

	e->wall_limit = wall_ns;
	e->cpu_limit = cpu_ns;
	e->wall_deadline = wall_ns ? clock_now_ns() + wall_ns : 0;
	e->cpu_deadline = cpu_ns ? cpu_now_ns() + cpu_ns : 0;
	if (wall_ns && (!e->wall_armed || e->wall_armed > e->wall_deadline)) {
		e->wall_armed = e->wall_deadline;
		arm_limit(e->wall, e->wall_armed);
	}
	if (cpu_ns && (!e->cpu_armed || e->cpu_armed > e->cpu_deadline)) {
		e->cpu_armed = e->cpu_deadline;
		arm_limit(e->cpu, e->cpu_armed);
	}
}

void events_idle(struct vm *vm)
{
	struct events *e = &vm->events;

	e->wall_deadline = e->cpu_deadline = 0;
	if (e->tick_armed)
		events_timer(vm, 0, 0);
	e->tick_due = 0;
	vm->run->request_interrupt_window = 0;
}

void events_timer(struct vm *vm, uint64_t deadline_ns, uint64_t interval_ns)
{
	struct events *e = &vm->events;
	struct itimerspec spec = {
		.it_interval = timespec_of(interval_ns), .it_value = timespec_of(deadline_ns)};

	/* In `run` it is made when first needed: most programs need none. */
	if (!e->tick_made &&
		(!deadline_ns ||
			make_timer(CLOCK_MONOTONIC, TICK_SIGNAL, &e->tick, &e->tick_made, NULL)))
		return;
	e->tick_armed = deadline_ns;
	timer_settime(e->tick, TIMER_ABSTIME, &spec, NULL);
}

int events_wait(const struct vm *vm, struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	sigset_t all, none;
	int r;

	/* Block, look, and let ppoll unblock: an event in between must not be slept over. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &none);
	if (events_pending(vm) && (!timeout || timeout->tv_sec || timeout->tv_nsec)) {
		errno = EINTR;
		r = -1;
	} else {
		r = ppoll(fds, n, timeout, &none);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	return r;
}

static void take_signals(struct vm *vm)
{
	uint64_t taken, unseen, now = clock_now_ns();

	signals_due = 0;
	taken = __atomic_exchange_n(&signals, 0, __ATOMIC_RELAXED);
	unseen = __atomic_fetch_or(&vm->request->host_signals, taken, __ATOMIC_RELAXED);
	if (!unseen)
		vm->events.unseen_since = now;
	/* The kernel has not taken the last one in all that time: it hangs, and these must end it. */
	if (now - vm->events.unseen_since < DEAF_NS)
		unseen = 0;
	if (unseen & taken & 1ULL << SIGINT)
		vm_end(vm, DF_OUTCOME_SIGNAL, SIGINT, NULL);
	else if (unseen & taken & 1ULL << SIGTERM)
		vm_end(vm, DF_OUTCOME_SIGNAL, SIGTERM, NULL);
	if (taken)
		vcpu_request_tick(vm);
}

/* Which limit was it, or was the timer only armed for an earlier event? */
static void take_limit(struct vm *vm)
{
	struct events *e = &vm->events;
	uint64_t now = clock_now_ns(), cpu = e->cpu_deadline ? cpu_now_ns() : 0;

	e->limit_due = 0;
	if (e->wall_deadline && now >= e->wall_deadline) {
		vm_end(vm, DF_OUTCOME_WALL_TIME, 0, "stopped: the time limit of %llu ms has passed",
			(unsigned long long)(e->wall_limit / 1000000));
		return;
	}
	if (e->cpu_deadline && cpu >= e->cpu_deadline) {
		vm_end(vm, DF_OUTCOME_CPU_TIME, 0,
			"stopped: the limit of %llu ms of CPU time has passed",
			(unsigned long long)(e->cpu_limit / 1000000));
		return;
	}
	if (e->wall_armed && e->wall_armed <= now) {
		e->wall_armed = e->wall_deadline;
		arm_limit(e->wall, e->wall_armed);
	}
	if (e->cpu_armed && (!e->cpu_deadline || e->cpu_armed <= cpu)) {
		e->cpu_armed = e->cpu_deadline;
		arm_limit(e->cpu, e->cpu_armed);
	}
}

void events_take(struct vm *vm)
{
	vm->run->immediate_exit = 0;
	if (signals_due && !vm->has_events)
		take_signals(vm);
	if (vm->events.limit_due)
		take_limit(vm);
	if (vm->events.tick_due) {
		vm->events.tick_due = 0;
		vcpu_request_tick(vm);
	}
}
