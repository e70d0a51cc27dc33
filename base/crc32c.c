// SPDX-License-Identifier: Apache-2.0
/*
 * CRC-32C: see crc32c.h.
 *
 * The crc32 instruction takes three cycles but one can begin in each, so three streams are summed side by
 * side. A sum is moved over n zero bytes by a multiplication with x^(8n) in the polynomials modulo
 * CRC-32C's: a carry-less product of two 32-bit sums and one more crc32, which reduces it and multiplies
 * it by x^33 on the way. Hence the constants, x^(8n - 33).
 */
#include <base/crc32c.h>

#include <stdbool.h>

#include <cpuid.h>
#include <nmmintrin.h>
#include <wmmintrin.h>

#define STREAM 1360u /* bytes; three of them are nearly a page */
#define OVER_ONE 0x3f70cc6fu /* x^(8 * STREAM - 33), bits reversed */
#define OVER_TWO 0x5aa1f3cfu /* x^(16 * STREAM - 33) */

uint32_t df_crc32c_portable(uint32_t seed, const void *data, uint64_t bytes)
{
	static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const uint8_t *p = data;
	uint32_t crc = ~seed;

	for (; bytes; p++, bytes--) {
		crc ^= *p;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static uint64_t load(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t move(uint64_t crc, uint32_t over)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
		_mm_cvtsi64_si128((long long)over), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t fast(uint32_t seed, const uint8_t *p,
	uint64_t bytes)
{
	uint64_t crc = (uint32_t)~seed;

	for (; bytes >= 3 * STREAM; p += 3 * STREAM, bytes -= 3 * STREAM) {
		uint64_t second = 0, third = 0;

		for (unsigned i = 0; i < STREAM; i += 8) {
			crc = _mm_crc32_u64(crc, load(p + i));
			second = _mm_crc32_u64(second, load(p + STREAM + i));
			third = _mm_crc32_u64(third, load(p + 2 * STREAM + i));
		}
		crc = move(crc, OVER_TWO) ^ move(second, OVER_ONE) ^ third;
	}
	for (; bytes >= 8; p += 8, bytes -= 8)
		crc = _mm_crc32_u64(crc, load(p));
	for (; bytes; p++, bytes--)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

/* One cpuid instruction in a process: in a virtual machine it is an exit. */
static bool has_instructions(void)
{
	static int known; /* 0: not asked yet, 1: yes, 2: no */
	int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (!answer) {
		unsigned a, b, c, d;

		__cpuid(1, a, b, c, d);
		answer = (c & bit_SSE4_2) && (c & bit_PCLMUL) ? 1 : 2;
		__atomic_store_n(&known, answer, __ATOMIC_RELAXED);
	}
	return answer == 1;
}

uint32_t df_crc32c(uint32_t seed, const void *data, uint64_t bytes)
{
	return has_instructions() ? fast(seed, data, bytes) : df_crc32c_portable(seed, data, bytes);
}
