/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, however the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/lines.h"
#include "host/str.h"

#include <string.h>

/* The lines, each in brackets. */
static struct df_str got;

static void put(void *context, char *line, size_t length)
{
	assert_ptr_equal(context, &got);
	assert_int_equal(strlen(line), length);
	df_str_add(&got, "[");
	df_str_add_bytes(&got, line, length);
	df_str_add(&got, "]");
}

/* The same text in parts of each size gives the same lines. */
static void expect(const char *text, const char *lines)
{
	static struct lines l;
	size_t length = strlen(text);

	for (size_t part = 1; part <= length; part = part < 20 ? part + 1 : 2 * part - 7) {
		df_str_clear(&got);
		lines_begin(&l, put, &got);
		for (size_t at = 0; at < length; at += part)
			lines_add(&l, text + at, part < length - at ? part : length - at);
		lines_end(&l);
		assert_string_equal(df_str_text(&got), lines);
	}
}

static void short_ones(void **state)
{
	(void)state;
	expect("a\nbc\n", "[a][bc]");
	expect("a\n\n\nb", "[a][][][b]");
	expect("one\r\ntwo\r\n\rthree", "[one][two][\rthree]");
	expect("\n", "[]");
}

/* LINES_MAX_BYTES bytes are one line; the next byte makes two of them. */
static void long_ones(void **state)
{
	static char text[3 * LINES_MAX_BYTES], lines[3 * LINES_MAX_BYTES];

	(void)state;
	memset(text, 'x', LINES_MAX_BYTES);
	strcpy(text + LINES_MAX_BYTES, "\ny\n");
	memset(lines, 'x', LINES_MAX_BYTES + 1);
	lines[0] = '[';
	strcpy(lines + LINES_MAX_BYTES + 1, "][y]");
	expect(text, lines);
	strcpy(text + LINES_MAX_BYTES, "y\nz");
	strcpy(lines + LINES_MAX_BYTES + 1, "][y][z]");
	expect(text, lines);
	strcpy(text + LINES_MAX_BYTES, "");
	strcpy(lines + LINES_MAX_BYTES + 1, "]");
	expect(text, lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_ones), cmocka_unit_test(long_ones)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	df_str_deinit(&got);
	return failed;
}
