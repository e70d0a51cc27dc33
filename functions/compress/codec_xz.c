/* SPDX-License-Identifier: Apache-2.0 */
/* xz, with liblzma. See codec.h. */
#include "functions/compress/codec.h"

#include <lzma.h>

/* What unpacking may take beside the result: the dictionary that the file asks for. */
#define UNPACK_MEMORY (192ull << 20)
#define DICTIONARY_LEAST 4096u

static int pack(struct job *job)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	size_t at = 0;

	if (lzma_lzma_preset(&options, (uint32_t)job->level))
		return fail(job->failure, 500, "liblzma knows no level %d", job->level);
	/* A dictionary larger than the data is of no use, and takes memory. */
	while (options.dict_size > DICTIONARY_LEAST && options.dict_size / 2 >= job->from_bytes)
		options.dict_size /= 2;
	switch (lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL, job->from,
		job->from_bytes, job->to, &at, job->to_max)) {
	case LZMA_OK:
		job->to_bytes = at;
		return 0;
	case LZMA_BUF_ERROR:
		return codec_no_room(job);
	default:
		return fail(job->failure, 500, "out of memory");
	}
}

static int unpack(struct job *job)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result;

	/* Files that were put together are one file. */
	if (lzma_stream_decoder(&stream, UNPACK_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		return fail(job->failure, 500, "out of memory");
	stream.next_in = job->from;
	stream.avail_in = job->from_bytes;
	stream.next_out = job->to;
	stream.avail_out = job->to_max;
	do {
		result = lzma_code(&stream, LZMA_FINISH);
	} while (result == LZMA_OK && stream.avail_out);
	job->to_bytes = stream.total_out;
	switch (result) {
	case LZMA_STREAM_END:
		return 0;
	case LZMA_OK:
		return codec_no_room(job);
	case LZMA_BUF_ERROR:
		return stream.avail_out ? codec_too_early(job, "xz") : codec_no_room(job);
	case LZMA_MEM_ERROR:
		return fail(job->failure, 500, "out of memory");
	case LZMA_MEMLIMIT_ERROR:
		return fail(job->failure, 413,
			"the xz data asks for a dictionary of more than %llu MiB",
			UNPACK_MEMORY >> 20);
	default:
		return codec_damaged(job, "xz", "its checks fail, or it makes no sense");
	}
}

const struct codec codec_xz = {"xz", "application/x-xz", 0, 9, 6,
	"\xfd"
	"7zXZ\0",
	6, pack, unpack};
