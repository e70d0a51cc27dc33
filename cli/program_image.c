/* SPDX-License-Identifier: Apache-2.0 */
/* From a program to the root image it runs in: see program.h. */
#include "cli/program.h"

#include "cli/progress.h"
#include "host/cleanup.h"
#include "image/elf.h"
#include "image/erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How results of image/ become exit statuses. */
static int status_of(int result)
{
	switch (result) {
	case 0:
		return CLI_OK;
	case IMAGE_CANNOT_RUN:
		return CLI_CANNOT_RUN;
	case IMAGE_NOT_FOUND:
		return CLI_NOT_FOUND;
	default:
		return CLI_FAILED;
	}
}

static int gather_image(const struct program_options *options, struct program *program,
	const char *root_dir, struct df_err *err)
{
	const struct root_request request = {
		.program = root_dir ? NULL : program->path,
		.shown_name = program->typed,
		.root = root_dir,
		.files = options->files,
		.file_count = options->file_count,
		.guest_path = program_env(options, "PATH"),
		.library_path = program_env(options, "LD_LIBRARY_PATH"),
		.time_zone = program_env(options, "TZ"),
		.workdir = strcmp(options->workdir, "/") == 0 ? NULL : options->workdir,
	};

	int result;

	progress_begin("gathering", program->typed);
	result = roots_image(&request, &program->image, err);
	progress_end();
	return status_of(result);
}

/* What is wrong with an image that the user gave. */
static int bad_image(const char *path, int error, struct df_err *err)
{
	switch (error) {
	case -EINVAL:
		return df_err_set(err, CLI_FAILED,
			"--root %s is neither a directory nor an EROFS image", path);
	case -ENOTSUP:
		return df_err_set(err, CLI_FAILED,
			"--root %s is an EROFS image of a kind that dayfly cannot use (compressed?); make it "
			"with mkfs.erofs -Enoinline_data",
			path);
	case -EIO:
	case -EUCLEAN:
		return df_err_set(err, CLI_FAILED, "--root %s is damaged; make the image again",
			path);
	default:
		return df_err_set(err, CLI_FAILED, "--root %s: %s", path, df_errno_text(error));
	}
}

/* A program by name inside the image; a path is taken as it is. */
static int find_in_image(const struct program_options *options, struct program *program, int fd,
	uint64_t bytes, struct df_err *err)
{
	const char *search_path = program_env(options, "PATH");
	int error;

	if (strchr(program->typed, '/'))
		return program_find_in_root(program, options, "", err);
	error = erofs_find_program(fd, bytes, search_path ? search_path : "", program->typed,
		&program->path);
	if (error == -ENOENT)
		return df_err_set(err, CLI_NOT_FOUND, "%s was not found in %s on the guest's PATH",
			program->typed, options->root);
	program->argv0 = program->typed;
	return error ? bad_image(options->root, error, err) : CLI_OK;
}

/* --root FILE: an image that is used as it is. */
static int use_image(const struct program_options *options, struct program *program,
	struct df_err *err)
{
	DF_CLOSE int fd = open(options->root, O_RDONLY | O_CLOEXEC);
	struct stat now;
	int error;

	if (fd < 0 || fstat(fd, &now) < 0)
		return bad_image(options->root, -errno, err);
	if (options->file_count > 0)
		return df_err_set(err, CLI_FAILED,
			"--file cannot add to a finished image; use --root with a directory");
	error = erofs_check(fd, (uint64_t)now.st_size);
	if (error)
		return bad_image(options->root, error, err);
	program->image = strdup(options->root);
	if (!program->image)
		return df_err_set(err, CLI_FAILED, "out of memory");
	return find_in_image(options, program, fd, (uint64_t)now.st_size, err);
}

/* Without the feature files there is no file system: the root slot holds the program itself, which must be static. */
static int use_raw_program(const struct program_options *options, struct program *program,
	struct df_err *err)
{
	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
	DF_CLOSE int fd = -1;
	struct elf_info info;
	enum elf_kind kind;
	struct stat now;
	int status;

	if (options->root || options->file_count > 0)
		return df_err_set(err, CLI_FAILED,
			"--root and --file need the feature files, which --no-feature files leaves out");
	status = program_find(program, err);
	if (status)
		return status;
	fd = open(program->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, CLI_CANNOT_RUN, "%s cannot be read: %s", program->typed,
			df_errno_text(errno));
	map.length = (size_t)now.st_size;
	map.data = map.length ? mmap(NULL, map.length, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (map.data == MAP_FAILED) {
		map.data = NULL;
		return df_err_set(err, CLI_FAILED, "%s cannot be mapped: %s", program->typed,
			df_errno_text(errno));
	}
	kind = elf_inspect(map.data, map.length, &info);
	if (kind == ELF_SCRIPT)
		return df_err_set(err, CLI_CANNOT_RUN,
			"%s is a script; its interpreter needs the feature files, which --no-feature files leaves out",
			program->typed);
	if (kind != ELF_PROGRAM) {
		elf_explain(kind, &info, program->typed, err);
		return CLI_CANNOT_RUN;
	}
	if (info.interpreter)
		return df_err_set(err, CLI_CANNOT_RUN,
			"%s needs shared libraries, and so the feature files, which --no-feature files leaves out; link "
			"it statically or keep the feature",
			program->typed);
	program->image = program->path;
	return CLI_OK;
}

/* Finds program and root image: fills ->path, ->argv0 and ->image from ->typed. */
static int find_image(const struct program_options *options, struct program *program,
	struct df_err *err)
{
	struct stat root;
	int status;

	if (!options->features[FEATURE_FILES])
		return use_raw_program(options, program, err);
	if (!options->root) {
		status = program_find(program, err);
		return status ? status : gather_image(options, program, NULL, err);
	}
	if (stat(options->root, &root) < 0)
		return df_err_set(err, CLI_FAILED, "--root %s: %s", options->root,
			df_errno_text(errno));
	if (!S_ISDIR(root.st_mode))
		return use_image(options, program, err);
	status = program_find_in_root(program, options, options->root, err);
	return status ? status : gather_image(options, program, options->root, err);
}

int program_prepare(const struct program_options *options, int argc, char **argv, int at,
	struct program *program, struct df_err *err)
{
	if (at >= argc)
		return df_err_set(err, CLI_FAILED,
			"which program? dayfly %s [FLAGS] PROGRAM [--] [ARGUMENTS]", argv[0]);
	program->typed = argv[at++];
	if (at < argc && strcmp(argv[at], "--") == 0)
		at++;
	program->arguments = argv + at;
	program->argument_count = argc - at;
	return find_image(options, program, err);
}
