/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly freeze`: freezes a program at its wait point into a file, from which `dayfly thaw` takes pristine copies. */
#include "cli/event.h"
#include "cli/page.h"
#include "cli/snapshot_file.h"

#include "host/cleanup.h"
#include "host/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct freeze_options {
	const char *output;
	const char *event; /* file with the rehearsal's body, or NULL: empty */
};

static int set_output(void *into, const char *value, struct df_err *err)
{
	if (!*value)
		return df_err_set(err, -EINVAL, "-o needs the name of a file");
	((struct freeze_options *)into)->output = value;
	return 0;
}

static int set_event(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct freeze_options *)into)->event = value;
	return 0;
}

static const struct flag freeze_flags[] = {
	{"-o", "FILE", "the snapshot; a file of that name is replaced", set_output},
	{"--event", "FILE", "body of the event that is rehearsed (default: empty)", set_event},
	{0},
};

static const struct page page = {"freeze -o FILE [FLAGS] PROGRAM [--] [ARGUMENTS]",
	"Runs a program until it wants its standard input, and freezes it there into a file\n"
	"that holds all it needs, its root file system too. `dayfly thaw FILE` then answers\n"
	"one event in a pristine copy, as often as you like, in another process, after a\n"
	"reboot. An event is rehearsed first, in a copy that is thrown away: what it shows\n"
	"makes later ones faster, so give it a typical body.\n\n"
	"The file holds the program's memory and environment, secrets among them; it can be\n"
	"read by you alone (0600).\n",
	0, PAGE_PROGRAM, WORDS_FILES,
	"Exit status: 0; 125 when dayfly fails, 126 when the program cannot be run, 127 when\n"
	"it is not found.\n\n"
	"  dayfly freeze -o thumb.snap --event cat.jpg ./thumb -- 256\n"
	"  dayfly thaw thumb.snap < cat.jpg > thumb.webp\n"};

static int make_slot(const struct freeze_options *how, const struct event_options *options,
	struct df_slot *slot, struct df_err *err)
{
	int error;

	if (df_slot_init(slot, df_slot_window(options->body_bytes), err))
		return CLI_FAILED;
	if (how->event) {
		DF_CLOSE int fd = open(how->event, O_RDONLY | O_CLOEXEC);

		error = fd < 0 ? -errno : df_slot_read_body(slot, fd);
		if (error == -E2BIG)
			return df_err_set(err, CLI_FAILED,
				"--event %s is larger than --body-max allows", how->event);
		if (error)
			return df_err_set(err, CLI_FAILED, "--event %s: %s", how->event,
				df_errno_text(error));
	}
	return df_slot_seal(slot, slot->in_bytes, event_out_window(options), err) ? CLI_FAILED
										  : CLI_OK;
}

static void print_result(const struct event_options *options, const struct freeze_options *how,
	const struct program *program, const struct df_ready *frozen, const struct stat *now)
{
	char time[UNITS_BYTES], size[UNITS_BYTES], whole[UNITS_BYTES];
	DF_STR struct df_str json = DF_STR_EMPTY;

	if (!options->json) {
		printf("frozen at %s after %s: %s, %" PRIu64 " pages written; %s has %s\n",
			event_wait_point(frozen->wait_point), units_time(frozen->boot_ns, time),
			units_size(frozen->snapshot_bytes, size), frozen->event_pages, how->output,
			units_size((uint64_t)now->st_blocks * 512, whole));
		return;
	}
	df_json_open(&json, NULL, '{');
	df_json_text(&json, "program", program->path);
	df_json_text(&json, "file", how->output);
	df_json_number(&json, "file_bytes", (uint64_t)now->st_size);
	df_json_number(&json, "disk_bytes", (uint64_t)now->st_blocks * 512);
	df_json_text(&json, "at", event_wait_point(frozen->wait_point));
	df_json_number(&json, "boot_ns", frozen->boot_ns);
	df_json_number(&json, "bytes", frozen->snapshot_bytes);
	df_json_number(&json, "event_pages", frozen->event_pages);
	df_json_close(&json, '}');
	printf("%s\n", df_str_text(&json));
}

static int freeze(const struct program_options *program_options,
	const struct event_options *options, const struct freeze_options *how,
	const struct net_options *net, const struct program *program, struct df_err *err)
{
	struct df_slot slot = DF_SLOT_NONE;
	struct snapshot_file file = SNAPSHOT_FILE_NONE;
	struct event_freezing freezing = {
		.program_options = program_options,
		.program = program,
		.options = options,
		.slot = &slot,
		/* Time enough for booting is time enough for an event. */
		.rehearsal_wall_ns =
			(options->boot_limit_ms ? options->boot_limit_ms : 30000) * 1000000,
		.net = net,
	};
	struct df_ready frozen;
	struct stat now;
	int status = make_slot(how, options, &slot, err);

	if (!status && snapshot_file_create(&file, how->output, err))
		status = CLI_FAILED;
	freezing.snapshot_fd = file.fd;
	if (!status)
		status = event_freeze(&freezing, &frozen, err);
	if (!status &&
		(snapshot_file_add_root(&file, program->image, err) ||
			snapshot_file_publish(&file, err)))
		status = CLI_FAILED;
	if (!status && fstat(file.fd, &now) == 0)
		print_result(options, how, program, &frozen, &now);
	snapshot_file_deinit(&file);
	df_slot_deinit(&slot);
	return status;
}

int command_freeze(int argc, char **argv)
{
	static struct program_options program_options;
	static struct event_options options;
	static struct freeze_options how;
	static struct net_options net;
	const struct flag_set sets[] = {{freeze_flags, &how}, {event_body_flags, &options},
		{event_window_flags, &options}, {event_boot_flags, &options},
		{event_json_flags, &options}, {event_jail_flags, &options}, {net_event_flags, &net},
		{program_flags, &program_options}, {0}};
	struct program program = {0};
	struct df_err err = {0};
	int next, status;

	event_fill_streams();
	program_options_init(&program_options);
	event_options_init(&options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (!status && !how.output)
		status = df_err_set(&err, -EINVAL,
			"where to? dayfly freeze -o FILE [FLAGS] PROGRAM [--] [ARGUMENTS]");
	if (status)
		return page_end(status, &err);
	event_warn_unjailed(&options);
	status = net_prepare(&net, &program_options, &err);
	if (!status)
		status = program_prepare(&program_options, argc, argv, next, &program, &err);
	if (!status)
		status = freeze(&program_options, &options, &how, &net, &program, &err);
	/* dayfly-net has said why, if it was that. */
	return status && err.code ? cli_fail(&err, status) : status;
}
