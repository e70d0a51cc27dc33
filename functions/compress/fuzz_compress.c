// SPDX-License-Identifier: Apache-2.0
/* Fuzz target: packed data of all formats; and what was packed must come out again. The first byte says what is done. */
#include "functions/common/fuzz_memory.h"
#include "functions/compress/compress.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(const struct codec *codec, const uint8_t *data, size_t size)
{
	static uint8_t room[ROOM];
	struct failure failure = {0};
	struct job job = {
		.from = data, .from_bytes = size, .to = room, .to_max = ROOM, .failure = &failure};
	int result = compress_unpack(codec, &job);

	if (job.to_bytes > ROOM || (result == 0) != (failure.status == 0) || failure.status >= 500)
		abort();
}

static void there_and_back(const struct codec *codec, const uint8_t *data, size_t size)
{
	static uint8_t packed[ROOM], room[ROOM];
	struct failure failure = {0};
	struct job job = {.from = data,
		.from_bytes = size,
		.to = packed,
		.to_max = ROOM,
		.level = codec->least,
		.failure = &failure};
	struct job back = {.from = packed, .to = room, .to_max = size, .failure = &failure};

	if (codec->pack(&job)) {
		if (size < ROOM / 2)
			abort();
		return;
	}
	back.from_bytes = job.to_bytes;
	if (compress_unpack(codec, &back) || back.to_bytes != size || memcmp(room, data, size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct codec *const codecs[] = {
		NULL, &codec_zstd, &codec_gzip, &codec_brotli, &codec_xz};
	uint8_t choice = size ? data[0] : 0;

	if (size == 0 || size > ROOM)
		return 0;
	fuzz_memory_begin();
	/* What they hold is taken away after each input. */
	if (codec_zstd_start())
		abort();
	if (choice >= 0xf0 && choice < 0xf4)
		there_and_back(codecs[1 + (choice & 3)], data + 1, size - 1);
	else if (choice < 5)
		unpack(codecs[choice], data + 1, size - 1);
	else
		unpack(NULL, data, size);
	fuzz_memory_end();
	return 0;
}
