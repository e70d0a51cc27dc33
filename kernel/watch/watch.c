// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `watch`: tells the monitor what the program needs, for `dayfly run --watch` and so for `dayfly init`. It is
 * loaded there only, and last, so that it finds the final handlers. Lines, each sent once:
 *
 *	needs FEATURE	a call was made that only this feature can answer
 *	tries FEATURE	a call of it was made that programs make at each start and mostly do without
 *	lacks FEATURE	the same as needs, of one that there is not; "lacks fork": a process of its own
 *	missing PATH	was looked for and not found; a relative path begins at the first working directory
 *	listens PORT	it is a server. It is ended where it waits next: no connection will come
 *
 * Which call belongs to which feature stands in sys/calls.def. That table does not know `tmp`: its calls are those of `files`,
 * and it is needed when they change something.
 */
#include <asm/unistd.h>
#include <kernel/core/feature.h>
#include <kernel/core/file.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/core/thread.h>
#include <kernel/mm/user.h>
#include <kernel/sys/table.h>
#include <kernel/trace/kinds.h>
#include <linux/fcntl.h>

#define ARGUMENTS 6
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define PATH_BYTES 1024
#define SEEN 512 /* places in which paths that were told are remembered */

enum { core, files, tmp, tasks, events, signals, net, none };
enum { ABSENT, PARTIAL, FULL, NO_EFFECT };
static const char *const feature_names[] = {
	"core", "files", "tmp", "tasks", "events", "signals", "net"};

#define CALL(nr, name, feature, state, note, ...) [nr] = {feature, state, {__VA_ARGS__}},
static const struct row {
	uint8_t feature, state, kinds[ARGUMENTS];
} rows[] = {
#include <kernel/sys/calls.def>
};
#undef CALL

static uint32_t needed, tried; /* bit n: told of feature n */
static bool fork_told, moved; /* moved: the working directory is not the first one any more */
static uint32_t seen[SEEN]; /* hashes; 0: free */
static unsigned bound_port; /* the last one that was bound, 0: none */
static bool listens;

static void tell(const char *what, const char *name)
{
	int bytes = ksnprintf((char *)request_page->data, DF_DATA_BYTES, "%s %s", what, name);

	hypercall(DF_CALL_LOG, DF_LOG_WATCH, (uint64_t)bytes, 0, 0);
}

static void tell_feature(unsigned feature, bool soft, bool absent)
{
	uint32_t *told = soft ? &tried : &needed;

	if (feature == core || feature >= none || *told >> feature & 1)
		return;
	*told |= 1u << feature;
	tell(absent ? "lacks" : soft ? "tries" : "needs", feature_names[feature]);
}

/* --- paths --- */

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash ? hash : 1;
}

static void tell_missing(const struct row *row, const uint64_t *arg, unsigned i)
{
	bool at = i && row->kinds[i - 1] == DIRFD && (int)arg[i - 1] != AT_FDCWD;
	char path[PATH_BYTES];
	uint32_t hash;

	if (user_string(path, arg[i], sizeof(path)) <= 0)
		return;
	/* What is seen from elsewhere has no name that would mean anything outside. */
	if (path[0] != '/' && (at || moved))
		return;
	hash = hash_of(path);
	if (seen[hash % SEEN] == hash)
		return;
	seen[hash % SEEN] = hash;
	tell("missing", path);
}

static void look_at_paths(const struct row *row, const uint64_t *arg)
{
	for (unsigned i = 0; i < ARGUMENTS; i++)
		if (row->kinds[i] == PATH)
			tell_missing(row, arg, i);
}

/* --- what a call says about features --- */

/* Devices and /proc can be written to without tmp. */
static bool is_changeable(int fd)
{
	struct file *f = fd_get(fd);
	char path[64];
	int length;

	if (!f || !f->ops->path)
		return false;
	length = f->ops->path(f, path, sizeof(path));
	if (length < 0) /* it is longer */
		return true;
	return strncmp(path, "/proc/", 6) != 0 &&
		(strncmp(path, "/dev/", 5) != 0 || strncmp(path, "/dev/shm/", 9) == 0);
}

static bool has_opened_to_change(unsigned nr, const uint64_t *arg, int64_t result)
{
	uint64_t flags = nr == __NR_open ? arg[1] : nr == __NR_openat ? arg[2] : O_WRONLY;

	return (flags & (O_CREAT | O_ACCMODE | __O_TMPFILE)) && is_changeable((int)result);
}

/* Calls that change names and attributes, and have succeeded. */
static bool changes(unsigned nr, const uint64_t *arg, int64_t result)
{
	switch (nr) {
	case __NR_open:
	case __NR_openat:
	case __NR_creat:
		return has_opened_to_change(nr, arg, result);
	case __NR_ftruncate:
	case __NR_fallocate:
	case __NR_fchmod:
	case __NR_fchown:
		return is_changeable((int)arg[0]);
	case __NR_truncate:
	case __NR_rename:
	case __NR_renameat:
	case __NR_renameat2:
	case __NR_mkdir:
	case __NR_mkdirat:
	case __NR_rmdir:
	case __NR_link:
	case __NR_linkat:
	case __NR_unlink:
	case __NR_unlinkat:
	case __NR_symlink:
	case __NR_symlinkat:
	case __NR_mknod:
	case __NR_mknodat:
	case __NR_chmod:
	case __NR_fchmodat:
	case __NR_chown:
	case __NR_lchown:
	case __NR_fchownat:
	case __NR_utime:
	case __NR_utimes:
	case __NR_futimesat:
	case __NR_utimensat:
		return true;
	default:
		return false;
	}
}

/*
 * Calls that a program makes without counting on them. Handlers, masks and stacks for signals matter only if a signal comes, and
 * in a guest of one process it comes from the program's own calls, which count.
 */
static bool is_soft(unsigned nr, const uint64_t *arg, int64_t result)
{
	char first;

	switch (nr) {
	case __NR_rt_sigaction:
	case __NR_rt_sigprocmask:
	case __NR_sigaltstack:
	case __NR_set_robust_list:
	case __NR_readlink:
	case __NR_readlinkat:
	case __NR_umask:
		return true;
	case __NR_access:
	case __NR_faccessat:
		return result < 0;
	/* The C library asks a daemon for names of users, and lives without an answer. */
	case __NR_socket:
		return arg[0] == AF_UNIX;
	case __NR_connect:
		return result < 0 && result != -ENOSYS;
	case __NR_newfstatat: /* fstat, as the C library makes it */
		return !user_copy_from(&first, (const void *)arg[1], 1) && !first;
	default:
		return false;
	}
}

static void look_at_features(unsigned nr, const uint64_t *arg, int64_t result)
{
	const struct row *row = &rows[nr];
	bool absent = row->state == ABSENT;

	if ((nr == __NR_fork || nr == __NR_vfork || nr == __NR_clone || nr == __NR_clone3) &&
		result == -ENOSYS && !fork_told) {
		fork_told = true;
		tell("lacks", "fork");
	}
	if (!absent || row->feature == net)
		tell_feature(row->feature, is_soft(nr, arg, result), absent);
	if (result >= 0 && changes(nr, arg, result))
		tell_feature(tmp, false, false);
	if (result >= 0 && (nr == __NR_chdir || nr == __NR_fchdir))
		moved = true;
}

/* --- servers --- */

static void look_at_server(unsigned nr, const uint64_t *arg)
{
	uint8_t address[4]; /* family, port */
	char port[8];

	if (nr == __NR_bind && !user_copy_from(address, (const void *)arg[1], sizeof(address)) &&
		(address[0] == AF_INET || address[0] == AF_INET6))
		bound_port = (unsigned)address[2] << 8 | address[3];
	if (nr != __NR_listen || !bound_port || listens)
		return;
	listens = true;
	ksnprintf(port, sizeof(port), "%u", bound_port);
	tell("listens", port);
}

static bool waits(unsigned nr)
{
	switch (nr) {
	case __NR_accept:
	case __NR_accept4:
	case __NR_poll:
	case __NR_ppoll:
	case __NR_select:
	case __NR_pselect6:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
		return true;
	default:
		return false;
	}
}

static int64_t watched_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t arg[ARGUMENTS] = {a, b, c, d, e, f};
	unsigned nr = (uint32_t)current->frame->orig_rax;
	int64_t result;

	if (listens && waits(nr)) {
		look_at_features(nr, arg, 0);
		program_exit(0, 0);
	}
	result = table_get()[nr](a, b, c, d, e, f);
	if (nr >= array_size(rows))
		return result;
	look_at_features(nr, arg, result);
	if (result >= 0)
		look_at_server(nr, arg);
	if (result == -ENOENT)
		look_at_paths(&rows[nr], arg);
	return result;
}

static void watch_init(void)
{
	table_wrap(watched_call);
}

static const struct feature_call no_calls[] = {};
FEATURE(watch, "", watch_init, no_calls);
