// SPDX-License-Identifier: Apache-2.0
/* What the kernel keeps for a program: files, descriptors, timers, signals, threads, rewritten code. */
#include "leave.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* --- files in memory --- */

static char folder[40]; /* also on Linux, where two runs must not meet */
static char kept[64], other[64];
static int kept_fd;
static const char text[] = "written before the freeze\n";

static char *in_folder(char *path, const char *name)
{
	sprintf(path, "%s/%s", folder, name);
	return path;
}

static void files_prepare(void)
{
	strcpy(folder, "/tmp/leave-XXXXXX");
	if (!mkdtemp(folder))
		broken(folder);
	kept_fd = open(in_folder(kept, "kept"), O_RDWR | O_CREAT | O_EXCL, 0640);
	if (kept_fd < 0 || write(kept_fd, text, sizeof(text)) != sizeof(text) ||
		lseek(kept_fd, 5, SEEK_SET) != 5)
		broken(kept);
	in_folder(other, "other");
	umask(027);
	if (chdir(folder))
		broken(folder);
}

static void files_dirty(void)
{
	uint64_t block[512];
	char path[64];

	fill_secret(block, sizeof(block));
	for (unsigned i = 0; i < 20; i++) {
		char name[20];
		int fd;

		sprintf(name, "new-%u", i);
		fd = open(in_folder(path, name), O_RDWR | O_CREAT, 0600);
		for (unsigned k = 0; k < 8; k++)
			if (write(fd, block, sizeof(block)) != sizeof(block))
				broken("write");
	}
	if (pwrite(kept_fd, block, 4096, 3) != 4096 || lseek(kept_fd, 99, SEEK_SET) != 99)
		broken("pwrite");
	if (rename(kept, other) || chmod(other, 0777) || mkdir(in_folder(path, "folder"), 0755))
		broken("rename");
	if (symlink("/etc/passwd", in_folder(path, "link")) || chdir("/"))
		broken("symlink");
	umask(0);
	dup2(kept_fd, 200);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64});
}

static void files_look(void)
{
	char got[sizeof(text)] = "", path[64], here[64] = "";
	struct stat st;
	struct rlimit limit;
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && strcmp(e->d_name, "kept"))
			leak("there is a file %s", e->d_name);
	if (d)
		closedir(d);
	if (stat(kept, &st) || st.st_size != sizeof(text) || (st.st_mode & 0777) != 0640)
		leak("the file is not what it was: size %ld, mode %o", st.st_size, st.st_mode);
	if (lseek(kept_fd, 0, SEEK_CUR) != 5)
		leak("the file's position is %ld", lseek(kept_fd, 0, SEEK_CUR));
	if (pread(kept_fd, got, sizeof(got), 0) != sizeof(got) || strcmp(got, text))
		leak("the file holds something else");
	if (umask(0) != 027)
		leak("umask has changed");
	if (!getcwd(here, sizeof(here)) || strcmp(here, folder))
		leak("the working directory is %s", here);
	if (fcntl(200, F_GETFD) != -1)
		leak("descriptor 200 is open");
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= 64)
		leak("a limit has changed");
	/* On Linux the next one runs in the same file system. */
	if (!readable(DF_VA_BOOT)) {
		unlink(kept);
		unlink(other);
		for (unsigned i = 0; i < 20; i++) {
			char name[20];

			sprintf(name, "new-%u", i);
			unlink(in_folder(path, name));
		}
		unlink(in_folder(path, "link"));
		rmdir(in_folder(path, "folder"));
		rmdir(folder);
	}
}

/* --- descriptors of other kinds --- */

static int pipe_fds[2], event_fd, epoll_fd, timer_fd;

static void descriptors_prepare(void)
{
	if (pipe(pipe_fds) || write(pipe_fds[1], "abc", 3) != 3)
		broken("pipe");
	event_fd = eventfd(3, EFD_NONBLOCK);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	epoll_fd = epoll_create1(0);
	if (event_fd < 0 || timer_fd < 0 || epoll_fd < 0 ||
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd,
			&(struct epoll_event){.events = EPOLLIN}))
		broken("descriptors");
}

static void descriptors_dirty(void)
{
	uint64_t block[128];

	fill_secret(block, sizeof(block));
	if (write(pipe_fds[1], block, sizeof(block)) != sizeof(block))
		broken("pipe");
	eventfd_write(event_fd, 100);
	timerfd_settime(timer_fd, 0, &(struct itimerspec){{0, 1000}, {0, 1000}}, NULL);
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, event_fd, NULL);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &(struct epoll_event){.events = EPOLLIN});
	usleep(2000);
	close(2);
	close(0);
}

static void descriptors_look(void)
{
	char got[100];
	eventfd_t value = 0;
	uint64_t expirations;
	struct epoll_event e;
	ssize_t n;

	if (fcntl(0, F_GETFD) == -1 || fcntl(2, F_GETFD) == -1)
		leak("a standard stream is closed");
	if (epoll_wait(epoll_fd, &e, 1, 0) != 1 || e.data.u64 != 0)
		leak("epoll has other descriptors");
	n = read(pipe_fds[0], got, sizeof(got));
	if (n != 3 || memcmp(got, "abc", 3))
		leak("the pipe holds %zd bytes", n);
	if (eventfd_read(event_fd, &value) || value != 3)
		leak("the eventfd is at %lu", value);
	if (read(timer_fd, &expirations, 8) != -1)
		leak("the timer expired %lu times", expirations);
}

/* --- timers --- */

static volatile sig_atomic_t signals[65];

static void on_signal(int signal)
{
	signals[signal]++;
}

static void watch(int signal)
{
	struct sigaction act = {.sa_handler = on_signal};

	if (sigaction(signal, &act, NULL))
		broken("sigaction");
}

static const int watched[] = {SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2};
#define WATCHED (sizeof(watched) / sizeof(watched[0]))

static void timers_prepare(void)
{
	for (unsigned i = 0; i < WATCHED; i++)
		watch(watched[i]);
}

static void timers_dirty(void)
{
	const struct itimerval soon = {{0, 2000}, {0, 2000}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	const struct itimerspec spec = {{0, 1000000}, {0, 1000000}};
	timer_t timer;

	setitimer(ITIMER_REAL, &soon, NULL);
	setitimer(ITIMER_VIRTUAL, &soon, NULL);
	setitimer(ITIMER_PROF, &soon, NULL);
	for (unsigned i = 0; i < 5; i++)
		if (timer_create(i % 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, &event, &timer) ||
			timer_settime(timer, 0, &spec, NULL))
			broken("timer_create");
}

static void timers_look(void)
{
	static const int kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
	struct timespec until;
	struct itimerval left;

	for (unsigned i = 0; i < 3; i++)
		if (getitimer(kinds[i], &left) || left.it_value.tv_sec || left.it_value.tv_usec)
			leak("interval timer %u runs", i);
	/* Busy and asleep, each longer than a timer would be. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	for (struct timespec now = until;
		(now.tv_sec - until.tv_sec) * 1000000000 + now.tv_nsec - until.tv_nsec < 4000000;)
		clock_gettime(CLOCK_MONOTONIC, &now);
	nanosleep(&(struct timespec){0, 4000000}, NULL);
	for (unsigned i = 0; i < WATCHED; i++)
		if (signals[watched[i]])
			leak("signal %d came %d times", watched[i], (int)signals[watched[i]]);
}

/* --- signals --- */

static void signals_prepare(void)
{
	sigset_t set;

	watch(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void signals_dirty(void)
{
	static char stack[65536];
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (unsigned i = 0; i < 10; i++) {
		kill(getpid(), SIGUSR1);
		raise(SIGUSR2);
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_ptr = (void *)secret()});
	}
	signal(SIGTERM, SIG_IGN);
	sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
}

static void signals_look(void)
{
	sigset_t pending, mask;
	struct sigaction act;
	stack_t stack;

	sigpending(&pending);
	for (int s = 1; s < 64; s++)
		if (sigismember(&pending, s) == 1)
			leak("signal %d is pending", s);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 64; s++)
		if ((sigismember(&mask, s) == 1) != (s == SIGUSR2))
			leak("the mask of signal %d has changed", s);
	if (sigaction(SIGTERM, NULL, &act) || act.sa_handler != SIG_DFL)
		leak("a handler has changed");
	if (sigaction(SIGUSR1, NULL, &act) || act.sa_handler != on_signal)
		leak("the handler is gone");
	/* Without a stack set, readable() has not been called yet. */
	if (sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_DISABLE))
		leak("there is an alternate stack");
	if (signals[SIGUSR1] || signals[SIGUSR2])
		leak("a signal has come");
}

/* --- threads --- */

static volatile uint64_t work;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static unsigned questions, answers;
static bool go_away;

/* Counts questions until it is told to go. */
static void *worker(void *arg)
{
	pthread_mutex_lock(&lock);
	while (!go_away) {
		while (answers == questions && !go_away)
			pthread_cond_wait(&asked, &lock);
		answers = questions;
		pthread_cond_broadcast(&answered);
	}
	pthread_mutex_unlock(&lock);
	return arg;
}

static void *spin(void *arg)
{
	for (;;)
		work++;
	return arg;
}

static void *sleeper(void *arg)
{
	for (;;) {
		usleep(500);
		work++;
	}
	return arg;
}

static unsigned count_threads(void)
{
	unsigned n = 0;
	char line[200];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %u", &n);
	if (f)
		fclose(f);
	return n;
}

static void start(void *(*f)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, f, NULL))
		broken("pthread_create");
}

static unsigned threads_before;

static void threads_prepare(void)
{
	threads_before = count_threads();
}

static void threads_dirty(void)
{
	for (unsigned i = 0; i < 3; i++) {
		start(spin);
		start(sleeper);
	}
	usleep(3000);
}

static void threads_look(void)
{
	uint64_t before = work;

	usleep(5000);
	if (work || work != before)
		leak("a thread has worked %lu times", work);
	if (count_threads() != threads_before)
		leak("there are %u threads, were %u", count_threads(), threads_before);
}

/* Frozen with threads that wait; an event takes them away. */
static pthread_t workers[2];

static void workers_prepare(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (pthread_create(&workers[i], NULL, worker, NULL))
			broken("pthread_create");
	usleep(20000);
}

static void workers_dirty(void)
{
	pthread_mutex_lock(&lock);
	go_away = true;
	pthread_cond_broadcast(&asked);
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(workers[i], NULL);
}

static void workers_look(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	pthread_mutex_lock(&lock);
	questions++;
	pthread_cond_broadcast(&asked);
	while (answers != questions)
		if (pthread_cond_timedwait(&answered, &lock, &until)) {
			leak("no worker answers");
			break;
		}
	pthread_mutex_unlock(&lock);
	if (count_threads() != 3)
		leak("there are %u threads instead of 3", count_threads());
}

/* --- code that the kernel rewrites --- */

/* A site that becomes a jump once it has trapped a few times, and one that an event meets first. */
int site_warm(void);
int site_cold(void);
__asm__(".balign 64; .globl site_warm, site_cold\n"
	"site_warm: mov $39, %eax; syscall; ret; .balign 64\n"
	"site_cold: mov $39, %eax; syscall; ret; .balign 64\n");

static void sites_prepare(void)
{
	for (unsigned i = 0; i < 20; i++)
		if (site_warm() != getpid())
			broken("getpid");
}

static void unprotect(uint64_t at)
{
	if (mprotect((void *)(at & ~4095ULL), 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		broken("mprotect");
}

static void sites_dirty(void)
{
	static const uint8_t code[] = {0xb8, 0x39, 0x05, 0, 0, 0xc3};

	for (unsigned i = 0; i < 20; i++)
		site_cold();
	unprotect((uint64_t)(uintptr_t)site_warm);
	memcpy((void *)(uintptr_t)site_warm, code, sizeof(code));
	memcpy((void *)(uintptr_t)site_cold, code, sizeof(code));
	if (site_warm() != 0x539)
		broken("a site that was overwritten");
}

static void sites_look(void)
{
	uint8_t warm[8], cold[8];

	memcpy(warm, (void *)(uintptr_t)site_warm, 8);
	memcpy(cold, (void *)(uintptr_t)site_cold, 8);
	/* Nothing is rewritten after the freeze, and a rehearsal's sites are part of it. */
	say("same code of the warm site: %016lx", *(uint64_t *)warm);
	say("same code of the cold site: %016lx", *(uint64_t *)cold);
	if (site_warm() != getpid() || site_cold() != getpid())
		leak("a system-call site answers %d and %d", site_warm(), site_cold());
}

/* The trampoline that the warm site jumps to, overwritten through the arena, where every frame can be written. */
static void trampoline_dirty(void)
{
	const uint8_t *site = (const uint8_t *)(uintptr_t)site_warm;
	uint64_t target, found = 0;
	uint8_t bytes[16];
	int32_t offset;

	if (site[0] != 0xe9) {
		/* Not rewritten on this host: there is no trampoline. */
		return;
	}
	memcpy(&offset, site + 1, 4);
	target = (uint64_t)(site + 5) + (uint64_t)(int64_t)offset;
	memcpy(bytes, (void *)target, sizeof(bytes));
	if (target % DF_PAGE_SIZE > DF_PAGE_SIZE - sizeof(bytes))
		broken("a trampoline on two pages");
	for (uint64_t va = DF_VA_ARENA; va < DF_VA_ARENA + (16 << 20); va += DF_PAGE_SIZE) {
		uint8_t *alias = (uint8_t *)va + target % DF_PAGE_SIZE;

		if (memcmp(alias, bytes, sizeof(bytes)) == 0 && writable((uint64_t)alias)) {
			memset(alias, 0xcc, sizeof(bytes));
			found++;
		}
	}
	if (!found)
		broken("no alias of the trampoline");
	request(DF_CALL_EXIT, 0, 0, 0, 0);
}

static void trampoline_look(void)
{
	for (unsigned i = 0; i < 3; i++)
		if (site_warm() != getpid())
			leak("a system-call site answers %d", site_warm());
}

/* --- odds and ends that a process has --- */

static void process_prepare(void)
{
	setenv("LEAVE", "before", 1);
	srand(5);
}

static void process_dirty(void)
{
	setenv("LEAVE", "after", 1);
	for (unsigned i = 0; i < 100; i++)
		rand();
	syscall(SYS_prctl, 15 /* PR_SET_NAME */, "renamed");
	syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 0);
	setpriority(PRIO_PROCESS, 0, 5);
	/* On Linux it would work, as root, for all. */
	if (readable(DF_VA_BOOT))
		sethostname("other", 5);
	atexit(abort);
	_exit(0);
}

static void process_look(void)
{
	char name[17] = "", host[64] = "";

	gethostname(host, sizeof(host));
	say("same host: %s", host);
	syscall(SYS_prctl, 16 /* PR_GET_NAME */, name);
	if (strcmp(getenv("LEAVE"), "before"))
		leak("the environment has changed");
	say("same number: %d", rand());
	say("same name: %s", name);
	say("same priority: %d", getpriority(PRIO_PROCESS, 0));
}

#define ROW(name, prepare, flags)                                \
	{                                                        \
#name, prepare, name##_dirty, name##_look, flags \
	}
const struct hazard hazards_system[] = {ROW(files, files_prepare, 0),
	ROW(descriptors, descriptors_prepare, 0), ROW(timers, timers_prepare, 0),
	ROW(signals, signals_prepare, 0), ROW(threads, threads_prepare, 0),
	ROW(workers, workers_prepare, 0), ROW(sites, sites_prepare, 0),
	ROW(trampoline, sites_prepare, HAZARD_GUEST | HAZARD_ENDS),
	ROW(process, process_prepare, HAZARD_ENDS), {0}};
