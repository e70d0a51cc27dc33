/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FNV-1a with 128 bits (RFC 9923): names for cache entries. It is not a cryptographic hash: someone can
 * construct two texts with one hash, so a cache that uses it stores the full key beside the value and compares it.
 */
#ifndef HOST_HASH_H
#define HOST_HASH_H

#include <stddef.h>
#include <stdint.h>

#define DF_HASH_HEX_BYTES 33 /* 32 digits and the terminator */

struct df_hash {
	uint64_t high;
	uint64_t low;
};

/* The hash of nothing: the start value. */
struct df_hash df_hash_start(void);

/* The hash of what `hash` has seen, followed by `length` bytes. */
struct df_hash df_hash_add(struct df_hash hash, const void *bytes, size_t length);

/* Writes 32 lower-case hexadecimal digits. */
void df_hash_hex(struct df_hash hash, char text[DF_HASH_HEX_BYTES]);

/* A 64-bit FNV-1a of a text, for tables in memory. */
uint64_t df_hash_text(const char *text);

#endif
