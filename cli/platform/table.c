/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: see platform.h. */
#include "cli/platform/platform.h"

#include "host/array.h"
#include "host/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX 16

void table_add(struct table *table, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (!text ||
		df_array_reserve(&table->cells, &table->capacity, table->count + 1,
			sizeof(*table->cells)) < 0) {
		free(text);
		return;
	}
	table->cells[table->count++] = text;
}

/* Columns that a text takes: bytes that begin a character of UTF-8. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : SIZE_MAX;
}

/* Prints at most `most` columns of a line, without spaces at its end. */
static void print_line(const char *line, size_t most)
{
	size_t bytes = 0, width = 0;

	for (; line[bytes]; bytes++) {
		if (((unsigned char)line[bytes] & 0xc0) != 0x80 && ++width > most)
			break;
	}
	while (bytes && line[bytes - 1] == ' ')
		bytes--;
	printf("%.*s\n", (int)bytes, line);
}

void table_line(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0)
		print_line(text, terminal_width());
	va_end(arguments);
	free(text);
}

static void add_cell(struct df_str *line, const char *text, size_t width, bool right)
{
	int pad = (int)(width - width_of(text));

	df_str_addf(line, "%s%*s%s%*s", line->length ? "  " : "", right ? pad : 0, "", text,
		right ? 0 : pad, "");
}

static const char *head_text(const struct table *table, size_t column)
{
	return table->heads[column] + (*table->heads[column] == '>');
}

void table_print(struct table *table)
{
	size_t columns = 0, widths[COLUMNS_MAX], most = terminal_width();

	for (; table->heads[columns]; columns++)
		widths[columns] = width_of(head_text(table, columns));
	for (size_t i = 0; i < table->count; i++) {
		size_t width = width_of(table->cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
	for (size_t row = 0; row <= table->count / columns; row++) {
		DF_STR struct df_str line = DF_STR_EMPTY;

		for (size_t i = 0; i < columns; i++)
			add_cell(&line,
				row ? table->cells[(row - 1) * columns + i] : head_text(table, i),
				widths[i], *table->heads[i] == '>');
		print_line(df_str_text(&line), most);
	}
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){.heads = table->heads};
}
