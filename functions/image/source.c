/* SPDX-License-Identifier: Apache-2.0 */
/* Which format is it, and is it allowed to be so large: see source.h. */
#include "functions/image/source.h"

#include <string.h>

#define SOURCE_SIDE_MAX 65535u

static bool begins(struct span body, size_t at, const char *bytes, size_t length)
{
	return body.length >= at + length && memcmp(body.bytes + at, bytes, length) == 0;
}

int source_open(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure)
{
	*source = (struct source){.format = FORMAT_PNG};
	if (begins(body, 0, "\xff\xd8\xff", 3))
		return source_jpeg(source, body, wanted, failure);
	if (begins(body, 0, "\x89PNG\r\n\x1a\n", 8))
		return source_png(source, body, wanted, failure);
	if (begins(body, 0, "RIFF", 4) && begins(body, 8, "WEBP", 4))
		return source_webp(source, body, wanted, failure);
	if (begins(body, 0, "GIF87a", 6) || begins(body, 0, "GIF89a", 6))
		return source_gif(source, body, wanted, failure);
	if (body.length == 0)
		return fail(failure, 400, "there is no picture: the body is empty");
	return fail(failure, 415, "the body is no JPEG, PNG, WebP or GIF file");
}

int source_check_size(uint64_t width, uint64_t height, uint64_t bytes_per_pixel,
	const struct wanted *wanted, struct failure *failure)
{
	if (width == 0 || height == 0)
		return fail(failure, 422, "the picture is %llu x %llu pixels large",
			(unsigned long long)width, (unsigned long long)height);
	if (width > SOURCE_SIDE_MAX || height > SOURCE_SIDE_MAX)
		return fail(failure, 413, "the picture has %llu x %llu pixels; a side can have %u",
			(unsigned long long)width, (unsigned long long)height, SOURCE_SIDE_MAX);
	if (width * height > wanted->pixels_max)
		return fail(failure, 413,
			"the picture has %llu x %llu pixels; the limit is %llu pixels",
			(unsigned long long)width, (unsigned long long)height,
			(unsigned long long)wanted->pixels_max);
	if (width * height * bytes_per_pixel > wanted->memory_max)
		return fail(failure, 413,
			"the picture of %llu x %llu pixels would take %llu MiB of memory; the limit is %llu",
			(unsigned long long)width, (unsigned long long)height,
			(unsigned long long)(width * height * bytes_per_pixel >> 20),
			(unsigned long long)(wanted->memory_max >> 20));
	return 0;
}
