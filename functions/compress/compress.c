/* SPDX-License-Identifier: Apache-2.0 */
/* Which format it is: see compress.h. */
#include "functions/compress/compress.h"

#include <string.h>

static const struct codec *const codecs[] = {&codec_zstd, &codec_gzip, &codec_brotli, &codec_xz};
#define COUNT (sizeof(codecs) / sizeof(codecs[0]))

const struct codec *compress_codec(const char *name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(codecs[i]->name, name) == 0)
			return codecs[i];
	}
	return NULL;
}

/* A file of zstd may begin with a frame that is to be skipped: any of sixteen numbers. */
static bool is_skippable(const uint8_t *bytes, size_t length)
{
	return length >= 4 && bytes[0] >> 4 == 5 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0;
}

/* The format that data begins like, or NULL: then it can be brotli or none. */
static const struct codec *detect(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < COUNT; i++) {
		const struct codec *c = codecs[i];

		if (c->magic && length >= c->magic_bytes &&
			memcmp(bytes, c->magic, c->magic_bytes) == 0)
			return c;
	}
	return is_skippable(bytes, length) ? &codec_zstd : NULL;
}

int compress_unpack(const struct codec *codec, struct job *job)
{
	if (job->from_bytes == 0)
		return fail(job->failure, 400, "there is nothing to decompress: the body is empty");
	if (!codec)
		codec = detect(job->from, job->from_bytes);
	if (codec)
		return codec->unpack(job);
	/* Brotli has no mark: what it cannot read is something else. */
	if (codec_brotli.unpack(job) == 0)
		return 0;
	if (job->failure->status == 422) {
		job->failure->status = 0;
		fail(job->failure, 415,
			"the body is neither zstd nor gzip nor xz, and cannot be read as brotli");
	}
	return -1;
}
