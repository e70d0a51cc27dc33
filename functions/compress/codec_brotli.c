/* SPDX-License-Identifier: Apache-2.0 */
/* Brotli, with Google's libraries. See codec.h. */
#include "functions/compress/codec.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

/* No larger than the data: the encoder takes memory for it. */
static uint32_t window_bits(size_t bytes)
{
	uint32_t bits = BROTLI_MIN_WINDOW_BITS;

	while (bits < BROTLI_DEFAULT_WINDOW && ((size_t)1 << bits) - 16 < bytes)
		bits++;
	return bits;
}

static int pack(struct job *job)
{
	BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	size_t in = job->from_bytes, out = job->to_max;
	const uint8_t *from = job->from;
	uint8_t *to = job->to;

	if (!state)
		return fail(job->failure, 500, "out of memory");
	BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)job->level);
	BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, window_bits(job->from_bytes));
	BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT,
		(uint32_t)(in < UINT32_MAX ? in : UINT32_MAX));
	if (!BrotliEncoderCompressStream(state, BROTLI_OPERATION_FINISH, &in, &from, &out, &to,
		    NULL))
		return fail(job->failure, 500, "out of memory");
	job->to_bytes = job->to_max - out;
	return BrotliEncoderIsFinished(state) ? 0 : codec_no_room(job);
}

static int unpack(struct job *job)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	size_t in = job->from_bytes, out = job->to_max;
	const uint8_t *from = job->from;
	uint8_t *to = job->to;

	if (!state)
		return fail(job->failure, 500, "out of memory");
	switch (BrotliDecoderDecompressStream(state, &in, &from, &out, &to, NULL)) {
	case BROTLI_DECODER_RESULT_SUCCESS:
		if (in)
			return codec_damaged(job, "brotli", "there is more behind its end");
		job->to_bytes = job->to_max - out;
		return 0;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return codec_no_room(job);
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return codec_too_early(job, "brotli");
	default:
		return codec_damaged(job, "brotli",
			BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state)));
	}
}

const struct codec codec_brotli = {
	"brotli", "application/x-brotli", 0, 11, 5, NULL, 0, pack, unpack};
