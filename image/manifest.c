/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and files: see manifest.h. Reading and writing the text is in manifest_read.c and manifest_write.c. */
#include "image/manifest.h"

#include "host/cleanup.h"
#include "host/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads at most one byte more than is allowed, so that too much is noticed. */
static int read_file(int fd, char *text, size_t room, size_t *length)
{
	size_t have = 0;

	while (have < room) {
		ssize_t n = read(fd, text + have, room - have);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
	}
	*length = have;
	return 0;
}

int manifest_load(const char *path, struct manifest *m, struct df_err *err)
{
	const size_t room = MANIFEST_BYTES_MAX + 1;
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	DF_FREE char *absolute = fd < 0 ? NULL : df_path_absolute(path);
	DF_FREE char *text = NULL;
	size_t length = 0;
	int error;

	*m = (struct manifest){0};
	if (fd < 0)
		return df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	text = malloc(room);
	if (!absolute || !text)
		return df_err_set(err, -ENOMEM, "%s: %s", path, df_errno_text(ENOMEM));
	error = read_file(fd, text, room, &length);
	if (error < 0)
		return df_err_set(err, error, "%s: %s", path, df_errno_text(error));
	error = manifest_parse(text, length, path, m, err);
	if (error < 0)
		return error;
	m->directory = df_dir_name(absolute);
	if (!m->directory) {
		manifest_deinit(m);
		return df_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int manifest_check(const struct manifest *m, struct df_err *err)
{
	DF_STR struct df_str text = DF_STR_EMPTY;
	struct manifest read_back;
	int error;

	manifest_write(m, &text);
	if (text.failed)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = manifest_parse(df_str_text(&text), text.length, NULL, &read_back, err);
	if (error == 0)
		manifest_deinit(&read_back);
	return error;
}

char *manifest_host_path(const struct manifest *m, const char *path)
{
	DF_FREE char *joined = NULL;

	if (*path == '/' || !m->directory)
		return df_path_absolute(path);
	joined = df_path_join(m->directory, path);
	return joined ? df_path_absolute(joined) : NULL;
}

int manifest_file(const struct manifest *m, const char *entry, char **host, char **guest)
{
	const char *colon = strrchr(entry, ':');
	DF_FREE char *typed = colon ? strndup(entry, (size_t)(colon - entry)) : strdup(entry);
	DF_FREE char *to = NULL;

	if (!typed)
		return -ENOMEM;
	to = colon ? strdup(colon + 1) : manifest_host_path(m, typed);
	if (!to)
		return -errno;
	df_path_clean(to);
	*host = df_take_ptr(&typed);
	*guest = df_take_ptr(&to);
	return 0;
}
