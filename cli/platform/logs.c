/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly logs` and `dayfly inspect`. */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "host/write.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 30000

struct logs_options {
	bool follow;
	unsigned long long tail; /* ALL_LINES: all that are kept */
};

#define ALL_LINES ULLONG_MAX

static int set_follow(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct logs_options *)into)->follow = true;
	return 0;
}

static int set_tail(void *into, const char *value, struct df_err *err)
{
	char *end;
	unsigned long long count = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || count > UINT_MAX)
		return df_err_set(err, -EINVAL, "--tail %s: how many lines?", value);
	((struct logs_options *)into)->tail = count;
	return 0;
}

static const struct flag logs_flags[] = {
	{"-f", NULL, "go on with what comes, until Ctrl-C", set_follow},
	{"--tail", "COUNT", "only the last lines", set_tail},
	{0},
};

static const struct page logs_page = {"logs [-f] [--tail COUNT] [NAME]",
	"Prints a function's log, one JSON object a line: failures, and what its events wrote to\n"
	"standard error. Without a name, the daemon's own log.\n",
	0, 1, WORDS_FUNCTIONS, NULL};

/*
 * The lines from position *after on, which becomes the one behind the last; the first time only the last `tail` of them, unless that is ALL_LINES.
 */
static int print_lines(const char *path, uint64_t *after, bool wait, unsigned long long tail,
	struct df_err *err)
{
	DF_FREE char *whole = tail == ALL_LINES
		? df_format("%s/logs?after=%llu&wait=%d", path, (unsigned long long)*after,
			  wait ? WAIT_MS : 0)
		: df_format("%s/logs?tail=%llu", path, tail);
	const struct client_request request = {.method = "GET", .path = whole};
	struct client_reply reply;
	int status = whole ? client_ask(&request, &reply, err)
			   : df_err_set(err, CLI_FAILED, "out of memory");

	if (status)
		return status;
	*after = reply.log_after;
	if (reply.status >= 400)
		status = client_refused(&reply, err);
	else if (df_write(STDOUT_FILENO, df_str_text(&reply.body), reply.body.length))
		status = df_err_set(err, CLI_FAILED, "writing the log failed");
	df_str_deinit(&reply.body);
	return status;
}

int command_logs(int argc, char **argv)
{
	struct logs_options options = {.tail = ALL_LINES};
	const struct flag_set sets[] = {{logs_flags, &options}, {0}};
	struct df_err err = {0};
	uint64_t after = 0, before;
	int next, status = page_flags(&logs_page, sets, argc, argv, &next, &err);
	DF_FREE char *path = status ? NULL
		: next == argc      ? strdup("")
				    : function_path(argv[next], "/functions/", &err);

	if (!status)
		status = path ? print_lines(path, &after, false, options.tail, &err) : CLI_FAILED;
	/* A long log comes in parts. */
	do {
		before = after;
		if (!status)
			status = print_lines(path, &after, false, ALL_LINES, &err);
	} while (!status && after != before);
	while (!status && options.follow)
		status = print_lines(path, &after, true, ALL_LINES, &err);
	return page_end(status, &err);
}

static const struct page inspect_page = {"inspect NAME",
	"Prints all that is known of a function, as JSON.\n", 1, 1, WORDS_FUNCTIONS, NULL};

int command_inspect(int argc, char **argv)
{
	const struct flag_set sets[] = {{0}};
	json_t *answer = NULL;
	struct df_err err = {0};
	int next, status = page_flags(&inspect_page, sets, argc, argv, &next, &err);
	DF_FREE char *path = status ? NULL : function_path(argv[next], "/functions/", &err);

	if (!status)
		status = path ? client_call("GET", path, NULL, &answer, &err) : CLI_FAILED;
	if (!status)
		status = print_json(answer, &err);
	json_decref(answer);
	return page_end(status, &err);
}
