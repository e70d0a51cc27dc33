/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of place.c. Programs of an installed tree are looked for in tests/e2e/install. */
#include "host/place.h"

#include "host/cleanup.h"
#include "host/path.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void set(const char *name, const char *value)
{
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void state_is(const char *given, const char *data, const char *home, const char *expected)
{
	DF_FREE char *state = NULL;

	set("DAYFLY_STATE", given);
	set("XDG_DATA_HOME", data);
	set("HOME", home);
	state = df_place_state();
	assert_string_equal(state, expected);
}

static void test_state(void **state)
{
	(void)state;
	state_is("/s", "/d", "/h", "/s");
	state_is("relative", "/d", "/h", "relative");
	state_is("", "/d", "/h", "/d/dayfly");
	state_is(NULL, "d", "/h", "/h/.local/share/dayfly");
	state_is(NULL, NULL, "/h", "/h/.local/share/dayfly");
	state_is(NULL, "", NULL, "/.local/share/dayfly");
}

static void test_program(void **state)
{
	char own[PATH_MAX] = "";
	DF_FREE char *directory = NULL, *beside = NULL, *found = NULL, *missing = NULL;

	(void)state;
	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	found = df_place_program(df_base_name(own));
	assert_string_equal(found, own);
	/* One that is nowhere is named beside this one. */
	directory = df_dir_name(own);
	beside = df_path_join(directory, "dayfly-nowhere");
	missing = df_place_program("dayfly-nowhere");
	assert_string_equal(missing, beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
