/*
 * polls.c - poll, ppoll, select, pselect: readiness, time limits, errors, signals.
 */
#include "case.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/select.h>

static void timeout_only(void)
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("poll=%d", poll(NULL, 0, 20));
	say("waited=%s", waited(start, 20000000));
	start = now_ns(CLOCK_MONOTONIC);
	struct timespec limit = {0, 15000000};
	say("ppoll=%d", ppoll(NULL, 0, &limit, NULL));
	say("waited=%s", waited(start, 15000000));
	say("limit-kept=%s", yes(limit.tv_nsec == 15000000));
}

static void timeout_with_descriptor(void)
{
	int fds[2];
	pipe(fds);
	struct pollfd p = {fds[0], POLLIN, 0x55};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	int result = poll(&p, 1, 20);
	say("%d revents=%x", result, p.revents);
	say("waited=%s", waited(start, 20000000));
}

static void ready_at_once(void)
{
	int fds[2];
	pipe(fds);
	write(fds[1], "x", 1);
	struct pollfd p = {fds[0], POLLIN | POLLRDNORM | POLLOUT, 0};
	say("%d", poll(&p, 1, -1));
	say("%x", p.revents);
}

static void ignored_and_invalid(void)
{
	struct pollfd p[3] = {{-1, POLLIN, 7}, {77, POLLIN, 7}, {-5, POLLOUT, 7}};
	say("%d", poll(p, 3, 1000));
	say("%x,%x,%x", p[0].revents, p[1].revents, p[2].revents);
}

static void regular_files(void)
{
	put_file("a", "x");
	mkdir("d", 0755);
	struct pollfd p[3] = {{open("a", O_RDWR), POLLIN | POLLOUT | POLLPRI, 0},
		{open("d", O_RDONLY), POLLIN | POLLOUT, 0},
		{open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0}};
	say("%d", poll(p, 3, 0));
	say("%x,%x,%x", p[0].revents, p[1].revents, p[2].revents);
}

static void too_many(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 10;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct pollfd p[11] = {{0}};
	say("%s", rc(poll(p, 11, 0)));
	limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void negative_timeouts(void)
{
	struct timespec bad = {0, 2000000000}, minus = {-1, 0};
	say("nsec=%s", rc(ppoll(NULL, 0, &bad, NULL)));
	say("minus=%s", rc(ppoll(NULL, 0, &minus, NULL)));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

static void poll_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &action, NULL);
	alarms = 0;
	struct itimerspec when = {
		{0, 20000000}, {0, 20000000}}; /* again, should the first come too early */
	timer_t timer;
	say("timer=%s", rc(timer_create(CLOCK_MONOTONIC, NULL, &timer)));
	timer_settime(timer, 0, &when, NULL);
	/* SA_RESTART does not restart poll. */
	say("poll=%s", rc(poll(NULL, 0, 10000)));
	say("alarms=%s", yes(alarms > 0));
	timer_delete(timer);
}

static void ppoll_mask(void)
{
	/* A pending blocked signal is delivered by the mask that ppoll sets, and only then. */
	struct sigaction action = {.sa_handler = on_alarm};
	sigset_t block, none;
	sigaction(SIGUSR1, &action, NULL);
	alarms = 0;
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	say("before=%d", (int)alarms);
	say("ppoll=%s", rc(ppoll(NULL, 0, NULL, &none)));
	say("after=%d", (int)alarms);
	sigprocmask(SIG_BLOCK, NULL, &none);
	say("mask-back=%d", sigismember(&none, SIGUSR1));
}

static void *writer(void *argument)
{
	write(*(int *)argument, "x", 1);
	return NULL;
}

static void woken_by_thread(void)
{
	int a[2], b[2];
	pthread_t thread;
	pipe(a);
	pipe(b);
	struct pollfd p[2] = {{a[0], POLLIN, 0}, {b[0], POLLIN, 0}};
	pthread_create(&thread, NULL, writer, &b[1]);
	say("%d", poll(p, 2, 10000));
	say("%x,%x", p[0].revents, p[1].revents);
	pthread_join(thread, NULL);
}

static void select_basic(void)
{
	int fds[2];
	fd_set r, w, e;
	pipe(fds);
	struct timeval zero = {0, 0};
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(fds[0], &r);
	FD_SET(fds[1], &w);
	FD_SET(fds[0], &e);
	say("empty=%d", select(fds[1] + 1, &r, &w, &e, &zero));
	say("%d%d%d", FD_ISSET(fds[0], &r), FD_ISSET(fds[1], &w), FD_ISSET(fds[0], &e));
	write(fds[1], "x", 1);
	FD_SET(fds[0], &r);
	say("some=%d", select(fds[1] + 1, &r, NULL, NULL, &zero));
	say("%d", FD_ISSET(fds[0], &r));
	close(fds[1]);
	char byte;
	read(fds[0], &byte, 1);
	say("eof=%d", select(fds[0] + 1, &r, NULL, NULL, &zero));
	say("%d", FD_ISSET(fds[0], &r));
}

static void select_timeout(void)
{
	int fds[2];
	fd_set r;
	pipe(fds);
	FD_ZERO(&r);
	FD_SET(fds[0], &r);
	struct timeval limit = {0, 20000};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("%d", select(fds[0] + 1, &r, NULL, NULL, &limit));
	say("waited=%s", waited(start, 20000000));
	say("cleared=%d", FD_ISSET(fds[0], &r));
	/* Linux writes the time that was left. */
	say("left=%ld.%ld", (long)limit.tv_sec, (long)limit.tv_usec);
}

static void select_errors(void)
{
	fd_set r;
	FD_ZERO(&r);
	FD_SET(50, &r); /* below 64: Linux looks no further than its table of descriptors reaches */
	struct timeval zero = {0, 0}, minus = {-1, 0};
	say("bad-fd=%s", rc(select(51, &r, NULL, NULL, &zero)));
	say("beyond-n=%s", rc(select(50, &r, NULL, NULL, &zero)));
	say("n=%s", rc(select(-1, NULL, NULL, NULL, &zero)));
	say("time=%s", rc(select(0, NULL, NULL, NULL, &minus)));
	say("nothing=%s", num(select(0, NULL, NULL, NULL, &zero)));
}

static void pselect_mask(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	sigset_t block, none;
	sigaction(SIGUSR1, &action, NULL);
	alarms = 0;
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	say("pselect=%s", rc(pselect(0, NULL, NULL, NULL, NULL, &none)));
	say("alarms=%d", (int)alarms);
	struct timespec limit = {0, 10000000};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("timeout=%s", num(pselect(0, NULL, NULL, NULL, &limit, NULL)));
	say("waited=%s", waited(start, 10000000));
}

static const struct guest_case cases[] = {
	C(timeout_only),
	C(timeout_with_descriptor),
	C(ready_at_once),
	C(ignored_and_invalid),
	C(regular_files),
	C(too_many),
	C(negative_timeouts),
	C(poll_interrupted),
	C(ppoll_mask),
	C(woken_by_thread),
	C(select_basic),
	C(select_timeout),
	C(select_errors),
	C(pselect_mask),
};

GUEST_MAIN("polls", cases)
