/* SPDX-License-Identifier: Apache-2.0 */
/* The jail of dayfly-import: see import_jail.h. */
#include "image/import_jail.h"

#include "host/cleanup.h"
#include "host/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_BYTES (1ull << 30) /* of which a zstd window takes 128 MiB at most */
#define CPU_SECONDS 1200
#define DESCRIPTORS 64

static int set_limits(uint64_t bytes_max)
{
	const struct confine_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_CPU, CPU_SECONDS},
		{RLIMIT_FSIZE, bytes_max}, {RLIMIT_NOFILE, DESCRIPTORS},
		{RLIMIT_AS, CONFINE_SANITIZED ? RLIM_INFINITY : MEMORY_BYTES}};

	return confine_limits(limits, sizeof(limits) / sizeof(limits[0]));
}

/* --- Landlock --- */

/* What version 1 of its interface knows (Linux 5.13). */
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                   \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |         \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define ALL_RIGHTS                                                                  \
	(WRITE_RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |       \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK)
/* Linking and renaming between directories (version 2, Linux 5.19); before, it is always denied. */
#define REFER_RIGHT (1ull << 13)

static int allow(int ruleset, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = fd, .allowed_access = rights};
	struct stat now;

	if (fstat(fd, &now) < 0)
		return -errno;
	if (!S_ISDIR(now.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		? -errno
		: 0;
}

/* Before version 2 hard links between directories would be denied, which images need: then it is left out. */
static int landlock(const struct import_places *places)
{
	const struct landlock_ruleset_attr handled = {
		.handled_access_fs = ALL_RIGHTS | REFER_RIGHT};
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	DF_CLOSE int ruleset = -1;
	int error;

	if (version < 2)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(uint64_t), 0);
	if (ruleset < 0)
		return -errno;
	error = allow(ruleset, places->source, READ_RIGHTS);
	if (error == 0)
		error = allow(ruleset, places->target, WRITE_RIGHTS | REFER_RIGHT);
	if (error == 0)
		error = allow(ruleset, places->work, WRITE_RIGHTS | REFER_RIGHT);
	if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		error = -errno;
	return error;
}

/* --- seccomp --- */

static int allow_calls(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write),
		SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(fstat),
		SCMP_SYS(newfstatat), SCMP_SYS(openat2), SCMP_SYS(getdents64), SCMP_SYS(fcntl),
		SCMP_SYS(mkdirat), SCMP_SYS(symlinkat), SCMP_SYS(linkat), SCMP_SYS(unlinkat),
		SCMP_SYS(fchmod), SCMP_SYS(utimensat), SCMP_SYS(ftruncate), SCMP_SYS(munmap),
		SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(futex),
		SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(exit_group)};
	/* What the C library may try in passing: time zones, character sets. */
	static const int denied[] = {SCMP_SYS(openat)};
	const struct confine_calls calls = {.allowed = allowed,
		.allowed_count = sizeof(allowed) / sizeof(allowed[0]),
		.denied = denied,
		.denied_count = sizeof(denied) / sizeof(denied[0])};

	return confine_calls(&calls);
}

int import_jail(const struct import_places *places, uint64_t bytes_max, struct df_err *err)
{
	int error = set_limits(bytes_max);

	if (error == 0)
		error = confine_rights();
	if (error == 0 && !CONFINE_SANITIZED)
		error = landlock(places);
	if (error == 0)
		error = allow_calls();
	if (error < 0)
		return df_err_set(err, error, "cannot lock dayfly-import up: %s",
			df_errno_text(error));
	return 0;
}
