/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of err.c. */
#include "host/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_set_returns_the_code(void **state)
{
	struct df_err err = {0};

	(void)state;
	assert_int_equal(df_err_set(&err, -ENOENT, "%s was not found", "x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "x was not found");
	df_err_add(&err, "; try %d", 2);
	assert_string_equal(err.text, "x was not found; try 2");
	assert_int_equal(df_err_set(NULL, 7, "nobody reads this"), 7);
}

static void test_long_text_is_cut_visibly(void **state)
{
	struct df_err err = {0};
	char big[4000];

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	df_err_set(&err, -1, "%s", big);
	assert_int_equal(strlen(err.text), DF_ERR_TEXT_MAX - 1);
	assert_string_equal(err.text + DF_ERR_TEXT_MAX - 4, "...");
	df_err_add(&err, "more");
	assert_int_equal(strlen(err.text), DF_ERR_TEXT_MAX - 1);
}

static void test_escapes_are_disarmed(void **state)
{
	struct df_err err = {0};

	(void)state;
	df_err_set(&err, -1, "%s", "a\033[31mb\n");
	assert_string_equal(err.text, "a?[31mb?");
}

static void test_errno_text(void **state)
{
	(void)state;
	assert_string_equal(df_errno_text(-ENOENT), "no such file or directory");
	assert_string_equal(df_errno_text(EACCES), "permission denied");
	assert_non_null(df_errno_text(99999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_returns_the_code),
		cmocka_unit_test(test_long_text_is_cut_visibly),
		cmocka_unit_test(test_escapes_are_disarmed),
		cmocka_unit_test(test_errno_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
