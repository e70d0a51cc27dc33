// SPDX-License-Identifier: Apache-2.0
/*
 * waits PLACE DISPOSITION: says "ready", and waits in PLACE until SIGTERM comes, for the suite `signals`. With DISPOSITION
 * `catch` a handler ends it with status 7, with `slow` one that takes a while; with `default` nothing catches it. In the places
 * sigwait, signalfd and epoll_signalfd the signal is blocked, and taken there, with status 7 as well.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TAKEN 7

static int epoll = -1, listener = -1, signals = -1;
static sigset_t term;

static void nap(long us)
{
	nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static void end_at_once(int signal)
{
	(void)signal;
	_exit(TAKEN);
}

/* As a service does that puts its affairs in order. A second signal must change nothing. */
static void end_in_order(int signal)
{
	(void)signal;
	poll(NULL, 0, 20);
	_exit(TAKEN);
}

/* --- The places; those that return are entered again --- */

static void in_pause(void)
{
	pause();
}

static void in_sleep(void)
{
	nap(900000);
}

static void in_naps(void)
{
	nap(50);
}

static void in_poll(void)
{
	poll(NULL, 0, -1);
}

static void in_polls(void)
{
	poll(NULL, 0, 0);
}

static void in_epoll(void)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, -1);
}

static void in_short_epolls(void)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, 1);
}

static void listen_first(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
		listen(listener, 5) ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN}))
		exit(1);
}

static void in_accept(void)
{
	accept(listener, NULL, NULL);
}

static void in_read(void)
{
	char byte;

	if (read(STDIN_FILENO, &byte, 1) == 0)
		exit(1);
}

/* Into a pipe that nobody reads: parts that do not fill it as a whole. */
static void in_write(void)
{
	static char much[40000];

	if (write(STDERR_FILENO, much, sizeof(much)) < 0)
		exit(1);
}

static void in_semaphore(void)
{
	static sem_t semaphore; /* 0 */

	sem_wait(&semaphore);
}

static void in_loop(void)
{
	for (volatile unsigned i = 0; i < 1000000000; i++)
		;
}

static void block_first(void)
{
	sigprocmask(SIG_BLOCK, &term, NULL);
	signals = signalfd(-1, &term, 0);
	if (signals < 0 ||
		epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &(struct epoll_event){.events = EPOLLIN}))
		exit(1);
}

static void in_sigwait(void)
{
	int signal;

	if (!sigwait(&term, &signal))
		exit(TAKEN);
}

static void in_signalfd(void)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) == sizeof(info))
		exit(TAKEN);
}

static void in_epoll_signalfd(void)
{
	in_epoll();
	in_signalfd();
}

static void *wait_beside(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *compute_beside(void *unused)
{
	for (;;)
		in_loop();
	return unused;
}

static void waiters_first(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, wait_beside, NULL))
			exit(1);
}

static void computer_first(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, compute_beside, NULL))
		exit(1);
}

static const struct {
	const char *name;
	void (*first)(void); /* before it is ready, or NULL */
	void (*wait)(void);
} places[] = {
	{"pause", NULL, in_pause},
	{"sleep", NULL, in_sleep},
	{"naps", NULL, in_naps},
	{"poll", NULL, in_poll},
	{"polls", NULL, in_polls},
	{"epoll", NULL, in_epoll},
	{"short_epolls", NULL, in_short_epolls},
	{"accept", listen_first, in_accept},
	{"epoll_accept", listen_first, in_epoll},
	{"read", NULL, in_read},
	{"write", NULL, in_write},
	{"semaphore", NULL, in_semaphore},
	{"loop", NULL, in_loop},
	{"sigwait", block_first, in_sigwait},
	{"signalfd", block_first, in_signalfd},
	{"epoll_signalfd", block_first, in_epoll_signalfd},
	{"threads", waiters_first, in_pause},
	{"beside_loop", computer_first, in_pause},
};

int main(int argc, char **argv)
{
	size_t i = 0;

	if (argc != 3)
		return 1;
	while (i < sizeof(places) / sizeof(places[0]) && strcmp(places[i].name, argv[1]) != 0)
		i++;
	if (i == sizeof(places) / sizeof(places[0]))
		return 1;
	epoll = epoll_create1(0);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (!strcmp(argv[2], "catch"))
		signal(SIGTERM, end_at_once);
	else if (!strcmp(argv[2], "slow"))
		signal(SIGTERM, end_in_order);
	if (places[i].first)
		places[i].first();
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	for (;;)
		places[i].wait();
}
