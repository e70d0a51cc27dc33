/* SPDX-License-Identifier: Apache-2.0 */
/* From the word on the command line to the program's path: see program.h. */
#include "cli/program.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
	struct stat now;

	/* A directory is "executable" too. */
	return stat(path, &now) == 0 && S_ISREG(now.st_mode) && access(path, X_OK) == 0;
}

static bool is_script(const char *path)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char start[2];

	return fd >= 0 && read(fd, start, 2) == 2 && memcmp(start, "#!", 2) == 0;
}

/*
 * Version managers (pyenv, rbenv, asdf) put shell scripts named like the program into a directory "shims", which find the true
 * program by starting others. A guest cannot do that, so such a script is passed over if there is something better.
 */
static bool is_shim(const char *path, size_t directory_length)
{
	const char *name = "/shims";
	size_t length = strlen(name);

	return directory_length >= length &&
		memcmp(path + directory_length - length, name, length) == 0 && is_script(path);
}

static bool on_guest_path(const char *directory, size_t length)
{
	const char *part = GUEST_PATH;

	while (*part) {
		size_t part_length = strcspn(part, ":");

		if (part_length == length && memcmp(part, directory, length) == 0)
			return true;
		part += part_length + (part[part_length] == ':');
	}
	return false;
}

static int not_found(const char *typed, struct df_err *err)
{
	df_err_set(err, -ENOENT, "%s was not found on PATH", typed);
	if (is_program(typed))
		df_err_add(err, "; the one in this directory is ./%s", typed);
	return CLI_NOT_FOUND;
}

static int found(struct program *program, const char *path, size_t directory_length,
	struct df_err *err)
{
	program->path = df_path_absolute(path);
	if (!program->path)
		return df_err_set(err, CLI_FAILED, "%s: %s", path, df_errno_text(errno));
	/* A program that looks itself up on PATH must find itself there. */
	program->argv0 = on_guest_path(path, directory_length) ? program->typed : program->path;
	return CLI_OK;
}

static int search_path(struct program *program, struct df_err *err)
{
	const char *part = getenv("PATH");
	DF_FREE char *shim = NULL;
	size_t shim_directory = 0;

	if (!part)
		part = GUEST_PATH;
	while (*part) {
		size_t length = strcspn(part, ":");
		DF_FREE char *path = df_format("%.*s%s%s", (int)length, part, length ? "/" : "./",
			program->typed);

		if (!path)
			return df_err_set(err, CLI_FAILED, "out of memory");
		if (!is_program(path)) {
			/* look on */
		} else if (is_shim(path, length)) {
			if (!shim) {
				shim = df_take_ptr(&path);
				shim_directory = length;
			}
		} else {
			if (shim)
				dprintf(STDERR_FILENO,
					"dayfly: %s is a script of a version manager; running %s instead\n",
					shim, path);
			return found(program, path, length, err);
		}
		part += length + (part[length] == ':');
	}
	return shim ? found(program, shim, shim_directory, err) : not_found(program->typed, err);
}

static int use_path(struct program *program, struct df_err *err)
{
	struct stat now;

	if (stat(program->typed, &now) < 0)
		return df_err_set(err,
			errno == ENOENT || errno == ENOTDIR ? CLI_NOT_FOUND : CLI_CANNOT_RUN,
			"%s: %s", program->typed, df_errno_text(errno));
	if (S_ISDIR(now.st_mode))
		return df_err_set(err, CLI_CANNOT_RUN, "%s is a directory", program->typed);
	if (!S_ISREG(now.st_mode))
		return df_err_set(err, CLI_CANNOT_RUN, "%s is not a file", program->typed);
	if (access(program->typed, X_OK) < 0)
		return df_err_set(err, CLI_CANNOT_RUN, "%s is not executable; chmod +x %s",
			program->typed, program->typed);
	program->path = df_path_absolute(program->typed);
	if (!program->path)
		return df_err_set(err, CLI_FAILED, "%s: %s", program->typed, df_errno_text(errno));
	/*
	 * Python looks for its home beside argv[0], and the guest's working directory is not ours: a virtual environment is found
	 * by its absolute path only. All other programs see what was typed, as on Linux.
	 */
	program->argv0 = df_starts_with(df_base_name(program->typed), "python") ? program->path
										: program->typed;
	return CLI_OK;
}

static int use_prebuilt(struct program *program, const char *name, struct df_err *err)
{
	DF_FREE char *beside = df_format("%s%s", PREBUILT_FOLDER, name);
	DF_FREE char *path = beside && !strchr(name, '/') ? df_place_program(beside) : NULL;

	if (!path || !is_program(path))
		return df_err_set(err, CLI_NOT_FOUND,
			"there is no prebuilt function named %.64s; docs/functions.md has them",
			name);
	return found(program, path, 0, err);
}

int program_find(struct program *program, struct df_err *err)
{
	const char *word = program->typed;

	if (strncmp(word, PREBUILT_PREFIX, strlen(PREBUILT_PREFIX)) == 0)
		return use_prebuilt(program, word + strlen(PREBUILT_PREFIX), err);
	if (*program->typed == '\0')
		return df_err_set(err, CLI_NOT_FOUND, "the name of the program is empty");
	return strchr(program->typed, '/') ? use_path(program, err) : search_path(program, err);
}

int program_find_in_root(struct program *program, const struct program_options *options,
	const char *root, struct df_err *err)
{
	const char *part = program_env(options, "PATH");

	program->argv0 = program->typed;
	if (strchr(program->typed, '/')) {
		program->path = *program->typed == '/'
			? strdup(program->typed)
			: df_path_join(options->workdir, program->typed);
		if (!program->path)
			return df_err_set(err, CLI_FAILED, "out of memory");
		df_path_clean(program->path);
		return CLI_OK;
	}
	while (part && *part) {
		size_t length = strcspn(part, ":");
		DF_FREE char *inside = df_format("%.*s/%s", (int)length, part, program->typed);
		DF_FREE char *outside = inside ? df_path_join(root, inside) : NULL;
		struct stat now;

		if (!outside)
			return df_err_set(err, CLI_FAILED, "out of memory");
		/* A link may point to an absolute path, which means one thing in the root and another here. */
		if (lstat(outside, &now) == 0 && !S_ISDIR(now.st_mode)) {
			program->path = df_take_ptr(&inside);
			return CLI_OK;
		}
		part += length + (part[length] == ':');
	}
	return df_err_set(err, CLI_NOT_FOUND, "%s was not found in %s on the guest's PATH",
		program->typed, root);
}
