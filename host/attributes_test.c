/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of attributes.c. */
#include "host/attributes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_round_trip(void **state)
{
	DF_STR struct df_str pairs = DF_STR_EMPTY;
	const char *name, *value;
	size_t at = 0;

	(void)state;
	assert_int_equal(df_attributes_add(&pairs, "type", "com.example.thing"), 0);
	assert_int_equal(df_attributes_add(&pairs, "Content-Type", ""), 0);
	assert_int_equal(df_attributes_add(&pairs, "subject", "gr\xc3\xbc\xc3\x9f = 1"), 0);
	assert_int_equal(pairs.length, 5 + 18 + 13 + 1 + 8 + 11);
	assert_int_equal(df_attributes_next(pairs.data, pairs.length, &at, &name, &value), 1);
	assert_string_equal(name, "type");
	assert_string_equal(value, "com.example.thing");
	assert_int_equal(df_attributes_next(pairs.data, pairs.length, &at, &name, &value), 1);
	assert_string_equal(name, "Content-Type");
	assert_string_equal(value, "");
	assert_int_equal(df_attributes_next(pairs.data, pairs.length, &at, &name, &value), 1);
	assert_string_equal(value, "gr\xc3\xbc\xc3\x9f = 1");
	assert_int_equal(df_attributes_next(pairs.data, pairs.length, &at, &name, &value), 0);
	assert_int_equal(df_attributes_next(NULL, 0, &(size_t){0}, &name, &value), 0);
}

static void test_refused(void **state)
{
	DF_STR struct df_str pairs = DF_STR_EMPTY;
	char longest[DF_ATTRIBUTE_NAME_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(df_attributes_add(&pairs, "", "x"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, "a b", "x"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, "a:", "x"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, longest, "x"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, longest + 1, "x"), 0);
	df_str_clear(&pairs);
	assert_int_equal(df_attributes_add(&pairs, "a", "x\r\ny"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, "a", "\x1b[31m"), -EINVAL);
	assert_int_equal(df_attributes_add(&pairs, "a", "\x7f"), -EINVAL);
	assert_int_equal(pairs.length, 0);
}

static int walk(const char *bytes, size_t length)
{
	const char *name, *value;
	size_t at = 0;
	int more;

	while ((more = df_attributes_next(bytes, length, &at, &name, &value)) > 0)
		;
	return more;
}

static void test_hostile(void **state)
{
	(void)state;
	assert_int_equal(walk("a\0b\0", 4), 0);
	assert_int_equal(walk("a\0b", 3), -EINVAL);
	assert_int_equal(walk("a\0", 2), -EINVAL);
	assert_int_equal(walk("a", 1), -EINVAL);
	assert_int_equal(walk("\0\0", 2), -EINVAL);
	assert_int_equal(walk("a\0b\n\0", 5), -EINVAL);
	assert_int_equal(walk("a\0b\0c", 5), -EINVAL);
	assert_int_equal(walk("a\0b\0\0", 5), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
