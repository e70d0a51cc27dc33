// SPDX-License-Identifier: Apache-2.0
/*
 * Locks the helper down. Everything not listed fails with EPERM, so a library that tries to open
 * something goes on without it.
 */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper.h"

#define NOBODY 65534
#define MEMORY_MAX (1ULL << 30) /* beside the mapped file */
#define SECONDS_MAX 4

#define ALLOW(name)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static bool filter_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(brk),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(rt_sigprocmask),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(exit),
		ALLOW(exit_group),
		/* mmap and mprotect without PROT_EXEC */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static bool limit(int what, rlim_t value)
{
	struct rlimit now;

	if (getrlimit(what, &now))
		return false;
	if (now.rlim_max < value)
		value = now.rlim_max;
	return !setrlimit(what, &(struct rlimit){value, value});
}

/* Where we run as root, that is too much. Root of a container may not be able to: then it has not the host's rights (monitor/jail.c). */
static bool drop_root(void)
{
	if (geteuid())
		return true;
	return (!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
		       !setresuid(NOBODY, NOBODY, NOBODY)) ||
		errno == EPERM || errno == EINVAL;
}

bool lock_down(void)
{
	bool good = !prctl(PR_SET_PDEATHSIG, SIGKILL) && !prctl(PR_SET_DUMPABLE, 0);

	good = good && !close_range(SOCKET + 1, ~0u, 0);
	good = good && drop_root();
#ifndef __SANITIZE_ADDRESS__
	good = good && limit(RLIMIT_DATA, MEMORY_MAX);
#endif
	good = good && limit(RLIMIT_CPU, SECONDS_MAX) && limit(RLIMIT_CORE, 0) &&
		limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, 0);
	return good && filter_calls();
}
