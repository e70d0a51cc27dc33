/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly logs` and `dayfly inspect`. */
#include "cli/platform/platform.h"

#include "cli/event.h"
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
	bool follow, json;
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

static int set_json(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct logs_options *)into)->json, value, err);
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
	{"--json", NULL, "one JSON object a line, for programs", set_json},
	{0},
};

static const struct page logs_page = {"logs [FLAGS] [NAME]",
	"Prints a function's log: failures, and what its events wrote to standard error. Of a\n"
	"service, what it wrote to standard output and error, line by line behind |, and when it was\n"
	"started and ended. Times are UTC. Without a name, the daemon's own log.\n",
	0, 1, WORDS_FUNCTIONS,
	"  dayfly logs --tail 20 -f squeeze\n"
	"  dayfly logs --json squeeze | jq 'select(.level == \"warning\") | .request_id'\n"};

/* --- lines for people --- */

/* "2026-11-23 11:46:29.581 warning: exit status 3 · 15 ms · request 4c1ed3af-...", and what was said below it. */
static void add_entry(struct df_str *text, const json_t *entry)
{
	const char *level = member_text(entry, "level"), *version = member_text(entry, "version");
	const char *time = member_text(entry, "time"), *id = member_text(entry, "request_id");
	const char *message = member_text(entry, "message");
	uint64_t duration_us = member_number(entry, "duration_us");
	char took[UNITS_BYTES];

	df_str_addf(text, "%.10s %.12s ", time, strlen(time) > 11 ? time + 11 : "");
	/* What a service wrote, and nothing that it might pretend. */
	if (*member_text(entry, "stream"))
		df_str_add(text, "| ");
	if (strcmp(level, "info") != 0)
		df_str_addf(text, "%s: ", level);
	df_str_add_plain(text, message, strlen(message));
	if (*version && strcmp(version, "$LATEST") != 0)
		df_str_addf(text, " · version %s", version);
	if (duration_us)
		df_str_addf(text, " · %s", units_time(duration_us * 1000, took));
	if (*id)
		df_str_addf(text, " · request %s", id);
	df_str_add(text, "\n");
	add_indented(text, member_text(entry, "output"));
}

/* Lines that are no JSON, which a crash may leave, are shown as they are. */
static void add_entries(struct df_str *text, const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");
		json_t *entry = json_loadb(lines, length, 0, NULL);

		if (json_is_object(entry)) {
			add_entry(text, entry);
		} else {
			DF_FREE char *line = df_format("%.*s", (int)length, lines);

			add_indented(text, line ? line : "");
		}
		json_decref(entry);
		lines += length + (lines[length] == '\n');
	}
}

static int write_lines(const char *lines, bool json, struct df_err *err)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	if (json)
		df_str_add(&text, lines);
	else
		add_entries(&text, lines);
	if (text.failed || df_write(STDOUT_FILENO, df_str_text(&text), text.length))
		return df_err_set(err, CLI_FAILED, "writing the log failed");
	return 0;
}

/* --- asking --- */

/*
 * The lines from position *after on, which becomes the one behind the last; the first time only the last `tail` of them, unless that is ALL_LINES.
 */
static int print_lines(const char *path, uint64_t *after, bool wait, unsigned long long tail,
	bool json, struct df_err *err)
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
	else
		status = write_lines(df_str_text(&reply.body), json, err);
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
		status = path ? print_lines(path, &after, false, options.tail, options.json, &err)
			      : CLI_FAILED;
	/* A long log comes in parts. */
	do {
		before = after;
		if (!status)
			status = print_lines(path, &after, false, ALL_LINES, options.json, &err);
	} while (!status && after != before);
	while (!status && options.follow)
		status = print_lines(path, &after, true, ALL_LINES, options.json, &err);
	if (next < argc)
		suggest_function(argv[next], &err);
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
	if (status && next < argc)
		suggest_function(argv[next], &err);
	return page_end(status, &err);
}
