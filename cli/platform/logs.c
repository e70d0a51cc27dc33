/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly logs` and `dayfly inspect`. */
#include "cli/platform/platform.h"

#include "host/cleanup.h"
#include "host/write.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MS 30000

static int set_follow(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	*(bool *)into = true;
	return 0;
}

static const struct flag logs_flags[] = {
	{"-f", NULL, "go on with what comes, until Ctrl-C", set_follow},
	{0},
};

static const struct page logs_page = {"logs [-f] NAME",
	"Prints a function's log, one JSON object a line: failures, and what its events wrote to\n"
	"standard error.\n",
	1, 1, WORDS_FUNCTIONS, NULL};

/* The lines after number *after, which becomes that of the last. */
static int print_lines(const char *path, uint64_t *after, bool wait, struct df_err *err)
{
	DF_FREE char *whole = df_format("%s/logs?after=%llu&wait=%d", path,
		(unsigned long long)*after, wait ? WAIT_MS : 0);
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
	bool follow = false;
	const struct flag_set sets[] = {{logs_flags, &follow}, {0}};
	struct df_err err = {0};
	uint64_t after = 0;
	int next, status = page_flags(&logs_page, sets, argc, argv, &next, &err);
	DF_FREE char *path = status ? NULL : function_path(argv[next], "/functions/", &err);

	if (!status)
		status = path ? print_lines(path, &after, false, &err) : CLI_FAILED;
	while (!status && follow)
		status = print_lines(path, &after, true, &err);
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
