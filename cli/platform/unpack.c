/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly deploy --from-oci`: a container image becomes the root of a manifest. See stored.h; image/import.h does the work. */
#include "cli/platform/stored.h"

#include "cli/platform/platform.h"
#include "cli/progress.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "image/import.h"
#include "image/roots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "import-"
#define STALE_S 86400 /* no import takes so long */

/* What imports left that were killed. */
static void remove_stale(const char *cache)
{
	DF_CLOSEDIR DIR *dir = opendir(cache);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		struct stat now;

		if (df_starts_with(entry->d_name, PREFIX) &&
			fstatat(dirfd(dir), entry->d_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(now.st_mode) && now.st_mtime + STALE_S < time(NULL)) {
			DF_FREE char *path = df_path_join(cache, entry->d_name);

			if (path)
				df_remove_tree(path);
		}
	}
}

/* A directory of our own in the cache, which is where a disk with room for images is. */
static int make_directory(struct unpacked *u, struct df_err *err)
{
	DF_FREE char *roots = roots_directory();
	DF_FREE char *cache = roots ? df_dir_name(roots) : NULL;
	DF_FREE char *template = cache ? df_path_join(cache, PREFIX "XXXXXX") : NULL;
	int error = template ? df_make_dirs(cache, 0700) : -ENOMEM;

	if (!error) {
		remove_stale(cache);
		error = mkdtemp(template) ? 0 : -errno;
	}
	if (error)
		return df_err_set(err, CLI_FAILED, "%s: %s", cache ? cache : "the cache",
			df_errno_text(error));
	u->directory = df_take_ptr(&template);
	return 0;
}

static int unpack(const char *source, const char *reference, const char *root, struct manifest *m,
	struct df_err *err)
{
	const struct import_request request = {
		.source = source, .reference = reference, .target = root};
	struct import_result result;
	int error;

	progress_begin("unpacking", source);
	error = import_unpack(&request, m, &result, err);
	progress_end();
	if (error)
		return CLI_FAILED;
	if (result.skipped)
		fprintf(stderr, "dayfly: %llu device%s, pipe%s or socket%s of the image left out\n",
			(unsigned long long)result.skipped, result.skipped == 1 ? "" : "s",
			result.skipped == 1 ? "" : "s", result.skipped == 1 ? "" : "s");
	if (m->command.count == 0)
		return df_err_set(err, CLI_FAILED,
			"%s names no command; say it: dayfly deploy --from-oci %s --name NAME PROGRAM [--] [ARGUMENTS]",
			source, source);
	return 0;
}

int unpack_container(struct unpacked *u, const char *source, const char *reference,
	struct manifest *m, struct df_err *err)
{
	DF_FREE char *root = NULL;
	int status = make_directory(u, err);

	if (status)
		return status;
	root = df_path_join(u->directory, "root");
	if (!root || mkdir(root, 0755) < 0)
		return df_err_set(err, CLI_FAILED, "%s: %s", u->directory, df_errno_text(errno));
	status = unpack(source, reference, root, m, err);
	if (status)
		return status;
	free(m->root);
	m->root = df_take_ptr(&root);
	return manifest_check(m, err) ? CLI_FAILED : 0;
}

void unpacked_deinit(struct unpacked *u)
{
	if (u->directory)
		df_remove_tree(u->directory);
	free(u->directory);
	u->directory = NULL;
}
