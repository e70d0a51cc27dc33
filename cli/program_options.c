/* SPDX-License-Identifier: Apache-2.0 */
/* What decides how a guest is made: flags, and the guest's environment. See program.h. */
#include "cli/program.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MEMORY_BYTES (512ull << 20)

const char *const feature_names[FEATURE_COUNT + 1] = {
	[FEATURE_FILES] = "files",
	[FEATURE_TMP] = "tmp",
	[FEATURE_TASKS] = "tasks",
	[FEATURE_EVENTS] = "events",
	[FEATURE_SIGNALS] = "signals",
	[FEATURE_NET] = "net",
};

/* Adds "NAME=VALUE" in place of an earlier value of NAME. */
static int put_env(struct program_options *options, const char *text)
{
	size_t name_length = strcspn(text, "=") + 1;

	for (size_t i = 0; i < options->env_count; i++) {
		if (strncmp(options->env[i], text, name_length) == 0) {
			options->env[i] = text;
			return 0;
		}
	}
	/* One place stays free for the NULL at the end. */
	if (options->env_count >= PROGRAM_LIST_MAX - 1)
		return -E2BIG;
	options->env[options->env_count++] = text;
	options->env[options->env_count] = NULL;
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

void program_copy_env(struct program_options *options, const char *name)
{
	const char *text = host_env(name);

	if (text)
		(void)put_env(options, text);
}

void program_options_init_plain(struct program_options *options)
{
	options->memory_bytes = DEFAULT_MEMORY_BYTES;
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		options->features[i] = i != FEATURE_NET; /* off unless it is named */
	options->workdir = "/";
	options->root = NULL;
	options->file_count = options->env_count = 0;
	options->env[0] = NULL;

	(void)put_env(options, "PATH=" GUEST_PATH);
	(void)put_env(options, "HOME=/root");
}

void program_options_init(struct program_options *options)
{
	program_options_init_plain(options);
	program_copy_env(options, "LANG");
	program_copy_env(options, "LC_ALL");
	program_copy_env(options, "TZ");
}

void program_forget_host(struct program_options *options)
{
	static const char *const names[] = {"LANG", "LC_ALL", "TZ"};
	size_t kept = 0;

	for (size_t i = 0; i < options->env_count; i++) {
		bool taken = false;

		for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++)
			taken = taken || options->env[i] == host_env(names[n]);
		if (!taken)
			options->env[kept++] = options->env[i];
	}
	options->env[kept] = NULL;
	options->env_count = kept;
}

const char *program_env(const struct program_options *options, const char *name)
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
	struct program_options *options = into;

	if (parse_size(value, &options->memory_bytes) < 0)
		return df_err_set(err, -EINVAL,
			"--memory %s is not a size; write it like 64M, 512M or 2G", value);
	return 0;
}

static int set_env(void *into, const char *value, struct df_err *err)
{
	struct program_options *options = into;
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
			PROGRAM_LIST_MAX - 1);
	return 0;
}

static int switch_feature(struct program_options *options, const char *name, bool on,
	struct df_err *err)
{
	const char *nearest;

	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (strcmp(feature_names[i], name) == 0) {
			options->features[i] = on;
			/* tmp changes files that the feature files brings: it makes no sense alone. */
			if (i == FEATURE_FILES && !on)
				options->features[FEATURE_TMP] = false;
			if (i == FEATURE_TMP && on)
				options->features[FEATURE_FILES] = true;
			return 0;
		}
	}
	if (strcmp(name, "core") == 0)
		return on ? 0
			  : df_err_set(err, -EINVAL,
				    "core cannot be left out: it is the kernel itself");
	nearest = nearest_name(name, feature_names);
	df_err_set(err, -EINVAL, "there is no feature %s", name);
	if (nearest)
		df_err_add(err, "; did you mean %s?", nearest);
	else
		df_err_add(err, "; there are files, tmp, tasks, events, signals and net");
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
	struct program_options *options = into;
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
	struct program_options *options = into;

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
	struct program_options *options = into;

	if (!split_file(value, &host, &guest))
		return df_err_set(err, -EINVAL, "--file %s: %s", value, df_errno_text(errno));
	if (*guest != '/' || strstr(guest, "/.."))
		return df_err_set(err, -EINVAL,
			"--file %s: the part after the colon is the path in the guest, which begins with /",
			value);
	if (options->file_count >= PROGRAM_LIST_MAX)
		return df_err_set(err, -E2BIG,
			"there are more than %d --file flags; add a directory instead",
			PROGRAM_LIST_MAX);
	options->files[options->file_count++] =
		(struct root_file){df_take_ptr(&host), df_take_ptr(&guest)};
	return 0;
}

const struct flag program_flags[] = {
	{"--memory", "SIZE", "memory of the guest: 64M, 2G (default 512M)", set_memory},
	{"--env", "NAME[=VALUE]", "set a variable; NAME alone takes over the host's value",
		set_env},
	{"--file", "HOST[:GUEST]", "add a file or directory to the guest's root", set_file},
	{"--root", "DIR|FILE", "use a prepared directory or EROFS image as the root", set_root},
	{"--workdir", "DIR", "working directory in the guest (default /)", set_workdir},
	{"--feature", "NAME", "give the kernel a feature (default: all but net)", set_feature},
	{"--no-feature", "NAME", "leave out files, tmp, tasks, events, signals or net",
		set_no_feature},
	{0},
};
