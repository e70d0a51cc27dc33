// SPDX-License-Identifier: Apache-2.0
/*
 * What reaches the vCPU thread from outside: signals meant for the program (Ctrl-C, window size,
 * SIGTERM ...), the guest's tick timer, and the time limit.
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

static volatile sig_atomic_t tick_due, limit_due, signals_due;
static volatile uint64_t signals; /* bit n: signal n came */
static struct kvm_run *running;

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGUSR1, SIGUSR2};

static void on_signal(int signal)
{
	if (signal == TICK_SIGNAL) {
		tick_due = 1;
	} else if (signal == LIMIT_SIGNAL) {
		limit_due = 1;
	} else {
		__atomic_or_fetch(&signals, 1ULL << signal, __ATOMIC_RELAXED);
		signals_due = 1;
	}
	if (running)
		running->immediate_exit = 1;
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

bool events_pending(void)
{
	return tick_due || limit_due || signals_due;
}

#ifndef sigev_notify_thread_id /* glibc has the field, but no name for it */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static int make_timer(int signal, timer_t *out)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	return timer_create(CLOCK_MONOTONIC, &ev, out) ? -errno : 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

int events_init(struct vm *vm, struct df_err *err)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct sigaction old;
	struct itimerspec limit = {0};
	timer_t timer;

	sigemptyset(&act.sa_mask);
	sigaction(TICK_SIGNAL, &act, NULL);
	sigaction(LIMIT_SIGNAL, &act, NULL);
	for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
		/* What was ignored when we were started stays ignored (nohup). */
		sigaction(forwarded[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(forwarded[i], &act, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, on_bus);
	running = vm->run;
	if (!vm->options->timeout_ms)
		return 0;
	limit.it_value = timespec_of(vm->options->timeout_ms * 1000000);
	/* Once more if the first came between a look at the flags and a call that blocks. */
	limit.it_interval = timespec_of(LIMIT_AGAIN_NS);
	if (make_timer(LIMIT_SIGNAL, &timer) || timer_settime(timer, 0, &limit, NULL))
		return df_err_set(err, -errno, "no timer for the time limit: %s",
			df_errno_text(errno));
	return 0;
}

void events_timer(struct vm *vm, uint64_t deadline_ns, uint64_t interval_ns)
{
	struct itimerspec spec = {
		.it_interval = timespec_of(interval_ns), .it_value = timespec_of(deadline_ns)};

	if (!vm->tick_timer_made) {
		if (!deadline_ns || make_timer(TICK_SIGNAL, &vm->tick_timer))
			return;
		vm->tick_timer_made = true;
	}
	timer_settime(vm->tick_timer, TIMER_ABSTIME, &spec, NULL);
}

int events_wait(struct pollfd *fds, unsigned n, const struct timespec *timeout)
{
	sigset_t all, none;
	int r;

	/* Block, look, and let ppoll unblock: an event in between must not be slept over. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &none);
	if (events_pending() && (!timeout || timeout->tv_sec || timeout->tv_nsec)) {
		errno = EINTR;
		r = -1;
	} else {
		r = ppoll(fds, n, timeout, &none);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	return r;
}

void events_take(struct vm *vm)
{
	uint64_t taken = 0, unseen;

	vm->run->immediate_exit = 0;
	if (signals_due) {
		signals_due = 0;
		taken = __atomic_exchange_n(&signals, 0, __ATOMIC_RELAXED);
		unseen = __atomic_fetch_or(&vm->request->host_signals, taken, __ATOMIC_RELAXED);
		/* The kernel has not even taken the last one: it hangs, and these must end it. */
		if (unseen & taken & 1ULL << SIGINT)
			vm_end(vm, 128 + SIGINT, NULL);
		else if (unseen & taken & 1ULL << SIGTERM)
			vm_end(vm, 128 + SIGTERM, NULL);
	}
	if (limit_due)
		vm_end(vm, 124, "stopped: the time limit of %llu ms has passed",
			(unsigned long long)vm->options->timeout_ms);
	if (tick_due || taken) {
		tick_due = 0;
		vcpu_request_tick(vm);
	}
}
