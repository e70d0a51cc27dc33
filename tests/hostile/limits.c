// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that take all there is: time, memory, the kernel's heap, streams. Time ends by --timeout;
 * everything else must end in an error of the call, as a Linux program would see it.
 */
#include "attack.h"
#include "guest.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MANY 2000000

static void spin(void)
{
	for (;;)
		;
}

static void spin_calls(void)
{
	for (;;)
		syscall(SYS_getppid);
}

static void spin_faults(void)
{
	for (;;)
		readable(8);
}

static void spin_hypercalls(void)
{
	for (;;)
		request(DF_CALL_WAIT, 0, 0, 0, 0);
}

static void spin_bad_calls(void)
{
	for (long i = 0;; i++)
		syscall(i, -1L, -1L, -1L, -1L, -1L, -1L);
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void *spin_thread(void *arg)
{
	for (;;)
		;
	return arg;
}

static void spin_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, spin_thread, NULL);
	spin();
}

static void spin_in_handler(int signal)
{
	(void)signal;
	spin();
}

/* Deaf to everything that asks it to end. */
static void deaf(void)
{
	for (int i = 1; i < 32; i++)
		signal(i, SIG_IGN);
	signal(SIGUSR1, spin_in_handler);
	raise(SIGUSR1);
}

/* No tick is sent while the kernel has not taken the last one: nothing comes to this guest any more. */
static void no_ticks(void)
{
	/* First: a signal may follow the word at once. */
	request_page()->tick_pending = 1;
	if (write(1, "spinning\n", 9) != 9)
		exit(98);
	spin();
}

static void write_for_ever(void)
{
	for (;;)
		if (write(2, "and so on\n", 10) < 0)
			break;
}

/* --- memory --- */

static void memory_touched(void)
{
	uint64_t got = 0;
	char *p;

	while ((p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0)) != MAP_FAILED) {
		memset(p, 1, 1 << 20);
		got++;
		if (got > 100000)
			exit(98);
	}
	printf("%d after %lu MiB\n", errno, got);
}

static void memory_malloc(void)
{
	uint64_t got = 0;
	void *p;

	while ((p = malloc(64 << 10)) && got++ < 10000000)
		memset(p, 1, 64 << 10);
	printf("%lu blocks\n", got);
}

static void memory_brk(void)
{
	long now = syscall(SYS_brk, 0), next;

	while ((next = syscall(SYS_brk, now + (1 << 20))) > now) {
		memset((void *)now, 1, (size_t)(next - now));
		now = next;
	}
}

/* Reserved far beyond what there is, then touched until it is refused. */
static void memory_reserved(void)
{
	char *p = mmap(NULL, 1ULL << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);

	if (p == MAP_FAILED)
		return;
	for (uint64_t at = 0; at < 1ULL << 36; at += 1 << 20) {
		if (mprotect(p + at, 1 << 20, PROT_READ | PROT_WRITE))
			break;
		memset(p + at, 1, 1 << 20);
	}
}

/* One page each, none beside its like: as many mappings as can be. */
static void mappings(void)
{
	unsigned n = 0;

	for (; n < MANY; n++)
		if (mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			break;
	printf("%u, then %d\n", n, errno);
}

static void mappings_scattered(void)
{
	unsigned n = 0;

	for (; n < MANY; n++)
		if (mmap((void *)(0x100000000 + (random_next() & 0xffffffff000)), 4096, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
	printf("%u, then %d\n", n, errno);
}

static void protections(void)
{
	uint64_t bytes = 8 << 20;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < 20000; i++)
		if (mprotect(p + (random_next() % (bytes / 4096)) * 4096, 4096,
			    (int)(random_next() & 7)))
			break;
}

static void deep(volatile char *before)
{
	volatile char frame[2000];

	frame[0] = before ? before[0] : 0;
	frame[1999] = 1;
	deep(frame);
	frame[1] = 2;
}

static void recursion(void)
{
	deep(NULL);
}

static void one_huge_frame(void)
{
	volatile char frame[64 << 20];

	frame[0] = 1;
	printf("%d\n", frame[0]);
}

/* --- the kernel's heap --- */

static void until_refused(int (*make)(void))
{
	unsigned n = 0;

	for (; n < MANY; n++)
		if (make() < 0)
			break;
	dprintf(1, "%u, then %d\n", n, errno);
	if (n == MANY)
		exit(98);
}

static int make_pipe(void)
{
	int fds[2];

	return pipe(fds);
}

static int make_full_pipe(void)
{
	static char block[65536];
	int fds[2];

	if (pipe(fds))
		return -1;
	return write(fds[1], block, sizeof(block)) == sizeof(block) ? 0 : -1;
}

static int make_eventfd(void)
{
	return eventfd(0, 0);
}

static int make_timerfd(void)
{
	struct itimerspec t = {{0, 1000}, {0, 1000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	return fd < 0 ? -1 : timerfd_settime(fd, 0, &t, NULL);
}

static int last_epoll = -1;

static int make_epoll(void)
{
	int fd = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN};

	/* Each watches the one before. */
	if (fd >= 0 && last_epoll >= 0)
		epoll_ctl(fd, EPOLL_CTL_ADD, last_epoll, &e);
	last_epoll = fd;
	return fd;
}

static int make_dup(void)
{
	return dup(1);
}

static void *wait_thread(void *arg)
{
	pause();
	return arg;
}

static int make_thread(void)
{
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	errno = pthread_create(&t, &a, wait_thread, NULL);
	return errno ? -1 : 0;
}

static int make_timer(void)
{
	struct sigevent e = {.sigev_notify = SIGEV_NONE};
	timer_t t;

	return (int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t);
}

static int make_signal(void)
{
	union sigval v = {0};

	return sigqueue(getpid(), SIGRTMIN, v);
}

static void heap_pipes(void)
{
	until_refused(make_pipe);
}

static void heap_full_pipes(void)
{
	until_refused(make_full_pipe);
}

static void heap_eventfds(void)
{
	until_refused(make_eventfd);
}

static void heap_timerfds(void)
{
	until_refused(make_timerfd);
}

static void heap_epolls(void)
{
	until_refused(make_epoll);
}

static void heap_dups(void)
{
	until_refused(make_dup);
}

static void heap_threads(void)
{
	until_refused(make_thread);
}

static void heap_timers(void)
{
	until_refused(make_timer);
}

static void heap_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	until_refused(make_signal);
}

/* Threads that are made and end: nothing may be left of them. */
static void *end_thread(void *arg)
{
	return arg;
}

static void thread_churn(void)
{
	for (int i = 0; i < 3000; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, end_thread, NULL))
			exit(98);
		pthread_join(t, NULL);
	}
}

static void pipe_churn(void)
{
	for (int i = 0; i < 20000; i++) {
		int fds[2];

		if (pipe(fds))
			exit(98);
		close(fds[0]);
		close(fds[1]);
	}
}

/* --- streams --- */

static void close_all(void)
{
	for (int i = 0; i < 1024; i++)
		close(i);
	for (int i = 0; i < 100000; i++)
		if (write(1, "x", 1) >= 0 || errno != EBADF)
			exit(98);
}

static void close_all_fault(void)
{
	for (int i = 0; i < 1024; i++)
		close(i);
	*(volatile int *)8 = 1;
}

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_limits[] = {ROW(spin), ROW(spin_calls), ROW(spin_faults),
	ROW(spin_hypercalls), ROW(spin_bad_calls), ROW(sleep_for_ever), ROW(spin_threads),
	ROW(deaf), ROW(no_ticks), ROW(write_for_ever), ROW(memory_touched), ROW(memory_malloc),
	ROW(memory_brk), ROW(memory_reserved), ROW(mappings), ROW(mappings_scattered),
	ROW(protections), ROW(recursion), ROW(one_huge_frame), ROW(heap_pipes),
	ROW(heap_full_pipes), ROW(heap_eventfds), ROW(heap_timerfds), ROW(heap_epolls),
	ROW(heap_dups), ROW(heap_threads), ROW(heap_timers), ROW(heap_signals), ROW(thread_churn),
	ROW(pipe_churn), ROW(close_all), ROW(close_all_fault), {NULL, NULL}};
