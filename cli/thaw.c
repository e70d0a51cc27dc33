/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly thaw`: answers one event in a pristine copy of a program that `dayfly freeze` froze into a file.
 *
 * Here it counts how long it takes until the reply is there, so this process becomes the monitor (execve, no fork), as `dayfly run` does: nothing has
 * to be passed on, and nobody waits for anybody.
 */
#include "cli/event.h"
#include "cli/page.h"
#include "cli/program.h"

#include "host/attributes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Words that are no attributes. */
#define FIXED_WORDS 14

static const struct page page = {"thaw FILE [FLAGS] < BODY",
	"Answers one event in a pristine copy of a program that `dayfly freeze` froze into\n"
	"FILE: standard input becomes the event's body, the reply goes to standard output,\n"
	"what the program writes to standard error goes there.\n",
	1, 1, WORDS_FILES,
	"Exit status: the program's, 128+n when signal n ended it; 124 for a limit of time,\n"
	"137 of memory, 153 of size; 125 when dayfly fails.\n\n"
	"  dayfly thaw thumb.snap < cat.jpg > thumb.webp\n"
	"  dayfly thaw score.snap --wall 2s --attribute type=com.example.order < order.json\n"};

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
static int become_monitor(const char *path, const struct event_options *options,
	const struct net_options *net, struct df_err *err)
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
	if (net->wanted) {
		char *word;
		int status = net_start(net, path, &word, err);

		if (status)
			return status;
		words.list[words.count++] = "--net";
		words.list[words.count++] = word;
	}
	words.list[words.count] = path;
	command.flags = words.list;
	return monitor_become(&command, no_environment, err);
}

int command_thaw(int argc, char **argv)
{
	struct event_options options;
	static struct net_options net;
	const struct flag_set sets[] = {{event_limit_flags, &options},
		{event_window_flags, &options}, {event_jail_flags, &options},
		{net_event_flags, &net}, {0}};
	struct df_err err = {0};
	int next, status;

	event_fill_streams();
	event_options_init(&options);
	options.limits.reply_bytes = 0; /* what the window holds */
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (status)
		return page_end(status, &err);
	event_warn_unjailed(&options);
	event_refuse_terminal();
	status = become_monitor(argv[next], &options, &net, &err);
	/* dayfly-net has said why, if it was that. */
	return err.code ? cli_fail(&err, status) : status;
}
