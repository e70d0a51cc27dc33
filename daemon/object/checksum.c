/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of bodies: see checksum.h. All CRCs here are reflected, begin with and end by an inversion. */
#include "daemon/object/checksum.h"

#include <base/crc32c.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define CRC32_POLYNOMIAL 0xedb88320ull
#define CRC32C_POLYNOMIAL 0x82f63b78ull
#define CRC64NVME_POLYNOMIAL 0x9a6c9329ac4bc9b5ull

static const struct {
	const char *name, *header;
	size_t bytes;
} kinds[CHECKSUM_ALL] = {
	[CHECKSUM_NONE] = {"", "", 0},
	[CHECKSUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", 4},
	[CHECKSUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", 4},
	[CHECKSUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", 8},
	[CHECKSUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", 20},
	[CHECKSUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", 32},
	[CHECKSUM_MD5] = {"MD5", "content-md5", 16},
};

const char *checksum_name(enum checksum_kind kind)
{
	return kinds[kind].name;
}

const char *checksum_header(enum checksum_kind kind)
{
	return kinds[kind].header;
}

enum checksum_kind checksum_from_name(const char *name)
{
	for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KINDS; i++) {
		if (strcasecmp(kinds[i].name, name) == 0)
			return (enum checksum_kind)i;
	}
	return CHECKSUM_NONE;
}

enum checksum_kind checksum_from_header(const char *header)
{
	for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KINDS; i++) {
		if (strcasecmp(kinds[i].header, header) == 0)
			return (enum checksum_kind)i;
	}
	return CHECKSUM_NONE;
}

size_t checksum_bytes(enum checksum_kind kind)
{
	return kinds[kind].bytes;
}

bool checksum_combines(enum checksum_kind kind)
{
	return kind == CHECKSUM_CRC32 || kind == CHECKSUM_CRC32C || kind == CHECKSUM_CRC64NVME;
}

/* --- CRC-64/NVME, eight bytes at a time --- */

static uint64_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC64NVME_POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (unsigned int i = 0; i < 256; i++) {
		for (int k = 1; k < 8; k++)
			table[k][i] = table[0][table[k - 1][i] & 255] ^ table[k - 1][i] >> 8;
	}
}

static uint64_t crc64nvme(uint64_t seed, const unsigned char *p, size_t length)
{
	uint64_t crc = ~seed, word;

	for (; length >= 8; p += 8, length -= 8) {
		memcpy(&word, p, sizeof(word));
		crc ^= word;
		crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
			table[4][crc >> 24 & 255] ^ table[3][crc >> 32 & 255] ^
			table[2][crc >> 40 & 255] ^ table[1][crc >> 48 & 255] ^ table[0][crc >> 56];
	}
	while (length--)
		crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
	return ~crc;
}

/* --- several at once --- */

static bool wants(const struct checksums *sums, enum checksum_kind kind)
{
	return sums->wanted >> kind & 1;
}

static const EVP_MD *digest_of(enum checksum_kind kind)
{
	if (kind == CHECKSUM_SHA1)
		return EVP_sha1();
	return kind == CHECKSUM_MD5 ? EVP_md5() : EVP_sha256();
}

int checksums_init(struct checksums *sums, unsigned int wanted)
{
	pthread_once(&table_once, make_table);
	*sums = (struct checksums){.wanted = wanted};
	for (int kind = CHECKSUM_SHA1; kind < CHECKSUM_ALL; kind++) {
		if (!wants(sums, (enum checksum_kind)kind))
			continue;
		sums->digest[kind] = EVP_MD_CTX_new();
		if (!sums->digest[kind] ||
			EVP_DigestInit_ex(sums->digest[kind], digest_of((enum checksum_kind)kind),
				NULL) != 1)
			return -ENOMEM;
	}
	return 0;
}

void checksums_deinit(struct checksums *sums)
{
	for (int kind = 0; kind < CHECKSUM_ALL; kind++)
		EVP_MD_CTX_free(sums->digest[kind]);
	*sums = (struct checksums){0};
}

int checksums_add(struct checksums *sums, const void *bytes, size_t length)
{
	uint64_t *crc = sums->crc;

	if (wants(sums, CHECKSUM_CRC32))
		crc[CHECKSUM_CRC32] = crc32_z(crc[CHECKSUM_CRC32], bytes, length);
	if (wants(sums, CHECKSUM_CRC32C))
		crc[CHECKSUM_CRC32C] = df_crc32c((uint32_t)crc[CHECKSUM_CRC32C], bytes, length);
	if (wants(sums, CHECKSUM_CRC64NVME))
		crc[CHECKSUM_CRC64NVME] = crc64nvme(crc[CHECKSUM_CRC64NVME], bytes, length);
	for (int kind = CHECKSUM_SHA1; kind < CHECKSUM_ALL; kind++) {
		if (sums->digest[kind] && EVP_DigestUpdate(sums->digest[kind], bytes, length) != 1)
			return -EIO;
	}
	return 0;
}

static void store_crc(enum checksum_kind kind, uint64_t crc, unsigned char *value)
{
	for (size_t i = kinds[kind].bytes; i-- > 0; crc >>= 8)
		value[i] = (unsigned char)crc;
}

static uint64_t load_crc(enum checksum_kind kind, const unsigned char *value)
{
	uint64_t crc = 0;

	for (size_t i = 0; i < kinds[kind].bytes; i++)
		crc = crc << 8 | value[i];
	return crc;
}

int checksums_value(struct checksums *sums, enum checksum_kind kind,
	unsigned char value[CHECKSUM_BYTES_MAX])
{
	if (checksum_combines(kind)) {
		store_crc(kind, sums->crc[kind], value);
		return 0;
	}
	return EVP_DigestFinal_ex(sums->digest[kind], value, NULL) == 1 ? 0 : -EIO;
}

int checksum_of(enum checksum_kind kind, const void *bytes, size_t length,
	unsigned char value[CHECKSUM_BYTES_MAX])
{
	struct checksums sums;
	int error = checksums_init(&sums, 1u << kind);

	if (error == 0)
		error = checksums_add(&sums, bytes, length);
	if (error == 0)
		error = checksums_value(&sums, kind, value);
	checksums_deinit(&sums);
	return error;
}

/* --- texts --- */

void checksum_text(const unsigned char *value, size_t length, char text[CHECKSUM_TEXT_BYTES])
{
	EVP_EncodeBlock((unsigned char *)text, value, (int)length);
}

bool checksum_parse(const char *text, size_t length, unsigned char *value)
{
	unsigned char decoded[CHECKSUM_TEXT_BYTES];
	char again[CHECKSUM_TEXT_BYTES];
	size_t digits = (length + 2) / 3 * 4;

	if (strlen(text) != digits ||
		EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)digits) < 0)
		return false;
	checksum_text(decoded, length, again);
	if (strcmp(again, text) != 0)
		return false;
	memcpy(value, decoded, length);
	return true;
}

/* --- parts --- */

/* a x b modulo the polynomial, all bits reversed: the highest bit is x^0. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t polynomial, uint64_t one)
{
	uint64_t product = 0;

	for (uint64_t bit = one; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? polynomial : 0);
	}
	return product;
}

void checksum_combine(enum checksum_kind kind, const unsigned char *first, unsigned char *second,
	uint64_t second_bytes)
{
	static const uint64_t polynomials[] = {[CHECKSUM_CRC32] = CRC32_POLYNOMIAL,
		[CHECKSUM_CRC32C] = CRC32C_POLYNOMIAL,
		[CHECKSUM_CRC64NVME] = CRC64NVME_POLYNOMIAL};
	uint64_t polynomial = polynomials[kind],
		 one = kind == CHECKSUM_CRC64NVME ? 1ull << 63 : 1ull << 31;
	/* x^8, squared again and again: the first sum is moved over the second body's bytes. */
	uint64_t power = one >> 8, moved = load_crc(kind, first);

	for (; second_bytes; second_bytes >>= 1) {
		if (second_bytes & 1)
			moved = multiply(power, moved, polynomial, one);
		power = multiply(power, power, polynomial, one);
	}
	store_crc(kind, moved ^ load_crc(kind, second), second);
}
