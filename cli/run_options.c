/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly run`: its flags and the guest's environment. */
#include "cli/run.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MEMORY_BYTES (512ull << 20)

const char *const run_feature_names[RUN_FEATURE_COUNT + 1] = {
	[RUN_FILES] = "files",
	[RUN_TMP] = "tmp",
	[RUN_TASKS] = "tasks",
	[RUN_EVENTS] = "events",
	[RUN_SIGNALS] = "signals",
};

/* Adds "NAME=VALUE" in place of an earlier value of NAME. */
static int put_env(struct run_options *options, const char *text)
{
	size_t name_length = strcspn(text, "=") + 1;

	for (size_t i = 0; i < options->env_count; i++) {
		if (strncmp(options->env[i], text, name_length) == 0) {
			options->env[i] = text;
			return 0;
		}
	}
	/* One place stays free for the NULL at the end. */
	if (options->env_count >= RUN_LIST_MAX - 1)
		return -E2BIG;
	options->env[options->env_count++] = text;
	return 0;
}

/* The "NAME=VALUE" of the host, without a copy; NULL if it is not set. */
static const char *host_env(const char *name)
{
	size_t length = strlen(name);

	for (char **at = environ; *at; at++) {
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at;
	}
	return NULL;
}

static void copy_env(struct run_options *options, const char *name)
{
	const char *text = host_env(name);

	/* There is room: this runs first, for a handful of names. */
	if (text)
		(void)put_env(options, text);
}

void run_options_init(struct run_options *options)
{
	options->memory_bytes = DEFAULT_MEMORY_BYTES;
	options->timeout_ms = 0;
	for (size_t i = 0; i < RUN_FEATURE_COUNT; i++)
		options->features[i] = true;
	options->workdir = "/";
	options->root = NULL;
	options->file_count = options->env_count = 0;
	options->stats = options->trace = false;

	(void)put_env(options, "PATH=" RUN_GUEST_PATH);
	(void)put_env(options, "HOME=/root");
	if (host_env("TERM") && (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)))
		copy_env(options, "TERM");
	copy_env(options, "LANG");
	copy_env(options, "LC_ALL");
	copy_env(options, "TZ");
}

const char *run_env(const struct run_options *options, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < options->env_count; i++) {
		if (strncmp(options->env[i], name, length) == 0 && options->env[i][length] == '=')
			return options->env[i] + length + 1;
	}
	return NULL;
}

static int set_memory(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;

	if (parse_size(value, &options->memory_bytes) < 0)
		return df_err_set(err, -EINVAL,
			"--memory %s is not a size; write it like 64M, 512M or 2G", value);
	return 0;
}

static int set_env(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;
	const char *text = value;

	if (*value == '=' || *value == '\0')
		return df_err_set(err, -EINVAL,
			"--env needs a name: --env NAME=VALUE, or --env NAME "
			"to take over the host's value");
	if (!strchr(value, '='))
		text = host_env(value);
	/* A variable that the host does not have, the guest does not have either. */
	if (text && put_env(options, text) < 0)
		return df_err_set(err, -E2BIG, "there are more than %d variables",
			RUN_LIST_MAX - 1);
	return 0;
}

static int set_timeout(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;

	if (parse_duration_ms(value, &options->timeout_ms) < 0)
		return df_err_set(err, -EINVAL,
			"--timeout %s is not a duration; write it like 500ms, 10s or 5m", value);
	return 0;
}

static int switch_feature(struct run_options *options, const char *name, bool on,
	struct df_err *err)
{
	const char *nearest;

	for (size_t i = 0; i < RUN_FEATURE_COUNT; i++) {
		if (strcmp(run_feature_names[i], name) == 0) {
			options->features[i] = on;
			/* tmp changes files that the feature files brings: it makes no sense alone. */
			if (i == RUN_FILES && !on)
				options->features[RUN_TMP] = false;
			if (i == RUN_TMP && on)
				options->features[RUN_FILES] = true;
			return 0;
		}
	}
	if (strcmp(name, "core") == 0)
		return on ? 0
			  : df_err_set(err, -EINVAL,
				    "core cannot be left out: it is the kernel itself");
	nearest = nearest_name(name, run_feature_names);
	df_err_set(err, -EINVAL, "there is no feature %s", name);
	if (nearest)
		df_err_add(err, "; did you mean %s?", nearest);
	else
		df_err_add(err, "; there are files, tmp, tasks, events and signals");
	return -EINVAL;
}

static int set_feature(void *into, const char *value, struct df_err *err)
{
	return switch_feature(into, value, true, err);
}

static int set_no_feature(void *into, const char *value, struct df_err *err)
{
	return switch_feature(into, value, false, err);
}

static int set_workdir(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;
	char *clean = strdup(value);

	if (!clean)
		return df_err_set(err, -ENOMEM, "out of memory");
	df_path_clean(clean);
	if (*clean != '/' || strstr(clean, "/..")) {
		free(clean);
		return df_err_set(err, -EINVAL,
			"--workdir %s is not an absolute path; it is a directory of the guest",
			value);
	}
	options->workdir = clean;
	return 0;
}

static int set_root(void *into, const char *value, struct df_err *err)
{
	struct run_options *options = into;

	options->root = df_path_absolute(value);
	if (!options->root)
		return df_err_set(err, -errno, "--root %s: %s", value, df_errno_text(errno));
	return 0;
}

/* Takes "HOST:GUEST" or "HOST" apart into two strings of their own. False: errno says why. */
static bool split_file(const char *value, char **host, char **guest)
{
	const char *colon = strrchr(value, ':');
	DF_FREE char *typed = colon ? strndup(value, (size_t)(colon - value)) : strdup(value);
	DF_FREE char *absolute = typed ? df_path_absolute(typed) : NULL;

	if (!absolute)
		return false;
	*guest = strdup(colon ? colon + 1 : absolute);
	if (!*guest)
		return false;
	df_path_clean(*guest);
	*host = df_take_ptr(&absolute);
	return true;
}

static int set_file(void *into, const char *value, struct df_err *err)
{
	DF_FREE char *host = NULL, *guest = NULL;
	struct run_options *options = into;

	if (!split_file(value, &host, &guest))
		return df_err_set(err, -EINVAL, "--file %s: %s", value, df_errno_text(errno));
	if (*guest != '/' || strstr(guest, "/.."))
		return df_err_set(err, -EINVAL,
			"--file %s: the part after the colon is the path in the guest, which begins with /",
			value);
	if (options->file_count >= RUN_LIST_MAX)
		return df_err_set(err, -E2BIG,
			"there are more than %d --file flags; add a directory instead",
			RUN_LIST_MAX);
	options->files[options->file_count++] =
		(struct root_file){df_take_ptr(&host), df_take_ptr(&guest)};
	return 0;
}

static int set_stats(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct run_options *)into)->stats = true;
	return 0;
}

static int set_trace(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct run_options *)into)->trace = true;
	return 0;
}

const struct flag run_flags[] = {
	{"--memory", "SIZE", "memory of the guest: 64M, 2G (default 512M)", set_memory},
	{"--env", "NAME[=VALUE]", "set a variable; NAME alone takes over the host's value",
		set_env},
	{"--timeout", "DURATION", "end the guest after 500ms, 10s, 5m (default: never)",
		set_timeout},
	{"--file", "HOST[:GUEST]", "add a file or directory to the guest's root", set_file},
	{"--root", "DIR|FILE", "use a prepared directory or EROFS image as the root", set_root},
	{"--workdir", "DIR", "working directory in the guest (default /)", set_workdir},
	{"--feature", "NAME", "give the kernel a feature (default: all of them)", set_feature},
	{"--no-feature", "NAME", "leave out files, tmp, tasks, events or signals", set_no_feature},
	{"--stats", NULL, "print times and counts on standard error at the end", set_stats},
	{"--trace", NULL, "print every system call on standard error", set_trace},
	{0},
};
