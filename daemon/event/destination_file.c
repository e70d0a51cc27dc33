/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations that are files: below the daemon's own directory, or, when the name is absolute, below the part of it before the first word, which
 * must be there. Every step below that directory is opened by the kernel's own rules (openat2: beneath it, through no symbolic link), so
 * neither a name nor someone who writes into the directory can lead out of it.
 */
#include "daemon/event/destination_private.h"

#include "daemon/durable.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool part_ok(const char *part, size_t length)
{
	if (length == 0 || length > NAME_MAX / 2)
		return false;
	/* Hidden names are left to the directory's owner, and to files that are being written. */
	return *part != '.';
}

bool destination_file_ok(const char *name)
{
	const char *start = *name == '/' ? name + 1 : name;

	for (const char *at = start;; at++) {
		if (*at == '/' || *at == '\0') {
			if (!part_ok(start, (size_t)(at - start)))
				return false;
			start = at + 1;
		}
		if (*at == '\0')
			return true;
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '}')
			return false;
		if (*at == '{') {
			size_t length = destination_word(at);

			if (length == 0)
				return false;
			at += length - 1;
		}
	}
}

/* How many characters of an absolute name are the directory that must be there: what stands before the first word and the last part. */
static size_t fixed_length(const char *name)
{
	size_t length = strcspn(name, "{");

	if (*name != '/')
		return 0;
	while (name[length - 1] != '/')
		length--;
	return length;
}

/* A word's value, with nothing in it that means something in a name. */
static void add_value(struct df_str *name, const char *value)
{
	for (; *value; value++) {
		char c = *value;

		if (c == '/' || (unsigned char)c < 0x20 || c == 0x7f ||
			(c == '.' && (name->length == 0 || name->data[name->length - 1] == '/')))
			c = '_';
		df_str_add_bytes(name, &c, 1);
	}
}

static int open_part(int directory_fd, const char *name, uint64_t beneath)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = beneath | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
}

/* Opens the directory of `name`, making what is missing of it; *last is the name in it. `name` is changed. */
static int open_directory(int top_fd, char *name, const char **last)
{
	DF_CLOSE int fd = open_part(top_fd, ".", RESOLVE_BENEATH);

	for (char *slash; fd >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
		int inner;

		*slash = '\0';
		if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		inner = open_part(fd, name, RESOLVE_BENEATH);
		if (inner < 0)
			return -errno;
		close(fd);
		fd = inner;
	}
	*last = name;
	return fd < 0 ? -errno : df_take_fd(&fd);
}

/* The directory that the name begins in: that of an absolute name, or the one of the settings. */
static int open_top(const struct destination_settings *settings, const char *name, size_t fixed,
	struct df_err *err)
{
	DF_FREE char *path = strndup(name, fixed);
	int fd;

	if (!fixed) {
		fd = settings->directory_fd < 0 ? -1
						: fcntl(settings->directory_fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			df_err_set(err, -EPERM, "there is no directory for file destinations");
		return fd;
	}
	fd = path ? open_part(AT_FDCWD, path, 0) : -1;
	if (fd < 0)
		df_err_set(err, -errno,
			"the directory %s of a file destination cannot be opened: %s%s",
			path ? path : "", df_errno_text(errno),
			errno == ELOOP ? "; symbolic links are not followed" : "");
	return fd;
}

/* What a name or a link is to blame for stays so; a full disk, or a disk that is not mounted, does not. */
static enum destination_result failure(int error)
{
	return error == -EINVAL || error == -EPERM || error == -ELOOP || error == -EXDEV ||
			error == -ENOTDIR || error == -EISDIR || error == -ENAMETOOLONG
		? DESTINATION_REFUSED
		: DESTINATION_LATER;
}

enum destination_result destination_write_file(const struct destination_settings *settings,
	const char *name, const struct queue_event *event, struct df_err *err)
{
	size_t fixed = fixed_length(name);
	DF_STR struct df_str path = DF_STR_EMPTY;
	DF_CLOSE int top = open_top(settings, name, fixed, err);
	DF_CLOSE int fd = -1;
	const char *last = NULL;
	int error;

	if (top < 0 || destination_expand(&path, name + fixed, event, add_value, err))
		return failure(err->code);
	fd = open_directory(top, path.data, &last);
	error = fd < 0 ? fd
		       : durable_write(fd, last, event->body ? event->body : "", event->body_bytes);
	if (error == 0)
		return DESTINATION_DELIVERED;
	df_err_set(err, error, "cannot write the file destination '%s': %s", name,
		df_errno_text(error));
	return failure(error);
}
