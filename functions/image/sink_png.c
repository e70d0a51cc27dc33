/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files, with libpng. Quality means nothing here: nothing is lost. */
#include "functions/image/sink.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct state {
	png_structp png;
	png_infop info;
	struct output *output;
	struct failure *failure;
};

static void on_error(png_structp png, png_const_charp text)
{
	struct state *s = png_get_error_ptr(png);

	fail(s->failure, 500, "the PNG could not be written: %.160s", text);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void on_write(png_structp png, png_bytep bytes, size_t length)
{
	struct state *s = png_get_io_ptr(png);

	output_add(s->output, bytes, length);
}

static void on_flush(png_structp png)
{
	(void)png;
}

/* A profile that libpng does not like is a warning, and left out. */
static void write_metadata(struct state *s, const struct metadata *metadata)
{
	if (metadata->icc.bytes)
		png_set_iCCP(s->png, s->info, "ICC", PNG_COMPRESSION_TYPE_BASE, metadata->icc.bytes,
			(png_uint_32)metadata->icc.length);
	else
		png_set_sRGB(s->png, s->info, PNG_sRGB_INTENT_PERCEPTUAL);
	if (metadata->exif.bytes)
		png_set_eXIf_1(s->png, s->info, (png_uint_32)metadata->exif.length,
			(png_bytep)metadata->exif.bytes);
	if (metadata->xmp.bytes) {
		png_text text = {.compression = PNG_ITXT_COMPRESSION_NONE,
			.key = (png_charp) "XML:com.adobe.xmp",
			.itxt_length = metadata->xmp.length};

		/* libpng wants a zero at the end; XMP may come without. */
		text.text = calloc(1, metadata->xmp.length + 1);
		if (!text.text)
			return;
		memcpy(text.text, metadata->xmp.bytes, metadata->xmp.length);
		png_set_text(s->png, s->info, &text, 1);
	}
}

static int write_file(struct state *s, const struct picture *picture,
	const struct metadata *metadata)
{
	if (setjmp(png_jmpbuf(s->png)))
		return -1;
	png_set_benign_errors(s->png, 1);
	png_set_user_limits(s->png, SIDE_MAX, SIDE_MAX);
	png_set_write_fn(s->png, s, on_write, on_flush);
	png_set_IHDR(s->png, s->info, picture->width, picture->height, 8,
		picture->alpha ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	write_metadata(s, metadata);
	png_write_info(s->png, s->info);
	if (!picture->alpha)
		png_set_filler(s->png, 0, PNG_FILLER_AFTER);
	for (uint32_t y = 0; y < picture->height && !s->output->full; y++)
		png_write_row(s->png, picture->pixels + 4ull * picture->width * y);
	/* Metadata is in front of the pixels; libpng 1.6.39 would write EXIF once more behind them. */
	if (!s->output->full)
		png_write_end(s->png, NULL);
	return 0;
}

int sink_png(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);

	(void)quality;
	if (!s)
		return -1;
	*s = (struct state){.output = output, .failure = failure};
	s->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, s, on_error, on_warning);
	s->info = s->png ? png_create_info_struct(s->png) : NULL;
	if (!s->info)
		return fail(failure, 500, "out of memory");
	return write_file(s, picture, metadata);
}
