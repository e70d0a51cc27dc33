/* SPDX-License-Identifier: Apache-2.0 */
/* dayfly-platform: the commands of `dayfly` that talk to dayflyd. `dayfly` becomes this program: dayfly-platform COMMAND ... */
#include "cli/platform/platform.h"

#include "host/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define ROW(name, summary) {#name, command_##name},
	PLATFORM_COMMANDS(ROW)
#undef ROW
};

const char *platform_state(void)
{
	const char *given = getenv("DAYFLY_STATE"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	char *path;

	if (given && *given)
		return given;
	/* A relative one is to be ignored, says the XDG specification. */
	path = data && *data == '/'
		? df_path_join(data, "dayfly")
		: df_path_join(home && *home ? home : "/", ".local/share/dayfly");
	if (!path)
		abort();
	return path;
}

static int set_json(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	*(bool *)into = true;
	return 0;
}

const struct flag platform_json_flags[] = {
	{"--json", NULL, "print JSON, for programs", set_json},
	{0},
};

/*
 * Flags may also stand behind names ("invoke NAME --async"): reads them there too and moves the names to the end. Returns as
 * flags_parse does.
 */
static int parse_around(const struct flag_set *sets, int argc, char **argv, int *next,
	struct df_err *err)
{
	int from = 0, names = 0, at, status;

	for (;;) {
		status = flags_parse(sets, argc - from, argv + from, &at, err);
		if (status)
			return status;
		from += at;
		if (from >= argc)
			break;
		argv[1 + names++] = argv[from];
	}
	*next = argc - names;
	memmove(argv + *next, argv + 1, (size_t)names * sizeof(*argv));
	return 0;
}

int platform_flags(const struct page *page, const struct flag_set *sets, int argc, char **argv,
	int *next, struct df_err *err)
{
	int status = page->most == PAGE_PROGRAM ? flags_parse(sets, argc, argv, next, err)
						: parse_around(sets, argc, argv, next, err);

	if (status == FLAGS_HELP) {
		printf("Usage: dayfly %s\n\n%s\n", page->usage, page->text);
		for (; sets->flags; sets++)
			flags_print(sets->flags);
		return FLAGS_HELP;
	}
	if (status)
		return -EINVAL;
	if (argc - *next < page->least || argc - *next > page->most)
		return df_err_set(err, -EINVAL, "%s; usage: dayfly %s",
			argc - *next < page->least ? "a word is missing" : "too many words",
			page->usage);
	return 0;
}

int platform_end(int status, const struct df_err *err)
{
	if (status == FLAGS_HELP)
		return CLI_OK;
	return status ? cli_fail(err, status < 0 ? CLI_FAILED : status) : CLI_OK;
}

int main(int argc, char **argv)
{
	struct df_err err;

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	df_err_set(&err, -EINVAL, "this program is started by `dayfly`; see `dayfly help`");
	return cli_fail(&err, CLI_FAILED);
}
