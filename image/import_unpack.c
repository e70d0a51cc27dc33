/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking hostile tar archives: see import_unpack.h. */
#include "image/import_unpack.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/map.h"
#include "host/path.h"
#include "host/str.h"
#include "host/write.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK_BYTES (256u << 10)
#define PATH_BYTES_MAX 4095
#define DEPTH_MAX \
	64 /* of directories; each level of removing holds a descriptor less than the limit */
#define REMOVE_DEPTH_MAX 40
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

/* One archive. */
struct layer {
	struct unpack *u;
	struct archive *archive;
	int fd;
	char *block;
	/* Paths that this archive brought, with the directories above them: a whiteout concerns lower layers only. */
	struct df_map brought;
	char **paths;
	size_t path_count, path_capacity;
};

int open_inside(int root, const char *path, int flags, unsigned int mode)
{
	const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int fail(const struct layer *l, int error, const char *path, const char *why)
{
	return df_err_set(l->u->err, error, "%s: %.200s%s%s", l->u->what, path, *path ? ": " : "",
		why);
}

static int fail_errno(const struct layer *l, const char *path)
{
	int error = -errno;

	return fail(l, error, path, df_errno_text(error));
}

/* --- names --- */

/*
 * The path of an entry, cleaned, in a new string: "" for the top. NULL with *err set when it is refused. Tools write "./etc", "etc/"; "/etc"
 * and ".." are no mistakes.
 */
static char *good_path(const struct layer *l, const char *path)
{
	char *copy;
	unsigned int depth = 0;

	if (!path || strlen(path) > PATH_BYTES_MAX || *path == '/') {
		fail(l, -EINVAL, path ? path : "", "refused: not a relative path");
		return NULL;
	}
	for (const char *part = path; *part; part += strspn(part, "/"), depth++) {
		size_t length = strcspn(part, "/");

		if (length == 2 && memcmp(part, "..", 2) == 0) {
			fail(l, -EINVAL, path, "refused: \"..\" in a path");
			return NULL;
		}
		part += length;
	}
	if (depth > DEPTH_MAX) {
		fail(l, -EINVAL, path, "refused: too many directories in a path");
		return NULL;
	}
	copy = strdup(path);
	if (!copy) {
		fail(l, -ENOMEM, path, df_errno_text(ENOMEM));
		return NULL;
	}
	df_path_clean(copy);
	if (strcmp(copy, ".") == 0)
		*copy = '\0';
	return copy;
}

/* Remembers a path and the directories above it. */
static int remember(struct layer *l, const char *path)
{
	DF_FREE char *rest = strdup(path);
	char *slash;

	while (rest && *rest && !df_map_get(&l->brought, rest)) {
		char *kept = strdup(rest);

		if (!kept ||
			df_array_reserve(&l->paths, &l->path_capacity, l->path_count + 1,
				sizeof(*l->paths)) < 0) {
			free(kept);
			return -ENOMEM;
		}
		l->paths[l->path_count++] = kept;
		if (df_map_put(&l->brought, kept, kept) < 0)
			return -ENOMEM;
		slash = strrchr(rest, '/');
		*(slash ? slash : rest) = '\0';
	}
	return rest ? 0 : -ENOMEM;
}

/* --- directories --- */

/* Opens the directory above the last part of a path, made where it is missing. Returns a descriptor or -errno with *err set. */
static int open_parent(const struct layer *l, const char *path)
{
	const char *end = strrchr(path, '/');
	DF_FREE char *dir = NULL;
	int fd;

	if (!end)
		return open_inside(l->u->root, ".", O_RDONLY | O_DIRECTORY, 0);
	dir = strndup(path, (size_t)(end - path));
	if (!dir)
		return fail(l, -ENOMEM, path, df_errno_text(ENOMEM));
	fd = open_inside(l->u->root, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		DF_CLOSE int above = open_parent(l, dir);

		if (above < 0)
			return above;
		if (mkdirat(above, df_base_name(dir), 0755) < 0)
			return fail_errno(l, dir);
		fd = open_inside(l->u->root, dir, O_RDONLY | O_DIRECTORY, 0);
	}
	return fd < 0 ? fail(l, fd, dir, df_errno_text(fd)) : fd;
}

static int remove_below(const struct layer *l, int dir, const char *name, const char *path,
	bool lower_only, unsigned int depth);

/* Empties an open directory; takes `fd`. With `lower_only`, what this archive brought stays. */
static int empty_directory(const struct layer *l, int fd, const char *path, bool lower_only,
	unsigned int depth)
{
	DF_CLOSEDIR DIR *dir = fdopendir(fd);
	int error = 0;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	for (struct dirent *entry; error == 0 && (entry = readdir(dir));) {
		DF_FREE char *below = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		below = *path ? df_path_join(path, entry->d_name) : strdup(entry->d_name);
		error = below
			? remove_below(l, dirfd(dir), entry->d_name, below, lower_only, depth + 1)
			: -ENOMEM;
	}
	return error;
}

/* Removes an entry of the directory `dir`, with all below it. Links are removed, not followed. Missing: fine. */
static int remove_below(const struct layer *l, int dir, const char *name, const char *path,
	bool lower_only, unsigned int depth)
{
	bool keep = lower_only && df_map_get(&l->brought, path);
	struct stat now;
	int fd, error;

	if (fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(now.st_mode))
		return keep || unlinkat(dir, name, 0) == 0 ? 0 : -errno;
	if (depth > REMOVE_DEPTH_MAX)
		return -ELOOP;
	fd = open_inside(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	error = empty_directory(l, fd, path, lower_only, depth);
	if (error < 0 || keep)
		return error;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* --- whiteouts --- */

static int whiteout(const struct layer *l, int parent, const char *path, const char *name)
{
	DF_FREE char *dir = df_dir_name(path), *hidden = NULL;
	const char *above = dir && strcmp(dir, ".") != 0 ? dir : "";
	int error;

	if (!dir)
		return fail(l, -ENOMEM, path, df_errno_text(ENOMEM));
	if (strcmp(name, OPAQUE) == 0) {
		int fd = open_inside(parent, ".", O_RDONLY | O_DIRECTORY, 0);

		error = fd < 0 ? fd : empty_directory(l, fd, above, true, 0);
	} else {
		name += strlen(WHITEOUT);
		if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			df_starts_with(name, WHITEOUT))
			return fail(l, -EINVAL, path, "refused: a whiteout of nothing");
		hidden = *above ? df_path_join(above, name) : strdup(name);
		error = hidden ? remove_below(l, parent, name, hidden, true, 0) : -ENOMEM;
	}
	return error < 0 ? fail(l, error, path, df_errno_text(error)) : 0;
}

/* --- entries --- */

static int read_failed(const struct layer *l, const char *path)
{
	const char *why = archive_error_string(l->archive);

	return fail(l, archive_errno(l->archive) == ENOMEM ? -ENOMEM : -EINVAL, path,
		why ? why : "the archive is damaged");
}

static int write_data(struct layer *l, int fd, const char *path, uint64_t size)
{
	for (;;) {
		const void *bytes;
		size_t length;
		la_int64_t offset;
		int result = archive_read_data_block(l->archive, &bytes, &length, &offset);
		int error;

		if (result == ARCHIVE_EOF)
			break;
		if (result != ARCHIVE_OK)
			return read_failed(l, path);
		if (offset < 0 || (uint64_t)offset > size || length > size - (uint64_t)offset)
			return fail(l, -EINVAL, path, "refused: more data than its header says");
		error = df_write_at(fd, bytes, length, (uint64_t)offset);
		if (error < 0)
			return fail(l, error, path, df_errno_text(error));
	}
	/* Holes at the end of a sparse file. */
	return ftruncate(fd, (off_t)size) < 0 ? fail_errno(l, path) : 0;
}

static void set_times(int fd, struct archive_entry *entry)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)}};

	/* A time that the file system cannot hold is no reason to fail. */
	(void)!futimens(fd, times);
}

static int make_file(struct layer *l, struct archive_entry *entry, int parent, const char *path)
{
	la_int64_t size = archive_entry_size(entry);
	DF_CLOSE int fd = -1;
	int error;

	if (size < 0)
		return fail(l, -EINVAL, path, "refused: a file of negative size");
	if ((uint64_t)size > l->u->bytes_max - l->u->bytes)
		return fail(l, -EFBIG, path, "refused: all files together are larger than allowed");
	l->u->bytes += (uint64_t)size;
	fd = open_inside(parent, df_base_name(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
		0600);
	if (fd < 0)
		return fail(l, fd, path, df_errno_text(fd));
	error = write_data(l, fd, path, (uint64_t)size);
	if (error < 0)
		return error;
	/* Set-id bits would be for users of this host; readable for whoever packs it. */
	if (fchmod(fd, (archive_entry_perm(entry) & 0777) | 0400) < 0)
		return fail_errno(l, path);
	set_times(fd, entry);
	return 0;
}

/* A directory over a directory keeps its contents. */
static int make_dir(const struct layer *l, struct archive_entry *entry, int parent,
	const char *path)
{
	DF_CLOSE int fd = -1;

	if (mkdirat(parent, df_base_name(path), 0755) < 0 && errno != EEXIST)
		return fail_errno(l, path);
	fd = open_inside(parent, df_base_name(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return fail(l, fd, path, df_errno_text(fd));
	if (fchmod(fd, (archive_entry_perm(entry) & 01777) | 0700) < 0)
		return fail_errno(l, path);
	return 0;
}

static int make_hard_link(const struct layer *l, const char *target, int parent, const char *path)
{
	DF_FREE char *from = good_path(l, target);
	DF_CLOSE int from_parent = -1;
	struct stat now;

	if (!from)
		return -EINVAL;
	from_parent = open_parent(l, from);
	if (from_parent < 0)
		return from_parent;
	if (!*from || fstatat(from_parent, df_base_name(from), &now, AT_SYMLINK_NOFOLLOW) < 0 ||
		S_ISDIR(now.st_mode))
		return fail(l, -EINVAL, path, "refused: a hard link to what is no file here");
	if (linkat(from_parent, df_base_name(from), parent, df_base_name(path), 0) < 0)
		return fail_errno(l, path);
	return 0;
}

static int make_link(const struct layer *l, const char *target, int parent, const char *path)
{
	if (!target || !*target || strlen(target) > PATH_BYTES_MAX)
		return fail(l, -EINVAL, path, "refused: a symbolic link to nothing");
	return symlinkat(target, parent, df_base_name(path)) < 0 ? fail_errno(l, path) : 0;
}

/* Makes room for an entry: what stands there goes, but a directory for a directory. */
static int clear_place(const struct layer *l, struct archive_entry *entry, int parent,
	const char *path)
{
	struct stat now;
	int error;

	if (fstatat(parent, df_base_name(path), &now, AT_SYMLINK_NOFOLLOW) < 0 ||
		(S_ISDIR(now.st_mode) && archive_entry_filetype(entry) == AE_IFDIR &&
			!archive_entry_hardlink(entry)))
		return 0;
	error = remove_below(l, parent, df_base_name(path), path, false, 0);
	return error < 0 ? fail(l, error, path, df_errno_text(error)) : 0;
}

static int make_entry(struct layer *l, struct archive_entry *entry, int parent, const char *path)
{
	const char *hard_link = archive_entry_hardlink(entry);
	int error = clear_place(l, entry, parent, path);

	if (error < 0)
		return error;
	if (hard_link)
		return make_hard_link(l, hard_link, parent, path);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return make_file(l, entry, parent, path);
	case AE_IFDIR:
		return make_dir(l, entry, parent, path);
	case AE_IFLNK:
		return make_link(l, archive_entry_symlink(entry), parent, path);
	default:
		l->u->skipped++;
		return 0;
	}
}

static int unpack_entry(struct layer *l, struct archive_entry *entry)
{
	DF_FREE char *path = good_path(l, archive_entry_pathname(entry));
	DF_CLOSE int parent = -1;
	const char *name;
	int error;

	if (!path)
		return -EINVAL;
	if (++l->u->files > l->u->files_max)
		return fail(l, -EFBIG, "", "refused: more files than allowed");
	if (!*path)
		return 0; /* the top is there already */
	parent = open_parent(l, path);
	if (parent < 0)
		return parent;
	name = df_base_name(path);
	if (l->u->whiteouts && df_starts_with(name, WHITEOUT))
		return whiteout(l, parent, path, name);
	error = make_entry(l, entry, parent, path);
	if (error == 0 && l->u->whiteouts && remember(l, path) < 0)
		error = fail(l, -ENOMEM, path, df_errno_text(ENOMEM));
	return error;
}

/* --- archives --- */

static la_ssize_t read_block(struct archive *archive, void *context, const void **bytes)
{
	struct layer *l = context;
	ssize_t n;

	do
		n = read(l->fd, l->block, BLOCK_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(archive, errno, "%s", df_errno_text(errno));
	*bytes = l->block;
	return n;
}

static int unpack_all(struct layer *l)
{
	struct archive *a = l->archive;
	struct archive_entry *entry;
	int result, error = 0;

	/* tar in three wrappings, and nothing else that libarchive could do. */
	if (archive_read_support_format_tar(a) < ARCHIVE_WARN ||
		archive_read_support_format_empty(a) < ARCHIVE_WARN ||
		archive_read_support_filter_gzip(a) < ARCHIVE_WARN ||
		archive_read_support_filter_zstd(a) < ARCHIVE_WARN ||
		archive_read_open(a, l, NULL, read_block, NULL) < ARCHIVE_WARN)
		return read_failed(l, "");
	while (error == 0) {
		result = archive_read_next_header(a, &entry);
		if (result == ARCHIVE_EOF)
			return 0;
		/* A warning is about a name in another character set, say: the entry is good. */
		if (result < ARCHIVE_WARN)
			return read_failed(l, "");
		error = unpack_entry(l, entry);
	}
	return error;
}

int unpack_archive(struct unpack *u, int fd)
{
	struct layer l = {.u = u, .fd = fd, .brought = DF_MAP_EMPTY};
	int error = -ENOMEM;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail_errno(&l, "");
	l.archive = archive_read_new();
	l.block = malloc(BLOCK_BYTES);
	if (l.archive && l.block)
		error = unpack_all(&l);
	else
		fail(&l, error, "", df_errno_text(ENOMEM));
	archive_read_free(l.archive);
	free(l.block);
	df_map_deinit(&l.brought);
	for (size_t i = 0; i < l.path_count; i++)
		free(l.paths[i]);
	free(l.paths);
	return error;
}
