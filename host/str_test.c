/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of str.c. */
#include "host/str.h"

#include "host/cleanup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_builder(void **state)
{
	DF_STR struct df_str str = DF_STR_EMPTY;
	DF_FREE char *taken = NULL;

	(void)state;
	assert_string_equal(df_str_text(&str), "");
	df_str_add(&str, "abc");
	df_str_addf(&str, "%d-%s", 42, "x");
	df_str_add_bytes(&str, "yz", 1);
	assert_string_equal(df_str_text(&str), "abc42-xy");
	df_str_add_plain(&str, "\t\x1b[1m\n\x7f\xc3\xa4", 9);
	assert_string_equal(df_str_text(&str), "abc42-xy\t?[1m??\xc3\xa4");
	df_str_cut(&str, 3);
	df_str_cut(&str, 99);
	assert_string_equal(df_str_text(&str), "abc");
	taken = df_str_take(&str);
	assert_string_equal(taken, "abc");
	assert_string_equal(df_str_text(&str), "");
}

static void test_empty_take(void **state)
{
	DF_STR struct df_str str = DF_STR_EMPTY;
	DF_FREE char *taken = df_str_take(&str);

	(void)state;
	assert_string_equal(taken, "");
}

static void test_failure_is_remembered(void **state)
{
	DF_STR struct df_str str = DF_STR_EMPTY;

	(void)state;
	df_str_add(&str, "abc");
	df_str_add_bytes(&str, "", SIZE_MAX);
	assert_true(str.failed);
	df_str_add(&str, "def");
	assert_null(df_str_take(&str));
}

static void test_affixes(void **state)
{
	(void)state;
	assert_true(df_starts_with("python3", "python"));
	assert_false(df_starts_with("py", "python"));
	assert_true(df_ends_with("x.so", ".so"));
	assert_false(df_ends_with("so", ".so"));
}

static void test_edit_distance(void **state)
{
	char big[80];

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(df_edit_distance("memory", "memory"), 0);
	assert_int_equal(df_edit_distance("memroy", "memory"), 2);
	assert_int_equal(df_edit_distance("mem", "memory"), 3);
	assert_int_equal(df_edit_distance("", "abc"), 3);
	assert_int_equal(df_edit_distance("kitten", "sitting"), 3);
	assert_true(df_edit_distance(big, "a") == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_empty_take),
		cmocka_unit_test(test_failure_is_remembered),
		cmocka_unit_test(test_affixes),
		cmocka_unit_test(test_edit_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
