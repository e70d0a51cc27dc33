/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots on disk: see snapshot_file.h. */
#include "cli/snapshot_file.h"

#include "base/snapshot.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Root images from here on are copied with a word about it on a terminal. */
#define SLOW_BYTES (256ull << 20)

static int failed(const struct snapshot_file *file, const char *what, struct df_err *err)
{
	return df_err_set(err, -errno, "%s %s failed: %s", what, file->path, df_errno_text(errno));
}

int snapshot_file_create(struct snapshot_file *file, const char *path, struct df_err *err)
{
	DF_FREE char *directory = df_dir_name(path);
	struct stat now;

	*file = SNAPSHOT_FILE_NONE;
	file->path = path;
	if (!directory)
		return df_err_set(err, -ENOMEM, "out of memory");
	/* Replacing a file is what is asked for, replacing a device or a directory never is. */
	if (stat(path, &now) == 0 && !S_ISREG(now.st_mode))
		return df_err_set(err, -EEXIST, "%s is there already and is no file", path);
	file->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		file->temporary = df_format("%s.new-XXXXXX", path);
		if (!file->temporary)
			return df_err_set(err, -ENOMEM, "out of memory");
		file->fd = mkostemp(file->temporary, O_CLOEXEC);
		if (file->fd < 0) {
			free(file->temporary);
			file->temporary = NULL;
		}
	}
	return file->fd < 0 ? failed(file, "writing", err) : 0;
}

void snapshot_file_deinit(struct snapshot_file *file)
{
	if (file->temporary)
		unlink(file->temporary);
	free(file->temporary);
	df_cleanup_fd(&file->fd);
	*file = SNAPSHOT_FILE_NONE;
}

/* Gives a file that has no name one, beside where it shall be. */
static int give_name(struct snapshot_file *file)
{
	DF_FREE char *self = df_format("/proc/self/fd/%d", file->fd);

	file->temporary = df_format("%s.new-%d", file->path, (int)getpid());
	if (!self || !file->temporary)
		return -1;
	/* Left behind by a process of that number that was killed just here. */
	(void)unlink(file->temporary);
	return linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW);
}

int snapshot_file_publish(struct snapshot_file *file, struct df_err *err)
{
	if (fsync(file->fd) < 0 || (!file->temporary && give_name(file) < 0) ||
		rename(file->temporary, file->path) < 0)
		return failed(file, "writing", err);
	free(file->temporary);
	file->temporary = NULL;
	return 0;
}

static bool is_zero(const uint8_t *bytes, uint64_t length)
{
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/*
 * In whole large pages, so that the page cache holds the image in large folios (image/erofs.c), and without those
 * that are zero.
 */
static int copy_image(const struct snapshot_file *file, const uint8_t *image, uint64_t bytes,
	uint64_t offset)
{
	bool tell = bytes >= SLOW_BYTES && isatty(STDERR_FILENO);

	for (uint64_t at = 0; at < bytes; at += DF_LARGE_SIZE) {
		uint64_t here = bytes - at < DF_LARGE_SIZE ? bytes - at : DF_LARGE_SIZE;

		if (tell && at % (64 * DF_LARGE_SIZE) == 0)
			dprintf(STDERR_FILENO, "\rcopying the root image: %3u %%",
				(unsigned int)(at * 100 / bytes));
		int error = is_zero(image + at, here)
			? 0
			: df_write_at(file->fd, image + at, here, offset + at);

		if (error)
			return error;
	}
	if (tell)
		dprintf(STDERR_FILENO, "\r\033[K");
	return ftruncate(file->fd, (off_t)(offset + bytes)) < 0 ? -errno : 0;
}

/* The whole file, private: what another changes in it meanwhile may or may not be seen. */
static int map_file(int fd, int protection, int flags, struct df_mapping *map)
{
	struct stat now;
	void *data;

	if (fstat(fd, &now) < 0)
		return -1;
	if (now.st_size == 0)
		return 0;
	data = mmap(NULL, (size_t)now.st_size, protection, flags, fd, 0);
	if (data == MAP_FAILED)
		return -1;
	*map = (struct df_mapping){data, (size_t)now.st_size};
	return 0;
}

static int check_map(const struct df_mapping *map, const char **why)
{
	if (map->data)
		return df_snapshot_check(map->data, map->length, why);
	*why = "not a snapshot: the file is empty";
	return -EINVAL;
}

int snapshot_file_add_root(struct snapshot_file *file, const char *image, struct df_err *err)
{
	DF_CLOSE int image_fd = open(image, O_RDONLY | O_CLOEXEC);
	DF_UNMAP struct df_mapping root = DF_MAPPING_NONE;
	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
	struct df_snapshot *header;
	const char *why;
	uint8_t *bytes;
	int error;

	if (image_fd < 0 || map_file(image_fd, PROT_READ, MAP_PRIVATE, &root) < 0)
		return df_err_set(err, -errno, "%s: %s", image, df_errno_text(errno));
	if (map_file(file->fd, PROT_READ | PROT_WRITE, MAP_SHARED, &map) < 0)
		return failed(file, "reading", err);
	if (check_map(&map, &why))
		return df_err_set(err, -EUCLEAN, "the monitor wrote a snapshot that is none: %s",
			why);
	bytes = map.data;
	header = map.data;
	header->root_offset = (header->file_bytes + DF_LARGE_MASK) & ~DF_LARGE_MASK;
	header->root_bytes = root.length;
	header->root_checksum = df_snapshot_root_checksum(root.data, root.length);
	df_snapshot_seal(header, (const struct df_extent *)(bytes + header->extents_offset),
		(const struct df_page_run *)(bytes + header->learned_offset));
	error = copy_image(file, root.data, root.length, header->root_offset);
	return error
		? df_err_set(err, error, "writing %s failed: %s", file->path, df_errno_text(error))
		: 0;
}
