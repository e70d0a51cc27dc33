/*
 * wall ROUNDS [INPUT] -- COMMAND... [-- COMMAND...]...: runs the commands in turn, ROUNDS times, standard input
 * from the file INPUT if there is one, standard output to /dev/null, and prints for each the median wall time in nanoseconds from before its start to after its end.
 * A command that does not exit with 0 ends it all. Interpreters are too slow and too unsteady for this.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "guest/clock.h"

#define COMMANDS_MAX 8
#define ROUNDS_MAX 10000

extern char **environ;

static uint64_t run(char **argv, const posix_spawn_file_actions_t *actions)
{
	int status;
	pid_t pid;
	uint64_t start = now_ns();

	if (argv[0] == NULL || posix_spawn(&pid, argv[0], actions, NULL, argv, environ) != 0 ||
		waitpid(pid, &status, 0) != pid) {
		fprintf(stderr, "%s: cannot be run\n", argv[0] ? argv[0] : "an empty command");
		exit(1);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s: ended with wait status %#x\n", argv[0], (unsigned)status);
		exit(1);
	}
	return now_ns() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static uint64_t ns[COMMANDS_MAX][ROUNDS_MAX];
	char **command[COMMANDS_MAX];
	int commands = 0, rounds = argc > 3 ? atoi(argv[1]) : 0;
	posix_spawn_file_actions_t actions;

	for (int i = 2; i < argc - 1; i++) {
		if (strcmp(argv[i], "--") == 0 && commands < COMMANDS_MAX) {
			argv[i] = NULL;
			command[commands++] = argv + i + 1;
		}
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || commands == 0) {
		fprintf(stderr, "usage: wall ROUNDS [INPUT] -- COMMAND... [-- COMMAND...]...\n");
		return 2;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (argv[2])
		posix_spawn_file_actions_addopen(&actions, 0, argv[2], O_RDONLY, 0);

	for (int c = 0; c < commands; c++)
		run(command[c], &actions); /* warm */
	for (int round = 0; round < rounds; round++)
		for (int c = 0; c < commands; c++)
			ns[c][round] = run(command[c], &actions);
	for (int c = 0; c < commands; c++) {
		qsort(ns[c], (size_t)rounds, sizeof ns[c][0], compare);
		printf("%llu\n", (unsigned long long)ns[c][rounds / 2]);
	}
	return 0;
}
