/* SPDX-License-Identifier: Apache-2.0 */
/* From a file to a new one: see image.h. */
#include "functions/image/color.h"
#include "functions/image/exif.h"
#include "functions/image/geometry.h"
#include "functions/image/image.h"
#include "functions/image/resample.h"
#include "functions/image/sink.h"
#include "functions/image/source.h"

#include <stdlib.h>
#include <string.h>

const char *const format_types[] = {"image/webp", "image/jpeg", "image/png", "image/gif"};

void *image_memory(size_t bytes, struct failure *failure)
{
	void *memory = malloc(bytes ? bytes : 1);

	if (!memory)
		fail(failure, 413, "the picture takes more memory than the function has");
	return memory;
}

void output_add(struct output *output, const void *bytes, size_t length)
{
	if (output->full || length > output->max - output->length) {
		output->full = true;
		return;
	}
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
}

/* --- sizes --- */

/* What a decoder that can skip has to know. Which way the picture is turned is not known yet: both are thought of. */
static void wanted_size(void *context, uint32_t full_width, uint32_t full_height, uint32_t *width,
	uint32_t *height)
{
	const struct request *request = context;
	struct geometry upright, sideways;
	struct failure ignored = {0};

	*width = full_width;
	*height = full_height;
	if (geometry_find(request, full_width, full_height, false, &upright, &ignored) ||
		geometry_find(request, full_width, full_height, request->orient, &sideways,
			&ignored))
		return;
	/* Of the part that is shown: by how much is it made smaller? */
	for (const struct geometry *g = &upright;; g = &sideways) {
		double across = full_width * (g->width / g->area.width);
		double down = full_height * (g->height / g->area.height);

		if (g == &upright || across > *width)
			*width = across < full_width ? (uint32_t)across + 1 : full_width;
		if (g == &upright || down > *height)
			*height = down < full_height ? (uint32_t)down + 1 : full_height;
		if (g == &sideways)
			return;
	}
}

/* --- pixels --- */

static bool is_whole(const struct source *source, const struct geometry *g)
{
	return g->width == source->width && g->height == source->height && g->area.x == 0 &&
		g->area.y == 0 && g->area.width == source->width &&
		g->area.height == source->height;
}

static int copy_rows(struct source *source, uint64_t memory_max, struct picture *to,
	struct failure *failure)
{
	size_t stride = 4ull * source->width;

	if (stride * source->height > memory_max)
		return fail(failure, 413, "the new picture would take too much memory");
	to->pixels = image_memory(stride * source->height, failure);
	if (!to->pixels)
		return -1;
	for (uint32_t y = 0; y < source->height; y++) {
		if (source->row(source, to->pixels + stride * y, failure))
			return -1;
	}
	return 0;
}

static int resize_rows(struct source *source, const struct geometry *g, uint64_t memory_max,
	struct picture *to, struct failure *failure)
{
	struct resampler *r =
		resample_new(source->width, source->height, &g->area, memory_max, to, failure);
	uint8_t *line = image_memory(4ull * source->width, failure);

	if (!r || !line)
		return -1;
	for (uint32_t y = 0; y < source->height; y++) {
		if (source->row(source, line, failure))
			return -1;
		resample_row(r, line);
	}
	return 0;
}

static int read_pixels(const struct request *request, struct source *source, unsigned orientation,
	struct picture *to, struct failure *failure)
{
	struct geometry g;

	if (geometry_find(request, source->full_width, source->full_height,
		    exif_is_sideways(orientation), &g, failure))
		return -1;
	/* The decoder may give less than the whole size. */
	g.area.x *= (double)source->width / source->full_width;
	g.area.width *= (double)source->width / source->full_width;
	g.area.y *= (double)source->height / source->full_height;
	g.area.height *= (double)source->height / source->full_height;
	*to = (struct picture){.width = g.width, .height = g.height, .alpha = source->alpha};
	if (is_whole(source, &g) ? copy_rows(source, request->memory_max, to, failure)
				 : resize_rows(source, &g, request->memory_max, to, failure))
		return -1;
	return source->finish(source, failure);
}

static bool is_opaque(const struct picture *picture)
{
	size_t count = (size_t)picture->width * picture->height;

	for (size_t i = 0; i < count; i++) {
		if (picture->pixels[4 * i + 3] != 255)
			return false;
	}
	return true;
}

/* For formats without alpha. */
static void put_on(struct picture *picture, uint32_t background)
{
	size_t count = (size_t)picture->width * picture->height;

	for (size_t i = 0; i < count; i++) {
		uint8_t *p = picture->pixels + 4 * i;
		float a = (float)p[3] / 255;

		for (unsigned k = 0; k < 3; k++) {
			float behind = linear_from_srgb((uint8_t)(background >> 8 * (2 - k)));

			p[k] = srgb_from_linear(linear_from_srgb(p[k]) * a + behind * (1 - a));
		}
		p[3] = 255;
	}
	picture->alpha = false;
}

/* --- formats --- */

/* Does the Accept header name the type? One that is refused (q=0) is rare, and the others are tried. */
static bool accepts(const char *accept, const char *type)
{
	const char *at = strstr(accept, type);

	if (!at)
		return false;
	at += strlen(type);
	at += strspn(at, " ;");
	return strncmp(at, "q=0", 3) != 0 || at[3] == '.';
}

static enum format choose(const struct request *request, const struct source *source, bool alpha)
{
	const char *accept = request->accept ? request->accept : "";

	if (request->format >= 0)
		return (enum format)request->format;
	if (request->format == FORMAT_SAME)
		return source->format == FORMAT_GIF ? FORMAT_PNG : source->format;
	if (accepts(accept, format_types[FORMAT_WEBP]))
		return FORMAT_WEBP;
	return alpha ? FORMAT_PNG : FORMAT_JPEG;
}

static int write_picture(const struct request *request, const struct picture *picture,
	const struct metadata *metadata, enum format format, struct output *output,
	struct failure *failure)
{
	static int (*const sinks[])(const struct picture *, const struct metadata *, int,
		struct output *, struct failure *) = {
		[FORMAT_WEBP] = sink_webp,
		[FORMAT_JPEG] = sink_jpeg,
		[FORMAT_PNG] = sink_png,
	};

	if (sinks[format](picture, metadata, request->quality, output, failure))
		return -1;
	if (output->full)
		return fail(failure, 413, "the new picture has more than %zu bytes", output->max);
	return 0;
}

/* --- all of it --- */

static int choose_metadata(const struct request *request, const struct source *source,
	unsigned orientation, struct metadata *metadata)
{
	*metadata = (struct metadata){0};
	if (request->keep_icc)
		metadata->icc = source->metadata.icc;
	if (!request->keep_metadata)
		return 0;
	metadata->xmp = source->metadata.xmp;
	metadata->exif = source->metadata.exif;
	if (metadata->exif.bytes && request->orient && orientation != 1)
		metadata->exif.bytes = exif_upright(metadata->exif);
	return source->metadata.exif.bytes && !metadata->exif.bytes ? -1 : 0;
}

int image_convert(const struct request *request, struct span body, struct output *output,
	enum format *format, struct failure *failure)
{
	const struct wanted wanted = {
		request->pixels_max, request->memory_max, wanted_size, (void *)request};
	struct source source;
	struct picture picture;
	struct metadata metadata;
	unsigned orientation;

	if (source_open(&source, body, &wanted, failure))
		return -1;
	orientation = request->orient ? exif_orientation(source.metadata.exif) : 1;
	if (read_pixels(request, &source, orientation, &picture, failure))
		return -1;
	if (!request->keep_icc && source.metadata.icc.bytes)
		color_to_srgb(&picture, source.metadata.icc, source.gray);
	if (picture.alpha && is_opaque(&picture))
		picture.alpha = false;
	*format = choose(request, &source, picture.alpha);
	if (picture.alpha && *format == FORMAT_JPEG)
		put_on(&picture, request->background);
	if (exif_turn(&picture, orientation, failure))
		return -1;
	if (choose_metadata(request, &source, orientation, &metadata))
		return fail(failure, 500, "out of memory");
	return write_picture(request, &picture, &metadata, *format, output, failure);
}
