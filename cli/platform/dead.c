/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly dead`: asynchronous events that were given up. */
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "host/cleanup.h"
#include "host/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct dead_options {
	const char *function;
	bool replay, remove, quiet, json;
};

static int set_function(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct dead_options *)into)->function = value;
	return 0;
}

static int set_replay(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct dead_options *)into)->replay, value, err);
}

static int set_remove(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct dead_options *)into)->remove, value, err);
}

static int set_quiet(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct dead_options *)into)->quiet, value, err);
}

static int set_json(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct dead_options *)into)->json, value, err);
}

static const struct flag dead_flags[] = {
	{"--function", "NAME", "list those of one function", set_function},
	{"--replay", NULL, "these are fresh events again", set_replay},
	{"--remove", NULL, "forget these", set_remove},
	{"-q", NULL, "print ids alone", set_quiet},
	{"--json", NULL, "print JSON, for programs", set_json},
	{0},
};

static const struct page page = {"dead [FLAGS] [ID...]",
	"Lists dead letters: asynchronous events that were given up, after the last attempt or\n"
	"because they were too old. With an ID, prints that event's body.\n",
	0, PAGE_MANY, WORDS_NONE,
	"  dayfly dead\n"
	"  dayfly dead 17 > body\n"
	"  dayfly dead --replay $(dayfly dead -q --function squeeze)\n"};

/* --- listing --- */

static void print_letter(const struct dead_options *how, struct table *table, const json_t *letter)
{
	unsigned long long id = member_number(letter, "id");
	const char *given_up = member_text(letter, "given_up");
	/* The object that is the body, or where the result should have gone. */
	const char *target = member_text(letter, "target");
	char size[UNITS_BYTES];

	if (how->quiet) {
		printf("%llu\n", id);
		return;
	}
	table_add(table, "%llu", id);
	table_add(table, "%s", member_text(letter, "function"));
	table_add(table, "%.10s %.8s", given_up, strlen(given_up) > 11 ? given_up + 11 : "");
	table_add(table, "%llu", (unsigned long long)member_number(letter, "attempts"));
	table_add(table, "%s", units_size(member_number(letter, "body_bytes"), size));
	table_add(table, "%s%s%s",
		*member_text(letter, "error") ? member_text(letter, "error")
					      : member_text(letter, "reason"),
		*target ? ": " : "", target);
}

/* The daemon answers a page at a time; all of them into `letters`. */
static int read_letters(const struct dead_options *how, json_t *letters, struct df_err *err)
{
	uint64_t after = 0;
	size_t count;

	do {
		DF_FREE char *path = df_format("/dead?after=%llu%s%s", (unsigned long long)after,
			how->function ? "&function=" : "", how->function ? how->function : "");
		json_t *answer = NULL, *page_json;
		int status = path ? client_call("GET", path, NULL, &answer, err)
				  : df_err_set(err, CLI_FAILED, "out of memory");

		if (status)
			return status;
		page_json = json_object_get(answer, "dead");
		count = json_array_size(page_json);
		if (count)
			after = member_number(json_array_get(page_json, count - 1), "id");
		(void)json_array_extend(letters, page_json);
		json_decref(answer);
	} while (count);
	return 0;
}

static int list(const struct dead_options *how, struct df_err *err)
{
	static const char *const heads[] = {
		">ID", "FUNCTION", "GIVEN UP (UTC)", ">ATTEMPTS", ">SIZE", "WHY", NULL};
	struct table table = {.heads = heads};
	json_t *letters = json_array(), *letter;
	size_t index;
	int status = read_letters(how, letters, err);

	if (!status && how->json) {
		status = print_json(letters, err);
	} else if (!status) {
		json_array_foreach(letters, index, letter) print_letter(how, &table, letter);
		if (!how->quiet)
			table_print(&table);
	}
	json_decref(letters);
	return status;
}

/* --- one --- */

static int print_body(const char *path, struct df_err *err)
{
	const struct client_request request = {.method = "GET", .path = path};
	struct client_reply reply;
	int status = client_ask(&request, &reply, err);

	if (status)
		return status;
	if (reply.status >= 400)
		status = client_refused(&reply, err);
	else if (df_write(STDOUT_FILENO, df_str_text(&reply.body), reply.body.length))
		status = df_err_set(err, CLI_FAILED, "writing the body failed: %s",
			df_errno_text(errno));
	df_str_deinit(&reply.body);
	return status;
}

static int act(const struct dead_options *how, const char *id, struct df_err *err)
{
	DF_FREE char *path = NULL;

	if (!*id || id[strspn(id, "0123456789")])
		return df_err_set(err, CLI_FAILED,
			"%s is no id of a dead letter; `dayfly dead` lists them", id);
	path = df_format("/dead/%s%s", id, how->replay ? "/replay" : "");
	if (!path)
		return df_err_set(err, CLI_FAILED, "out of memory");
	if (how->replay || how->remove)
		return client_call(how->replay ? "POST" : "DELETE", path, NULL, NULL, err);
	return print_body(path, err);
}

static int check(const struct dead_options *how, int count, struct df_err *err)
{
	if (how->replay && how->remove)
		return df_err_set(err, CLI_FAILED, "either --replay or --remove");
	if ((how->replay || how->remove) && !count)
		return df_err_set(err, CLI_FAILED,
			"which ones? all: dayfly dead %s $(dayfly dead -q)",
			how->replay ? "--replay" : "--remove");
	if (!how->replay && !how->remove && count > 1)
		return df_err_set(err, CLI_FAILED, "one body at a time");
	if (how->function && how->function[strspn(how->function, FUNCTION_LETTERS)])
		return df_err_set(err, CLI_FAILED, "%s is no function's name", how->function);
	return 0;
}

int command_dead(int argc, char **argv)
{
	struct dead_options how = {NULL};
	const struct flag_set sets[] = {{dead_flags, &how}, {0}};
	struct df_err err = {0};
	int next, result = CLI_OK, status = page_flags(&page, sets, argc, argv, &next, &err);

	if (!status)
		status = check(&how, argc - next, &err);
	if (!status && next == argc)
		status = list(&how, &err);
	if (status)
		return page_end(status, &err);
	for (; next < argc; next++) {
		if (act(&how, argv[next], &err))
			result = cli_fail(&err, CLI_FAILED);
		if (err.code == -ECONNREFUSED)
			break;
	}
	return result;
}
