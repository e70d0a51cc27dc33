/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly thaw`: answers one event in a pristine copy of a program that `dayfly freeze` froze into a file.
 *
 * Here it counts how long it takes until the reply is there, so this process becomes the monitor (execve, no fork), as `dayfly run` does: nothing has
 * to be passed on, and nobody waits for anybody.
 */
#include "cli/event.h"
#include "cli/program.h"

#include "host/attributes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Words that are no attributes. */
#define FIXED_WORDS 12

void command_thaw_help(void)
{
	printf("Usage: dayfly thaw FILE [FLAGS] < BODY\n\n"
	       "Answers one event in a pristine copy of a program that `dayfly freeze` froze into\n"
	       "FILE: standard input becomes the event's body, the reply goes to standard output,\n"
	       "what the program writes to standard error goes there.\n\n");
	flags_print(event_limit_flags);
	flags_print(event_window_flags);
	flags_print(event_jail_flags);
	printf("\nExit status: the program's, 128+n when signal n ended it; 124 for a limit of time,\n"
	       "137 of memory, 153 of size; 125 when dayfly fails.\n\n"
	       "  dayfly thaw thumb.snap < cat.jpg > thumb.webp\n"
	       "  dayfly thaw score.snap --wall 2s --attribute type=com.example.order < order.json\n");
}

struct words {
	const char **list;
	size_t count;
};

static void add_number(struct words *words, const char *flag, uint64_t number)
{
	if (!number)
		return;
	words->list[words->count++] = flag;
	words->list[words->count++] = df_format("%" PRIu64, number);
}

/* Attributes travel as pairs; on a command line they are NAME=VALUE again. */
static size_t add_attributes(struct words *words, const struct df_str *pairs)
{
	const char *name, *value;
	size_t at = 0, count = 0;

	while (df_attributes_next(pairs->data, pairs->length, &at, &name, &value) == 1) {
		if (words) {
			words->list[words->count++] = "--attribute";
			words->list[words->count++] = df_format("%s=%s", name, value);
		}
		count++;
	}
	return count;
}

/* Replaces this process. Returns only if that fails. */
static int become_monitor(const char *path, const struct event_options *options, struct df_err *err)
{
	static const char *const no_environment[] = {NULL};
	struct words words = {.count = 0};
	struct monitor_command command = {.name = "thaw"};

	words.list = calloc(FIXED_WORDS + 2 * add_attributes(NULL, &options->attributes),
		sizeof(*words.list));
	if (!words.list)
		return df_err_set(err, CLI_FAILED, "out of memory");
	if (options->no_jail)
		words.list[words.count++] = "--no-jail";
	add_number(&words, "--wall-ns", options->limits.wall_ns);
	add_number(&words, "--cpu-ns", options->limits.cpu_ns);
	add_number(&words, "--reply-max", options->limits.reply_bytes);
	add_number(&words, "--log-max", options->limits.log_bytes);
	add_attributes(&words, &options->attributes);
	words.list[words.count] = path;
	command.flags = words.list;
	return monitor_become(&command, no_environment, err);
}

/* Flags may stand on both sides of the file. */
static int parse(int argc, char **argv, struct event_options *options, const char **path,
	struct df_err *err)
{
	const struct flag_set sets[] = {{event_limit_flags, options}, {event_window_flags, options},
		{event_jail_flags, options}, {0}};
	int next, result = flags_parse(sets, argc, argv, &next, err);

	*path = NULL;
	if (result || next >= argc)
		return result;
	*path = argv[next];
	argc -= next;
	argv += next;
	result = flags_parse(sets, argc, argv, &next, err);
	if (!result && next < argc)
		return df_err_set(err, -EINVAL,
			"%s: dayfly thaw takes one snapshot; what it is to work on comes through "
			"standard input",
			argv[next]);
	return result;
}

int command_thaw(int argc, char **argv)
{
	struct event_options options;
	const char *path;
	struct df_err err = {0};
	int status;

	event_fill_streams();
	event_options_init(&options);
	options.limits.reply_bytes = 0; /* what the window holds */
	status = parse(argc, argv, &options, &path, &err);
	if (status == FLAGS_HELP) {
		command_thaw_help();
		return CLI_OK;
	}
	if (!status && !path)
		status = df_err_set(&err, -EINVAL,
			"which snapshot? dayfly thaw FILE [FLAGS] < BODY");
	if (status)
		return cli_fail(&err, CLI_FAILED);
	event_warn_unjailed(&options);
	event_refuse_terminal();
	return cli_fail(&err, become_monitor(path, &options, &err));
}
