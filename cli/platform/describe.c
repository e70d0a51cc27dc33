/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between what a command line says of a program and a manifest: see platform.h. A manifest becomes the flags that `dayfly try` would be
 * given, so that a program is found and gathered in one way only.
 */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "host/path.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct df_err *err)
{
	return df_err_set(err, CLI_FAILED, "out of memory");
}

/* --- from the command line to a manifest --- */

static bool set_list(struct manifest_list *list, char **words)
{
	size_t count = 0;

	while (words[count])
		count++;
	list->items = calloc(count + 1, sizeof(*list->items));
	for (; list->items && list->count < count; list->count++) {
		list->items[list->count] = strdup(words[list->count]);
		if (!list->items[list->count])
			return false;
	}
	return list->items != NULL;
}

static bool set_files(struct manifest_list *list, const struct program_options *options)
{
	list->items = calloc(options->file_count + 1, sizeof(*list->items));
	for (; list->items && list->count < options->file_count; list->count++) {
		const struct root_file *file = &options->files[list->count];

		list->items[list->count] = df_format("%s:%s", file->host, file->guest);
		if (!list->items[list->count])
			return false;
	}
	return list->items != NULL;
}

/* Is it a variable that each guest gets? */
static bool is_usual(const struct program_options *usual, const char *variable)
{
	for (size_t i = 0; i < usual->env_count; i++) {
		if (strcmp(usual->env[i], variable) == 0)
			return true;
	}
	return false;
}

static bool set_environment(struct manifest_pairs *pairs, const struct program_options *options)
{
	static struct program_options usual;

	program_options_init_plain(&usual);
	pairs->items = calloc(options->env_count + 1, sizeof(*pairs->items));
	for (size_t i = 0; pairs->items && i < options->env_count; i++) {
		const char *equals = strchr(options->env[i], '=');
		struct manifest_pair *pair = &pairs->items[pairs->count];

		if (is_usual(&usual, options->env[i]))
			continue;
		pair->name = strndup(options->env[i], (size_t)(equals - options->env[i]));
		pair->value = strdup(equals + 1);
		pairs->count++;
		if (!pair->name || !pair->value)
			return false;
	}
	return pairs->items != NULL;
}

static bool set_text(char **into, const char *text)
{
	free(*into);
	*into = strdup(text);
	return *into != NULL;
}

void describe_drop_dashes(char **words)
{
	if (!words[0] || !words[1] || strcmp(words[1], "--") != 0)
		return;
	for (size_t i = 1; words[i]; i++)
		words[i] = words[i + 1];
}

int describe_options(const struct program_options *options, const char *name, char **words,
	struct manifest *m, struct df_err *err)
{
	if (manifest_init(m) < 0)
		return out_of_memory(err);
	m->memory_bytes = options->memory_bytes;
	m->features = 0;
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		m->features |= options->features[i] ? 1u << i : 0;
	if (!set_text(&m->name, name) || !set_text(&m->workdir, options->workdir) ||
		(options->root && !set_text(&m->root, options->root)) ||
		!set_list(&m->command, words) || !set_files(&m->files, options) ||
		!set_environment(&m->environment, options))
		return out_of_memory(err);
	return CLI_OK;
}

int describe_program(const struct program_options *options, const char *name, char **words,
	struct manifest *m, struct df_err *err)
{
	int status = describe_options(options, name, words, m, err);

	return status || !manifest_check(m, err) ? status : CLI_FAILED;
}

const char *describe_name(const char *path, char name[MANIFEST_NAME_MAX + 1])
{
	size_t length = 0;

	for (const char *at = df_base_name(path); *at && length < MANIFEST_NAME_MAX; at++) {
		if (isalnum((unsigned char)*at))
			name[length++] = *at;
		else if (length && name[length - 1] != '-')
			name[length++] = '-';
	}
	while (length && name[length - 1] == '-')
		length--;
	name[length] = '\0';
	return manifest_name_is_good(name) ? name : NULL;
}

/* --- from a manifest to the command line --- */

struct words {
	char **list; /* has room for all */
	size_t count;
	bool failed;
};

/* Takes `text`. */
static void add(struct words *words, char *text)
{
	words->failed = words->failed || !text;
	words->list[words->count++] = text;
}

static void add_features(struct words *words, const struct manifest *m)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		add(words,
			df_format("--%sfeature=%s", m->features >> i & 1 ? "" : "no-",
				feature_names[i]));
	}
}

static void add_files(struct words *words, const struct manifest *m)
{
	for (size_t i = 0; i < m->files.count; i++) {
		DF_FREE char *host = NULL, *guest = NULL;
		int error = manifest_file(m, m->files.items[i], &host, &guest);
		DF_FREE char *path = error ? NULL : manifest_host_path(m, host);

		add(words, path ? df_format("--file=%s:%s", path, guest) : NULL);
	}
}

/* A program given by a path of the host is seen from the manifest's directory. */
static char *program_word(const struct manifest *m)
{
	const char *typed = m->command.items[0];

	return m->root || !strchr(typed, '/') ? strdup(typed) : manifest_host_path(m, typed);
}

static void add_all(struct words *words, const struct manifest *m)
{
	add(words, df_format("--memory=%llu", (unsigned long long)m->memory_bytes));
	add(words, df_format("--workdir=%s", m->workdir));
	add_features(words, m);
	add_files(words, m);
	if (m->root) {
		DF_FREE char *path = manifest_host_path(m, m->root);

		add(words, path ? df_format("--root=%s", path) : NULL);
	}
	for (size_t i = 0; i < m->environment.count; i++)
		add(words,
			df_format("--env=%s=%s", m->environment.items[i].name,
				m->environment.items[i].value));
	add(words, strdup("--"));
	add(words, program_word(m));
	add(words, strdup("--"));
	for (size_t i = 1; i < m->command.count; i++)
		add(words, strdup(m->command.items[i]));
}

char **describe_words(const struct manifest *m, const char *const *first)
{
	struct words words = {.count = 0};
	size_t more = 0;

	while (first[more])
		more++;
	words.list = calloc(16 + more + FEATURE_COUNT + m->files.count + m->environment.count +
			m->command.count,
		sizeof(*words.list));
	if (!words.list)
		return NULL;
	for (size_t i = 0; i < more; i++)
		add(&words, strdup(first[i]));
	add_all(&words, m);
	if (!words.failed)
		return words.list;
	describe_words_free(words.list);
	return NULL;
}

void describe_words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* Files that names are looked up with are in the root if it has a network. */
static bool has_net(const struct manifest *m)
{
	return m->egress.count || m->publish.count ||
		(m->mode == MANIFEST_SERVICE && (m->features & MANIFEST_NET));
}

int describe_prepare(const struct manifest *m, struct program_options *options,
	struct program *program, struct df_err *err)
{
	const struct flag_set sets[] = {{program_flags, options}, {0}};
	char **words = describe_words(m, (const char *[]){"deploy", NULL});
	int count = 0, next;

	if (!words)
		return out_of_memory(err);
	while (words[count])
		count++;
	program_options_init_plain(options);
	if (flags_parse(sets, count, words, &next, err))
		return CLI_FAILED;
	if (has_net(m) && program_add_net(options, NULL, err))
		return CLI_FAILED;
	return program_prepare(options, count, words, next, program, err);
}
