// SPDX-License-Identifier: Apache-2.0
/*
 * The jail: see jail.h, and docs/jail.md for what each part gives and what it costs.
 *
 * The order of jail_enter() matters. Root becomes nobody first, so that what the kernel still knows about the
 * process is nobody's. The user namespace gives the right to make the others and to mount; it has no ids
 * mapped, so nobody in it can become anybody, and no file of the host is anybody's there. Landlock would
 * forbid mounting, and the filter of system calls would forbid everything here, so they come last.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail.h"
#include "jail_calls.h"

#define NOBODY 65534
#define KEEP_BITS 64
#define ASIDE (JAIL_FD_LIFE + 1) /* descriptors from here on have no meaning */
#define LAST_ASIDE (ASIDE + 6) /* as many as struct jail_descriptors has */

/* The interfaces of <linux/mount.h> and <linux/landlock.h> that are used here: C libraries' headers and
 * Linux's do not mix, or are older than what the running Linux offers. */
#define FSCONFIG_CREATE 6 /* FSCONFIG_CMD_CREATE */
#define MOUNT_EMPTY_FLAGS 0xf /* MOUNT_ATTR_RDONLY, _NOSUID, _NODEV, _NOEXEC */
#define MOVE_FROM_EMPTY_PATH 4 /* MOVE_MOUNT_F_EMPTY_PATH */
#define LANDLOCK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

struct landlock_rules {
	uint64_t files, network, scopes; /* what is denied where no rule allows it */
};

/* By version of Landlock's interface, from 1: how much of the struct is known, and which rights. */
static const struct {
	size_t bytes;
	struct landlock_rules all;
} landlock_versions[] = {
	{8, {0x1fff, 0, 0}}, {8, {0x3fff, 0, 0}}, /* + moving files between folders */
	{8, {0x7fff, 0, 0}}, /* + truncating */
	{16, {0x7fff, 3, 0}}, /* + binding and connecting TCP */
	{16, {0xffff, 3, 0}}, /* + ioctls of devices */
	{24, {0xffff, 3, 3}}, /* + abstract Unix sockets, signals to others */
};
#define LANDLOCK_VERSIONS (sizeof(landlock_versions) / sizeof(landlock_versions[0]))

static int failed(struct df_err *err, const char *what)
{
	return df_err_set(err, -errno, "can not enter the jail: %s: %s", what,
		df_errno_text(errno));
}

/* --- Descriptors --- */

static int close_descriptors(unsigned first, unsigned last)
{
	return first > last || !syscall(SYS_close_range, first, last, 0) ? 0 : -errno;
}

/* All but the standard streams, the socket and those in `keep`. */
static int close_others(uint64_t keep)
{
	unsigned from = JAIL_FD_SOCKET + 1;
	int r = 0;

	for (unsigned fd = from; fd < KEEP_BITS && !r; fd++)
		if (keep >> fd & 1) {
			r = close_descriptors(from, fd - 1);
			from = fd + 1;
		}
	return r ? r : close_descriptors(from, ~0u);
}

/* As many as are allowed; a shell's limit may be lower than the numbers below. Less is an error when they are used. */
static void raise_descriptors(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) || now.rlim_cur > LAST_ASIDE)
		return;
	now.rlim_cur = now.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &now);
}

/* Puts them where the filters know them, and closes all others but the standard streams. */
static int place(struct jail_descriptors *d, struct df_err *err)
{
	const struct {
		int *fd;
		unsigned to; /* ascending */
	} moves[] = {{&d->socket, JAIL_FD_SOCKET}, {&d->watch, JAIL_FD_WATCH}, {&d->vm, JAIL_FD_VM},
		{&d->vcpu, JAIL_FD_VCPU}, {&d->kick, JAIL_FD_KICK}, {&d->wake, JAIL_FD_WAKE},
		{&d->life, JAIL_FD_LIFE}};
	const size_t count = sizeof(moves) / sizeof(moves[0]);
	unsigned from = STDERR_FILENO + 1;
	int aside[sizeof(moves) / sizeof(moves[0])], r = 0;

	_Static_assert(sizeof(moves) / sizeof(moves[0]) == LAST_ASIDE - ASIDE + 1,
		"raise_descriptors()");

	raise_descriptors();
	/* In two steps: where one goes there may be another. */
	for (size_t i = 0; i < count; i++) {
		aside[i] = *moves[i].fd < 0 ? -1 : fcntl(*moves[i].fd, F_DUPFD, ASIDE);
		if (*moves[i].fd >= 0 && aside[i] < 0)
			return df_err_set(err, -errno,
				"can not enter the jail: %s; it takes descriptors up to %d (ulimit -n)",
				df_errno_text(errno), LAST_ASIDE);
	}
	for (size_t i = 0; i < count && !r; i++) {
		if (aside[i] < 0)
			continue;
		if (dup2(aside[i], (int)moves[i].to) < 0)
			return failed(err, "moving descriptors");
		*moves[i].fd = (int)moves[i].to;
		r = close_descriptors(from, moves[i].to - 1);
		from = moves[i].to + 1;
	}
	return r || close_descriptors(from, ~0u) ? failed(err, "closing descriptors") : 0;
}

/* A socket that can reach the network would be a way out; a missing standard stream would be some file later. */
static int check_descriptors(struct df_err *err)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return df_err_set(err, -errno,
				"descriptor %d, a standard stream, is not open", fd);
	if (getsockopt(JAIL_FD_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
		getsockopt(JAIL_FD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) ||
		domain != AF_UNIX || type != SOCK_SEQPACKET)
		return df_err_set(err, -ENOTSOCK,
			"descriptor %d is not the client's Unix socket (SOCK_SEQPACKET)",
			JAIL_FD_SOCKET);
	return 0;
}

/* --- Rights --- */

static int set_capabilities(uint64_t all)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)all, .permitted = (uint32_t)all},
		{.effective = (uint32_t)(all >> 32), .permitted = (uint32_t)(all >> 32)},
	};

	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/*
 * Root becomes nobody, but keeps the right to make user namespaces where others may not. Root of a container
 * may not be able to: there may be no nobody, or no right to become it. Then it is not the host's root, or has not
 * root's rights, and stays what it is.
 */
static int drop_root(struct df_err *err)
{
	if (geteuid())
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return failed(err, "PR_SET_KEEPCAPS");
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		setresuid(NOBODY, NOBODY, NOBODY))
		return errno == EPERM || errno == EINVAL ? 0 : failed(err, "becoming nobody");
	/* Not to have it is no failure: there may be other ways to a user namespace. */
	(void)set_capabilities(1ULL << CAP_SYS_ADMIN);
	return 0;
}

/* --- Namespaces and the empty root --- */

/* The value of a sysctl that is a number, or `otherwise` where Linux does not have it. */
static int sysctl_value(const char *path, int otherwise)
{
	FILE *file = fopen(path, "re");
	int value = otherwise;

	if (file) {
		if (fscanf(file, "%d", &value) != 1)
			value = otherwise;
		fclose(file);
	}
	return value;
}

/* Says why, as far as that can be seen, and what to do. */
static int no_namespaces(int error, struct df_err *err)
{
	const char *why;

	if (!sysctl_value("/proc/sys/user/max_user_namespaces", 1))
		why = "user namespaces are switched off here; switch them on (as root: sysctl "
		      "user.max_user_namespaces=10000)";
	else if (error == -ENOSPC || error == -EUSERS)
		why = "there are as many user namespaces as may be; allow more (as root: sysctl "
		      "user.max_user_namespaces=100000)";
	else if (!sysctl_value("/proc/sys/kernel/unprivileged_userns_clone", 1))
		why = "only root may make user namespaces here; allow it to all (as root: sysctl "
		      "kernel.unprivileged_userns_clone=1)";
	else if (sysctl_value("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0))
		why = "AppArmor forbids user namespaces here; allow them (as root: sysctl "
		      "kernel.apparmor_restrict_unprivileged_userns=0, or a profile for "
		      "dayfly-monitor that has userns)";
	else
		return df_err_set(err, error,
			"can not enter the jail: namespaces can not be made here (%s); a container needs the "
			"right to (docker, podman: a seccomp profile that allows unshare, mount and chroot); "
			"or give --no-jail",
			df_errno_text(error));
	return df_err_set(err, error, "can not enter the jail: %s; or give --no-jail", why);
}

/*
 * A file system without a file comes to lie on the root, and is the root from here on. The host's stays below it in
 * this mount namespace, where no path leads: unmounting it makes Linux wait for all processors, which takes
 * milliseconds when they are busy.
 */
static int empty_root(void)
{
	int context = (int)syscall(SYS_fsopen, "tmpfs", 0), root, r = 0;

	if (context < 0)
		return -errno;
	root = syscall(SYS_fsconfig, context, FSCONFIG_CREATE, NULL, NULL, 0)
		? -1
		: (int)syscall(SYS_fsmount, context, 0, MOUNT_EMPTY_FLAGS);
	if (root < 0 || syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_FROM_EMPTY_PATH) ||
		fchdir(root) || chroot("."))
		r = -errno;
	if (root >= 0)
		close(root);
	close(context);
	return r;
}

static int enter_namespaces(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) ? -errno
										  : empty_root();
}

/* --- Landlock --- */

/* Denies all that Landlock knows. A Linux without it is no failure: it is the second wall around an empty root. */
static int deny_by_landlock(struct df_err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	size_t n;
	int rules, r;

	if (version < 1)
		return 0;
	n = version > (long)LANDLOCK_VERSIONS ? LANDLOCK_VERSIONS : (size_t)version;
	rules = (int)syscall(SYS_landlock_create_ruleset, &landlock_versions[n - 1].all,
		landlock_versions[n - 1].bytes, 0);
	if (rules < 0)
		return failed(err, "Landlock");
	r = syscall(SYS_landlock_restrict_self, rules, 0) ? failed(err, "Landlock") : 0;
	close(rules);
	return r;
}

/* --- The jail --- */

static int set_limit(int what, rlim_t value)
{
	return setrlimit(what, &(struct rlimit){value, value});
}

/* What takes no namespace. */
static int give_up_rights(struct df_err *err)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return failed(err, "PR_SET_NO_NEW_PRIVS");
	r = deny_by_landlock(err);
	if (!r && set_capabilities(0))
		r = failed(err, "dropping capabilities");
	if (!r && (set_limit(RLIMIT_CORE, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)))
		r = failed(err, "PR_SET_DUMPABLE");
	return r;
}

int jail_enter(uint64_t keep, struct df_err *err)
{
	int r = check_descriptors(err), e;

	if (!r && close_others(keep))
		r = failed(err, "closing descriptors");
	r = r ? r : drop_root(err);
	e = r ? 0 : enter_namespaces();
	if (e)
		r = no_namespaces(e, err);
	r = r ? r : give_up_rights(err);
	return r ? r : jail_calls_set_up(err);
}

/* All numbers below the limit are taken, so a message can bring no descriptor. */
static int lock_limits(unsigned descriptors, struct df_err *err)
{
	if (set_limit(RLIMIT_NOFILE, descriptors) || set_limit(RLIMIT_NPROC, 0))
		return df_err_set(err, -errno, "can not lock the jail: limits: %s",
			df_errno_text(errno));
	return 0;
}

int jail_lock(enum jail_profile profile, struct df_err *err)
{
	unsigned first = JAIL_FD_SOCKET + 1;
	int r;

	if (profile == JAIL_FREEZE) {
		if (fcntl(JAIL_FD_SNAPSHOT, F_GETFD) < 0)
			return df_err_set(err, -errno, "descriptor %d, the snapshot, is not open",
				JAIL_FD_SNAPSHOT);
		first = JAIL_FD_SNAPSHOT + 1;
	}
	if (close_descriptors(first, JAIL_FD_VM - 1) ||
		close_descriptors(JAIL_FD_VM + DF_INSTANCES_MAX, JAIL_FD_VCPU - 1) ||
		close_descriptors(JAIL_FD_VCPU + DF_INSTANCES_MAX, JAIL_FD_KICK - 1) ||
		close_descriptors(JAIL_FD_LIFE + 1, ~0u))
		return df_err_set(err, -errno, "can not lock the jail: closing descriptors: %s",
			df_errno_text(errno));
	r = lock_limits(first, err);
	return r ? r : jail_calls_run(profile, err);
}

/* Who asked for a signal when his parent ends still gets it: Linux forgets that when rights change. */
static int keep_parent(int signal, pid_t parent, struct df_err *err)
{
	if (!signal)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0))
		return failed(err, "PR_SET_PDEATHSIG");
	return getppid() == parent
		? 0
		: df_err_set(err, -EOWNERDEAD, "who started the monitor has ended");
}

int jail_enter_run(struct df_err *err)
{
	pid_t parent = getppid();
	int signal = 0, r;

	(void)prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
	r = drop_root(err);
	if (r)
		return r;
	/* Not to have them is no failure here: see jail.h. */
	(void)enter_namespaces();
	r = give_up_rights(err);
	return r ? r : keep_parent(signal, parent, err);
}

int jail_lock_run(struct jail_descriptors *d, struct df_err *err)
{
	int r = place(d, err);

	r = r ? r : check_descriptors(err);
	r = r ? r : lock_limits(JAIL_FD_SOCKET + 1, err);
	return r ? r : jail_calls_run(JAIL_RUN, err);
}

int jail_place(int *fd, int to)
{
	if (*fd == to)
		return 0;
	if (dup3(*fd, to, O_CLOEXEC) < 0)
		return -errno;
	close(*fd);
	*fd = to;
	return 0;
}

bool jail_filters_calls(void)
{
	return jail_calls_filtered();
}
