/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of child.c, with the shell as the other program. */
#include "host/child.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int run_shell(const char *script, unsigned int limit_ms, struct df_child_result *result,
	struct df_err *err)
{
	char *const arguments[] = {"sh", "-c", (char *)script, NULL};
	const struct df_child child = {
		.path = "/bin/sh",
		.arguments = arguments,
		.output_cap_bytes = 1000,
		.time_limit_ms = limit_ms,
	};

	return df_child_run(&child, result, err);
}

static void test_streams_and_status(void **state)
{
	struct df_child_result result;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(run_shell("echo out; echo bad >&2; read x; exit 3", 0, &result, &err), 0);
	assert_string_equal(df_str_text(&result.output), "out\n");
	assert_string_equal(df_str_text(&result.errors), "bad\n");
	assert_int_equal(result.exit_status, 3);
	assert_false(result.truncated);
	df_child_result_deinit(&result);
}

static void test_signal_is_a_status(void **state)
{
	struct df_child_result result;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(run_shell("kill -9 $$", 0, &result, &err), 0);
	assert_int_equal(result.exit_status, 137);
	df_child_result_deinit(&result);
}

static void test_cap(void **state)
{
	struct df_child_result result;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(
		run_shell("i=0; while [ $i -lt 500 ]; do echo 0123456789; i=$((i+1)); done", 0,
			&result, &err),
		0);
	assert_int_equal(result.output.length, 1000);
	assert_true(result.truncated);
	assert_int_equal(result.exit_status, 0);
	df_child_result_deinit(&result);
}

static void test_time_limit(void **state)
{
	struct df_child_result result;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(run_shell("exec sleep 1000", 20, &result, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "took too long"));
}

static void test_missing_program(void **state)
{
	char *const arguments[] = {"nothing", NULL};
	const struct df_child child = {.path = "/nonexistent/nothing", .arguments = arguments};
	struct df_child_result result;
	struct df_err err = {0};

	(void)state;
	assert_int_equal(df_child_run(&child, &result, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_and_status),
		cmocka_unit_test(test_signal_is_a_status),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_missing_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
