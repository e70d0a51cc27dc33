/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming the monitor: see program.h. */
#include "cli/program.h"

#include "host/monitor_words.h"
#include "host/path.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <unistd.h>

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

char **monitor_words(const struct monitor_command *command)
{
	const struct program *program = command->program;
	char *roots = roots_directory();
	struct df_monitor_words words = {
		.name = command->name,
		.host_cache = roots ? df_path_join(roots, "../cpuid") : NULL,
		.flags = command->flags,
	};

	if (program) {
		words.kernel = df_place_program("dayfly-kernel");
		words.root = program->image;
		words.raw_root = !command->options->features[FEATURE_FILES];
		words.program = program->path;
		words.features = feature_list(command);
		words.cwd = command->options->workdir;
		words.memory_bytes = command->options->memory_bytes;
		words.argv0 = program->argv0;
		words.arguments = program->arguments;
		words.argument_count = (size_t)program->argument_count;
		if (!words.kernel || !words.features)
			return NULL;
	}
	return df_monitor_words(&words);
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
