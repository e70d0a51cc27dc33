/* SPDX-License-Identifier: Apache-2.0 */
/* Prebuilt functions, and what is rehearsed: see platform.h. docs/functions.md has them. */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "host/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* functions/NAME.SUFFIX beside dayfly, if it is there; else NULL. */
static char *prebuilt_file(const char *name, const char *suffix)
{
	DF_FREE char *beside = df_format("%s%s%s", PREBUILT_FOLDER, name, suffix);
	char *path = beside && manifest_name_is_good(name) ? df_place_program(beside) : NULL;

	if (path && access(path, R_OK) < 0) {
		free(path);
		return NULL;
	}
	return path;
}

/* Variables of the command line go before those of the manifest, and behind them in its list. */
static int add_variable(struct manifest_pairs *pairs, const char *variable)
{
	const char *equals = strchr(variable, '=');
	struct manifest_pair *items =
		realloc(pairs->items, (pairs->count + 1) * sizeof(*pairs->items));
	struct manifest_pair *pair;

	if (!items)
		return -ENOMEM;
	pairs->items = items;
	pair = &items[pairs->count];
	pair->name = strndup(variable, (size_t)(equals - variable));
	pair->value = strdup(equals + 1);
	pairs->count++;
	return pair->name && pair->value ? 0 : -ENOMEM;
}

/* What was said on the command line besides the name. */
static int add_options(const struct program_options *options, const char *name, struct manifest *m,
	struct df_err *err)
{
	static struct program_options usual;

	program_options_init(&usual);
	if (options->root || options->file_count || strcmp(options->workdir, usual.workdir) != 0 ||
		memcmp(options->features, usual.features, sizeof(usual.features)) != 0)
		return df_err_set(err, CLI_FAILED,
			"%s is a prebuilt function: of these flags it takes --env and --memory alone",
			name);
	if (options->memory_bytes != usual.memory_bytes)
		m->memory_bytes = options->memory_bytes;
	for (size_t i = usual.env_count; i < options->env_count; i++) {
		if (add_variable(&m->environment, options->env[i]) < 0)
			return df_err_set(err, CLI_FAILED, "out of memory");
	}
	return 0;
}

bool prebuilt_exists(const char *name)
{
	DF_FREE char *path = prebuilt_file(name, ".yaml");

	return path != NULL;
}

int prebuilt_load(const char *name, const struct program_options *options, struct manifest *m,
	struct df_err *err)
{
	DF_FREE char *path = prebuilt_file(name, ".yaml");

	if (!path)
		return df_err_set(err, CLI_FAILED,
			"there is no prebuilt function and no image named %s; a program needs a name as a function: dayfly deploy --name NAME %s",
			name, name);
	return manifest_load(path, m, err) ? CLI_FAILED : add_options(options, name, m, err);
}

char *rehearsal_path(const struct manifest *m, const char *given)
{
	const char *program = m->command.items[0];
	size_t prefix = strlen(PREBUILT_PREFIX);

	if (given)
		return strdup(given);
	if (m->rehearse)
		return manifest_host_path(m, m->rehearse);
	return strncmp(program, PREBUILT_PREFIX, prefix) == 0
		? prebuilt_file(program + prefix, ".event")
		: NULL;
}
