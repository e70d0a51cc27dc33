/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every command of `dayfly` begins with: its page (what `--help` prints), its flags, and how many words follow them. Shell
 * completion and the manual are made from the same pages (docs/reference-cli.md), so a flag that is in a table is in all of them.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "cli/cli.h"

#include <limits.h>

/* What the words behind the flags are, for completion. */
enum page_words { WORDS_FILES, WORDS_FUNCTIONS, WORDS_IMAGES, WORDS_COMMANDS, WORDS_NONE };

#define PAGE_PROGRAM \
	INT_MAX /* `most`: a program and its arguments, so flags come before them only */
#define PAGE_MANY (INT_MAX - 1) /* `most`: as many as there are */

struct page {
	const char *usage; /* behind "Usage: dayfly " */
	const char *text; /* what it does; examples if there is no `more` */
	int least, most; /* words behind the flags */
	enum page_words words;
	const char *more; /* behind the flags: exit statuses, examples; or NULL */
};

/* For a bool: --json */
extern const struct flag page_json_flags[];

/* For flags without a value: sets the bool that `into` points to. */
int page_set_bool(void *into, const char *value, struct df_err *err);

/*
 * What commands do first: reads flags, which may also stand between and behind the words (but for PAGE_PROGRAM), and counts the
 * words. Returns 0 with *next at the first word, FLAGS_HELP after the page (or what completion asked for) was printed, or -EINVAL with
 * *err set.
 */
int page_flags(const struct page *page, const struct flag_set *sets, int argc, char **argv,
	int *next, struct df_err *err) __attribute__((warn_unused_result));

/* The command's end: prints the error, if `status` is one. FLAGS_HELP is none, -EINVAL is CLI_FAILED. Returns the exit status. */
int page_end(int status, const struct df_err *err);

/*
 * The first word of a command's arguments by which completion asks for what can stand at the last of the other words. Printed are
 * lines "WORD<tab>what it is", and "=files", "=functions", "=images", "=commands" or "=programs" where only the caller, a script
 * of a shell, can make the list.
 */
#define PAGE_COMPLETE "--dayfly-complete"

#endif
