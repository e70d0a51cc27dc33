/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of `dayfly` share: the dispatch table's rows, flags, and how errors become exit statuses.
 *
 * Exit statuses are Docker's: 125 when dayfly itself fails, 126 when the program cannot be run, 127 when it or a part of it
 * is not found; anything else is the program's own.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 125,
	CLI_CANNOT_RUN = 126,
	CLI_NOT_FOUND = 127,
};

struct command {
	const char *name; /* "" for the title of those that follow */
	const char *summary; /* one line for `dayfly help` */
	/* argv[0] is the command's name. Returns the exit status. Begins with page_flags (page.h), so --help explains it. */
	int (*run)(int argc, char **argv);
};

/* All commands, a row without a name at the end. */
extern const struct command cli_commands[];

int command_run(int argc, char **argv);
int command_try(int argc, char **argv);
int command_freeze(int argc, char **argv);
int command_thaw(int argc, char **argv);
int command_fsck(int argc, char **argv);
int command_version(int argc, char **argv);
int command_doctor(int argc, char **argv);
/* Becomes dayfly-platform; returns only if that fails. */
int command_platform(int argc, char **argv);
int command_help(int argc, char **argv);

/* Prints "dayfly: TEXT" on standard error, unless the text is empty because all was said already. Returns `status`. */
int cli_fail(const struct df_err *err, int status);

/* --- flags --- */

/* One flag of a command. A value comes as `--name VALUE` or `--name=VALUE`. */
struct flag {
	const char *name; /* with its dashes */
	const char *value; /* what the help calls the value, NULL for a flag without one */
	const char *help;
	/* Stores it; `value` is NULL for a flag without one. Returns 0, or -EINVAL with *err set. */
	int (*set)(void *options, const char *value, struct df_err *err);
};

/* A flag whose value is written "[=VALUE]" may also stand without one; `set` gets NULL then. */
bool flag_may_stand_alone(const struct flag *flag);

/* Flags and what they set. A command has a list of these, the last with both NULL. */
struct flag_set {
	const struct flag *flags; /* ends with a row without a name */
	void *options;
};

#define FLAGS_HELP 1 /* flags_parse: --help was given */

/*
 * Reads flags from argv[1] up to the first word that is none, or past a "--". Returns 0 with *next at the first word after
 * them, FLAGS_HELP, or -EINVAL with *err set, naming the nearest flag there is.
 */
int flags_parse(const struct flag_set *sets, int argc, char **argv, int *next, struct df_err *err)
	__attribute__((warn_unused_result));

/* Prints a command's flags, one a line, for its help. */
void flags_print(const struct flag *flags);

/* The nearest of `names` (ends with NULL) to a mistyped word, or NULL if none is near. */
const char *nearest_name(const char *word, const char *const *names);

/* "512M", "64K", "2G" or plain bytes. Returns 0 or -EINVAL. */
int parse_size(const char *text, uint64_t *bytes) __attribute__((warn_unused_result));

/* "500ms", "1.5s", "2m", "1h". Returns 0, or -EINVAL also for a duration of zero or above 30 days. */
int parse_duration_ms(const char *text, uint64_t *ms) __attribute__((warn_unused_result));

#endif
