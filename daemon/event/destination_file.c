/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destinations that are files. Every step below the directory is opened by the kernel's own rules (openat2: beneath it, through no symbolic link), so
 * neither a name nor someone who writes into the directory can lead out of it.
 */
#include "daemon/event/destination_private.h"

#include "daemon/durable.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static bool part_ok(const char *part, size_t length)
{
	if (length == 0 || length > NAME_MAX / 2)
		return false;
	/* Hidden names are left to the directory's owner, and to files that are being written. */
	return *part != '.';
}

/* The length of the known {word} that `text` begins with, 0 if there is none. */
static size_t word_length(const char *text)
{
	static const char *const words[] = {"{function}", "{id}", "{date}"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (df_starts_with(text, words[i]))
			return strlen(words[i]);
	}
	return 0;
}

bool destination_file_ok(const char *name)
{
	const char *start = name;

	for (const char *at = name;; at++) {
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
			size_t length = word_length(at);

			if (length == 0)
				return false;
			at += length - 1;
		}
	}
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

static void expand(struct df_str *name, const char *pattern, const struct queue_event *event)
{
	time_t seconds = (time_t)(event->put_ms / 1000);
	char date[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	while (*pattern) {
		size_t length = *pattern == '{' ? word_length(pattern) : 0;

		if (length == 0)
			df_str_add_bytes(name, pattern, 1);
		else if (pattern[1] == 'f')
			add_value(name, event->function);
		else
			add_value(name, pattern[1] == 'i' ? event->request_id : date);
		pattern += length ? length : 1;
	}
}

static int open_part(int directory_fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
}

/* Opens the directory of `name`, making what is missing of it; *last is the name in it. `name` is changed. */
static int open_directory(int top_fd, char *name, const char **last)
{
	DF_CLOSE int fd = open_part(top_fd, ".");

	for (char *slash; fd >= 0 && (slash = strchr(name, '/')); name = slash + 1) {
		int inner;

		*slash = '\0';
		if (mkdirat(fd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		inner = open_part(fd, name);
		if (inner < 0)
			return -errno;
		close(fd);
		fd = inner;
	}
	*last = name;
	return fd < 0 ? -errno : df_take_fd(&fd);
}

enum destination_result destination_write_file(const struct destination_settings *settings,
	const char *name, const struct queue_event *event, struct df_err *err)
{
	DF_STR struct df_str path = DF_STR_EMPTY;
	DF_CLOSE int fd = -1;
	const char *last = NULL;
	int error;

	if (settings->directory_fd < 0) {
		df_err_set(err, -EPERM,
			"there is no directory for file destinations; name one in the daemon's settings");
		return DESTINATION_REFUSED;
	}
	expand(&path, name, event);
	if (path.failed || !path.data) {
		df_err_set(err, -ENOMEM, "out of memory");
		return DESTINATION_LATER;
	}
	fd = open_directory(settings->directory_fd, path.data, &last);
	error = fd < 0 ? fd
		       : durable_write(fd, last, event->body ? event->body : "", event->body_bytes);
	if (error == 0)
		return DESTINATION_DELIVERED;
	df_err_set(err, error, "cannot write the file destination '%s': %s", name,
		df_errno_text(error));
	/* What a name or a link is to blame for stays so; a full disk does not. */
	return error == -ELOOP || error == -EXDEV || error == -ENOTDIR || error == -EISDIR ||
			error == -ENAMETOOLONG
		? DESTINATION_REFUSED
		: DESTINATION_LATER;
}
