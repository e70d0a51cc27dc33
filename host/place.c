/* SPDX-License-Identifier: Apache-2.0 */
/* Where things of dayfly are: see place.h. */
#include "host/place.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBEXEC "libexec/dayfly"

/* The directory of this executable, NULL with errno set. */
static char *own_directory(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return NULL;
	path[length] = '\0';
	return df_dir_name(path);
}

/* The other directory of an installed dayfly: PREFIX/bin from PREFIX/libexec/dayfly, and the other way round. */
static char *other_directory(const char *own)
{
	DF_FREE char *prefix = NULL;

	if (df_ends_with(own, "/" LIBEXEC))
		return df_format("%.*sbin", (int)(strlen(own) - strlen(LIBEXEC)), own);
	prefix = df_dir_name(own);
	return prefix ? df_path_join(prefix, LIBEXEC) : NULL;
}

char *df_place_program(const char *name)
{
	DF_FREE char *own = own_directory();
	DF_FREE char *other = own ? other_directory(own) : NULL;
	char *beside = other ? df_path_join(own, name) : NULL;
	char *there;

	if (!beside || access(beside, F_OK) == 0)
		return beside;
	there = df_path_join(other, name);
	if (there && access(there, F_OK) == 0) {
		free(beside);
		return there;
	}
	free(there);
	return beside;
}

char *df_place_state(void)
{
	const char *given = getenv("DAYFLY_STATE"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (given && *given)
		return strdup(given);
	/* A relative one is to be ignored, says the XDG specification. */
	if (data && *data == '/')
		return df_path_join(data, "dayfly");
	return df_path_join(home && *home ? home : "/", ".local/share/dayfly");
}
