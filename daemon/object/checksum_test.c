/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums: known answers ("123456789", from the catalogue of parametrised CRC algorithms and the RFCs), parts against the whole. */
#include "daemon/object/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_known(void **state)
{
	static const struct {
		enum checksum_kind kind;
		const char *text;
	} known[] = {
		{CHECKSUM_CRC32, "y/Q5Jg=="}, /* cbf43926 */
		{CHECKSUM_CRC32C, "4waSgw=="}, /* e3069283 */
		{CHECKSUM_CRC64NVME, "rosUhgp5mIg="}, /* ae8b14860a799888 */
		{CHECKSUM_SHA1, "98O8HYCOBHMq32eZZczDTKeuNEE="},
		{CHECKSUM_SHA256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="},
		{CHECKSUM_MD5, "JfnnlDI7RTiF9RgfG2JNCw=="},
	};
	unsigned char value[CHECKSUM_BYTES_MAX];
	char text[CHECKSUM_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(checksum_of(known[i].kind, "123456789", 9, value), 0);
		checksum_text(value, checksum_bytes(known[i].kind), text);
		assert_string_equal(text, known[i].text);
	}
}

static void test_texts(void **state)
{
	unsigned char value[CHECKSUM_BYTES_MAX];

	(void)state;
	assert_true(checksum_parse("y/Q5Jg==", 4, value));
	assert_int_equal(value[0], 0xcb);
	assert_false(checksum_parse("y/Q5Jg=", 4, value));
	assert_false(checksum_parse("y/Q5Jh==", 4, value)); /* bits that mean nothing must be 0 */
	assert_false(checksum_parse("y/Q5Jg==", 8, value));
	assert_false(checksum_parse("y Q5Jg==", 4, value));
	assert_false(checksum_parse("", 4, value));
	assert_int_equal(checksum_from_name("crc64nvme"), CHECKSUM_CRC64NVME);
	assert_int_equal(checksum_from_name("md5"), CHECKSUM_NONE);
	assert_int_equal(checksum_from_header("X-Amz-Checksum-SHA256"), CHECKSUM_SHA256);
}

static void test_combine(void **state)
{
	static const enum checksum_kind kinds[] = {
		CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME};
	unsigned char bytes[5000], first[CHECKSUM_BYTES_MAX], second[CHECKSUM_BYTES_MAX],
		whole[CHECKSUM_BYTES_MAX];

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)rand();
	for (size_t k = 0; k < 3; k++) {
		assert_true(checksum_combines(kinds[k]));
		for (size_t at = 0; at <= sizeof(bytes); at += 499) {
			assert_int_equal(checksum_of(kinds[k], bytes, at, first), 0);
			assert_int_equal(checksum_of(kinds[k], bytes + at, sizeof(bytes) - at,
						 second),
				0);
			assert_int_equal(checksum_of(kinds[k], bytes, sizeof(bytes), whole), 0);
			checksum_combine(kinds[k], first, second, sizeof(bytes) - at);
			assert_memory_equal(second, whole, checksum_bytes(kinds[k]));
		}
	}
}

/* Several at once, in pieces, are what they are one by one. */
static void test_pieces(void **state)
{
	const unsigned int all = (1u << CHECKSUM_ALL) - 2;
	unsigned char bytes[3000], value[CHECKSUM_BYTES_MAX], want[CHECKSUM_BYTES_MAX];
	struct checksums sums;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(checksums_init(&sums, all), 0);
	for (size_t at = 0; at < sizeof(bytes); at += 250)
		assert_int_equal(checksums_add(&sums, bytes + at, 250), 0);
	for (int kind = CHECKSUM_NONE + 1; kind < CHECKSUM_ALL; kind++) {
		assert_int_equal(checksums_value(&sums, (enum checksum_kind)kind, value), 0);
		assert_int_equal(checksum_of((enum checksum_kind)kind, bytes, sizeof(bytes), want),
			0);
		assert_memory_equal(value, want, checksum_bytes((enum checksum_kind)kind));
	}
	checksums_deinit(&sums);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_combine),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
