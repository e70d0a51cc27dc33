/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of json.c. */
#include "host/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_structure(void **state)
{
	DF_STR struct df_str json = DF_STR_EMPTY;

	(void)state;
	df_json_open(&json, NULL, '{');
	df_json_text(&json, "name", "x");
	df_json_number(&json, "bytes", UINT64_MAX);
	df_json_open(&json, "list", '[');
	df_json_number(&json, NULL, 1);
	df_json_number(&json, NULL, 2);
	df_json_open(&json, NULL, '{');
	df_json_close(&json, '}');
	df_json_close(&json, ']');
	df_json_bool(&json, "good", true);
	df_json_open(&json, "empty", '[');
	df_json_close(&json, ']');
	df_json_bool(&json, "bad", false);
	df_json_close(&json, '}');
	assert_string_equal(df_str_text(&json),
		"{\"name\":\"x\",\"bytes\":18446744073709551615,\"list\":[1,2,{}],"
		"\"good\":true,\"empty\":[],\"bad\":false}");
	df_str_add(&json, "\n");
	df_json_open(&json, NULL, '{');
	assert_int_equal(json.data[json.length - 2], '\n');
}

static void same(const char *bytes, size_t length, const char *want)
{
	DF_STR struct df_str json = DF_STR_EMPTY;

	df_json_bytes(&json, NULL, bytes, length);
	assert_string_equal(df_str_text(&json), want);
}

#define SAME(text, want) same(text, sizeof(text) - 1, want)

static void test_texts(void **state)
{
	(void)state;
	SAME("", "\"\"");
	SAME("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	SAME("line\nend\x1b[0m\x7f\0z", "\"line\\nend\\u001b[0m\\u007f\\u0000z\"");
	SAME("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		"\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
	/* Cut off, overlong, surrogate, too large, stray. */
	SAME("\xe2\x82", "\"\\ufffd\\ufffd\"");
	SAME("\xc0\xaf", "\"\\ufffd\\ufffd\"");
	SAME("\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"");
	SAME("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	SAME("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	SAME("\xff"
	     "a\x80",
		"\"\\ufffda\\ufffd\"");
	/* A text that ends in what would otherwise suppress the comma. */
	DF_STR struct df_str json = DF_STR_EMPTY;
	df_json_open(&json, NULL, '{');
	df_json_text(&json, "a", "[");
	df_json_text(&json, "b", "{");
	df_json_close(&json, '}');
	assert_string_equal(df_str_text(&json), "{\"a\":\"[\",\"b\":\"{\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
