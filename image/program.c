/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathering, the part that understands programs: ELF files, scripts, shared libraries (gather_program,
 * gather_libraries and gather_finish of gather.h).
 *
 * Which libraries a program loads, and from where, only its own dynamic linker knows for certain (run paths, cache,
 * hardware subdirectories, and musl does it all differently), so it is asked: `LINKER --list PROGRAM`, which maps
 * the files and runs none of their code. glibc's gives up at the first library that is missing; ldd's way, the variable
 * LD_TRACE_LOADED_OBJECTS, names them all, but a linker that does not know it would start the program: it is used
 * only then, and only on linkers with glibc's name. The linker itself is executed, and its name comes from the program. A
 * program from a stranger must not choose what runs on the host: only a linker that belongs to root and that
 * nobody else may write is asked.
 */
#include "image/gather.h"

#include "host/array.h"
#include "host/child.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "image/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As deep as Linux goes from script to script. */
#define SCRIPT_DEPTH_MAX 5
#define LINKER_TIME_MS 10000
#define LINKER_OUTPUT (1 << 20)
/* One environment string may have 128 KiB; stay well below. */
#define PRELOAD_BYTES 65536

static int out_of_memory(struct gather *g)
{
	return df_err_set(g->err, -ENOMEM, "gathering files failed: out of memory");
}

static int map_file(const char *path, struct df_mapping *mapping)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now;
	void *data;

	if (fd < 0 || fstat(fd, &now) < 0)
		return -errno;
	if (now.st_size == 0)
		return 0;
	data = mmap(NULL, (size_t)now.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	*mapping = (struct df_mapping){data, (size_t)now.st_size};
	return 0;
}

/* --- libraries --- */

static int add_library(struct gather *g, const char *path)
{
	char *copy;
	int error;

	if (df_map_get(&g->library_known, path))
		return 0;
	error = gather_host_path(g, path, WATCH_ALL, NULL, NULL);
	if (error)
		return df_err_set(g->err, error, "adding the library %s failed: %s", path,
			df_errno_text(error));
	copy = strdup(path);
	if (!copy ||
		df_array_reserve(&g->libraries, &g->library_capacity, g->library_count + 1,
			sizeof(copy)) < 0) {
		free(copy);
		return out_of_memory(g);
	}
	g->libraries[g->library_count++] = copy;
	return df_map_put(&g->library_known, copy, copy) < 0 ? out_of_memory(g) : 0;
}

static int remember_missing(struct gather *g, const char *name, const char *needed_by)
{
	char *copy, *by_copy;

	if (df_array_reserve(&g->missing, &g->missing_capacity, g->missing_count + 1,
		    sizeof(*g->missing)) < 0 ||
		df_array_reserve(&g->missing_for, &g->missing_for_capacity, g->missing_count + 1,
			sizeof(*g->missing_for)) < 0)
		return out_of_memory(g);
	copy = strdup(name);
	by_copy = strdup(needed_by);
	if (!copy || !by_copy) {
		free(copy);
		free(by_copy);
		return out_of_memory(g);
	}
	g->missing[g->missing_count] = copy;
	g->missing_for[g->missing_count++] = by_copy;
	return 0;
}

/* What of an answer is of use: the libraries of a program that must all be there, or of objects that may be left out. */
enum list_purpose { LIST_PROGRAM, LIST_MODULES };

/*
 * One line of a linker's list, in place:
 *	NAME => PATH (0xADDRESS)	PATH (0xADDRESS)	NAME => not found	linux-vdso.so.1 (0xADDRESS)
 * Returns the path of a library, or NULL with *missing set to the name of one that was not found, or NULL. A path without a
 * name is the linker itself, or (when modules are asked for) one of those: both are in the tree.
 */
static const char *list_line(char *line, enum list_purpose purpose, const char **missing)
{
	char *arrow, *address;

	*missing = NULL;
	line += strspn(line, " \t");
	address = strstr(line, " (0x");
	if (address)
		*address = '\0';
	arrow = strstr(line, " => ");
	if (!arrow)
		return *line == '/' && purpose == LIST_PROGRAM ? line : NULL;
	*arrow = '\0';
	arrow += 4;
	if (strcmp(arrow, "not found") == 0)
		*missing = line;
	return *arrow == '/' ? arrow : NULL;
}

/* musl's list: "Error loading shared library NAME: REASON (needed by PATH)" on standard error. */
static const char *musl_missing(char *line)
{
	const char *prefix = "Error loading shared library ";
	char *end;

	if (!df_starts_with(line, prefix))
		return NULL;
	line += strlen(prefix);
	end = strstr(line, ": ");
	if (!end)
		return NULL;
	*end = '\0';
	return line;
}

static int read_output(struct gather *g, const char *program, char *text, enum list_purpose purpose)
{
	char *saved = NULL;
	int error = 0;

	for (char *line = text ? strtok_r(text, "\n", &saved) : NULL; line && !error;
		line = strtok_r(NULL, "\n", &saved)) {
		const char *missing, *path = list_line(line, purpose, &missing);

		if (path)
			error = add_library(g, path);
		else if (missing && purpose == LIST_PROGRAM)
			error = remember_missing(g, missing, program);
	}
	return error;
}

/* Standard error of a linker that is not content: musl's missing libraries, or something else, told in its own words. */
static int read_errors(struct gather *g, const char *program, const struct df_child_result *result)
{
	bool understood = false;
	char *saved = NULL;
	int error = 0;

	for (char *line = result->errors.data ? strtok_r(result->errors.data, "\n", &saved) : NULL;
		line && !error; line = strtok_r(NULL, "\n", &saved)) {
		const char *missing = musl_missing(line);

		/* What musl says after a missing library (symbols not found) follows from it. */
		if (!missing && !understood)
			return df_err_set(g->err, IMAGE_CANNOT_RUN,
				"%s cannot be linked with the libraries of this system: %s",
				g->options.shown_name, line);
		understood = true;
		if (missing)
			error = remember_missing(g, missing, program);
	}
	if (!error && !understood)
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"the dynamic linker %s could not list the libraries of %s (status %d)",
			g->interpreter, g->options.shown_name, result->exit_status);
	return error;
}

/* Starts the linker. `preload` (blank-separated paths) are objects to list besides. */
static int start_linker(struct gather *g, const char *program, const char *preload, bool trace,
	struct df_child_result *result)
{
	char *list[] = {g->interpreter, "--list", (char *)program, NULL};
	char *plain[] = {g->interpreter, (char *)program, NULL};
	DF_FREE char *path_variable = NULL, *preload_variable = NULL;
	char *environment[4] = {NULL};
	size_t variables = 0;
	const struct df_child child = {
		.path = g->interpreter,
		.arguments = trace ? plain : list,
		.environment = environment,
		.output_cap_bytes = LINKER_OUTPUT,
		.time_limit_ms = LINKER_TIME_MS,
	};
	int error;

	if (trace)
		environment[variables++] = "LD_TRACE_LOADED_OBJECTS=1";
	if (g->options.library_path) {
		path_variable = df_format("LD_LIBRARY_PATH=%s", g->options.library_path);
		environment[variables++] = path_variable;
	}
	if (*preload) {
		preload_variable = df_format("LD_PRELOAD=%s", preload);
		environment[variables++] = preload_variable;
	}
	error = df_child_run(&child, result, g->err);
	if (!error && result->truncated) {
		df_child_result_deinit(result);
		error = df_err_set(g->err, -E2BIG, "the list of libraries of %s is too long",
			program);
	}
	return error;
}

/* Does glibc's linker say that a library is missing? See the top of this file. */
static bool wants_trace(const struct gather *g, const struct df_child_result *result)
{
	return result->exit_status != 0 &&
		df_starts_with(df_base_name(g->interpreter), "ld-linux") &&
		strstr(df_str_text(&result->errors), ": cannot open shared object file");
}

static int ask_linker(struct gather *g, const char *program, const char *preload)
{
	enum list_purpose purpose = *preload ? LIST_MODULES : LIST_PROGRAM;
	struct df_child_result result;
	int error;

	error = start_linker(g, program, preload, false, &result);
	if (!error && wants_trace(g, &result)) {
		df_child_result_deinit(&result);
		error = start_linker(g, program, preload, true, &result);
	}
	if (error)
		return error;
	error = read_output(g, program, result.output.data, purpose);
	if (!error && purpose == LIST_PROGRAM && result.exit_status != 0)
		error = read_errors(g, program, &result);
	df_child_result_deinit(&result);
	return error;
}

int gather_libraries(struct gather *g, const char *program, char *const *extra, size_t extra_count)
{
	DF_STR struct df_str preload = DF_STR_EMPTY;
	/* As in a run, $ORIGIN is where the file lies, not where a link to it does. */
	DF_FREE char *real = realpath(program, NULL);
	int error = 0;

	if (!g->interpreter)
		return 0;
	program = real ? real : program;
	if (extra_count == 0)
		return ask_linker(g, program, "");
	for (size_t i = 0; i < extra_count && !error; i++) {
		/* Blanks and colons separate the paths of LD_PRELOAD and cannot be part of one. */
		if (!strpbrk(extra[i], " :\t\n")) {
			df_str_add(&preload, extra[i]);
			df_str_add(&preload, " ");
		}
		if (preload.failed)
			return out_of_memory(g);
		if (preload.length > 0 &&
			(preload.length > PRELOAD_BYTES || i + 1 == extra_count)) {
			error = ask_linker(g, program, df_str_text(&preload));
			df_str_clear(&preload);
		}
	}
	return error;
}

int gather_module_libraries(struct gather *g, size_t first)
{
	size_t count = g->tree.count, module_count = 0;
	char **modules;
	int error = 0;

	if (!g->interpreter || first >= count)
		return 0;
	modules = calloc(count - first, sizeof(*modules));
	if (!modules)
		return out_of_memory(g);
	for (size_t i = first; i < count; i++) {
		const struct tree_node *node = g->tree.nodes[i];

		if (node->type == TREE_FILE &&
			(df_ends_with(node->name, ".so") || strstr(node->name, ".so.")))
			modules[module_count++] = node->source;
	}
	if (module_count > 0)
		error = gather_libraries(g, g->elf_program, modules, module_count);
	free(modules);
	return error ? error : recipes_for_libraries(g);
}

/* May this linker be started on the host? See the top of this file. */
static int trust_linker(struct gather *g, const char *linker, const char *shown)
{
	struct stat now;

	if (stat(linker, &now) < 0)
		return df_err_set(g->err, errno == ENOENT ? IMAGE_NOT_FOUND : IMAGE_CANNOT_RUN,
			"%s, the dynamic linker that %s asks for, cannot be used: %s", linker,
			shown, df_errno_text(errno));
	if (!S_ISREG(now.st_mode) || now.st_uid != 0 || (now.st_mode & (S_IWGRP | S_IWOTH)))
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"%s asks for the dynamic linker %s, which is not one of this system's (it does not belong "
			"to root); collect the files yourself and name them with --root DIR",
			shown, linker);
	return 0;
}

static int gather_dynamic(struct gather *g, const char *path, const struct elf_info *info)
{
	DF_FREE char *linker = strndup(info->interpreter, info->interpreter_length);
	int error;

	if (!linker)
		return out_of_memory(g);
	if (*linker != '/')
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"%s asks for the dynamic linker \"%s\", which is not an absolute path",
			path, linker);
	error = trust_linker(g, linker, path);
	if (!error)
		error = gather_host_path(g, linker, WATCH_ALL, NULL, NULL);
	if (error)
		return error;
	free(g->interpreter);
	free(g->elf_program);
	g->interpreter = df_take_ptr(&linker);
	g->elf_program = strdup(path);
	if (!g->elf_program)
		return out_of_memory(g);
	/* Both speed the linkers up, or tell them where to look; each has only one of them. */
	for (size_t i = 0; i < 2 && !error; i++) {
		const char *const cache[] = {"/etc/ld.so.cache", "/etc/ld-musl-x86_64.path"};

		error = gather_host_path(g, cache[i], WATCH_ALL, NULL, NULL);
		if (error == -ENOENT)
			error = gather_watch(g, cache[i], NULL);
	}
	if (error)
		return df_err_set(g->err, error, "gathering the linker's settings failed: %s",
			df_errno_text(error));
	return gather_libraries(g, path, NULL, 0);
}

/* --- scripts --- */

/* What `env` will start: the first word that is neither an option nor NAME=VALUE; "-S" may be glued to it. */
static int env_name(const char *argument, char *name, size_t name_bytes)
{
	while (*argument) {
		size_t length = strcspn(argument, " \t");

		if (length > 2 && df_starts_with(argument, "-S")) {
			argument += 2;
			continue;
		}
		if (length > 0 && *argument != '-' && !memchr(argument, '=', length)) {
			if (length >= name_bytes)
				return -ENAMETOOLONG;
			memcpy(name, argument, length);
			name[length] = '\0';
			return 0;
		}
		argument += length;
		argument += strspn(argument, " \t");
	}
	return -ENOENT;
}

/* Looks `name` up as the guest's env will: in the guest's PATH. */
static int search_guest_path(const struct gather *g, const char *name, char **found)
{
	const char *part = g->options.guest_path;

	if (strchr(name, '/')) {
		*found = strdup(name);
		return *found ? 0 : -ENOMEM;
	}
	while (part && *part) {
		size_t length = strcspn(part, ":");
		DF_FREE char *path = df_format("%.*s/%s", (int)length, part, name);

		if (!path)
			return -ENOMEM;
		if (*part == '/' && access(path, X_OK) == 0) {
			*found = df_take_ptr(&path);
			return 0;
		}
		part += length + (part[length] == ':');
	}
	return -ENOENT;
}

static int gather_at_depth(struct gather *g, const char *path, const char *shown, int depth);

static int gather_script(struct gather *g, const struct df_mapping *file, const char *shown,
	int depth)
{
	DF_FREE char *program = NULL;
	struct script_line line;
	char name[256];
	int error;

	if (script_parse(file->data, file->length, &line) < 0)
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"%s is a script, but its first line names no interpreter", shown);
	if (line.interpreter[0] != '/')
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"%s is a script whose interpreter, %s, is not an absolute path", shown,
			line.interpreter);
	if (depth >= SCRIPT_DEPTH_MAX)
		return df_err_set(g->err, IMAGE_CANNOT_RUN,
			"%s: the interpreters of this script are scripts themselves, too deep for Linux",
			shown);
	error = gather_at_depth(g, line.interpreter, shown, depth + 1);
	if (error || strcmp(df_base_name(line.interpreter), "env") != 0)
		return error;
	if (env_name(line.argument, name, sizeof(name)) < 0)
		return 0; /* env will say so itself */
	error = search_guest_path(g, name, &program);
	if (error == -ENOENT)
		return df_err_set(g->err, IMAGE_NOT_FOUND,
			"%s, which %s asks for in its first line, was not found on the guest's PATH (%s)",
			name, shown, g->options.guest_path);
	return error ? out_of_memory(g) : gather_at_depth(g, program, shown, depth + 1);
}

/* --- programs --- */

/* Says why a program could not be added. `shown` is what the user typed; above depth 0 it is the script. */
static int cannot_add(struct gather *g, int error, const char *path, const char *shown, int depth)
{
	if (error == -ENOMEM)
		return out_of_memory(g);
	if (depth > 0 && (error == -ENOENT || error == -ENOTDIR))
		return df_err_set(g->err, IMAGE_NOT_FOUND,
			"%s, which %s asks for in its first line, was not found; install it", path,
			shown);
	if (error == -ENOENT || error == -ENOTDIR)
		return df_err_set(g->err, IMAGE_NOT_FOUND, "%s was not found", shown);
	if (error == -EINVAL)
		return df_err_set(g->err, IMAGE_CANNOT_RUN, "%s is not a regular file", shown);
	return df_err_set(g->err, IMAGE_CANNOT_RUN, "%s cannot be run: %s", depth ? path : shown,
		df_errno_text(error));
}

static int gather_at_depth(struct gather *g, const char *path, const char *shown, int depth)
{
	DF_UNMAP struct df_mapping file = DF_MAPPING_NONE;
	DF_FREE char *real = NULL;
	struct elf_info info;
	enum elf_kind kind;
	struct stat now;
	int error;

	error = gather_host_path(g, path, WATCH_ALL, &real, &now);
	if (!error && S_ISDIR(now.st_mode))
		error = -EISDIR;
	if (!error)
		error = map_file(path, &file);
	if (error)
		return cannot_add(g, error, path, shown, depth);
	kind = elf_inspect(file.data, file.length, &info);
	if (kind == ELF_SCRIPT)
		return gather_script(g, &file, depth ? path : shown, depth);
	if (kind != ELF_PROGRAM) {
		elf_explain(kind, &info, depth ? path : shown, g->err);
		return IMAGE_CANNOT_RUN;
	}
	if (!info.interpreter)
		return recipes_for_program(g, path, real);
	error = gather_dynamic(g, path, &info);
	if (!error)
		error = recipes_for_program(g, path, real);
	return error ? error : recipes_for_libraries(g);
}

int gather_program(struct gather *g, const char *path)
{
	g->program = path;
	return gather_at_depth(g, path, g->options.shown_name, 0);
}

/* Did --file bring a file of this name? Then the guest's linker may find it, and knows better than we do. */
static bool brought(const struct gather *g, const char *name)
{
	for (size_t i = 0; i < g->tree.count; i++) {
		if (strcmp(g->tree.nodes[i]->name, df_base_name(name)) == 0)
			return true;
	}
	return false;
}

/* A path of the program itself is shown as the user typed it. */
static const char *shown(const struct gather *g, const char *path)
{
	return g->program && strcmp(g->program, path) == 0 ? g->options.shown_name : path;
}

int gather_finish(struct gather *g)
{
	for (size_t i = 0; i < g->missing_count; i++) {
		if (!brought(g, g->missing[i]))
			return df_err_set(g->err, IMAGE_NOT_FOUND,
				"%s, which %s needs, was not found; install it or add it with --file",
				g->missing[i], shown(g, g->missing_for[i]));
	}
	return gather_directories(g);
}
