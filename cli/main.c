/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly`: the command line. One table of commands, one file per command; this file picks the row and is the
 * only one that turns errors into text and exit statuses.
 */
#include "cli/page.h"
#include "cli/platform/commands.h"
#include "host/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMPLETE_WORDS_MAX 256

const struct command cli_commands[] = {
	{"", "Programs", NULL},
	{"run", "run a Linux program in a microVM of its own", command_run},
	{"try", "freeze a program where it waits for input and time pristine copies of it",
		command_try},
	{"freeze", "freeze a program where it waits for input, into a file", command_freeze},
	{"thaw", "answer one event in a pristine copy of a frozen program", command_thaw},
	{"fsck", "check frozen programs and say what they hold", command_fsck},
	{"", "Functions and services, kept by dayflyd", NULL},
#define ROW(name, summary) {#name, summary, command_platform},
	PLATFORM_COMMANDS(ROW)
#undef ROW
		{"", "This machine", NULL},
	{"doctor", "check that this machine has what dayfly needs", command_doctor},
	{"help", "explain a command", command_help},
	{"version", "print the version", command_version},
	{NULL, NULL, NULL},
};

/* What people type who know other tools, and how it is called here. */
static const char *const other_words[][2] = {
	{"daemon", "up"},
	{"build", "deploy"},
	{"create", "deploy"},
	{"push", "deploy"},
	{"exec", "invoke"},
	{"call", "invoke"},
	{"list", "ls"},
	{"functions", "ls"},
	{"stats", "top"},
	{"delete", "rm"},
	{"remove", "rm"},
	{"info", "inspect"},
	{"describe", "inspect"},
	{"show", "inspect"},
};

static const struct command *find_command(const char *name)
{
	for (const struct command *command = cli_commands; command->name; command++) {
		if (*name && strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

/* What was meant, or NULL. */
static const char *guess_command(const char *name)
{
	const char *names[sizeof(cli_commands) / sizeof(cli_commands[0])];

	for (size_t i = 0; i < sizeof(other_words) / sizeof(other_words[0]); i++) {
		if (strcmp(other_words[i][0], name) == 0)
			return other_words[i][1];
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		names[i] = cli_commands[i].name;
	return nearest_name(name, names);
}

static int unknown_command(const char *name)
{
	const char *meant = guess_command(name);
	struct df_err err;

	df_err_set(&err, -EINVAL, "there is no command %s", name);
	if (meant)
		df_err_add(&err, "; did you mean %s?", meant);
	else if (access(name, X_OK) == 0)
		df_err_add(&err, "; to run a program: dayfly run %s", name);
	else
		df_err_add(&err, "; `dayfly help` lists those there are");
	return cli_fail(&err, CLI_FAILED);
}

static void print_overview(void)
{
	printf("Usage: dayfly COMMAND ...\n\n"
	       "Runs Linux programs as unikernels, each in a microVM of its own, and serves them as\n"
	       "functions.\n");
	for (const struct command *command = cli_commands; command->name; command++) {
		if (*command->name)
			printf("  %-10s %s\n", command->name, command->summary);
		else
			printf("\n%s:\n", command->summary);
	}
	printf("\n`dayfly COMMAND --help` explains a command.\n");
}

static const struct page page = {
	"help [COMMAND]", "Lists the commands, or explains one.\n", 0, 1, WORDS_COMMANDS, NULL};

int command_help(int argc, char **argv)
{
	const struct flag_set none[] = {{0}};
	const struct command *command;
	struct df_err err = {0};
	int next, status = page_flags(&page, none, argc, argv, &next, &err);

	if (status)
		return page_end(status, &err);
	if (next >= argc) {
		print_overview();
		return CLI_OK;
	}
	command = find_command(argv[next]);
	if (!command)
		return unknown_command(argv[next]);
	return command->run(2, (char *[]){argv[next], (char *)"--help", NULL});
}

/* What may stand at the last of `words`, which follow "dayfly": for the scripts of completion/. */
static int complete(int count, char **words)
{
	const struct command *command;
	char *asking[COMPLETE_WORDS_MAX + 3] = {words[0], (char *)PAGE_COMPLETE};

	if (count > 1 && count <= COMPLETE_WORDS_MAX) {
		command = find_command(words[0]);
		memcpy(asking + 2, words + 1, (size_t)(count - 1) * sizeof(*words));
		return command ? command->run(count + 1, asking) : CLI_FAILED;
	}
	for (command = cli_commands; count <= 1 && command->name; command++) {
		if (*command->name && (!count || df_starts_with(command->name, words[0])))
			printf("%s\t%s\n", command->name, command->summary);
	}
	return CLI_OK;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_overview();
		return CLI_FAILED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return command_help(1, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)
		return command_version(1, argv);
	if (strcmp(argv[1], PAGE_COMPLETE) == 0)
		return complete(argc - 2, argv + 2);
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
