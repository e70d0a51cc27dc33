// SPDX-License-Identifier: Apache-2.0
/*
 * Random bytes: ChaCha20 (RFC 8439 block function) with fast key erasure. The key comes from the
 * monitor, at boot and with each thaw, and is replaced by each block's first half, so earlier output can not be computed
 * from a later state.
 */
#include <kernel/core/hypercall.h>

static struct {
	uint32_t key[8];
	uint64_t count;
	bool seeded;
} generator;

#define ROTATE(v, n) ((v) << (n) | (v) >> (32 - (n)))
#define QUARTER(a, b, c, d)                                                                    \
	(a += b, d ^= a, d = ROTATE(d, 16), c += d, b ^= c, b = ROTATE(b, 12), a += b, d ^= a, \
		d = ROTATE(d, 8), c += d, b ^= c, b = ROTATE(b, 7))

static void block(uint32_t out[16])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(in + 4, generator.key, sizeof(generator.key));
	memcpy(in + 12, &generator.count, sizeof(generator.count));
	generator.count++;
	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		QUARTER(out[0], out[4], out[8], out[12]);
		QUARTER(out[1], out[5], out[9], out[13]);
		QUARTER(out[2], out[6], out[10], out[14]);
		QUARTER(out[3], out[7], out[11], out[15]);
		QUARTER(out[0], out[5], out[10], out[15]);
		QUARTER(out[1], out[6], out[11], out[12]);
		QUARTER(out[2], out[7], out[8], out[13]);
		QUARTER(out[3], out[4], out[9], out[14]);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}

void random_forget(void)
{
	memset(&generator, 0, sizeof(generator));
}

void random_bytes(void *buf, size_t n)
{
	uint32_t out[16];
	char *p = buf;

	if (!generator.seeded) {
		memcpy(generator.key, boot_info->random, sizeof(generator.key));
		generator.seeded = true;
	}
	while (n) {
		size_t part = min(n, (size_t)32);

		block(out);
		memcpy(generator.key, out, 32);
		memcpy(p, out + 8, part);
		p += part;
		n -= part;
	}
	memset(out, 0, sizeof(out));
}
