/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's command line: see monitor_words.h. */
#include "host/monitor_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Words that are neither flags nor arguments of the caller. */
#define FIXED_WORDS 24
#define NUMBER_BYTES 24

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

static void add_program(struct words *words, const struct df_monitor_words *command,
	const char *memory)
{
	add_pair(words, "--kernel", command->kernel);
	add_pair(words, command->raw_root ? "--raw-root" : "--root", command->root);
	add_pair(words, "--program", command->program);
	add_pair(words, "--memory", memory);
	add_pair(words, "--features", command->features);
	add_pair(words, "--cwd", command->cwd);
}

char **df_monitor_words(const struct df_monitor_words *command)
{
	struct words words = {.count = 0};
	size_t flags = 0, room;
	char *memory;

	while (command->flags && command->flags[flags])
		flags++;
	room = FIXED_WORDS + flags + command->argument_count;
	/* The only text that is made here lies behind the list. */
	words.list = calloc(1, room * sizeof(*words.list) + NUMBER_BYTES);
	if (!words.list)
		return NULL;
	memory = (char *)(words.list + room);
	snprintf(memory, NUMBER_BYTES, "%" PRIu64, command->memory_bytes);
	add_pair(&words, "dayfly-monitor", command->name);
	if (command->host_cache)
		add_pair(&words, "--host-cache", command->host_cache);
	if (command->program)
		add_program(&words, command, memory);
	for (size_t i = 0; i < flags; i++)
		add(&words, command->flags[i]);
	if (command->program)
		add_pair(&words, "--", command->argv0);
	for (size_t i = 0; i < command->argument_count; i++)
		add(&words, command->arguments[i]);
	return (char **)words.list;
}
