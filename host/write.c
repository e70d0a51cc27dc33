/* SPDX-License-Identifier: Apache-2.0 */
/* Writing all of it: see write.h. */
#include "host/write.h"

#include <errno.h>
#include <unistd.h>

int df_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t written = write(fd, at, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

int df_write_at(int fd, const void *bytes, size_t length, uint64_t offset)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t written = pwrite(fd, at, length, (off_t)offset);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			length -= (size_t)written;
			offset += (uint64_t)written;
		}
	}
	return 0;
}

void df_write_error(const void *bytes, size_t length)
{
	int error = df_write(STDERR_FILENO, bytes, length);

	(void)error;
}
