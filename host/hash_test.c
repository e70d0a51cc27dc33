/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of hash.c, against the published vectors of FNV-1a. */
#include "host/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_vectors(void **state)
{
	char hex[DF_HASH_HEX_BYTES];

	(void)state;
	df_hash_hex(df_hash_start(), hex);
	assert_string_equal(hex, "6c62272e07bb014262b821756295c58d");
	df_hash_hex(df_hash_add(df_hash_start(), "a", 1), hex);
	assert_string_equal(hex, "d228cb696f1a8caf78912b704e4a8964");
	df_hash_hex(df_hash_add(df_hash_start(), "foobar", 6), hex);
	assert_string_equal(hex, "343e1662793c64bf6f0d3597ba446f18");
	assert_true(df_hash_text("") == 0xcbf29ce484222325);
	assert_true(df_hash_text("a") == 0xaf63dc4c8601ec8c);
	assert_true(df_hash_text("foobar") == 0x85944171f73967e8);
}

static void test_parts_equal_the_whole(void **state)
{
	struct df_hash whole = df_hash_add(df_hash_start(), "hello, world", 12);
	struct df_hash parts = df_hash_add(df_hash_add(df_hash_start(), "hello", 5), ", world", 7);

	(void)state;
	assert_true(whole.high == parts.high && whole.low == parts.low);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_parts_equal_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
