/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of map.c. */
#include "host/map.h"

#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_many_keys(void **state)
{
	static char keys[5000][8];
	struct df_map map = DF_MAP_EMPTY;

	(void)state;
	assert_null(df_map_get(&map, "nothing"));
	for (size_t i = 0; i < 5000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		assert_int_equal(df_map_put(&map, keys[i], keys[i]), 0);
	}
	assert_int_equal(map.count, 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_ptr_equal(df_map_get(&map, keys[i]), keys[i]);
	assert_null(df_map_get(&map, "k5000"));
	df_map_deinit(&map);
}

static void test_put_replaces(void **state)
{
	struct df_map map = DF_MAP_EMPTY;
	int one, two;

	(void)state;
	assert_int_equal(df_map_put(&map, "key", &one), 0);
	assert_int_equal(df_map_put(&map, "key", &two), 0);
	assert_int_equal(map.count, 1);
	assert_ptr_equal(df_map_get(&map, "key"), &two);
	df_map_deinit(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_put_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
