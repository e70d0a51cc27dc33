// SPDX-License-Identifier: Apache-2.0
/* What must end the process: single calls, with arguments that are nearly right, and every call there is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "jail_test.h"

#define CALLS_MAX 700 /* more than Linux has */
/* Linux lets these pass every filter. They serve trampolines that Linux itself makes, and do nothing for others. */
#define URETPROBE 335
#define UPROBE 336

static char memory[4096];
static char *const no_arguments[] = {NULL};
#define OTHER UINT64_MAX /* stands for the id of another process, the test's */
#define SELF (UINT64_MAX - 1) /* for our own */

struct call {
	const char *name;
	long number;
	uint64_t argument[6];
	bool set_up_too; /* also forbidden before the lock */
};

static const struct call forbidden[] = {
	{"open", SYS_open, {P("/"), O_RDONLY}, true},
	{"openat", SYS_openat, {(uint64_t)AT_FDCWD, P("/"), O_RDONLY}, true},
	{"openat2", SYS_openat2, {(uint64_t)AT_FDCWD, P("/"), P(memory), 24}, true},
	{"creat", SYS_creat, {P("/x"), 0600}, true},
	{"memfd_create", SYS_memfd_create, {P("x"), 0}, true},
	{"eventfd2", SYS_eventfd2, {0}, true},
	{"epoll_create1", SYS_epoll_create1, {0}, true},
	{"pipe2", SYS_pipe2, {P(memory), 0}, true},
	{"userfaultfd", SYS_userfaultfd, {0}, true},
	{"io_uring_setup", SYS_io_uring_setup, {1, P(memory)}, true},
	{"perf_event_open", SYS_perf_event_open, {P(memory), 0, 0, (uint64_t)-1}, true},
	{"bpf", SYS_bpf, {0, P(memory), 64}, true},
	{"socket", SYS_socket, {AF_UNIX, SOCK_STREAM}, true},
	{"socket_inet", SYS_socket, {AF_INET, SOCK_STREAM}, true},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(memory)}, true},
	{"connect", SYS_connect, {JAIL_FD_SOCKET, P(memory), 16}, true},
	{"bind", SYS_bind, {JAIL_FD_SOCKET, P(memory), 16}, true},
	{"accept4", SYS_accept4, {JAIL_FD_SOCKET, 0, 0, 0}, true},
	{"execve", SYS_execve, {P("/x"), P(no_arguments), P(no_arguments)}, true},
	{"execveat", SYS_execveat, {0, P(""), P(no_arguments), P(no_arguments), AT_EMPTY_PATH},
		true},
	{"fork", SYS_fork, {0}, true},
	{"vfork", SYS_vfork, {0}, true},
	{"clone", SYS_clone, {SIGCHLD}, true},
	{"clone_user", SYS_clone, {SIGCHLD | CLONE_NEWUSER}, true},
	{"ptrace", SYS_ptrace, {PTRACE_ATTACH, OTHER}, true},
	{"process_vm_readv", SYS_process_vm_readv, {OTHER, P(memory), 1, P(memory), 1}, true},
	{"pidfd_open", SYS_pidfd_open, {OTHER, 0}, true},
	{"kill", SYS_kill, {OTHER, 0}, true},
	{"kill_self", SYS_kill, {SELF, 0}, true},
	{"tkill", SYS_tkill, {SELF, 0}, true},
	{"tgkill", SYS_tgkill, {OTHER, OTHER, 0}, true},
	{"tgkill_high", SYS_tgkill, {HIGH, SELF, 0}, true},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {OTHER, SIGURG, P(memory)}, true},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}, true},
	{"setns", SYS_setns, {JAIL_FD_SOCKET, 0}, true},
	{"mount", SYS_mount, {P("x"), P("/"), P("tmpfs"), 0, 0}, true},
	{"umount2", SYS_umount2, {P("/"), MNT_DETACH}, true},
	{"pivot_root", SYS_pivot_root, {P("."), P(".")}, true},
	{"chroot", SYS_chroot, {P("/")}, true},
	{"chdir", SYS_chdir, {P("/")}, true},
	{"setuid", SYS_setuid, {0}, true},
	{"setresuid", SYS_setresuid, {0, 0, 0}, true},
	{"capset", SYS_capset, {P(memory), P(memory)}, true},
	{"keyctl", SYS_keyctl, {0, 0, 0}, true},
	{"shmget", SYS_shmget, {0, 4096, 01600}, true},
	{"dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}, true},
	{"mmap_exec", SYS_mmap,
		{0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0},
		true},
	{"mmap_all", SYS_mmap,
		{0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			(uint64_t)-1, 0},
		true},
	{"mmap_high", SYS_mmap,
		{0, 4096, HIGH | PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0}, true},
	{"mprotect_exec", SYS_mprotect, {P(memory), 4096, PROT_READ | PROT_EXEC}, true},
	{"mprotect_high", SYS_mprotect, {P(memory), 4096, HIGH | PROT_READ | PROT_WRITE}, true},
	{"pkey_mprotect", SYS_pkey_mprotect, {P(memory), 4096, PROT_EXEC, 0}, true},
	{"remap_file_pages", SYS_remap_file_pages, {P(memory), 4096, 0, 0, 0}, true},
	{"hwpoison", SYS_madvise, {P(memory), 4096, MADV_HWPOISON}, true},
	{"ioctl_terminal", SYS_ioctl, {0, TIOCSTI, P("x")}, true},
	{"ioctl_device", SYS_ioctl, {JAIL_FD_VM, KVM_CREATE_DEVICE, P(memory)}, true},
	{"ioctl_irqchip", SYS_ioctl, {JAIL_FD_VM, KVM_CREATE_IRQCHIP, 0}, true},
	{"run_argument", SYS_ioctl, {JAIL_FD_VCPU, KVM_RUN, 1}, true},
	{"run_argument_high", SYS_ioctl, {JAIL_FD_VCPU, KVM_RUN, HIGH}, true},
	{"limit_of_other", SYS_prlimit64, {OTHER, RLIMIT_NPROC, 0, P(memory)}, true},
	{"affinity_of_other", SYS_sched_setaffinity, {OTHER, 8, P(memory)}, true},
	{"timer_of_other", SYS_timer_create, {~1ULL << 3 | 2, 0, P(memory)}, true},
	{"affinity_get_of_other", SYS_sched_getaffinity, {OTHER, 8, P(memory)}, true},
	{"process_time_of_other", SYS_clock_gettime, {~1ULL << 3 | 2, P(memory)}, true},
	{"x32", SYS_getpid | 0x40000000, {0}, true},

	{"run_wrong_descriptor", SYS_ioctl, {JAIL_FD_VM, KVM_RUN, 0}, false},
	{"run_below", SYS_ioctl, {JAIL_FD_VCPU - 1, KVM_RUN, 0}, false},
	{"run_above", SYS_ioctl, {JAIL_FD_VCPU + DF_INSTANCES_MAX, KVM_RUN, 0}, false},
	{"run_descriptor_high", SYS_ioctl, {HIGH | JAIL_FD_VCPU, KVM_RUN, 0}, false},
	{"vcpu_request", SYS_ioctl, {JAIL_FD_VCPU, KVM_SET_MSRS, P(memory)}, false},
	{"vcpu_request_of_vm", SYS_ioctl, {JAIL_FD_VCPU, KVM_SET_USER_MEMORY_REGION, P(memory)},
		false},
	{"vm_request", SYS_ioctl, {JAIL_FD_VM, KVM_CREATE_VCPU, 1}, false},
	{"vm_request_of_vcpu", SYS_ioctl, {JAIL_FD_VM, KVM_GET_REGS, P(memory)}, false},
	{"vm_create", SYS_ioctl, {KEPT, KVM_CREATE_VM, 0}, false},
	{"clone_thread", SYS_clone, {0x7d0f00, 0}, false},
	{"clone3", SYS_clone3, {P(memory), 88}, false},
	{"mmap_shared", SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, JAIL_FD_VCPU, 0}, false},
	{"mmap_populate", SYS_mmap,
		{0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			(uint64_t)-1, 0},
		false},
	{"close", SYS_close, {JAIL_FD_VCPU}, false},
	{"dup", SYS_dup, {JAIL_FD_SOCKET}, false},
	{"dup3", SYS_dup3, {JAIL_FD_SOCKET, JAIL_FD_VCPU + 1, 0}, false},
	{"fcntl", SYS_fcntl, {JAIL_FD_SOCKET, F_DUPFD, 0}, false},
	{"read", SYS_read, {STDIN_FILENO, P(memory), 1}, false},
	{"pread64", SYS_pread64, {JAIL_FD_SNAPSHOT, P(memory), 1, 0}, false},
	{"write", SYS_write, {STDOUT_FILENO, P(memory), 1}, false},
	{"write_high", SYS_write, {HIGH | STDERR_FILENO, P(memory), 1}, false},
	{"recvmsg", SYS_recvmsg, {STDIN_FILENO, P(memory), 0}, false},
	{"sendto_address", SYS_sendto, {JAIL_FD_SOCKET, P(memory), 1, 0, P(memory), 16}, false},
	{"sendmmsg", SYS_sendmmsg, {JAIL_FD_SOCKET, P(memory), 0, 0}, false},
	{"futex_pi", SYS_futex, {P(memory), FUTEX_LOCK_PI, 0, 0}, false},
	{"timer_create", SYS_timer_create, {CLOCK_MONOTONIC, 0, P(memory)}, false},
	{"rt_sigaction", SYS_rt_sigaction, {SIGURG, 0, 0, 8}, false},
	{"prctl", SYS_prctl, {PR_SET_NAME, P("x")}, false},
	{"prlimit64", SYS_prlimit64, {0, RLIMIT_NOFILE, 0, P(memory)}, false},
	{"seccomp", SYS_seccomp, {0, 0, 0}, false},
	{"uname", SYS_uname, {P(memory)}, false},
	{"fstat", SYS_fstat, {JAIL_FD_SOCKET, P(memory)}, false},
	{"kick_read", SYS_read, {JAIL_FD_KICK, P(memory), 8}, false},
	{"wake_write", SYS_write, {JAIL_FD_WAKE, P(memory), 8}, false},
	{"life_write", SYS_write, {JAIL_FD_LIFE, P(memory), 1}, false},
	{"life_send", SYS_sendto, {JAIL_FD_LIFE, P(memory), 1, 0, 0, 0}, false},
	{"life_read", SYS_read, {JAIL_FD_LIFE, P(memory), 1}, false},
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

/* `run` may use its program's streams, terminal and network, and only as it does. */
static const struct call forbidden_in_run[] = {
	{"terminal_input", SYS_ioctl, {STDIN_FILENO, TIOCSTI, P("x")}, false},
	{"terminal_steal", SYS_ioctl, {STDIN_FILENO, TIOCSCTTY, 1}, false},
	{"terminal_group", SYS_ioctl, {STDIN_FILENO, TIOCSPGRP, P(memory)}, false},
	{"terminal_of_other", SYS_ioctl, {JAIL_FD_SOCKET, TCSETS, P(memory)}, false},
	{"terminal_high", SYS_ioctl, {HIGH, TCSETS, P(memory)}, false},
	{"stream_flags", SYS_fcntl, {STDOUT_FILENO, F_SETFL, O_NONBLOCK}, false},
	{"stream_owner", SYS_fcntl, {STDIN_FILENO, F_SETOWN, OTHER}, false},
	{"stream_lock", SYS_fcntl, {STDOUT_FILENO, F_SETLK, P(memory)}, false},
	{"stream_dup", SYS_fcntl, {STDIN_FILENO, F_DUPFD, 0}, false},
	{"stream_truncate", SYS_ftruncate, {STDOUT_FILENO, 0}, false},
	{"stream_pread", SYS_pread64, {STDIN_FILENO, P(memory), 1, 0}, false},
	{"stream_pwrite", SYS_pwrite64, {STDOUT_FILENO, P(memory), 1, 0}, false},
	{"stream_mmap", SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, STDIN_FILENO, 0}, false},
	{"stream_mode", SYS_fchmod, {STDOUT_FILENO, 0777}, false},
	{"stream_recvmsg", SYS_recvmsg, {STDIN_FILENO, P(memory), 0}, false},
	{"stream_sendto", SYS_sendto, {STDOUT_FILENO, P(memory), 1, 0, 0, 0}, false},
	{"stat_path", SYS_newfstatat, {STDIN_FILENO, P("x"), P(memory), 0}, false},
	{"stat_other", SYS_newfstatat, {JAIL_FD_LIFE, P(""), P(memory), AT_EMPTY_PATH}, false},
	{"watch_read", SYS_read, {JAIL_FD_WATCH, P(memory), 1}, false},
	{"watch_seek", SYS_lseek, {JAIL_FD_WATCH, 0, 0}, false},
	{"vm_read", SYS_read, {JAIL_FD_VM, P(memory), 1}, false},
	{"timer_of_process", SYS_timer_create, {~1ULL << 3 | 2, 0, P(memory)}, false},
};
#define FORBIDDEN_IN_RUN (sizeof(forbidden_in_run) / sizeof(forbidden_in_run[0]))

static const struct call *the_call;
static pid_t other;

static void have_snapshot(void)
{
	dup2(STDERR_FILENO, JAIL_FD_SNAPSHOT);
}

static int make_call(void)
{
	uint64_t a[6];

	for (int i = 0; i < 6; i++) {
		a[i] = the_call->argument[i];
		if (a[i] == OTHER)
			a[i] = (uint64_t)other;
		else if (a[i] == SELF)
			a[i] = (uint64_t)getpid();
	}
	syscall(the_call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return 1;
}

static void make_call_early(void)
{
	_exit(make_call());
}

/* What differs between the profiles. */
static bool is_allowed(const char *name, enum jail_profile profile)
{
	static const char *const run[] = {"read", "write", "timer_create"};

	if (profile == JAIL_THAW)
		return !strcmp(name, "write");
	for (size_t i = 0; profile == JAIL_RUN && i < sizeof(run) / sizeof(run[0]); i++)
		if (!strcmp(name, run[i]))
			return true;
	return false;
}

static void test_calls(const char *prefix, enum jail_profile profile, const struct call *calls,
	size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct deed d = {.name = calls[i].name,
			.before = have_snapshot,
			.act = make_call,
			.want = KILLED,
			.keep = 1ULL << JAIL_FD_SNAPSHOT};

		the_call = &calls[i];
		if (!is_allowed(the_call->name, profile))
			run_deed(prefix, profile, &d);
	}
}

static void test_calls_early(void)
{
	for (size_t i = 0; i < FORBIDDEN; i++) {
		struct deed d = {.name = forbidden[i].name,
			.prepare = make_call_early,
			.act = make_call,
			.want = KILLED};

		the_call = &forbidden[i];
		if (the_call->set_up_too)
			run_deed("setup", JAIL_SERVE, &d);
	}
}

/* A system call by the entry for 32-bit programs, where Linux has one. */
static int call_i386(void)
{
	long result = 20; /* getpid */

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return 1;
}

/* The thread is there before the lock, and must be under it. */
static int go;

static void *call_when_told(void *unused)
{
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		sched_yield();
	syscall(SYS_uname, memory); /* which the set-up list allows */
	_exit(1);
	return unused;
}

static void start_caller(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_when_told, NULL))
		_exit(96);
}

static int tell_caller(void)
{
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	while (go)
		sched_yield();
	return 1;
}

/* A handler for SIGSYS must not see anything. */
static void on_sigsys(int signal)
{
	(void)signal;
	_exit(1);
}

static void catch_sigsys(void)
{
	signal(SIGSYS, on_sigsys);
}

static int do_open(void)
{
	return open("/", O_RDONLY) < 0;
}

/* --- Every call there is, with zeros as arguments --- */

/* What may be called so. */
static const long bare[] = {
	SYS_brk,
	SYS_munmap,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_exit,
	SYS_exit_group,
	SYS_futex,
	SYS_getpid,
	SYS_getrandom,
	SYS_gettid,
	SYS_nanosleep,
	SYS_poll,
	SYS_ppoll,
	SYS_restart_syscall,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sched_yield,
	SYS_timer_settime,
};

static struct call any_call;

/* Some wait for ever. */
static void set_alarm(void)
{
	struct itimerval soon = {.it_value = {1, 0}};

	setitimer(ITIMER_REAL, &soon, NULL);
}

static bool may_be_bare(long number, enum jail_profile profile)
{
	if ((profile == JAIL_FREEZE || profile == JAIL_RUN) && number == SYS_mincore)
		return true;
	if (profile == JAIL_RUN &&
		(number == SYS_read || number == SYS_write || number == SYS_lseek ||
			number == SYS_fstat || number == SYS_timer_create))
		return true;
	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++)
		if (bare[i] == number)
			return true;
	return false;
}

static void test_all(const char *name, enum jail_profile profile)
{
	char text[TEXT_MAX], wrong[TEXT_MAX] = "";

	the_call = &any_call;
	for (long n = 0; n < CALLS_MAX; n++) {
		bool allowed = may_be_bare(n, profile), lived;
		struct child c;

		any_call.number = n;
		if (!start(&c)) {
			have_snapshot();
			set_alarm();
			enter(profile, 1ULL << JAIL_FD_SNAPSHOT);
			lock(profile);
			_exit(make_call());
		}
		finish(&c, text);
		lived = strcmp(text, KILLED) != 0;
		if (lived != allowed && n != URETPROBE && n != UPROBE &&
			strlen(wrong) < sizeof(wrong) - 32)
			sprintf(wrong + strlen(wrong), "%s%s %ld", *wrong ? ", " : "",
				lived ? "may" : "may not", n);
	}
	verdict(!*wrong, name, "all", wrong);
}

/* Linux without 32-bit programs has no such call, and a fault is as good an end. */
static void test_i386(void)
{
	char text[TEXT_MAX];
	struct child c;

	if (!start(&c)) {
		enter(JAIL_SERVE, 0);
		lock(JAIL_SERVE);
		_exit(call_i386());
	}
	finish(&c, text);
	verdict(!strcmp(text, KILLED) || !strcmp(text, "signal 11"), "serve", "i386", text);
}

void test_forbidden(void)
{
	static const struct deed thread = {
		.name = "thread", .prepare = start_caller, .act = tell_caller, .want = KILLED};
	static const struct deed handler = {
		.name = "sigsys", .prepare = catch_sigsys, .act = do_open, .want = KILLED};

	other = getpid();
	test_calls_early();
	test_calls("freeze", JAIL_FREEZE, forbidden, FORBIDDEN);
	test_calls("serve", JAIL_SERVE, forbidden, FORBIDDEN);
	test_calls("thaw", JAIL_THAW, forbidden, FORBIDDEN);
	test_calls("run", JAIL_RUN, forbidden, FORBIDDEN);
	test_calls("run", JAIL_RUN, forbidden_in_run, FORBIDDEN_IN_RUN);
	run_deed("serve", JAIL_SERVE, &thread);
	run_deed("serve", JAIL_SERVE, &handler);
	test_i386();
	test_all("freeze", JAIL_FREEZE);
	test_all("serve", JAIL_SERVE);
	test_all("thaw", JAIL_THAW);
	test_all("run", JAIL_RUN);
}
