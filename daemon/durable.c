/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are there whole or not at all: see durable.h. */
#include "daemon/durable.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

static int fill(int directory_fd, const char *name, const void *bytes, size_t length)
{
	DF_CLOSE int fd = openat(directory_fd, name,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return -errno;
	error = df_write(fd, bytes, length);
	if (error == 0 && fsync(fd) < 0)
		error = -errno;
	if (error == 0 && close(df_take_fd(&fd)) < 0)
		error = -errno;
	if (error < 0)
		unlinkat(directory_fd, name, 0);
	return error;
}

int durable_write(int directory_fd, const char *name, const void *bytes, size_t length)
{
	char beside[sizeof(DURABLE_PREFIX) + 16];
	uint64_t number;
	int error;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -EIO;
	snprintf(beside, sizeof(beside), DURABLE_PREFIX "%016" PRIx64, number);
	error = fill(directory_fd, beside, bytes, length);
	if (error < 0)
		return error;
	if (renameat(directory_fd, beside, directory_fd, name) < 0) {
		error = -errno;
		unlinkat(directory_fd, beside, 0);
		return error;
	}
	return fsync(directory_fd) < 0 ? -errno : 0;
}

int durable_write_path(const char *path, const void *bytes, size_t length)
{
	DF_FREE char *directory = df_dir_name(path);
	DF_CLOSE int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (!directory)
		return -ENOMEM;
	return fd < 0 ? -errno : durable_write(fd, df_base_name(path), bytes, length);
}
