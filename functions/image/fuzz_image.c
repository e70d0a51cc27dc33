// SPDX-License-Identifier: Apache-2.0
/* Fuzz target: pictures. The last byte of the input says what is asked for. */
#include "functions/common/fuzz_memory.h"
#include "functions/image/color.h"
#include "functions/image/image.h"
#include "functions/image/resample.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[256 << 10];
	static bool started;
	uint8_t choice = size ? data[size - 1] : 0;
	struct request request = {
		.width = choice & 1 ? 40 : 0,
		.height = choice & 2 ? 30 : 0,
		.fit = (enum fit)((choice >> 2) % 3),
		.enlarge = choice & 16,
		.format = (int)(choice >> 5) % 3,
		.quality = 50,
		.orient = choice & 8,
		.keep_icc = choice & 64,
		.keep_metadata = true,
		.pixels_max = 1 << 20,
		.memory_max = 16 << 20,
	};
	struct output output = {room, sizeof(room), 0, false};
	struct failure failure = {0};
	enum format format;

	if (!started) {
		resample_start();
		color_start();
		started = true;
	}
	fuzz_memory_begin();
	if (image_convert(&request, (struct span){data, size}, &output, &format, &failure) == 0 &&
		(output.length == 0 || output.full || failure.status))
		abort();
	/* A client is told why, and that it is to blame. */
	if (failure.status >= 500)
		abort();
	fuzz_memory_end();
	return 0;
}
