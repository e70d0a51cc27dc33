/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of the object store check bodies with, in both generations: MD5 (Content-MD5, ETag), and x-amz-checksum-*: CRC-32, CRC-32C, CRC-64/NVME, SHA-1
 * and SHA-256. A struct checksums sums several of them while a body streams by.
 *
 * Values travel in base64. A body that was put in parts has either the checksum of the whole (the CRCs, put together from those of
 * the parts), or the checksum of its parts' checksums with "-PARTS" behind it.
 */
#ifndef DAEMON_OBJECT_CHECKSUM_H
#define DAEMON_OBJECT_CHECKSUM_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum checksum_kind {
	CHECKSUM_NONE,
	CHECKSUM_CRC32,
	CHECKSUM_CRC32C,
	CHECKSUM_CRC64NVME,
	CHECKSUM_SHA1,
	CHECKSUM_SHA256,
	CHECKSUM_KINDS,
	CHECKSUM_MD5 = CHECKSUM_KINDS, /* never an object's x-amz-checksum */
	CHECKSUM_ALL
};

#define CHECKSUM_BYTES_MAX 32
#define CHECKSUM_TEXT_BYTES 56 /* base64 of the longest, "-10000" and the terminator */

/* "CRC32", "SHA256", ...; and "x-amz-checksum-crc32", ... Static. */
const char *checksum_name(enum checksum_kind kind);
const char *checksum_header(enum checksum_kind kind);

/* The kind that a name (any case) or a header's name stands for; CHECKSUM_NONE: unknown. */
enum checksum_kind checksum_from_name(const char *name);
enum checksum_kind checksum_from_header(const char *header);

/* Bytes of a value. */
size_t checksum_bytes(enum checksum_kind kind);

/* Is it a CRC, which the parts' CRCs make the whole's of? */
bool checksum_combines(enum checksum_kind kind);

struct checksums {
	unsigned int wanted; /* bits 1 << kind */
	uint64_t crc[CHECKSUM_CRC64NVME + 1];
	EVP_MD_CTX *digest[CHECKSUM_ALL]; /* of SHA1, SHA256, MD5 */
};

/* Returns 0 or -ENOMEM; checksums_deinit must follow either. */
int checksums_init(struct checksums *sums, unsigned int wanted) __attribute__((warn_unused_result));
void checksums_deinit(struct checksums *sums);

/* Returns 0 or -EIO (libcrypto failed). */
int checksums_add(struct checksums *sums, const void *bytes, size_t length)
	__attribute__((warn_unused_result));

/* The value of a wanted kind, once. Returns 0 or -EIO. */
int checksums_value(struct checksums *sums, enum checksum_kind kind,
	unsigned char value[CHECKSUM_BYTES_MAX]) __attribute__((warn_unused_result));

/* Value to base64. */
void checksum_text(const unsigned char *value, size_t length, char text[CHECKSUM_TEXT_BYTES]);

/* Base64 of exactly `length` bytes, as it must be written. False: it is not that. */
bool checksum_parse(const char *text, size_t length, unsigned char *value);

/* One checksum of a body. Returns 0 or -EIO. */
int checksum_of(enum checksum_kind kind, const void *bytes, size_t length,
	unsigned char value[CHECKSUM_BYTES_MAX]) __attribute__((warn_unused_result));

/* The CRC of two bodies one behind the other, from theirs and the second one's length; `second` becomes it. */
void checksum_combine(enum checksum_kind kind, const unsigned char *first, unsigned char *second,
	uint64_t second_bytes);

#endif
