/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: see path.h. */
#include "host/path.h"

#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *df_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *df_dir_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	while (slash > path && slash[-1] == '/')
		slash--;
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

char *df_path_join(const char *dir, const char *name)
{
	while (*name == '/')
		name++;
	return df_format("%s%s%s", dir, df_ends_with(dir, "/") ? "" : "/", name);
}

void df_path_clean(char *path)
{
	bool absolute = *path == '/';
	const char *from = path;
	char *to = path;

	while (*from) {
		size_t length = strcspn(from, "/");

		if (length && !(length == 1 && *from == '.')) {
			if (absolute || to != path)
				*to++ = '/';
			memmove(to, from, length);
			to += length;
		}
		from += length;
		while (*from == '/')
			from++;
	}
	/* One character always fits, unless the text was empty from the start. */
	if (to == path && from != path)
		*to++ = absolute ? '/' : '.';
	*to = '\0';
}

static bool has_dot_dot(const char *path)
{
	for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, "..")) {
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	}
	return false;
}

/* A path with "..": everything up to its last part, which is kept, is resolved. */
static char *resolve_directory(const char *path)
{
	DF_FREE char *dir = df_dir_name(path);
	const char *name = df_base_name(path);
	DF_FREE char *real = NULL;

	if (!dir)
		return NULL;
	if (strcmp(name, "..") == 0 || *name == '\0')
		return realpath(path, NULL);
	real = realpath(dir, NULL);
	return real ? df_path_join(real, name) : NULL;
}

char *df_path_absolute(const char *path)
{
	char *result;

	if (*path == '\0') {
		errno = ENOENT;
		return NULL;
	}
	if (has_dot_dot(path)) {
		result = resolve_directory(path);
	} else if (*path == '/') {
		result = strdup(path);
	} else {
		DF_FREE char *here = getcwd(NULL, 0);

		result = here ? df_path_join(here, path) : NULL;
	}
	if (result)
		df_path_clean(result);
	return result;
}

int df_make_dirs(const char *path, mode_t mode)
{
	DF_FREE char *copy = NULL;

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

static int remove_one(const char *path, const struct stat *now, int kind, struct FTW *place)
{
	(void)now;
	(void)kind;
	(void)place;
	(void)!remove(path);
	return 0;
}

void df_remove_tree(const char *path)
{
	if (path)
		(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
