/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly thaw`: answers one event in a pristine copy of a program that `dayfly freeze` froze into a file.
 *
 * Here it counts how long it takes until the reply is there, so nothing happens that needs not, and the monitor sets itself up while
 * this process reads the event: it is started first, and the event given to it without waiting until it is ready. It checks the
 * snapshot itself; the check here is for the windows' sizes, and for an error that names the file.
 */
#include "cli/event.h"
#include "cli/snapshot_file.h"

#include "host/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Windows as the snapshot's page tables show them. */
static int make_slot(const struct df_snapshot *header, const struct event_options *options,
	struct df_slot *slot, struct df_err *err)
{
	int error;

	if (df_slot_init(slot, header->in_bytes, err) ||
		df_slot_seal(slot, header->in_bytes, header->out_bytes, err))
		return CLI_FAILED;
	error = df_slot_put_attributes(slot, options->attributes.data, options->attributes.length);
	return error ? df_err_set(err, CLI_FAILED, "the attributes are too large") : CLI_OK;
}

static int check_reply_max(const struct df_snapshot *header, const struct event_options *options,
	const char *path, struct df_err *err)
{
	char text[UNITS_BYTES];
	uint64_t most = header->out_bytes - DF_OUT_REPLY;

	if (options->limits.reply_bytes <= most)
		return CLI_OK;
	return df_err_set(err, CLI_FAILED,
		"--reply-max: %s was frozen with room for replies of %s; freeze it again with a larger "
		"--reply-max",
		path, units_size(most, text));
}

static int thaw(const char *path, struct event_options *options, int *exit_status,
	struct df_err *err)
{
	struct event_serving serving = {.root_fd = -1, .slot_count = 1, .flags = DF_START_ONCE};
	struct df_monitor monitor;
	struct df_snapshot header;
	struct df_slot_reply reply;
	struct df_slot slot;
	int status;

	serving.snapshot_fd = snapshot_file_open(path, &header, err);
	if (serving.snapshot_fd < 0)
		return CLI_FAILED;
	if (!header.root_offset)
		return df_err_set(err, CLI_FAILED,
			"%s holds no root image; make it with dayfly freeze", path);
	status = check_reply_max(&header, options, path, err);
	if (status)
		return status;
	status = event_start_server(options, &monitor, err);
	if (status)
		return status;
	serving.slots = &slot;
	status = make_slot(&header, options, &slot, err);
	if (!status)
		status = event_send_server(&monitor, &serving, err);
	if (!status) {
		status = event_read_input(&slot, err);
		if (status)
			df_err_add(err, "; freeze the program with a larger --body-max");
	}
	if (!status) {
		df_slot_start(&slot, &options->limits);
		status = event_await_first(&slot, &monitor, options->limits.wall_ns, &reply, err);
	}
	if (status && err->code == -EPIPE)
		status = event_explain_end(&monitor, err);
	if (!status) {
		*exit_status = df_outcome_status(&reply);
		status = df_outcome_write(&reply, err) ? CLI_FAILED : CLI_OK;
	}
	(void)df_monitor_stop(&monitor, DF_MONITOR_GRACE_MS);
	return status;
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
	int status, exit_status = 0;
	struct df_err err = {0};

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
	status = thaw(path, &options, &exit_status, &err);
	return status ? cli_fail(&err, status) : exit_status;
}
