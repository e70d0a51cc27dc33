// SPDX-License-Identifier: Apache-2.0
/* What must work in the locked jail: what a monitor does while guests run, and all that its C library makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "jail_test.h"

#define NOT_THERE 99

static int use_vcpu(void)
{
	static union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
		struct kvm_xsave xsave;
		struct kvm_debugregs debug;
	} state;
	struct kvm_interrupt interrupt = {.irq = 32};

	CHECK(!ioctl(JAIL_FD_VCPU, KVM_GET_REGS, &state) &&
		!ioctl(JAIL_FD_VCPU, KVM_SET_REGS, &state));
	CHECK(!ioctl(JAIL_FD_VCPU, KVM_GET_SREGS, &state) &&
		!ioctl(JAIL_FD_VCPU, KVM_SET_SREGS, &state));
	CHECK(!ioctl(JAIL_FD_VCPU, KVM_GET_VCPU_EVENTS, &state) &&
		!ioctl(JAIL_FD_VCPU, KVM_SET_VCPU_EVENTS, &state));
	CHECK(!ioctl(JAIL_FD_VCPU, KVM_GET_XSAVE, &state) &&
		!ioctl(JAIL_FD_VCPU, KVM_SET_XSAVE, &state));
	CHECK(!ioctl(JAIL_FD_VCPU, KVM_GET_DEBUGREGS, &state) &&
		!ioctl(JAIL_FD_VCPU, KVM_SET_DEBUGREGS, &state));
	CHECK(!ioctl(JAIL_FD_VCPU, KVM_INTERRUPT, &interrupt));
	CHECK(ioctl(JAIL_FD_VCPU, KVM_RUN, 0) == -1 && (errno == EINTR));
	/* Linux reads 32 bits of the request, and so does the filter. */
	CHECK(!syscall(SYS_ioctl, JAIL_FD_VCPU, HIGH | KVM_GET_REGS, &state));
	/* Not there, but on the list. */
	CHECK(ioctl(JAIL_FD_VCPU + DF_INSTANCES_MAX - 1, KVM_RUN, 0) == -1 && errno == EBADF);
	return 0;
}

static int use_vm(void)
{
	static uint8_t page[8192];
	struct kvm_userspace_memory_region region = {.memory_size = 4096};

	region.userspace_addr = (P(page) + 4095) & ~4095ULL;
	CHECK(!ioctl(JAIL_FD_VM, KVM_SET_USER_MEMORY_REGION, &region));
	region.memory_size = 0;
	CHECK(!ioctl(JAIL_FD_VM, KVM_SET_USER_MEMORY_REGION, &region));
	CHECK(ioctl(JAIL_FD_VM, KVM_GET_DIRTY_LOG, NULL) == -1 && errno != EBADF);
	return 0;
}

/* What it takes to make an instance beside what every test does. */
static void set_up_vcpu(void)
{
	struct kvm_msrs msrs = {.nmsrs = 0};
	struct kvm_cpuid2 cpuid = {.nent = 0};

	if (ioctl(KEPT, KVM_GET_API_VERSION, 0) != KVM_API_VERSION ||
		ioctl(KEPT, KVM_GET_VCPU_MMAP_SIZE, 0) < 4096 ||
		ioctl(JAIL_FD_VM, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) < 0 ||
		ioctl(JAIL_FD_VCPU, KVM_SET_CPUID2, &cpuid) ||
		ioctl(JAIL_FD_VCPU, KVM_SET_MSRS, &msrs))
		_exit(NOT_THERE);
	/* The first entry makes a thread in Linux, which the limits of the lock forbid. */
	if (ioctl(JAIL_FD_VCPU, KVM_RUN, 0) != -1 || errno != EINTR)
		_exit(NOT_THERE);
}

static int use_stderr(void)
{
	CHECK(fprintf(stderr, "text %d, %s", 17, "and more") > 0);
	fflush(stderr);
	return 0;
}

static int use_malloc(void)
{
	void *block[200];
	char *big = malloc(1 << 20);

	for (int turn = 0; turn < 20; turn++) {
		for (size_t i = 0; i < 200; i++) {
			block[i] = malloc(16 + i * i * 11);
			CHECK(block[i]);
			memset(block[i], 1, 16 + i * i * 11);
		}
		for (size_t i = 0; i < 200; i++)
			free(block[i]);
	}
	CHECK(big);
	for (size_t size = 2 << 20; size <= 64 << 20; size *= 2) {
		char *bigger = realloc(big, size);

		CHECK(bigger);
		bigger[size - 1] = 1;
		big = bigger;
	}
	free(big);
	return 0;
}

static int use_socket(void)
{
	struct pollfd p = {.fd = JAIL_FD_SOCKET, .events = POLLIN};
	struct timespec soon = {1, 0};
	char text[16] = {0};
	struct iovec vector = {text, sizeof(text)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	CHECK(poll(&p, 1, 5000) == 1 && ppoll(&p, 1, &soon, NULL) == 1 && p.revents & POLLIN);
	CHECK(recvmsg(JAIL_FD_SOCKET, &message, 0) == 4 && !memcmp(text, "ping", 4));
	CHECK(recv(JAIL_FD_SOCKET, text, sizeof(text), MSG_DONTWAIT) < 0 && errno == EAGAIN);
	CHECK(send(JAIL_FD_SOCKET, "pong", 4, MSG_NOSIGNAL) == 4);
	CHECK(write(JAIL_FD_SOCKET, "pong", 4) == 4);
	vector.iov_len = 4;
	CHECK(sendmsg(JAIL_FD_SOCKET, &message, MSG_NOSIGNAL) == 4);
	return 0;
}

static timer_t timer;
static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	(void)signal;
	ticks++;
}

static void make_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
	struct sigaction act = {.sa_handler = on_tick};

	if (sigaction(SIGRTMIN + 1, &act, NULL) || timer_create(CLOCK_MONOTONIC, &event, &timer))
		_exit(NOT_THERE);
}

static int use_time(void)
{
	struct itimerspec soon = {.it_value = {0, 1000000}};
	struct timespec t;
	sigset_t all, old;

	for (clockid_t clock = CLOCK_REALTIME; clock <= CLOCK_TAI; clock++)
		CHECK(!syscall(SYS_clock_gettime, clock, &t) || errno == EINVAL);
	CHECK(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
	CHECK(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
	sigfillset(&all);
	CHECK(!sigprocmask(SIG_SETMASK, &all, &old) && !timer_settime(timer, 0, &soon, NULL));
	CHECK(!sigprocmask(SIG_SETMASK, &old, NULL));
	while (!ticks)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	t = (struct timespec){0, 1000};
	CHECK(!clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
	return 0;
}

static int use_signals(void)
{
	CHECK(!syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMIN + 1));
	CHECK(ticks == 1);
	return 0;
}

static int use_random(void)
{
	char bytes[32];

	CHECK(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes));
	return 0;
}

static int use_memory(void)
{
	static const int advice[] = {MADV_DONTNEED, 22, 23, MADV_HUGEPAGE}; /* 22, 23: populate */

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		static _Alignas(4096) char page[4096];

		madvise(page, sizeof(page), advice[i]);
	}
	return 0;
}

/* Threads that were there before the lock live on, and end. */
#define THREADS 4
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn, begun, ended;

static void use_block(void)
{
	volatile char *block = malloc(5000);

	if (block)
		block[4999] = 1;
	free((void *)block);
}

static void *take_turns(void *unused)
{
	__atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		turn++;
		pthread_cond_broadcast(&condition);
		while (turn < (i + 1) * THREADS)
			pthread_cond_wait(&condition, &mutex);
		pthread_mutex_unlock(&mutex);
		use_block();
	}
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
	return unused;
}

static void make_threads(void)
{
	pthread_t thread;

	pthread_mutex_lock(&mutex);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, take_turns, NULL))
			_exit(NOT_THERE);
	while (__atomic_load_n(&begun, __ATOMIC_ACQUIRE) < THREADS)
		sched_yield();
}

static int use_threads(void)
{
	pthread_mutex_unlock(&mutex);
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < THREADS)
		sched_yield();
	CHECK(turn == 200 * THREADS);
	return 0;
}

static void open_snapshot(void)
{
	move(memfd_create("snapshot", 0), JAIL_FD_SNAPSHOT);
}

static int use_snapshot(void)
{
	CHECK(pwrite(JAIL_FD_SNAPSHOT, "x", 1, 5000) == 1);
	CHECK(lseek(JAIL_FD_SNAPSHOT, 0, SEEK_END) == 5001);
	CHECK(!ftruncate(JAIL_FD_SNAPSHOT, 10000));
	return 0;
}

/* Standard output is the test's own socket here, so that nobody else reads it. */
static void redirect_stdout(void)
{
	dup2(JAIL_FD_SOCKET, STDOUT_FILENO);
}

static int use_stdout(void)
{
	CHECK(write(STDOUT_FILENO, "reply", 5) == 5);
	return 0;
}

/* --- What `run` has beside the others --- */

/* A terminal is the child's standard input, a file its standard output. */
static void use_terminal_and_file(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &(int){0}))
		_exit(NOT_THERE);
	move(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), STDIN_FILENO);
	(void)!write(master, "line\n", 5);
	move(memfd_create("output", 0), STDOUT_FILENO);
	given.life = master; /* stays open */
}

static int use_streams(void)
{
	struct termios first, raw;
	struct winsize size;
	struct stat st;
	char text[8];
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int waiting = 0;

	CHECK(poll(&p, 1, 5000) == 1 && p.revents & POLLIN);
	CHECK(!fstat(STDIN_FILENO, &st) && S_ISCHR(st.st_mode));
	CHECK((fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(!ioctl(STDIN_FILENO, FIONREAD, &waiting) && waiting == 5);
	CHECK(read(STDIN_FILENO, text, sizeof(text)) == 5);
	CHECK(!ioctl(STDIN_FILENO, TIOCGWINSZ, &size) && !ioctl(STDIN_FILENO, TCGETS, &first));
	raw = first;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	CHECK(!ioctl(STDIN_FILENO, TCSETSW, &raw) && !ioctl(STDIN_FILENO, TCSETSF, &raw));
	CHECK(!ioctl(STDIN_FILENO, TCSETS, &first));
	CHECK(write(STDIN_FILENO, "x", 1) ==
		1); /* a program may write to its terminal by any name */
	CHECK(write(STDOUT_FILENO, "output", 6) == 6 && lseek(STDOUT_FILENO, 0, SEEK_SET) == 0);
	CHECK(read(STDOUT_FILENO, text, 6) == 6 && !memcmp(text, "output", 6));
	return 0;
}

static void make_net(void)
{
	given.kick = eventfd(0, EFD_NONBLOCK);
	given.wake = eventfd(7, EFD_NONBLOCK);
	given.watch = memfd_create("watch", 0);
}

static int use_net(void)
{
	uint64_t count = 1;

	CHECK(given.kick == JAIL_FD_KICK && given.wake == JAIL_FD_WAKE &&
		given.watch == JAIL_FD_WATCH);
	CHECK(write(JAIL_FD_KICK, &count, 8) == 8);
	CHECK(read(JAIL_FD_WAKE, &count, 8) == 8 && count == 7);
	CHECK(write(JAIL_FD_WATCH, "feature net\n", 12) == 12);
	return 0;
}

/* Of the last instance, as a server has them. */
#define LAST_DEVICE (DF_INSTANCES_MAX - 1)
#define KEPT_KICK 40
#define KEPT_WAKE 41

static void open_device(void)
{
	move(eventfd(0, EFD_NONBLOCK), KEPT_KICK);
	move(eventfd(7, EFD_NONBLOCK), KEPT_WAKE);
}

static void place_device(void)
{
	if (dup3(KEPT_KICK, JAIL_FD_KICK + LAST_DEVICE, O_CLOEXEC) < 0 ||
		dup3(KEPT_WAKE, JAIL_FD_WAKE + LAST_DEVICE, O_CLOEXEC) < 0)
		_exit(NOT_THERE);
}

static int use_device(void)
{
	uint64_t count = 1;

	CHECK(write(JAIL_FD_KICK + LAST_DEVICE, &count, 8) == 8);
	CHECK(read(JAIL_FD_WAKE + LAST_DEVICE, &count, 8) == 8 && count == 7);
	return 0;
}

static void handle_tick(void)
{
	struct sigaction act = {.sa_handler = on_tick};

	if (sigaction(SIGRTMIN + 1, &act, NULL))
		_exit(NOT_THERE);
}

/* The tick's timer is made when it is first needed. */
static int make_timer_late(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
	struct itimerspec soon = {.it_value = {0, 1000000}};

	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK(!timer_settime(timer, 0, &soon, NULL));
	while (!ticks)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	return 0;
}

static int count_memory(void)
{
	static _Alignas(4096) char page[4096];
	unsigned char there = 0;

	page[0] = 1;
	CHECK(!mincore(page, sizeof(page), &there) && there & 1);
	return 0;
}

static int do_nothing(void)
{
	return 0;
}

static const struct deed deeds[] = {
	{"nothing", NULL, NULL, do_nothing, LIVED, 0, false},
	{"vcpu", NULL, set_up_vcpu, use_vcpu, LIVED, 0, true},
	{"vm", NULL, NULL, use_vm, LIVED, 0, true},
	{"stderr", NULL, NULL, use_stderr, LIVED " text 17, and more", 0, false},
	{"malloc", NULL, NULL, use_malloc, LIVED, 0, false},
	{"socket", NULL, NULL, use_socket, LIVED, 0, false},
	{"time", NULL, make_timer, use_time, LIVED, 0, false},
	{"signals", NULL, make_timer, use_signals, LIVED, 0, false},
	{"random", NULL, NULL, use_random, LIVED, 0, false},
	{"memory", NULL, NULL, use_memory, LIVED, 0, false},
	{"threads", NULL, make_threads, use_threads, LIVED, 0, false},
};
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

static void test_profile(const char *prefix, enum jail_profile profile)
{
	for (size_t i = 0; i < DEEDS; i++) {
		struct deed d = deeds[i];

		if (profile == JAIL_FREEZE) {
			d.before = open_snapshot;
			d.keep |= 1ULL << JAIL_FD_SNAPSHOT;
		}
		run_deed(prefix, profile, &d);
	}
}

void test_allowed(void)
{
	static const struct deed reply = {
		"stdout", redirect_stdout, NULL, use_stdout, LIVED, 0, false};
	static const struct deed device = {"device", open_device, place_device, use_device, LIVED,
		1ULL << KEPT_KICK | 1ULL << KEPT_WAKE, false};
	struct deed snapshot = {"snapshot", open_snapshot, NULL, use_snapshot, LIVED,
		1ULL << JAIL_FD_SNAPSHOT, false};

	static const struct deed run[] = {
		{"streams", use_terminal_and_file, NULL, use_streams, LIVED, 0, false},
		{"net", make_net, NULL, use_net, LIVED, 0, false},
		{"late_timer", NULL, handle_tick, make_timer_late, LIVED, 0, false},
		{"mincore", NULL, NULL, count_memory, LIVED, 0, false},
	};

	test_profile("freeze", JAIL_FREEZE);
	test_profile("serve", JAIL_SERVE);
	test_profile("thaw", JAIL_THAW);
	test_profile("run", JAIL_RUN);
	for (size_t i = 0; i < sizeof(run) / sizeof(run[0]); i++)
		run_deed("run", JAIL_RUN, &run[i]);
	run_deed("serve", JAIL_SERVE, &device);
	run_deed("thaw", JAIL_THAW, &reply);
	run_deed("freeze", JAIL_FREEZE, &snapshot);
	snapshot.want = KILLED;
	run_deed("serve", JAIL_SERVE, &snapshot);
}
