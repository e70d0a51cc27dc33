/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly ls` and `dayfly rm`. */
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "host/cleanup.h"

#include <stdio.h>

struct ls_options {
	bool json, quiet;
};

static int set_json(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct ls_options *)into)->json, value, err);
}

static int set_quiet(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct ls_options *)into)->quiet, value, err);
}

static const struct flag ls_flags[] = {
	{"-q", NULL, "print names alone: dayfly rm $(dayfly ls -q)", set_quiet},
	{"--json", NULL, "print JSON, for programs", set_json},
	{0},
};

static const struct page ls_page = {"ls [FLAGS]",
	"Lists the functions: where each is frozen, its memory, how large its snapshot is, how often it\n"
	"answered and failed since the daemon started, and how many microVMs it has now. Of a\n"
	"service, how it is (`dayfly ps` tells more) and its memory.\n",
	0, 0, WORDS_NONE, NULL};

static uint64_t count_errors(const json_t *calls)
{
	return member_number(calls, "function_error") + member_number(calls, "timeout") +
		member_number(calls, "lost") + member_number(calls, "failed");
}

static void add_service(struct table *table, const json_t *function)
{
	const char *state = member_text(json_object_get(function, "service"), "state");
	char memory[UNITS_BYTES];

	table_add(table, "%s", member_text(function, "name"));
	table_add(table, "%s", *state ? state : member_text(function, "state"));
	table_add(table, "service");
	table_add(table, "%s", units_size(member_number(function, "memory"), memory));
	for (int i = 0; i < 4; i++)
		table_add(table, "-");
}

static void add_function(struct table *table, const json_t *function)
{
	const json_t *calls = json_object_get(function, "calls");
	char memory[UNITS_BYTES], snapshot[UNITS_BYTES];

	table_add(table, "%s", member_text(function, "name"));
	table_add(table, "%s", member_text(function, "state"));
	table_add(table, "%s", member_text(function, "wait_point"));
	table_add(table, "%s", units_size(member_number(function, "memory"), memory));
	table_add(table, "%s", units_size(member_number(function, "snapshot_bytes"), snapshot));
	table_add(table, "%llu", (unsigned long long)member_number(calls, "ok"));
	table_add(table, "%llu", (unsigned long long)count_errors(calls));
	table_add(table, "%llu", (unsigned long long)member_number(calls, "instances"));
}

int command_ls(int argc, char **argv)
{
	static const char *const heads[] = {"NAME", "STATE", "WAITS AT", ">MEMORY", ">SNAPSHOT",
		">OK", ">ERRORS", ">INSTANCES", NULL};
	struct ls_options how = {false, false};
	const struct flag_set sets[] = {{ls_flags, &how}, {0}};
	struct table table = {.heads = heads};
	json_t *answer = NULL, *function;
	struct df_err err = {0};
	size_t index;
	int next, status = page_flags(&ls_page, sets, argc, argv, &next, &err);

	if (!status)
		status = client_call("GET", "/functions", NULL, &answer, &err);
	if (status)
		return page_end(status, &err);
	if (how.json) {
		status = print_json(json_object_get(answer, "functions"), &err);
	} else {
		json_array_foreach(json_object_get(answer, "functions"), index, function)
		{
			if (how.quiet)
				printf("%s\n", member_text(function, "name"));
			else if (is_service(function))
				add_service(&table, function);
			else
				add_function(&table, function);
		}
		if (!how.quiet)
			table_print(&table);
	}
	json_decref(answer);
	return page_end(status, &err);
}

static const struct page rm_page = {"rm NAME...",
	"Removes functions and services, and prints their names. Events that run are finished; a\n"
	"service is stopped first.\n",
	1, PAGE_MANY, WORDS_FUNCTIONS, NULL};

int command_rm(int argc, char **argv)
{
	const struct flag_set sets[] = {{0}};
	struct df_err err = {0};
	int next, status = page_flags(&rm_page, sets, argc, argv, &next, &err), result = CLI_OK;

	if (status)
		return page_end(status, &err);
	/* One that is not there is no reason to keep the others. */
	for (; next < argc; next++) {
		DF_FREE char *path = function_path(argv[next], "/functions/", &err);

		status = path ? client_call("DELETE", path, NULL, NULL, &err) : CLI_FAILED;
		if (status) {
			suggest_function(argv[next], &err);
			result = cli_fail(&err, CLI_FAILED);
		} else {
			printf("%s\n", argv[next]);
		}
		if (err.code == -ECONNREFUSED)
			break;
	}
	return result;
}
