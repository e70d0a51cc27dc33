/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to an event: see directory.h. */
#include "daemon/trigger/directory.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "host/cleanup.h"
#include "host/json.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAMP_BYTES 80
/* Where nobody can say whether a file is open for writing, one that was not changed for so long is complete. */
#define SETTLED_MS 2000

/* --- names --- */

/* What editors, browsers and copying programs call files that are not finished. */
static bool is_temporary(const char *name)
{
	static const char *const endings[] = {
		"~", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".swp"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (df_ends_with(name, endings[i]))
			return true;
	}
	return *name == '#';
}

/* May a file of this name be an event: not hidden, not temporary, and fitting the pattern? */
static bool name_ok(const char *name, const char *pattern)
{
	return *name && *name != '.' && !is_temporary(name) && fnmatch(pattern, name, 0) == 0;
}

/* --- opening --- */

static int open_by_rules(int fd, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct open_how how = {
		.flags = flags | O_RDONLY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long got = syscall(SYS_openat2, fd, path, &how, sizeof(how));

	return got < 0 ? -errno : (int)got;
}

int directory_open(const char *path, struct df_err *err)
{
	int fd = open_by_rules(AT_FDCWD, path, O_DIRECTORY, 0);
	DF_FREE char *real = fd == -ELOOP ? realpath(path, NULL) : NULL;

	if (fd >= 0)
		return fd;
	if (fd == -ELOOP)
		return df_err_set(err, fd,
			"the way to the directory %s goes through a symbolic link; name the directory itself%s%s",
			path, real ? ": " : "", real ? real : "");
	return df_err_set(err, fd, "the directory %s: %s", path, df_errno_text(fd));
}

/* --- is it complete --- */

static void make_stamp(const struct stat *now, char stamp[STAMP_BYTES])
{
	snprintf(stamp, STAMP_BYTES, "%" PRIu64 " %" PRId64 " %" PRId64 ".%09ld",
		(uint64_t)now->st_ino, (int64_t)now->st_size, (int64_t)now->st_mtim.tv_sec,
		now->st_mtim.tv_nsec);
}

/*
 * Has anyone this file open for writing? The kernel knows: a read lease is given only if not (fcntl(2)). Not for files of others, nor on some network
 * file systems: -1.
 */
static int is_being_written(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? 1 : -1;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return 0;
}

/* Was it changed in the last `ms` milliseconds? */
static bool is_younger(const struct stat *now, int64_t ms)
{
	int64_t changed_ms = (int64_t)now->st_mtim.tv_sec * 1000 + now->st_mtim.tv_nsec / 1000000;
	int64_t wall_ms = (int64_t)clock_wall_ms();

	/* A time that is yet to come says nothing. */
	return changed_ms + ms > wall_ms && changed_ms < wall_ms + ms;
}

static bool is_complete(struct directory *d, int fd, const struct stat *now, bool told)
{
	switch (is_being_written(fd)) {
	case 0:
		return true;
	case 1:
		return false;
	default:
		if (told || !is_younger(now, SETTLED_MS))
			return true;
		d->again = true;
		return false;
	}
}

/* --- what was seen --- */

static void remember(struct directory *d, const char *name, const char *stamp)
{
	g_hash_table_insert(d->seen, g_strdup(name), g_strdup(stamp));
}

/* What will never become an event is not looked at again until it changes. */
static void refuse(struct directory *d, const char *name, const char *stamp, const char *why)
{
	const struct queue_mark mark = {d->trigger->owner, name, stamp};
	DF_FREE char *text = df_format("the file %s is left out: %s", name, why);

	trigger_refuse(d->trigger, text ? text : why);
	remember(d, name, stamp);
	if (queue_mark(async_queue(), &mark, 1))
		trigger_problem(d->trigger, "what was seen cannot be written");
}

void directory_gone(struct directory *d, const char *name)
{
	if (g_hash_table_remove(d->seen, name))
		g_ptr_array_add(d->gone, g_strdup(name));
}

void directory_flush(struct directory *d)
{
	DF_FREE struct queue_mark *marks =
		d->gone->len ? calloc(d->gone->len, sizeof(*marks)) : NULL;

	for (guint i = 0; marks && i < d->gone->len; i++)
		marks[i] = (struct queue_mark){d->trigger->owner, d->gone->pdata[i], NULL};
	if (marks && queue_mark(async_queue(), marks, d->gone->len))
		trigger_problem(d->trigger, "what was seen cannot be written");
	g_ptr_array_set_size(d->gone, 0);
}

/* --- the event --- */

static int put(struct directory *d, const char *name, const struct stat *now, const char *stamp,
	const void *body, struct df_err *err)
{
	bool changed = g_hash_table_contains(d->seen, name);
	const char *point = strrchr(name, '.');
	uint64_t time_ms =
		(uint64_t)now->st_mtim.tv_sec * 1000 + (uint64_t)now->st_mtim.tv_nsec / 1000000;
	DF_FREE char *identity = df_format("%s/%s", stamp, name);
	DF_FREE char *stem =
		point && point > name ? strndup(name, (size_t)(point - name)) : strdup(name);
	DF_STR struct df_str json = DF_STR_EMPTY;
	char size[24], time[CLOCK_TEXT_BYTES];
	const char *const more[] = {
		"directory", d->path, "name", name, "stem", stem, "size", size, NULL};
	struct trigger_event event = {
		.identity = identity,
		.type = changed ? "dayfly.file.changed" : "dayfly.file.created",
		.subject = name,
		.time_ms = time_ms,
		.content_type = d->content ? "application/octet-stream" : "application/json",
		.more = more,
		.body = body,
		.body_bytes = (size_t)now->st_size,
		.key = name,
		.value = stamp,
	};

	if (!identity || !stem)
		return df_err_set(err, -ENOMEM, "out of memory");
	snprintf(size, sizeof(size), "%" PRId64, (int64_t)now->st_size);
	if (!d->content) {
		df_json_open(&json, NULL, '{');
		df_json_text(&json, "directory", d->path);
		df_json_text(&json, "name", name);
		df_json_number(&json, "size", (uint64_t)now->st_size);
		df_json_text(&json, "modified", clock_text(time_ms, time));
		df_json_text(&json, "what", changed ? "changed" : "created");
		df_json_close(&json, '}');
		event.body = df_str_text(&json);
		event.body_bytes = json.length;
	}
	return trigger_put(d->trigger, &event, err);
}

/* All of it, or -errno; -ESTALE: it is not as long as it was. */
static int read_whole(int fd, char *into, size_t length)
{
	char more;

	while (length > 0) {
		ssize_t got = read(fd, into, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -ESTALE;
		into += got;
		length -= (size_t)got;
	}
	return read(fd, &more, 1) == 0 ? 0 : -ESTALE;
}

/* Reads the file if its bytes are wanted. *body is to be freed. -ESTALE: it changed meanwhile. */
static int read_file(const struct directory *d, int fd, const struct stat *before, char **body)
{
	struct stat after;
	int error;

	if (!d->content)
		return 0;
	*body = malloc((size_t)before->st_size + 1);
	if (!*body)
		return -ENOMEM;
	error = read_whole(fd, *body, (size_t)before->st_size);
	if (error)
		return error;
	if (fstat(fd, &after) < 0)
		return -errno;
	return after.st_size == before->st_size && after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
			after.st_mtim.tv_nsec == before->st_mtim.tv_nsec
		? 0
		: -ESTALE;
}

/* Attributes, one of which is the name, have none. */
static bool has_controls(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return true;
	}
	return false;
}

static void take_file(struct directory *d, int fd, const char *name, const struct stat *now,
	const char *stamp)
{
	DF_FREE char *body = NULL;
	struct df_err err = {0};
	int error;

	if (has_controls(name)) {
		refuse(d, name, stamp, "its name has control characters");
		return;
	}
	if (d->content && (uint64_t)now->st_size > d->trigger->body_max) {
		(void)df_err_set(&err, -EFBIG,
			"it has %" PRId64 " bytes, and limits.request allows %" PRIu64,
			(int64_t)now->st_size, d->trigger->body_max);
		refuse(d, name, stamp, err.text);
		return;
	}
	error = read_file(d, fd, now, &body);
	if (error == -ESTALE || error == -ENOMEM) {
		d->again = true;
		return;
	}
	if (error) {
		refuse(d, name, stamp, df_errno_text(error));
		return;
	}
	error = put(d, name, now, stamp, body, &err);
	if (!error || error == -EEXIST) {
		remember(d, name, stamp);
		trigger_problem(d->trigger, NULL);
	} else if (error == -EFBIG || error == -EINVAL) {
		refuse(d, name, stamp, err.text);
	} else {
		trigger_problem(d->trigger, err.text);
		d->full = d->again = true;
	}
}

/* A file that we may not open. */
static void refuse_closed(struct directory *d, const char *name, int error)
{
	char stamp[STAMP_BYTES];
	const char *before = g_hash_table_lookup(d->seen, name);
	struct stat now;

	if (fstatat(d->fd, name, &now, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(now.st_mode))
		return;
	make_stamp(&now, stamp);
	if (!before || strcmp(before, stamp) != 0)
		refuse(d, name, stamp, df_errno_text(error));
}

/* Looks at a file and puts its event if it was not seen as it is now. `complete`: somebody has just closed it, or moved it here. */
static void take(struct directory *d, const char *name, bool complete)
{
	DF_CLOSE int fd = -1;
	char stamp[STAMP_BYTES];
	const char *before;
	struct stat now;

	if (!name_ok(name, d->pattern))
		return;
	if (d->full) {
		d->again = true;
		return;
	}
	directory_flush(d);
	fd = open_by_rules(d->fd, name, O_NONBLOCK | O_NOCTTY, RESOLVE_BENEATH);
	if (fd == -EACCES || fd == -EPERM) {
		refuse_closed(d, name, fd);
		return;
	}
	/* It is gone again, or a link. */
	if (fd < 0 || fstat(fd, &now) < 0 || !S_ISREG(now.st_mode))
		return;
	make_stamp(&now, stamp);
	before = g_hash_table_lookup(d->seen, name);
	if (before && strcmp(before, stamp) == 0)
		return;
	if (is_younger(&now, DIRECTORY_YOUNG_MS))
		directory_put_off(d, name, complete);
	else if (is_complete(d, fd, &now, complete))
		take_file(d, fd, name, &now, stamp);
}

void directory_put_off(struct directory *d, const char *name, bool complete)
{
	if (name_ok(name, d->pattern))
		g_hash_table_insert(d->young, g_strdup(name), GINT_TO_POINTER(complete));
}

void directory_take_young(struct directory *d)
{
	GHashTable *young = d->young;
	GHashTableIter at;
	gpointer name, complete;

	d->young = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_hash_table_iter_init(&at, young);
	while (!__atomic_load_n(d->stopping, __ATOMIC_RELAXED) &&
		g_hash_table_iter_next(&at, &name, &complete))
		take(d, name, GPOINTER_TO_INT(complete));
	g_hash_table_destroy(young);
}

/* --- all of them --- */

static gboolean is_gone(gpointer name, gpointer stamp, gpointer user)
{
	struct directory *d = user;
	struct stat now;

	(void)stamp;
	if (fstatat(d->fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return FALSE;
	g_ptr_array_add(d->gone, g_strdup(name));
	return TRUE;
}

void directory_scan(struct directory *d)
{
	DF_CLOSE int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DF_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		trigger_problem(d->trigger, "the directory cannot be read");
		d->again = true;
		return;
	}
	(void)df_take_fd(&fd);
	d->full = false;
	(void)g_hash_table_foreach_remove(d->seen, is_gone, d);
	directory_flush(d);
	while (!__atomic_load_n(d->stopping, __ATOMIC_RELAXED) && !d->full &&
		(entry = readdir(dir)))
		take(d, entry->d_name, false);
}
