// SPDX-License-Identifier: Apache-2.0
/* Tests of parameters: where a value comes from, and what is refused. */
#include "functions/common/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { P_SIZE, P_WORD, P_LIMIT };

static const struct param table[] = {
	[P_SIZE] = {"size", "1", false, ""},
	[P_WORD] = {"word", "a", false, ""},
	[P_LIMIT] = {"the-limit", "6M", true, ""},
	{0},
};
static const struct program program = {"test", "TEST_", "", table};

/* Reads parameters with what an event says: "name\0value\0" pairs. Returns the status of the failure, or 0. */
static int read_event(struct params *params, const char *attributes, size_t bytes)
{
	const struct df_event_view event = {.attributes = attributes, .attribute_bytes = bytes};
	struct failure failure = {0};
	int result = params_event(params, &event, &failure);

	assert_int_equal(result, failure.status ? -1 : 0);
	return failure.status;
}
#define EVENT(params, text) read_event(params, text, sizeof(text))

static void start(struct params *params)
{
	char *argv[] = {"test", "--size", "3", NULL};

	setenv("TEST_SIZE", "2", 1);
	setenv("TEST_THE_LIMIT", "64K", 1);
	params_start(params, &program, 3, argv);
}

static void nearest_comes_first(void **state)
{
	struct params params;

	(void)state;
	start(&params);
	assert_string_equal(params.values[P_SIZE], "3");
	assert_string_equal(params.values[P_WORD], "a");
	assert_string_equal(params.values[P_LIMIT], "64K");
	assert_int_equal(EVENT(&params,
				 "size\0"
				 "4\0the-limit\0"
				 "9"),
		0);
	assert_string_equal(params.values[P_SIZE], "4");
	assert_string_equal(params.values[P_LIMIT], "64K");
	assert_int_equal(EVENT(&params,
				 "size\0"
				 "4\0http.query\0size=5&word=b+c%2fd%"),
		0);
	assert_string_equal(params.values[P_SIZE], "5");
	assert_string_equal(params.values[P_WORD], "b c/d%");
}

static void queries_are_checked(void **state)
{
	struct params params;

	(void)state;
	start(&params);
	assert_int_equal(EVENT(&params, "http.query\0sice=5"), 400);
	assert_int_equal(EVENT(&params, "http.query\0the-limit=5"), 400);
	assert_int_equal(EVENT(&params, "http.query\0size=%00"), 400);
	assert_int_equal(EVENT(&params, "http.query\0=1"), 400);
	assert_int_equal(EVENT(&params, "http.query\0&&size&"), 0);
	assert_string_equal(params.values[P_SIZE], "");
}

static void values_are_checked(void **state)
{
	static const char *const words[] = {"a", "b", NULL};
	static const struct {
		const char *text;
		long long number, bytes; /* -1: refused */
	} cases[] = {{"0", -1, 0}, {"1", 1, 1}, {"100", 100, 100}, {"101", -1, 101}, {"", -1, -1},
		{"-1", -1, -1}, {"+1", -1, -1}, {" 1", -1, -1}, {"1 ", -1, -1}, {"2K", -1, 2048},
		{"4M", -1, 4 << 20}, {"1G", -1, -1}, {"2KB", -1, -1}, {"K", -1, -1},
		{"99999999999999999999", -1, -1}, {"18446744073709551615K", -1, -1}};
	struct params params;
	struct failure failure = {0};

	(void)state;
	start(&params);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 0, bytes = 0;

		params.values[P_SIZE] = cases[i].text;
		failure.status = 0;
		assert_int_equal(params_number(&params, P_SIZE, 1, 100, &number, &failure),
			cases[i].number < 0 ? -1 : 0);
		failure.status = 0;
		assert_int_equal(params_size(&params, P_SIZE, 8 << 20, &bytes, &failure),
			cases[i].bytes < 0 ? -1 : 0);
		if (cases[i].number >= 0)
			assert_int_equal(number, cases[i].number);
		if (cases[i].bytes >= 0)
			assert_int_equal(bytes, cases[i].bytes);
	}
	failure.status = 0;
	assert_int_equal(params_word(&params, P_WORD, words, &failure), 0);
	params.values[P_WORD] = "c";
	assert_int_equal(params_word(&params, P_WORD, words, &failure), -1);
	assert_string_equal(failure.text, "word must be one of a, b; this is c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nearest_comes_first),
		cmocka_unit_test(queries_are_checked),
		cmocka_unit_test(values_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
