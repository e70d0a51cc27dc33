// SPDX-License-Identifier: Apache-2.0
/*
 * The core's other system calls: identity, limits, system information, random bytes, exit, execve.
 * There are no users and no permissions: every id is 0, and a change to what already is succeeds.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/ids.h>
#include <kernel/core/program.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/sys/calls.h>
#include <kernel/time/clock.h>
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/times.h>
#include <linux/utsname.h>
#include <linux/wait.h>

#define PATH_MAX 4096
#define STRING_PAGES 33 /* Linux allows 128 KiB for one argument */
#define VECTOR_BYTES_MAX (1ULL << 20)
#define VECTOR_MAX 4096

static int64_t sys_getpid(void)
{
	return boot_info->pid;
}

static int64_t sys_gettid(void)
{
	return tid_shown(current);
}

static int64_t sys_getppid(void)
{
	return 1;
}

static int64_t sys_zero(void)
{
	return 0;
}

/* Changing to id 0, or to "as before" (-1), changes nothing; other ids do not exist here. */
static int64_t set_ids(int a, int b, int c)
{
	return (a && a != -1) || (b && b != -1) || (c && c != -1) ? -EPERM : 0;
}

static int64_t sys_setid(int a)
{
	return set_ids(a, -1, -1);
}

static int64_t sys_setreid(int a, int b)
{
	return set_ids(a, b, -1);
}

static int64_t sys_setresid(int a, int b, int c)
{
	return set_ids(a, b, c);
}

static int64_t sys_getresid(gva_t a, gva_t b, gva_t c)
{
	const uint32_t zero = 0;

	return user_put(a, &zero) || user_put(b, &zero) || user_put(c, &zero) ? -EFAULT : 0;
}

static int64_t sys_setgroups(int n, gva_t list)
{
	(void)list;
	return n ? -EPERM : 0;
}

static int64_t sys_getpgid(int pid)
{
	return !pid || pid_is_own(pid) ? (int64_t)boot_info->pid : -ESRCH;
}

static int64_t sys_setpgid(int pid, int pgid)
{
	if (pid && !pid_is_own(pid))
		return -ESRCH;
	return pgid && !pid_is_own(pgid) ? -EPERM : 0;
}

/* The program is its own session and group leader already. */
static int64_t sys_setsid(void)
{
	return -EPERM;
}

static int64_t sys_uname(gva_t out)
{
	struct new_utsname u = {
		.sysname = "Linux",
		.release = "6.1.0-dayfly",
		.version = "#1 dayfly",
		.machine = "x86_64",
		.domainname = "(none)",
	};

	memcpy(u.nodename, boot_info->host_name, sizeof(u.nodename) - 1);
	return user_put(out, &u);
}

static int64_t sys_sysinfo(gva_t out)
{
	struct sysinfo s;

	memset(&s, 0, sizeof(s));
	s.uptime = (long)(clock_boottime() / NS_PER_S);
	s.totalram = mm_total_bytes();
	s.freeram = mm_free_bytes();
	s.procs = (unsigned short)thread_count;
	s.mem_unit = 1;
	return user_put(out, &s);
}

static int64_t sys_getrandom(gva_t buf, size_t n, unsigned flags)
{
	uint8_t part[256];
	size_t done = 0;

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
		(flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = min(n, (size_t)0x7fffffff);
	while (done < n) {
		size_t bytes = min(n - done, sizeof(part));

		random_bytes(part, bytes);
		if (user_copy_to((void *)(buf + done), part, bytes))
			return done ? (int64_t)done : -EFAULT;
		done += bytes;
	}
	return (int64_t)done;
}

static int64_t sys_arch_prctl(int code, gva_t addr)
{
	uint64_t v;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= DF_VA_PROGRAM_MAX)
			return -EPERM;
		if (code == ARCH_SET_FS)
			arch_set_fs_base(addr);
		else
			arch_set_gs_base(addr);
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		v = code == ARCH_GET_FS ? arch_fs_base() : arch_gs_base();
		return user_put(addr, &v);
	default:
		return -EINVAL;
	}
}

static int64_t sys_prctl(int option, uint64_t arg, uint64_t arg3)
{
	static bool dumpable = true;
	static int death_signal;
	static bool no_new_privs;
	char name[16] = {0};

	(void)arg3;
	switch (option) {
	case PR_SET_NAME:
		if (user_string(name, arg, sizeof(name)) == -EFAULT)
			return -EFAULT;
		name[15] = 0;
		memcpy(current->name, name, sizeof(name));
		return 0;
	case PR_GET_NAME:
		return user_copy_to((void *)arg, current->name, sizeof(name));
	case PR_GET_DUMPABLE:
		return dumpable;
	case PR_SET_DUMPABLE:
		if (arg > 1)
			return -EINVAL;
		dumpable = arg;
		return 0;
	case PR_SET_PDEATHSIG:
		death_signal = (int)arg;
		return arg > 64 ? -EINVAL : 0;
	case PR_GET_PDEATHSIG:
		return user_put(arg, &death_signal);
	case PR_GET_NO_NEW_PRIVS:
		return no_new_privs;
	case PR_SET_NO_NEW_PRIVS:
		/* There are no privileges to gain; what was promised is remembered. */
		no_new_privs |= arg == 1;
		return arg == 1 ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
	case PR_GET_KEEPCAPS:
	case PR_GET_TIMING:
	case PR_GET_SECUREBITS:
		return 0;
	case PR_GET_TIMERSLACK:
		return 50000;
	case PR_CAPBSET_READ:
		return arg <= 40 ? 1 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static struct rlimit64 limits[RLIM_NLIMITS];

static void limits_init(void)
{
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		limits[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
	limits[RLIMIT_STACK].rlim_cur = boot_info->stack_bytes;
	limits[RLIMIT_NOFILE] = (struct rlimit64){fd_limit(), FD_MAX};
	limits[RLIMIT_CORE].rlim_cur = 0;
	limits[RLIMIT_MEMLOCK] = (struct rlimit64){8 << 20, 8 << 20};
	limits[RLIMIT_SIGPENDING] = limits[RLIMIT_NPROC] = (struct rlimit64){1024, 1024};
	limits[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
	limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

static int64_t sys_prlimit64(int pid, unsigned resource, gva_t new, gva_t old)
{
	struct rlimit64 l, before;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (pid && !pid_is_own(pid))
		return -ESRCH;
	if (!limits[RLIMIT_NOFILE].rlim_max)
		limits_init();
	before = limits[resource];
	if (new) {
		if (user_get(&l, new))
			return -EFAULT;
		if (l.rlim_cur > l.rlim_max)
			return -EINVAL;
		if (resource == RLIMIT_NOFILE && l.rlim_max > FD_MAX)
			return -EPERM;
		limits[resource] = l;
		if (resource == RLIMIT_NOFILE)
			fd_set_limit(l.rlim_cur);
	}
	return old ? user_put(old, &before) : 0;
}

static int64_t sys_getrlimit(unsigned resource, gva_t out)
{
	return out ? sys_prlimit64(0, resource, 0, out) : -EFAULT;
}

static int64_t sys_setrlimit(unsigned resource, gva_t in)
{
	return in ? sys_prlimit64(0, resource, in, 0) : -EFAULT;
}

static int64_t sys_getrusage(int who, gva_t out)
{
	uint64_t ns = who == RUSAGE_SELF ? clock_process_cpu()
		: who == 1 /* THREAD */  ? current->cpu_ns + clock_monotonic() -
			current->switched_in_ns
					: 0;
	struct rusage u;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != 1)
		return -EINVAL;
	memset(&u, 0, sizeof(u));
	u.ru_utime.tv_sec = (long)(ns / NS_PER_S);
	u.ru_utime.tv_usec = (long)(ns % NS_PER_S / 1000);
	if (who != RUSAGE_CHILDREN) {
		u.ru_maxrss = (long)(request_page->stats.frames_used << 2);
		u.ru_minflt = (long)request_page->stats.faults;
	}
	return user_put(out, &u);
}

static int64_t sys_times(gva_t out)
{
	struct tms t = {.tms_utime = (long)(clock_process_cpu() / (NS_PER_S / 100))};

	if (out && user_put(out, &t))
		return -EFAULT;
	return (int64_t)(clock_monotonic() / (NS_PER_S / 100));
}

static int64_t sys_getcpu(gva_t cpu, gva_t node)
{
	const uint32_t zero = 0;

	return (cpu && user_put(cpu, &zero)) || (node && user_put(node, &zero)) ? -EFAULT : 0;
}

static int64_t sys_set_tid_address(gva_t tid)
{
	current->clear_tid = tid;
	return tid_shown(current);
}

static int64_t sys_exit_group(int status)
{
	program_exit(status, 0);
}

static int64_t sys_personality(uint64_t persona)
{
	/* Linux's default; programs ask for "no address randomisation", which is how it is. */
	(void)persona;
	return 0;
}

static int64_t sys_wait4(int pid, gva_t status, int options)
{
	(void)pid, (void)status;
	return options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)
		? -EINVAL
		: -ECHILD;
}

static int64_t sys_waitid(int type, int id, gva_t info, int options)
{
	(void)id, (void)info;
	return type < P_ALL || type > P_PIDFD || !(options & (WEXITED | WSTOPPED | WCONTINUED))
		? -EINVAL
		: -ECHILD;
}

/* Copies a NULL-ended vector of strings. -E2BIG, -EFAULT, -ENOMEM. */
static int64_t copy_vector(gva_t from, char *buf, char ***out, uint64_t *budget)
{
	char **v = kzalloc((VECTOR_MAX + 1) * sizeof(*v));
	int64_t r = v ? 0 : -ENOMEM;

	*out = v;
	for (unsigned n = 0; from && v; n++) {
		gva_t s;

		r = user_get(&s, from + n * 8);
		if (r || !s)
			break;
		r = n == VECTOR_MAX ? -E2BIG : user_string(buf, s, STRING_PAGES * DF_PAGE_SIZE);
		if (r < 0)
			return r == -ENAMETOOLONG ? -E2BIG : r;
		if ((uint64_t)r + 1 > *budget)
			return -E2BIG;
		*budget -= (uint64_t)r + 1;
		v[n] = kmalloc((size_t)r + 1);
		if (!v[n])
			return -ENOMEM;
		memcpy(v[n], buf, (size_t)r + 1);
	}
	return r;
}

static void free_vector(char **v)
{
	for (unsigned i = 0; v && v[i]; i++)
		kfree(v[i]);
	kfree(v);
}

static int64_t sys_execve(gva_t path, gva_t argv, gva_t envp)
{
	char *name = kmalloc(PATH_MAX), *buf = frames_alloc(STRING_PAGES), **args = NULL,
	     **vars = NULL;
	uint64_t budget = VECTOR_BYTES_MAX;
	int64_t r = name && buf ? user_string(name, path, PATH_MAX) : -ENOMEM;

	r = r < 0 ? r : copy_vector(argv, buf, &args, &budget);
	r = r < 0 ? r : copy_vector(envp, buf, &vars, &budget);
	if (buf)
		frames_free(buf, STRING_PAGES);
	if (r >= 0)
		r = program_exec(name, args, vars);
	free_vector(args);
	free_vector(vars);
	kfree(name);
	return r;
}

/* Without the feature `tasks` the only thread's end is the program's. */
static int64_t sys_exit(int status)
{
	thread_exit(status & 255);
}

const struct feature_call misc_calls[] = {
	{39, sys_getpid},
	{186, sys_gettid},
	{110, sys_getppid},
	{102, sys_zero},
	{104, sys_zero},
	{107, sys_zero},
	{108, sys_zero},
	{105, sys_setid},
	{106, sys_setid},
	{113, sys_setreid},
	{114, sys_setreid},
	{117, sys_setresid},
	{119, sys_setresid},
	{118, sys_getresid},
	{120, sys_getresid},
	{115, sys_zero},
	{116, sys_setgroups},
	{121, sys_getpgid},
	{124, sys_getpgid},
	{111, sys_getpid},
	{109, sys_setpgid},
	{112, sys_setsid},
	{63, sys_uname},
	{99, sys_sysinfo},
	{318, sys_getrandom},
	{158, sys_arch_prctl},
	{157, sys_prctl},
	{302, sys_prlimit64},
	{97, sys_getrlimit},
	{160, sys_setrlimit},
	{98, sys_getrusage},
	{100, sys_times},
	{309, sys_getcpu},
	{218, sys_set_tid_address},
	{231, sys_exit_group},
	{60, sys_exit},
	{135, sys_personality},
	{61, sys_wait4},
	{247, sys_waitid},
	{59, sys_execve},
};
const unsigned misc_call_count = array_size(misc_calls);
