/* SPDX-License-Identifier: Apache-2.0 */
/* What a program said before it failed: see platform.h. */
#include "cli/platform/platform.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINES_SHOWN 12

/* Where the last lines of a text begin. */
static const char *last_lines(const char *text, unsigned int lines)
{
	const char *at = text + strlen(text);

	if (at > text && at[-1] == '\n')
		at--;
	while (at > text && (at[-1] != '\n' || --lines))
		at--;
	return at;
}

void add_indented(struct df_str *lines, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		df_str_add(lines, "    ");
		df_str_add_plain(lines, text, length);
		df_str_add(lines, "\n");
		text += length + (text[length] == '\n');
	}
}

void print_last_words(const char *text)
{
	DF_STR struct df_str lines = DF_STR_EMPTY;

	if (!*text)
		return;
	df_str_add(&lines, "  its last words:\n");
	add_indented(&lines, last_lines(text, LINES_SHOWN));
	dprintf(STDERR_FILENO, "%s", df_str_text(&lines));
}
