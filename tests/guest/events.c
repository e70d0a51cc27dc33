/*
 * events.c - descriptors that carry events: epoll, eventfd, timerfd, signalfd.
 */
#include "case.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int add(int set, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};
	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/* Says the number of ready entries and each as data:events, in order of data. */
static void say_ready(const char *label, int set, int timeout_ms)
{
	struct epoll_event events[8];
	int n = epoll_wait(set, events, 8, timeout_ms);
	char text[256];
	int used = snprintf(text, sizeof text, "%s=%s", label, num(n));

	for (uint64_t data = 0; data < 100; data++)
		for (int i = 0; i < n; i++)
			if (events[i].data.u64 == data)
				used += snprintf(text + used, sizeof text - (size_t)used, "/%lu:%x",
					(unsigned long)data, events[i].events);
	say("%s", text);
}

static void epoll_level(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), fds[2];
	char byte;
	pipe(fds);
	say("%s", rc(set));
	say("add=%s", rc(add(set, fds[0], EPOLLIN, 1)));
	say("add=%s", rc(add(set, fds[1], EPOLLOUT, 2)));
	say_ready("writable", set, 0);
	write(fds[1], "ab", 2);
	say_ready("both", set, -1);
	read(fds[0], &byte, 1);
	say_ready("still", set, 0);
	read(fds[0], &byte, 1);
	say_ready("drained", set, 0);
}

static void epoll_edge(void)
{
	int set = epoll_create1(0), fds[2];
	char byte;
	pipe(fds);
	add(set, fds[0], EPOLLIN | EPOLLET, 1);
	say_ready("empty", set, 0);
	write(fds[1], "ab", 2);
	say_ready("first", set, 0);
	say_ready("again", set, 0);
	read(fds[0], &byte, 1);
	say_ready("partly-read", set, 0);
	write(fds[1], "c", 1);
	say_ready("new-data", set, 0);
	/* Adding when ready counts as an edge. */
	int other = epoll_create1(0);
	add(other, fds[0], EPOLLIN | EPOLLET, 2);
	say_ready("added-ready", other, 0);
}

static void epoll_oneshot(void)
{
	int set = epoll_create1(0), fds[2];
	pipe(fds);
	add(set, fds[0], EPOLLIN | EPOLLONESHOT, 1);
	write(fds[1], "ab", 2);
	say_ready("first", set, 0);
	say_ready("disarmed", set, 0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 3};
	say("mod=%s", rc(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event)));
	say_ready("armed", set, 0);
	say_ready("disarmed", set, 0);
}

static void epoll_modify_delete(void)
{
	int set = epoll_create1(0), fds[2];
	pipe(fds);
	write(fds[1], "x", 1);
	add(set, fds[0], 0, 1);
	say_ready("nothing-asked", set, 0);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 2};
	say("mod=%s", rc(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event)));
	say_ready("modified", set, 0);
	say("del=%s", rc(epoll_ctl(set, EPOLL_CTL_DEL, fds[0], NULL)));
	say_ready("deleted", set, 0);
	say("del=%s", rc(epoll_ctl(set, EPOLL_CTL_DEL, fds[0], NULL)));
	say("mod=%s", rc(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event)));
}

static void epoll_hangup(void)
{
	int set = epoll_create1(0), fds[2], more[2];
	char byte;
	pipe(fds);
	pipe(more);
	add(set, fds[0], EPOLLIN, 1);
	add(set, more[1], EPOLLOUT, 2);
	write(fds[1], "x", 1);
	close(fds[1]);
	close(more[0]);
	say_ready("closed", set, 0);
	read(fds[0], &byte, 1);
	say_ready("drained", set, 0);
}

static void epoll_errors(void)
{
	int set = epoll_create1(0), fds[2];
	struct epoll_event event = {.events = EPOLLIN};
	pipe(fds);
	put_file("a", "x");
	int file = open("a", O_RDONLY);
	say("file=%s", rc(add(set, file, EPOLLIN, 1)));
	say("add=%s", rc(add(set, fds[0], EPOLLIN, 1)));
	say("twice=%s", rc(add(set, fds[0], EPOLLIN, 1)));
	say("itself=%s", rc(add(set, set, EPOLLIN, 1)));
	say("bad-fd=%s", rc(add(set, 77, EPOLLIN, 1)));
	say("not-epoll=%s", rc(add(fds[0], fds[1], EPOLLIN, 1)));
	say("op=%s", rc(epoll_ctl(set, 99, fds[0], &event)));
	say("null=%s", rc(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], NULL)));
	say("max=%s", rc(epoll_wait(set, &event, 0, 0)));
	say("max=%s", rc(epoll_wait(set, &event, -1, 0)));
	say("wait-bad=%s", rc(epoll_wait(77, &event, 1, 0)));
	say("wait-pipe=%s", rc(epoll_wait(fds[0], &event, 1, 0)));
	say("create0=%s", rc(epoll_create(0)));
	say("flags=%s", rc(epoll_create1(12345)));
	say("bad-pointer=%s", rc(epoll_wait(set, (void *)8, 1, 0)));
}

static void epoll_timeout(void)
{
	int set = epoll_create1(0), fds[2];
	pipe(fds);
	add(set, fds[0], EPOLLIN, 1);
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say_ready("none", set, 25);
	say("waited=%s", waited(start, 25000000));
	struct epoll_event event;
	struct timespec limit = {0, 15000000};
	start = now_ns(CLOCK_MONOTONIC);
	say("pwait2=%s", num(syscall(SYS_epoll_pwait2, set, &event, 1, &limit, NULL, 0)));
	say("waited=%s", waited(start, 15000000));
}

static void epoll_many_take_turns(void)
{
	/* More ready than asked for: everyone gets a turn. */
	int set = epoll_create1(0), fds[2], seen[6] = {0};
	for (uint64_t i = 0; i < 6; i++) {
		pipe(fds);
		write(fds[1], "x", 1);
		add(set, fds[0], EPOLLIN, i);
	}
	struct epoll_event events[2];
	for (int round = 0; round < 3; round++) {
		int n = epoll_wait(set, events, 2, 0);
		for (int i = 0; i < n; i++)
			seen[events[i].data.u64]++;
	}
	say("%d%d%d%d%d%d", seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]);
}

static void epoll_nested(void)
{
	int inner = epoll_create1(0), outer = epoll_create1(0), fds[2];
	char byte;
	pipe(fds);
	add(inner, fds[0], EPOLLIN, 1);
	say("nest=%s", rc(add(outer, inner, EPOLLIN, 2)));
	say_ready("outer", outer, 0);
	write(fds[1], "x", 1);
	say_ready("outer", outer, 0);
	say_ready("inner", inner, 0);
	struct pollfd p = {outer, POLLIN, 0};
	say("poll=%d", poll(&p, 1, 0));
	read(fds[0], &byte, 1);
	say_ready("outer", outer, 0);
	say("loop=%s", rc(add(inner, outer, EPOLLIN, 3)));
}

static void epoll_closed_descriptor(void)
{
	int set = epoll_create1(0), fds[2];
	pipe(fds);
	add(set, fds[0], EPOLLIN, 1);
	write(fds[1], "x", 1);
	int copy = dup(fds[0]);
	close(fds[0]);
	/* The open file lives on through its copy, and so does its registration. */
	say_ready("copy-holds", set, 0);
	close(copy);
	say_ready("gone", set, 0);
}

static void epoll_mixed_sources(void)
{
	int set = epoll_create1(0), event = eventfd(0, 0),
	    timer = timerfd_create(CLOCK_MONOTONIC, 0), fds[2];
	uint64_t one = 1, count;
	pipe(fds);
	add(set, event, EPOLLIN, 1);
	add(set, timer, EPOLLIN, 2);
	add(set, fds[0], EPOLLIN, 3);
	say_ready("none", set, 0);
	struct itimerspec when = {.it_value = {0, 10000000}};
	timerfd_settime(timer, 0, &when, NULL);
	say_ready("timer", set, 10000);
	read(timer, &count, 8);
	write(event, &one, 8);
	write(fds[1], "x", 1);
	say_ready("others", set, 10000);
}

static void *poke(void *argument)
{
	uint64_t one = 1;
	write(*(int *)argument, &one, 8);
	return NULL;
}

static void epoll_woken_by_thread(void)
{
	int set = epoll_create1(0), event = eventfd(0, 0);
	pthread_t thread;
	add(set, event, EPOLLIN, 5);
	pthread_create(&thread, NULL, poke, &event);
	say_ready("woken", set, 10000);
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	(void)number;
	caught++;
}

static void epoll_pwait_mask(void)
{
	int set = epoll_create1(0);
	struct sigaction action = {.sa_handler = on_signal};
	struct epoll_event event;
	sigset_t block, none;
	caught = 0;
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	say("wait=%s", num(epoll_wait(set, &event, 1, 5)));
	say("caught=%d", (int)caught);
	say("pwait=%s", num(epoll_pwait(set, &event, 1, -1, &none)));
	say("caught=%d", (int)caught);
}

static void eventfd_counter(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t value = 0;
	say("%s", rc(fd));
	say("read=%s", num(read(fd, &value, 8)));
	say("%lu", (unsigned long)value);
	say("empty=%s", num(read(fd, &value, 8)));
	value = 5;
	say("write=%s", num(write(fd, &value, 8)));
	value = 7;
	write(fd, &value, 8);
	say("read=%s", num(read(fd, &value, 8)));
	say("%lu", (unsigned long)value);
	say("short-read=%s", num(read(fd, &value, 4)));
	say("short-write=%s", num(write(fd, &value, 4)));
	value = UINT64_MAX;
	say("max=%s", num(write(fd, &value, 8)));
	value = UINT64_MAX - 1;
	say("limit=%s", num(write(fd, &value, 8)));
	value = 1;
	say("over=%s", num(write(fd, &value, 8)));
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};
	say("poll=%d", poll(&p, 1, 0));
	say("%x", p.revents);
	read(fd, &value, 8);
	poll(&p, 1, 0);
	say("%x", p.revents);
	say("flags=%s", rc(eventfd(0, 0x40)));
}

static void eventfd_semaphore(void)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t value = 0;
	for (int i = 0; i < 3; i++) {
		value = 9;
		say("read=%s", num(read(fd, &value, 8)));
		say("%lu", (unsigned long)value);
	}
}

static void eventfd_blocking(void)
{
	int fd = eventfd(0, 0);
	uint64_t value = 0;
	pthread_t thread;
	pthread_create(&thread, NULL, poke, &fd);
	say("read=%s", num(read(fd, &value, 8)));
	say("%lu", (unsigned long)value);
	pthread_join(thread, NULL);
}

static void timerfd_oneshot(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec when = {.it_value = {0, 20000000}}, left;
	uint64_t count = 0;
	say("%s", rc(fd));
	say("unarmed=%s", num(read(fd, &count, 8)));
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("set=%s", rc(timerfd_settime(fd, 0, &when, NULL)));
	say("get=%s", rc(timerfd_gettime(fd, &left)));
	say("left=%s",
		yes(left.it_value.tv_sec == 0 && left.it_value.tv_nsec > 0 &&
			left.it_value.tv_nsec <= 20000000));
	struct pollfd p = {fd, POLLIN, 0};
	say("poll=%d", poll(&p, 1, 10000));
	say("waited=%s", waited(start, 20000000));
	say("read=%s", num(read(fd, &count, 8)));
	say("%lu", (unsigned long)count);
	say("again=%s", num(read(fd, &count, 8)));
	timerfd_gettime(fd, &left);
	say("left=%ld.%ld", (long)left.it_value.tv_sec, left.it_value.tv_nsec);
}

static void timerfd_interval(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec when = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}}, old;
	uint64_t count = 0, total = 0;
	int64_t start = now_ns(CLOCK_MONOTONIC);
	timerfd_settime(fd, 0, &when, NULL);
	while (total < 4 && read(fd, &count, 8) == 8)
		total += count;
	say("total=%s waited=%s", yes(total >= 4), waited(start, 20000000));
	struct itimerspec stop = {0};
	say("stop=%s", rc(timerfd_settime(fd, 0, &stop, &old)));
	say("interval=%ld", old.it_interval.tv_nsec);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	read(fd, &count, 8);
	say("stopped=%s", num(read(fd, &count, 8)));
}

static void timerfd_missed_counts(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec when = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
	struct timespec pause = {0, 20000000};
	uint64_t count = 0;
	timerfd_settime(fd, 0, &when, NULL);
	nanosleep(&pause, NULL);
	say("read=%s", num(read(fd, &count, 8)));
	say("many=%s", yes(count >= 15));
}

static void timerfd_absolute(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec when = {0};
	uint64_t count = 0;
	int64_t start = now_ns(CLOCK_MONOTONIC), target = start + 15000000;
	when.it_value.tv_sec = target / 1000000000;
	when.it_value.tv_nsec = target % 1000000000;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
	say("read=%s", num(read(fd, &count, 8)));
	say("%lu waited=%s", (unsigned long)count, waited(start, 15000000));
	/* A time in the past fires at once. */
	when.it_value.tv_sec = 1;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
	say("past=%s", num(read(fd, &count, 8)));
	int wall = timerfd_create(CLOCK_REALTIME, 0);
	target = now_ns(CLOCK_REALTIME) + 10000000;
	when.it_value.tv_sec = target / 1000000000;
	when.it_value.tv_nsec = target % 1000000000;
	timerfd_settime(wall, TFD_TIMER_ABSTIME, &when, NULL);
	say("wall=%s", num(read(wall, &count, 8)));
}

static void timerfd_errors(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), fds[2];
	struct itimerspec bad = {.it_value = {0, 2000000000}}, when;
	char small[4];
	pipe(fds);
	say("clock=%s", rc(timerfd_create(99, 0)));
	say("flags=%s", rc(timerfd_create(CLOCK_MONOTONIC, 0x1234)));
	say("nsec=%s", rc(timerfd_settime(fd, 0, &bad, NULL)));
	say("not-timer=%s", rc(timerfd_gettime(fds[0], &when)));
	say("bad-fd=%s", rc(timerfd_gettime(77, &when)));
	say("small=%s", num(read(fd, small, 4)));
	say("write=%s", num(write(fd, small, 4)));
}

static void signalfd_basic(void)
{
	sigset_t set;
	struct signalfd_siginfo info[2];
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	say("%s", rc(fd));
	say("none=%s", num(read(fd, info, sizeof info)));
	raise(SIGUSR2);
	kill(getpid(), SIGUSR1);
	struct pollfd p = {fd, POLLIN, 0};
	say("poll=%d", poll(&p, 1, 0));
	ssize_t n = read(fd, info, sizeof info);
	say("read=%s", num(n / (ssize_t)sizeof info[0]));
	unsigned seen = 0;
	for (int i = 0; i < 2; i++)
		seen |= 1U << info[i].ssi_signo;
	say("both=%s", yes(seen == (1U << SIGUSR1 | 1U << SIGUSR2)));
	say("pid=%s", yes(info[0].ssi_pid == (unsigned)getpid()));
	say("again=%s", num(read(fd, info, sizeof info)));
	say("small=%s", num(read(fd, info, 10)));
}

static void signalfd_queued_value(void)
{
	sigset_t set;
	struct signalfd_siginfo info;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, 0);
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 11});
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 22});
	for (int i = 0; i < 2; i++) {
		read(fd, &info, sizeof info);
		say("%d:%d", info.ssi_code, info.ssi_int);
	}
}

static void signalfd_change_set(void)
{
	sigset_t set;
	struct signalfd_siginfo info;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("change=%s", yes(signalfd(fd, &set, 0) == fd));
	raise(SIGUSR1);
	say("old=%s", num(read(fd, &info, sizeof info)));
	raise(SIGUSR2);
	say("new=%s",
		yes(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2));
	say("not-signalfd=%s", rc(signalfd(0, &set, 0)));
}

static const struct guest_case cases[] = {
	C(epoll_level),
	C(epoll_edge),
	C(epoll_oneshot),
	C(epoll_modify_delete),
	C(epoll_hangup),
	C(epoll_errors),
	C(epoll_timeout),
	C(epoll_many_take_turns),
	C(epoll_nested),
	C(epoll_closed_descriptor),
	C(epoll_mixed_sources),
	C(epoll_woken_by_thread),
	C(epoll_pwait_mask),
	C(eventfd_counter),
	C(eventfd_semaphore),
	C(eventfd_blocking),
	C(timerfd_oneshot),
	C(timerfd_interval),
	C(timerfd_missed_counts),
	C(timerfd_absolute),
	C(timerfd_errors),
	C(signalfd_basic),
	C(signalfd_queued_value),
	C(signalfd_change_set),
};

GUEST_MAIN("events", cases)
