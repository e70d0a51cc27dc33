/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of dayfly-monitor (monitor/options.c reads it): see program.h. */
#include "cli/program.h"

#include "host/path.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Words that come neither from the user nor from the command. */
#define FIXED_WORDS 24

struct words {
	const char **list;
	size_t count;
};

static void add(struct words *words, const char *word)
{
	words->list[words->count++] = word;
}

static void add_pair(struct words *words, const char *flag, const char *value)
{
	add(words, flag);
	add(words, value);
}

char *monitor_path(void)
{
	return df_place_program("dayfly-monitor");
}

static char *feature_list(const struct monitor_command *command)
{
	struct df_str list = DF_STR_EMPTY;

	df_str_add(&list, "core");
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (command->options->features[i])
			df_str_addf(&list, ",%s", feature_names[i]);
	}
	if (command->more_features)
		df_str_add(&list, command->more_features);
	return df_str_take(&list);
}

static bool add_program(struct words *words, const struct monitor_command *command)
{
	const struct program_options *options = command->options;
	const struct program *program = command->program;
	char *kernel = df_place_program("dayfly-kernel");
	char *memory = df_format("%" PRIu64, options->memory_bytes);
	char *features = feature_list(command);

	if (!kernel || !memory || !features)
		return false;
	add_pair(words, "--kernel", kernel);
	add_pair(words, options->features[FEATURE_FILES] ? "--root" : "--raw-root", program->image);
	add_pair(words, "--program", program->path);
	add_pair(words, "--memory", memory);
	add_pair(words, "--features", features);
	add_pair(words, "--cwd", options->workdir);
	return true;
}

char **monitor_words(const struct monitor_command *command)
{
	char *roots = roots_directory();
	char *host_cache = roots ? df_path_join(roots, "../cpuid") : NULL;
	int arguments = command->program ? command->program->argument_count : 0;
	struct words words = {.count = 0};
	size_t flags = 0;

	while (command->flags && command->flags[flags])
		flags++;
	words.list = calloc(FIXED_WORDS + flags + (size_t)arguments, sizeof(*words.list));
	if (!words.list)
		return NULL;
	add_pair(&words, "dayfly-monitor", command->name);
	if (host_cache)
		add_pair(&words, "--host-cache", host_cache);
	if (command->program && !add_program(&words, command))
		return NULL;
	for (size_t i = 0; i < flags; i++)
		add(&words, command->flags[i]);
	if (command->program)
		add_pair(&words, "--", command->program->argv0);
	for (int i = 0; i < arguments; i++)
		add(&words, command->program->arguments[i]);
	return (char **)words.list;
}

int monitor_become(const struct monitor_command *command, const char *const *environment,
	struct df_err *err)
{
	char *path = monitor_path();
	char **words = monitor_words(command);

	if (!path || !words)
		return df_err_set(err, CLI_FAILED, "starting the monitor failed: %s",
			df_errno_text(errno));
	execve(path, words, (char **)environment);
	if (errno == ENOENT)
		return df_err_set(err, CLI_FAILED,
			"%s was not found; build it with `make build`, or install dayfly again",
			path);
	return df_err_set(err, CLI_FAILED, "%s cannot be started: %s", path, df_errno_text(errno));
}
