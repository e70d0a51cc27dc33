/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly`: the command line. One table of commands, one file per command; this file picks the row and is the
 * only one that turns errors into text and exit statuses.
 */
#include "cli/cli.h"
#include "cli/platform/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct command cli_commands[] = {
	{"run", "run a Linux program in a microVM of its own", command_run, command_run_help},
	{"try", "freeze a program where it waits for input and time pristine copies of it",
		command_try, command_try_help},
	{"freeze", "freeze a program where it waits for input, into a file", command_freeze,
		command_freeze_help},
	{"thaw", "answer one event in a pristine copy of a frozen program", command_thaw,
		command_thaw_help},
	{"fsck", "check frozen programs and say what they hold", command_fsck, command_fsck_help},
#define ROW(name, summary) {#name, summary, command_platform, NULL},
	PLATFORM_COMMANDS(ROW)
#undef ROW
		{"doctor", "check that this machine has what dayfly needs", command_doctor,
			command_doctor_help},
	{"help", "explain a command", command_help, command_help_help},
	{"version", "print the version", command_version, command_version_help},
	{NULL, NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
	for (const struct command *command = cli_commands; command->name; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[sizeof(cli_commands) / sizeof(cli_commands[0])];
	const char *nearest;
	struct df_err err;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		names[i] = cli_commands[i].name;
	nearest = nearest_name(name, names);
	df_err_set(&err, -EINVAL, "there is no command %s", name);
	if (nearest)
		df_err_add(&err, "; did you mean %s?", nearest);
	else if (access(name, X_OK) == 0)
		df_err_add(&err, "; to run a program: dayfly run %s", name);
	else
		df_err_add(&err, "; `dayfly help` lists those there are");
	return cli_fail(&err, CLI_FAILED);
}

static void print_overview(void)
{
	printf("Usage: dayfly COMMAND ...\n\n"
	       "Runs Linux programs as unikernels: each in a microVM of its own.\n\n");
	for (const struct command *command = cli_commands; command->name; command++)
		printf("  %-10s %s\n", command->name, command->summary);
	printf("\n`dayfly COMMAND --help` explains a command.\n");
}

void command_help_help(void)
{
	printf("Usage: dayfly help [COMMAND]\n");
}

int command_help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_overview();
		return CLI_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	if (!command->help)
		return command_platform(2, (char *[]){argv[1], (char *)"--help", NULL});
	command->help();
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
	if (strcmp(argv[1], "--version") == 0)
		return command_version(1, argv);
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
