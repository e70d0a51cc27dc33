/* SPDX-License-Identifier: Apache-2.0 */
/* String builder and small string questions: see str.h. */
#include "host/str.h"

#include "host/array.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDIT_MAX 63

void df_str_deinit(struct df_str *str)
{
	free(str->data);
	*str = DF_STR_EMPTY;
}

void df_str_clear(struct df_str *str)
{
	str->length = 0;
	str->failed = false;
	if (str->data)
		str->data[0] = '\0';
}

static bool str_reserve(struct df_str *str, size_t more)
{
	if (!str->failed &&
		(more >= SIZE_MAX - str->length - 1 ||
			df_array_reserve(&str->data, &str->capacity, str->length + more + 1, 1) <
				0))
		str->failed = true;
	return !str->failed;
}

void df_str_add_bytes(struct df_str *str, const void *bytes, size_t length)
{
	if (!str_reserve(str, length))
		return;
	if (length)
		memcpy(str->data + str->length, bytes, length);
	str->length += length;
	str->data[str->length] = '\0';
}

void df_str_add(struct df_str *str, const char *text)
{
	df_str_add_bytes(str, text, strlen(text));
}

void df_str_add_plain(struct df_str *str, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		df_str_add_bytes(str, (c < 0x20 && c != '\t') || c == 0x7f ? "?" : &text[i], 1);
	}
}

void df_str_addf(struct df_str *str, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0) {
		str->failed = true;
		return;
	}
	if (!str_reserve(str, (size_t)length))
		return;
	va_start(args, format);
	vsnprintf(str->data + str->length, (size_t)length + 1, format, args);
	va_end(args);
	str->length += (size_t)length;
}

void df_str_cut(struct df_str *str, size_t length)
{
	if (length < str->length) {
		str->length = length;
		str->data[length] = '\0';
	}
}

const char *df_str_text(const struct df_str *str)
{
	return str->data ? str->data : "";
}

char *df_str_take(struct df_str *str)
{
	char *taken = NULL;

	if (str_reserve(str, 0)) {
		str->data[str->length] = '\0';
		taken = str->data;
		str->data = NULL;
	}
	df_str_deinit(str);
	return taken;
}

char *df_format(const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return length < 0 ? NULL : text;
}

bool df_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool df_ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), wanted = strlen(suffix);

	return length >= wanted && memcmp(text + length - wanted, suffix, wanted) == 0;
}

size_t df_edit_distance(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);
	size_t row[EDIT_MAX + 1];

	if (length_a > EDIT_MAX || length_b > EDIT_MAX)
		return SIZE_MAX;
	/* One row of the usual table: row[j] = distance of a's first i and b's first j characters. */
	for (size_t j = 0; j <= length_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);
			size_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = replace < best ? replace : best;
		}
	}
	return row[length_b];
}
