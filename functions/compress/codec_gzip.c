/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, with zlib. See codec.h. */
#include "functions/compress/codec.h"

#include <string.h>
#include <zlib.h>

#define GZIP (15 + 16) /* the largest window, and gzip's header */
#define MEMORY 9
#define STEP (1u << 30) /* zlib counts in 32 bits */

static void give(z_stream *z, const struct job *job, size_t from, size_t to)
{
	size_t in = job->from_bytes - from, out = job->to_max - to;

	z->next_in = (Bytef *)job->from + from;
	z->avail_in = (uInt)(in < STEP ? in : STEP);
	z->next_out = job->to + to;
	z->avail_out = (uInt)(out < STEP ? out : STEP);
}

static int pack(struct job *job)
{
	z_stream z;
	int result;

	memset(&z, 0, sizeof(z));
	if (deflateInit2(&z, job->level, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return fail(job->failure, 500, "out of memory");
	do {
		give(&z, job, z.total_in, z.total_out);
		result = deflate(&z,
			z.total_in + z.avail_in == job->from_bytes ? Z_FINISH : Z_NO_FLUSH);
	} while (result == Z_OK && z.total_out < job->to_max);
	job->to_bytes = z.total_out;
	return result == Z_STREAM_END ? 0 : codec_no_room(job);
}

/* One member; *from and *to move on. */
static int unpack_member(z_stream *z, struct job *job, size_t *from, size_t *to)
{
	int result;

	if (inflateReset(z) != Z_OK)
		return fail(job->failure, 500, "zlib failed");
	do {
		give(z, job, *from + z->total_in, *to + z->total_out);
		result = inflate(z, Z_NO_FLUSH);
	} while (result == Z_OK);
	*from += z->total_in;
	*to += z->total_out;
	switch (result) {
	case Z_STREAM_END:
		return 0;
	case Z_BUF_ERROR:
		return *from == job->from_bytes && *to < job->to_max ? codec_too_early(job, "gzip")
								     : codec_no_room(job);
	case Z_MEM_ERROR:
		return fail(job->failure, 500, "out of memory");
	default:
		return codec_damaged(job, "gzip", z->msg ? z->msg : "it makes no sense");
	}
}

static int unpack(struct job *job)
{
	size_t from = 0, to = 0;
	z_stream z;

	memset(&z, 0, sizeof(z));
	if (inflateInit2(&z, GZIP) != Z_OK)
		return fail(job->failure, 500, "out of memory");
	/* Files that were put together are one file. */
	do {
		if (unpack_member(&z, job, &from, &to))
			return -1;
	} while (from < job->from_bytes);
	job->to_bytes = to;
	return 0;
}

const struct codec codec_gzip = {"gzip", "application/gzip", 1, 9, 6, "\x1f\x8b", 2, pack, unpack};
