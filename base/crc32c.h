// SPDX-License-Identifier: Apache-2.0
/* CRC-32C (Castagnoli), the checksum of snapshots. Freestanding; from any thread. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stdint.h>

/*
 * The checksum of `bytes` of data that follow data with the checksum `seed` (0: nothing comes before),
 * so that df_crc32c(df_crc32c(0, a), b) is the checksum of a and b together. RFC 3720, B.4.
 */
uint32_t df_crc32c(uint32_t seed, const void *data, uint64_t bytes);

/* The same without instructions made for it, which df_crc32c takes where the processor has them. */
uint32_t df_crc32c_portable(uint32_t seed, const void *data, uint64_t bytes);

#endif
