/* SPDX-License-Identifier: Apache-2.0 */
/* The jail of dayfly-net: see jail.h. */
#include "nat/jail.h"

#include "host/cleanup.h"
#include "host/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define MEMORY_BYTES (1ull << 30)

/* Where root is alone in its container there is nobody to become; its rights go all the same (confine_rights). */
static int become_nobody(void)
{
	if (geteuid() != 0 ||
		(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
			setresuid(NOBODY, NOBODY, NOBODY) == 0))
		return 0;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

static int set_limits(void)
{
	static const struct confine_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0},
		{RLIMIT_DATA, CONFINE_SANITIZED ? RLIM_INFINITY : MEMORY_BYTES}};

	return confine_limits(limits, sizeof(limits) / sizeof(limits[0]));
}

/* No path leads anywhere. Kernels without Landlock have the filter alone, which allows no opening. */
static int landlock(void)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs = 0x1fff};
	DF_CLOSE int ruleset = -1;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(uint64_t), 0);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return 0;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What libraries look for in passing is not there. */
static const int denied[] = {SCMP_SYS(openat), SCMP_SYS(newfstatat)};

static int allow_sockets(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv),
		SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
		SCMP_SYS(epoll_pwait), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
		SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
		SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
		SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(fcntl),
		SCMP_SYS(ioctl), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk),
		SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit),
		SCMP_SYS(exit_group)};
	static const int families[] = {AF_INET, AF_INET6};
	const struct confine_calls calls = {.allowed = allowed,
		.allowed_count = COUNT(allowed),
		.denied = denied,
		.denied_count = COUNT(denied),
		.families = families,
		.family_count = COUNT(families)};

	return confine_calls(&calls);
}

static int allow_copying(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
		SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(munmap), SCMP_SYS(brk), SCMP_SYS(futex),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)};
	const struct confine_calls calls = {.allowed = allowed,
		.allowed_count = COUNT(allowed),
		.denied = denied,
		.denied_count = COUNT(denied)};

	return confine_calls(&calls);
}

int jail_enter(enum jail_kind kind, struct df_err *err)
{
	int error = become_nobody();

	if (error == 0)
		error = confine_rights();
	if (error == 0)
		error = set_limits();
	if (error == 0 && !CONFINE_SANITIZED)
		error = landlock();
	if (error == 0)
		error = kind == JAIL_SOCKETS ? allow_sockets() : allow_copying();
	return error ? df_err_set(err, error, "cannot lock dayfly-net up: %s", df_errno_text(error))
		     : 0;
}
