// SPDX-License-Identifier: Apache-2.0
/* Tests of CRC-32C: the vectors of RFC 3720, and both ways of computing it against each other. */
#include <base/crc32c.h>

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef uint32_t crc_function(uint32_t, const void *, uint64_t);
static crc_function *const ways[] = {df_crc32c, df_crc32c_portable};

static void knows_the_vectors(void **state)
{
	uint8_t data[32];

	(void)state;
	for (unsigned w = 0; w < 2; w++) {
		assert_int_equal(ways[w](0, "123456789", 9), 0xe3069283);
		assert_int_equal(ways[w](0, "", 0), 0);
		memset(data, 0, 32);
		assert_int_equal(ways[w](0, data, 32), 0x8a9136aa);
		memset(data, 0xff, 32);
		assert_int_equal(ways[w](0, data, 32), 0x62a8ab43);
		for (unsigned i = 0; i < 32; i++)
			data[i] = (uint8_t)i;
		assert_int_equal(ways[w](0, data, 32), 0x46dd794e);
	}
}

/* All lengths around the sizes that the fast way works in, at all alignments. */
static void both_ways_agree(void **state)
{
	enum { SIZE = 3 * 4080 + 64 };
	uint8_t *data = malloc(SIZE);

	(void)state;
	srand(1);
	for (unsigned i = 0; i < SIZE; i++)
		data[i] = (uint8_t)rand();
	for (unsigned bytes = 0; bytes <= SIZE - 8; bytes += bytes % 4080 < 40 ? 1 : 37) {
		unsigned at = bytes % 8;
		uint32_t seed = (uint32_t)rand();

		assert_int_equal(df_crc32c(seed, data + at, bytes),
			df_crc32c_portable(seed, data + at, bytes));
	}
	free(data);
}

static void goes_on_from_a_seed(void **state)
{
	uint8_t data[9000];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	for (unsigned w = 0; w < 2; w++)
		for (unsigned cut = 0; cut <= sizeof(data); cut += 999)
			assert_int_equal(ways[w](ways[w](0, data, cut), data + cut,
						 sizeof(data) - cut),
				ways[w](0, data, sizeof(data)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_vectors),
		cmocka_unit_test(both_ways_agree),
		cmocka_unit_test(goes_on_from_a_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
