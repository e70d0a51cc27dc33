/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly run`: finds the program, gets the root image for it, and becomes the monitor.
 *
 * The monitor replaces this process (execve, no fork): start-up time counts, and terminal, signals and exit status then need no passing on.
 * So nothing that is allocated here is freed, and nothing else happens that a cached run does not need.
 */
#include "cli/event.h"
#include "cli/net.h"
#include "cli/page.h"
#include "cli/program.h"
#include "cli/run_options.h"

#include "host/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct page page = {"run [FLAGS] PROGRAM [--] [ARGUMENTS]",
	"Runs a Linux program in a microVM of its own. Standard input, output, error and\n"
	"the exit status pass through. A program given by name is found on PATH; its\n"
	"libraries and interpreter are gathered into a root file system by themselves.\n"
	"With -d it becomes a service instead: the daemon runs it and starts it again when it\n"
	"ends; its output is in `dayfly logs NAME`.\n",
	0, PAGE_PROGRAM, WORDS_FILES,
	"Exit status: the program's, 128+n when signal n ended it; 125 when dayfly fails,\n"
	"126 when the program cannot be run, 127 when it is not found.\n\n"
	"  dayfly run --stats ./hello\n"
	"  dayfly run zstd -- -19 -c < report.csv > report.csv.zst\n"
	"  dayfly run --file ./data:/data sqlite3 -- /data/x.db 'select 1'\n"
	"  dayfly run -d -p 8081:80 --name web nginx -- -c /etc/nginx/nginx.conf\n"};

/* Replaces this process. Returns only if that fails. */
static int become_monitor(const struct program_options *options, const struct run_options *run,
	const struct net_options *net, const struct program *program, struct df_err *err)
{
	const char *flags[10] = {NULL};
	const struct monitor_command command = {
		.name = "run", .flags = flags, .options = options, .program = program};
	size_t count = 0;

	if (run->timeout_ms > 0) {
		flags[count++] = "--timeout-ms";
		flags[count++] = df_format("%" PRIu64, run->timeout_ms);
	}
	if (run->stats)
		flags[count++] = "--stats";
	if (run->trace)
		flags[count++] = "--trace";
	if (run->watch) {
		flags[count++] = "--watch";
		flags[count++] = run->watch;
	}
	if (run->no_jail)
		flags[count++] = "--no-jail";
	if (net->wanted) {
		char *word;
		int status = net_start(net, program->typed, &word, err);

		if (status)
			return status;
		flags[count++] = "--net";
		flags[count++] = word;
	}
	return monitor_become(&command, options->env, err);
}

int command_run(int argc, char **argv)
{
	static struct program_options options;
	static struct run_options run;
	static struct net_options net;
	static struct event_options event; /* for --no-jail */
	const struct flag_set sets[] = {{program_flags, &options}, {run_flags, &run},
		{event_jail_flags, &event}, {net_flags, &net}, {0}};
	struct program program = {0};
	struct df_err err;
	int next, status;

	event_fill_streams();
	program_options_init(&options);
	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
		program_copy_env(&options, "TERM");
	status = page_flags(&page, sets, argc, argv, &next, &err);
	run.no_jail = event.no_jail;
	if (!status)
		status = run_options_check(&run, &err);
	if (status)
		return page_end(status, &err);
	if (run.detach)
		return command_platform(argc, argv);
	event_warn_unjailed(&event);
	status = net_prepare(&net, &options, &err);
	if (status)
		return cli_fail(&err, status);
	status = program_prepare(&options, argc, argv, next, &program, &err);
	if (status)
		return cli_fail(&err, status);
	err.code = 0;
	status = become_monitor(&options, &run, &net, &program, &err);
	/* dayfly-net has said why, if it was that. */
	return err.code ? cli_fail(&err, status) : status;
}
