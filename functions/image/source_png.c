/* SPDX-License-Identifier: Apache-2.0 */
/* PNG sources, with libpng. Interlaced files are decoded whole, others row by row. */
#include "functions/image/source.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MAX (4u << 20) /* of a profile or text, unpacked */
#define CHUNKS_MAX 500
#define XMP_KEY "XML:com.adobe.xmp"

struct state {
	png_structp png;
	png_infop info;
	struct span rest; /* what was not read yet */
	struct failure *failure; /* of the call that runs */
	uint8_t *whole; /* of interlaced files */
	uint32_t next;
};

static void on_error(png_structp png, png_const_charp text)
{
	struct state *s = png_get_error_ptr(png);

	fail(s->failure, 422, "the PNG is damaged: %.160s", text);
	png_longjmp(png, 1);
}

/* libpng warns of chunks that we do not use. */
static void on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static void on_read(png_structp png, png_bytep into, size_t length)
{
	struct state *s = png_get_io_ptr(png);

	if (length > s->rest.length)
		png_error(png, "it ends too early");
	memcpy(into, s->rest.bytes, length);
	s->rest.bytes += length;
	s->rest.length -= length;
}

static void read_metadata(struct state *s, struct metadata *metadata)
{
	png_charp name;
	png_bytep icc, exif;
	png_uint_32 bytes;
	png_textp texts;
	int compression, count = png_get_text(s->png, s->info, &texts, NULL);

	if (png_get_iCCP(s->png, s->info, &name, &compression, &icc, &bytes))
		metadata->icc = (struct span){icc, bytes};
	if (png_get_eXIf_1(s->png, s->info, &bytes, &exif))
		metadata->exif = (struct span){exif, bytes};
	for (int i = 0; i < count; i++) {
		if (strcmp(texts[i].key, XMP_KEY) == 0 && texts[i].text)
			metadata->xmp = (struct span){
				(const uint8_t *)texts[i].text, strlen(texts[i].text)};
	}
}

/* Everything becomes 8 bits of R, G, B and A. */
static void set_transforms(struct state *s, bool *alpha, bool *gray)
{
	png_byte type = png_get_color_type(s->png, s->info);
	bool transparent = png_get_valid(s->png, s->info, PNG_INFO_tRNS) != 0;

	*alpha = (type & PNG_COLOR_MASK_ALPHA) || transparent;
	*gray = !(type & PNG_COLOR_MASK_COLOR);
	png_set_expand(s->png);
	png_set_scale_16(s->png);
	if (*gray)
		png_set_gray_to_rgb(s->png);
	if (!*alpha)
		png_set_add_alpha(s->png, 255, PNG_FILLER_AFTER);
}

static int read_whole(struct state *s, uint32_t width, uint32_t height, struct failure *failure)
{
	png_bytepp rows = image_memory(height * sizeof(*rows), failure);

	s->whole = image_memory(4ull * width * height, failure);
	if (!rows || !s->whole)
		return -1;
	for (uint32_t i = 0; i < height; i++)
		rows[i] = s->whole + 4ull * width * i;
	png_read_image(s->png, rows);
	return 0;
}

static int read_header(struct state *s, const struct wanted *wanted, struct source *source,
	struct failure *failure)
{
	bool interlaced;

	if (setjmp(png_jmpbuf(s->png)))
		return -1;
	png_set_user_limits(s->png, 0x7fffffff, 0x7fffffff);
	png_set_chunk_malloc_max(s->png, CHUNK_MAX);
	png_set_chunk_cache_max(s->png, CHUNKS_MAX);
	png_set_read_fn(s->png, s, on_read);
	png_read_info(s->png, s->info);
	source->width = source->full_width = png_get_image_width(s->png, s->info);
	source->height = source->full_height = png_get_image_height(s->png, s->info);
	interlaced = png_get_interlace_type(s->png, s->info) != PNG_INTERLACE_NONE;
	if (source_check_size(source->width, source->height, interlaced ? 4 : 0, wanted, failure))
		return -1;
	read_metadata(s, &source->metadata);
	set_transforms(s, &source->alpha, &source->gray);
	(void)png_set_interlace_handling(s->png);
	png_read_update_info(s->png, s->info);
	if (png_get_rowbytes(s->png, s->info) != 4ull * source->width)
		png_error(s->png, "its rows have an unusual length");
	return interlaced ? read_whole(s, source->width, source->height, failure) : 0;
}

static int row(struct source *source, uint8_t *rgba, struct failure *failure)
{
	struct state *s = source->state;

	s->failure = failure;
	if (s->whole) {
		memcpy(rgba, s->whole + 4ull * source->width * s->next++, 4ull * source->width);
		return 0;
	}
	if (setjmp(png_jmpbuf(s->png)))
		return -1;
	png_read_row(s->png, rgba, NULL);
	return 0;
}

static int finish(struct source *source, struct failure *failure)
{
	struct state *s = source->state;

	s->failure = failure;
	if (setjmp(png_jmpbuf(s->png)))
		return -1;
	png_read_end(s->png, s->info);
	/* EXIF and XMP may stand behind the picture. */
	read_metadata(s, &source->metadata);
	return 0;
}

int source_png(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);

	if (!s)
		return -1;
	*s = (struct state){.rest = body, .failure = failure};
	source->state = s;
	source->format = FORMAT_PNG;
	source->row = row;
	source->finish = finish;
	s->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, on_error, on_warning);
	s->info = s->png ? png_create_info_struct(s->png) : NULL;
	if (!s->info)
		return fail(failure, 500, "out of memory");
	return read_header(s, wanted, source, failure);
}
