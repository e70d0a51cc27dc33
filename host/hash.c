/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a: see hash.h. Offset bases and primes are those of RFC 9923, section 5. */
#include "host/hash.h"

__extension__ typedef unsigned __int128 wide;

struct df_hash df_hash_start(void)
{
	return (struct df_hash){0x6c62272e07bb0142, 0x62b821756295c58d};
}

struct df_hash df_hash_add(struct df_hash hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	const wide prime = ((wide)1 << 88) + 0x13b;
	wide value = ((wide)hash.high << 64) | hash.low;

	for (size_t i = 0; i < length; i++)
		value = (value ^ byte[i]) * prime;
	return (struct df_hash){(uint64_t)(value >> 64), (uint64_t)value};
}

void df_hash_hex(struct df_hash hash, char text[DF_HASH_HEX_BYTES])
{
	const char *digits = "0123456789abcdef";

	for (unsigned int i = 0; i < 16; i++) {
		text[i] = digits[(hash.high >> (60 - 4 * i)) & 15];
		text[16 + i] = digits[(hash.low >> (60 - 4 * i)) & 15];
	}
	text[32] = '\0';
}

uint64_t df_hash_text(const char *text)
{
	uint64_t value = 0xcbf29ce484222325;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3;
	return value;
}
