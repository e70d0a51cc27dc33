/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly run`: finds the program, gets the root image for it, and becomes the monitor.
 *
 * The monitor replaces this process (execve, no fork): start-up time counts, and terminal, signals and exit status then need no passing on.
 * So nothing that is allocated here is freed, and nothing else happens that a cached run does not need.
 */
#include "cli/run.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "image/elf.h"
#include "image/erofs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Words of the monitor's command line that do not come from the user. */
#define FIXED_WORDS 24

void command_run_help(void)
{
	printf("Usage: dayfly run [FLAGS] PROGRAM [--] [ARGUMENTS]\n\n"
	       "Runs a Linux program in a microVM of its own. Standard input, output, error and\n"
	       "the exit status pass through. A program given by name is found on PATH; its\n"
	       "libraries and interpreter are gathered into a root file system by themselves.\n\n");
	flags_print(run_flags);
	printf("\nExit status: the program's, 128+n when signal n ended it; 125 when dayfly fails,\n"
	       "126 when the program cannot be run, 127 when it is not found.\n\n"
	       "  dayfly run --stats ./hello\n"
	       "  dayfly run zstd -- -19 -c < report.csv > report.csv.zst\n"
	       "  dayfly run --file ./data:/data sqlite3 -- /data/x.db 'select 1'\n");
}

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

static int gather_image(const struct run_options *options, const struct run_program *program,
	const char *root_dir, char **image, struct df_err *err)
{
	const struct root_request request = {
		.program = root_dir ? NULL : program->path,
		.shown_name = program->typed,
		.root = root_dir,
		.files = options->files,
		.file_count = options->file_count,
		.guest_path = run_env(options, "PATH"),
		.library_path = run_env(options, "LD_LIBRARY_PATH"),
		.time_zone = run_env(options, "TZ"),
		.workdir = strcmp(options->workdir, "/") == 0 ? NULL : options->workdir,
	};

	return status_of(roots_image(&request, image, err));
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
static int find_in_image(const struct run_options *options, struct run_program *program, int fd,
	uint64_t bytes, struct df_err *err)
{
	const char *search_path = run_env(options, "PATH");
	int error;

	if (strchr(program->typed, '/'))
		return run_find_in_root(program, options, "", err);
	error = erofs_find_program(fd, bytes, search_path ? search_path : "", program->typed,
		&program->path);
	if (error == -ENOENT)
		return df_err_set(err, CLI_NOT_FOUND, "%s was not found in %s on the guest's PATH",
			program->typed, options->root);
	program->argv0 = program->typed;
	return error ? bad_image(options->root, error, err) : CLI_OK;
}

/* --root FILE: an image that is used as it is. */
static int use_image(const struct run_options *options, struct run_program *program, char **image,
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
	*image = strdup(options->root);
	if (!*image)
		return df_err_set(err, CLI_FAILED, "out of memory");
	return find_in_image(options, program, fd, (uint64_t)now.st_size, err);
}

/* Without the feature files there is no file system: the root slot holds the program itself, which must be static. */
static int use_raw_program(const struct run_options *options, struct run_program *program,
	char **image, struct df_err *err)
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
	status = run_find(program, err);
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
	*image = program->path;
	return CLI_OK;
}

static int find_root(const struct run_options *options, struct run_program *program, char **image,
	struct df_err *err)
{
	struct stat root;
	int status;

	if (!options->features[RUN_FILES])
		return use_raw_program(options, program, image, err);
	if (!options->root) {
		status = run_find(program, err);
		return status ? status : gather_image(options, program, NULL, image, err);
	}
	if (stat(options->root, &root) < 0)
		return df_err_set(err, CLI_FAILED, "--root %s: %s", options->root,
			df_errno_text(errno));
	if (!S_ISDIR(root.st_mode))
		return use_image(options, program, image, err);
	status = run_find_in_root(program, options, options->root, err);
	return status ? status : gather_image(options, program, options->root, image, err);
}

static char *feature_list(const struct run_options *options)
{
	struct df_str list = DF_STR_EMPTY;

	df_str_add(&list, "core");
	for (size_t i = 0; i < RUN_FEATURE_COUNT; i++) {
		if (options->features[i])
			df_str_addf(&list, ",%s", run_feature_names[i]);
	}
	return df_str_take(&list);
}

/* Replaces this process. Returns only if that fails. */
static int become_monitor(const struct run_options *options, const struct run_program *program,
	const char *image, char **arguments, int argument_count, struct df_err *err)
{
	char *directory = own_directory();
	char *monitor = directory ? df_path_join(directory, "dayfly-monitor") : NULL;
	char *kernel = directory ? df_path_join(directory, "dayfly-kernel") : NULL;
	char *roots = roots_directory();
	char *host_cache = roots ? df_path_join(roots, "../cpuid") : NULL;
	char *memory = df_format("%" PRIu64, options->memory_bytes);
	char *timeout = df_format("%" PRIu64, options->timeout_ms);
	char *features = feature_list(options);
	const char **words = calloc(FIXED_WORDS + (size_t)argument_count, sizeof(*words));
	size_t count = 0;

	if (!monitor || !kernel || !memory || !timeout || !features || !words)
		return df_err_set(err, CLI_FAILED, "starting the monitor failed: %s",
			df_errno_text(errno));
	words[count++] = "dayfly-monitor";
	words[count++] = "run";
	words[count++] = "--kernel";
	words[count++] = kernel;
	words[count++] = options->features[RUN_FILES] ? "--root" : "--raw-root";
	words[count++] = image;
	words[count++] = "--program";
	words[count++] = program->path;
	if (host_cache) {
		words[count++] = "--host-cache";
		words[count++] = host_cache;
	}
	words[count++] = "--memory";
	words[count++] = memory;
	words[count++] = "--features";
	words[count++] = features;
	words[count++] = "--cwd";
	words[count++] = options->workdir;
	if (options->timeout_ms > 0) {
		words[count++] = "--timeout-ms";
		words[count++] = timeout;
	}
	if (options->stats)
		words[count++] = "--stats";
	if (options->trace)
		words[count++] = "--trace";
	words[count++] = "--";
	words[count++] = program->argv0;
	for (int i = 0; i < argument_count; i++)
		words[count++] = arguments[i];
	words[count] = NULL;

	execve(monitor, (char **)words, (char **)options->env);
	if (errno == ENOENT)
		return df_err_set(err, CLI_FAILED,
			"%s was not found; it belongs beside dayfly: build it with `make build`",
			monitor);
	return df_err_set(err, CLI_FAILED, "%s cannot be started: %s", monitor,
		df_errno_text(errno));
}

int command_run(int argc, char **argv)
{
	static struct run_options options;
	struct run_program program = {0};
	char *image = NULL;
	struct df_err err;
	int next, status;

	run_options_init(&options);
	status = flags_parse(run_flags, &options, argc, argv, &next, &err);
	if (status == FLAGS_HELP) {
		command_run_help();
		return CLI_OK;
	}
	if (status)
		return cli_fail(&err, CLI_FAILED);
	if (next >= argc) {
		df_err_set(&err, -EINVAL,
			"which program? dayfly run [FLAGS] PROGRAM [--] [ARGUMENTS]");
		return cli_fail(&err, CLI_FAILED);
	}
	program.typed = argv[next++];
	if (next < argc && strcmp(argv[next], "--") == 0)
		next++;
	status = find_root(&options, &program, &image, &err);
	if (status)
		return cli_fail(&err, status);
	options.env[options.env_count] = NULL;
	return cli_fail(&err,
		become_monitor(&options, &program, image, argv + next, argc - next, &err));
}
