/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering, the part that walks the host's file system: see gather.h. */
#include "image/gather.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40
/* A directory tree that is given by mistake ("--file /") should end before it fills memory and disk. */
#define NODES_MAX 2000000

int gather_init(struct gather *g, const struct gather_options *options, struct df_err *err)
{
	int error;

	*g = (struct gather){.options = *options, .err = err};
	error = tree_init(&g->tree);
	if (error)
		return df_err_set(err, error, "gathering files failed: %s", df_errno_text(error));
	return 0;
}

void gather_deinit(struct gather *g)
{
	for (size_t i = 0; i < g->watch_count; i++)
		free(g->watches[i].path);
	for (size_t i = 0; i < g->library_count; i++)
		free(g->libraries[i]);
	for (size_t i = 0; i < g->missing_count; i++) {
		free(g->missing[i]);
		free(g->missing_for[i]);
	}
	free(g->watches);
	free(g->libraries);
	free(g->missing);
	free(g->missing_for);
	free(g->interpreter);
	free(g->elf_program);
	df_map_deinit(&g->watched);
	df_map_deinit(&g->library_known);
	tree_deinit(&g->tree);
	*g = (struct gather){0};
}

struct watch watch_of(const struct stat *from)
{
	return (struct watch){
		.device = from->st_dev,
		.inode = from->st_ino,
		.size = (uint64_t)from->st_size,
		.mtime_ns = (int64_t)from->st_mtim.tv_sec * 1000000000 + from->st_mtim.tv_nsec,
		.mode = from->st_mode,
	};
}

int gather_watch(struct gather *g, const char *path, const struct stat *now)
{
	struct watch watch = {0};

	if (df_map_get(&g->watched, path))
		return 0;
	if (df_array_reserve(&g->watches, &g->watch_capacity, g->watch_count + 1, sizeof(watch)) <
		0)
		return -ENOMEM;
	if (now)
		watch = watch_of(now);
	watch.path = strdup(path);
	if (!watch.path)
		return -ENOMEM;
	g->watches[g->watch_count++] = watch;
	return df_map_put(&g->watched, watch.path, watch.path);
}

static char *read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target));

	if (length < 0)
		return NULL;
	if ((size_t)length == sizeof(target)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return strndup(target, (size_t)length);
}

/* A walk along a host path: `at` is what is resolved, `rest` what is still to go. */
struct walk {
	struct gather *g;
	enum watch_level level;
	struct df_str at;
	char *rest; /* owned */
	const char *next;
	int links;
	struct stat now; /* what `at` is, unless it is "" */
};

static int walk_link(struct walk *walk, size_t parent_length)
{
	const char *path = df_str_text(&walk->at);
	DF_FREE char *target = read_link(path);
	char *joined;
	int error;

	if (!target)
		return -errno;
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	error = tree_add_link(&walk->g->tree, path, &walk->now, target);
	if (!error && walk->level == WATCH_ALL)
		error = gather_watch(walk->g, path, &walk->now);
	if (error)
		return error;
	joined = df_path_join(target, walk->next);
	if (!joined)
		return -ENOMEM;
	free(walk->rest);
	walk->rest = joined;
	walk->next = joined;
	df_str_cut(&walk->at, *target == '/' ? 0 : parent_length);
	return 0;
}

/* Adds what the walk has arrived at. */
static int walk_step(struct walk *walk, size_t parent_length)
{
	const char *path = df_str_text(&walk->at);
	int error;

	if (walk->at.failed)
		return -ENOMEM;
	if (lstat(path, &walk->now) < 0)
		return -errno;
	if (S_ISLNK(walk->now.st_mode))
		return walk_link(walk, parent_length);
	if (S_ISDIR(walk->now.st_mode))
		return tree_add_dir(&walk->g->tree, path, &walk->now);
	if (walk->next[strspn(walk->next, "/")] != '\0')
		return -ENOTDIR;
	if (!S_ISREG(walk->now.st_mode))
		return -EINVAL;
	error = tree_add_file(&walk->g->tree, path, &walk->now, path);
	if (!error && walk->level == WATCH_ALL)
		error = gather_watch(walk->g, path, &walk->now);
	return error;
}

static int walk_all(struct walk *walk)
{
	while (*walk->next) {
		size_t length = strcspn(walk->next, "/"), parent_length = walk->at.length;
		const char *part = walk->next;
		int error;

		walk->next += length;
		while (*walk->next == '/')
			walk->next++;
		if (length == 0 || (length == 1 && *part == '.'))
			continue;
		if (length == 2 && memcmp(part, "..", 2) == 0) {
			const char *slash = strrchr(df_str_text(&walk->at), '/');

			df_str_cut(&walk->at, slash ? (size_t)(slash - walk->at.data) : 0);
			if (stat(walk->at.length ? walk->at.data : "/", &walk->now) < 0)
				return -errno;
			continue;
		}
		df_str_add(&walk->at, "/");
		df_str_add_bytes(&walk->at, part, length);
		error = walk_step(walk, parent_length);
		if (error)
			return error;
	}
	return 0;
}

int gather_host_path(struct gather *g, const char *path, enum watch_level level, char **real,
	struct stat *now)
{
	struct walk walk = {.g = g, .level = level, .at = DF_STR_EMPTY};
	int error;

	walk.rest = strdup(path);
	if (!walk.rest)
		return -ENOMEM;
	walk.next = walk.rest;
	error = stat("/", &walk.now) < 0 ? -errno : walk_all(&walk);
	free(walk.rest);
	if (!error && real) {
		if (walk.at.length == 0)
			df_str_add(&walk.at, "/");
		*real = df_str_take(&walk.at);
		if (!*real)
			error = -ENOMEM;
	}
	if (!error && now)
		*now = walk.now;
	df_str_deinit(&walk.at);
	return error;
}

static bool skipped(const struct gather_tree_options *options, const char *inner, const char *name)
{
	for (const char *const *skip = options->skip; skip && *skip; skip++) {
		bool from_top = **skip == '/';

		if (fnmatch(*skip, from_top ? inner : name, from_top ? FNM_PATHNAME : 0) == 0)
			return true;
	}
	return false;
}

static int contents_failed(struct gather *g, int error, const char *host)
{
	return df_err_set(g->err, error, "adding %s failed: %s", host, df_errno_text(error));
}

static int add_directory(struct gather *g, const char *host, const char *guest, const char *inner,
	const struct gather_tree_options *options);

/* A link inside a tree. With follow_links, a link out of the tree brings what it leads to. */
static int add_inner_link(struct gather *g, const char *host, const char *guest,
	const struct stat *now, const struct gather_tree_options *options)
{
	DF_FREE char *target = read_link(host);
	int error;

	if (!target)
		return -errno;
	error = tree_add_link(&g->tree, guest, now, target);
	if (error || !options->follow_links || strcmp(host, guest) != 0)
		return error;
	/* A dangling link is the host's own affair. */
	error = gather_host_path(g, host, WATCH_NOTHING, NULL, NULL);
	return error == -ENOMEM ? error : 0;
}

static int add_one(struct gather *g, const char *host, const char *guest, const char *inner,
	const struct gather_tree_options *options)
{
	struct stat now;
	int error;

	if (g->tree.count > NODES_MAX)
		return df_err_set(g->err, -E2BIG,
			"more than %d files would be packed; was the whole system meant?",
			NODES_MAX);
	if (lstat(host, &now) < 0)
		return options->skip_unreadable ? 0 : contents_failed(g, -errno, host);
	if (S_ISDIR(now.st_mode)) {
		error = tree_add_dir(&g->tree, guest, &now);
		if (error)
			return contents_failed(g, error, host);
		return add_directory(g, host, guest, inner, options);
	}
	if (S_ISLNK(now.st_mode)) {
		error = add_inner_link(g, host, guest, &now, options);
	} else if (S_ISREG(now.st_mode)) {
		if (access(host, R_OK) < 0)
			return options->skip_unreadable ? 0 : contents_failed(g, -errno, host);
		error = tree_add_file(&g->tree, guest, &now, host);
	} else {
		return 0; /* sockets, pipes and devices mean nothing elsewhere */
	}
	if (!error && options->level == WATCH_ALL)
		error = gather_watch(g, host, &now);
	return error ? contents_failed(g, error, host) : 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(struct gather *g, const char *host, const char *guest, const char *inner,
	const struct gather_tree_options *options)
{
	struct dirent **names = NULL;
	struct stat now;
	int count, error = 0;

	/* The time is taken before the names are read: what comes in between is seen as a change later. */
	if (stat(host, &now) < 0)
		return contents_failed(g, -errno, host);
	count = scandir(host, &names, NULL, by_name);
	if (count < 0)
		return options->skip_unreadable && errno == EACCES
			? 0
			: contents_failed(g, -errno, host);
	if (options->level != WATCH_NOTHING)
		error = gather_watch(g, host, &now);
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (!error && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			DF_FREE char *host_child = df_path_join(host, name);
			DF_FREE char *guest_child = df_path_join(guest, name);
			DF_FREE char *inner_child = df_path_join(inner, name);

			if (!host_child || !guest_child || !inner_child)
				error = contents_failed(g, -ENOMEM, host);
			else if (!skipped(options, inner_child, name))
				error = add_one(g, host_child, guest_child, inner_child, options);
		}
		free(names[i]);
	}
	free(names);
	return error;
}

int gather_contents(struct gather *g, const char *host, const char *guest,
	const struct gather_tree_options *options)
{
	return add_directory(g, host, guest, "/", options);
}

int gather_root(struct gather *g, const char *dir)
{
	const struct gather_tree_options all = {.level = WATCH_ALL};
	static const char *const mount_points[] = {"/dev", "/proc", "/tmp"};
	struct stat now;
	int error;

	if (stat(dir, &now) < 0)
		return df_err_set(g->err, -errno, "the root %s cannot be used: %s", dir,
			df_errno_text(errno));
	error = tree_add_dir(&g->tree, "/", &now);
	if (!error)
		error = gather_contents(g, dir, "/", &all);
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]) && !error; i++) {
		error = tree_ensure_dir(&g->tree, mount_points[i], i == 2 ? 01777 : 0755);
		if (error)
			df_err_set(g->err, error, "adding %s to the root failed: %s",
				mount_points[i], df_errno_text(error));
	}
	return error;
}

/* Where `guest` really lies in the tree so far, with the directories above it made. */
static int place_for(struct gather *g, const char *guest, char **real)
{
	DF_FREE char *place = tree_resolve(&g->tree, guest);
	int error;

	if (!place)
		return -errno;
	error = tree_add_parents(&g->tree, place);
	if (!error)
		*real = df_take_ptr(&place);
	return error;
}

int gather_file(struct gather *g, const char *host, const char *guest)
{
	const struct gather_tree_options all = {.level = WATCH_ALL};
	DF_FREE char *source = realpath(host, NULL), *place = NULL;
	struct stat link, now;
	int error;

	if (!source || lstat(host, &link) < 0 || stat(source, &now) < 0)
		return df_err_set(g->err, -errno, "--file %s: %s", host, df_errno_text(errno));
	if (!S_ISREG(now.st_mode) && !S_ISDIR(now.st_mode))
		return df_err_set(g->err, -EINVAL,
			"--file %s: it is neither a file nor a directory", host);
	if (access(source, R_OK) < 0)
		return df_err_set(g->err, -errno, "--file %s: %s", host, df_errno_text(errno));
	error = place_for(g, guest, &place);
	if (!error && S_ISLNK(link.st_mode))
		error = gather_watch(g, host, &link);
	if (!error && S_ISDIR(now.st_mode))
		error = tree_add_dir(&g->tree, place, &now);
	else if (!error)
		error = tree_add_file(&g->tree, place, &now, source);
	if (!error && S_ISREG(now.st_mode))
		error = gather_watch(g, source, &now);
	if (error)
		return df_err_set(g->err, error, "--file %s cannot be put at %s: %s", host, guest,
			df_errno_text(error));
	return S_ISDIR(now.st_mode) ? gather_contents(g, source, place, &all) : 0;
}
