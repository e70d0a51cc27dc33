/* SPDX-License-Identifier: Apache-2.0 */
/* GIF sources, with giflib: the first picture of the file, at its place on the canvas. What it does not cover is transparent. */
#include "functions/image/source.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

struct state {
	struct span rest;
	GifFileType *gif;
	const ColorMapObject *colors;
	int transparent; /* an index, or NO_TRANSPARENT_COLOR */
	GifPixelType *indices; /* of the picture, top to bottom */
	uint32_t next;
};

static int on_read(GifFileType *gif, GifByteType *into, int length)
{
	struct state *s = gif->UserData;
	size_t n = (size_t)length < s->rest.length ? (size_t)length : s->rest.length;

	memcpy(into, s->rest.bytes, n);
	s->rest.bytes += n;
	s->rest.length -= n;
	return (int)n;
}

static int damaged(const struct state *s, int error, struct failure *failure)
{
	const char *why = GifErrorString(s->gif ? s->gif->Error : error);

	return fail(failure, 422, "the GIF is damaged: %.120s", why ? why : "it makes no sense");
}

/* --- up to the first picture --- */

static int read_extension(struct state *s, struct failure *failure)
{
	GifByteType *block;
	int code;

	if (DGifGetExtension(s->gif, &code, &block) == GIF_ERROR)
		return damaged(s, 0, failure);
	while (block) {
		GraphicsControlBlock control;

		if (code == GRAPHICS_EXT_FUNC_CODE &&
			DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
			s->transparent = control.TransparentColor;
		if (DGifGetExtensionNext(s->gif, &block) == GIF_ERROR)
			return damaged(s, 0, failure);
	}
	return 0;
}

static int find_picture(struct state *s, struct failure *failure)
{
	for (;;) {
		GifRecordType type;

		if (DGifGetRecordType(s->gif, &type) == GIF_ERROR)
			return damaged(s, 0, failure);
		if (type == IMAGE_DESC_RECORD_TYPE)
			return DGifGetImageDesc(s->gif) == GIF_ERROR ? damaged(s, 0, failure) : 0;
		if (type == TERMINATE_RECORD_TYPE)
			return fail(failure, 422, "the GIF has no picture in it");
		if (type == EXTENSION_RECORD_TYPE && read_extension(s, failure))
			return -1;
	}
}

/* --- the picture --- */

static int read_line(struct state *s, uint32_t y, struct failure *failure)
{
	const GifImageDesc *image = &s->gif->Image;

	if (DGifGetLine(s->gif, s->indices + (size_t)y * (size_t)image->Width, image->Width) ==
		GIF_ERROR)
		return damaged(s, 0, failure);
	return 0;
}

static int read_picture(struct state *s, struct failure *failure)
{
	static const uint8_t start[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
	const GifImageDesc *image = &s->gif->Image;
	uint32_t height = (uint32_t)image->Height;

	s->indices = image_memory((size_t)image->Width * height, failure);
	if (!s->indices)
		return -1;
	for (unsigned pass = 0; pass < (image->Interlace ? 4 : 1); pass++) {
		for (uint32_t y = image->Interlace ? start[pass] : 0; y < height;
			y += image->Interlace ? step[pass] : 1) {
			if (read_line(s, y, failure))
				return -1;
		}
	}
	return 0;
}

static int row(struct source *source, uint8_t *rgba, struct failure *failure)
{
	struct state *s = source->state;
	const GifImageDesc *image = &s->gif->Image;
	int64_t y = (int64_t)s->next++ - image->Top;
	const GifPixelType *from;

	(void)failure;
	memset(rgba, 0, 4ull * source->width);
	if (y < 0 || y >= image->Height)
		return 0;
	from = s->indices + (size_t)y * (size_t)image->Width;
	for (int64_t x = 0; x < image->Width && x + image->Left < source->width; x++) {
		uint8_t *to = rgba + 4 * (x + image->Left);

		if (from[x] == s->transparent || from[x] >= s->colors->ColorCount)
			continue;
		to[0] = s->colors->Colors[from[x]].Red;
		to[1] = s->colors->Colors[from[x]].Green;
		to[2] = s->colors->Colors[from[x]].Blue;
		to[3] = 255;
	}
	return 0;
}

static int finish(struct source *source, struct failure *failure)
{
	(void)source;
	(void)failure;
	return 0;
}

static int check(struct state *s, const struct wanted *wanted, struct source *source,
	struct failure *failure)
{
	const GifImageDesc *image = &s->gif->Image;

	source->width = source->full_width = (uint32_t)s->gif->SWidth;
	source->height = source->full_height = (uint32_t)s->gif->SHeight;
	if (image->Left < 0 || image->Top < 0 || image->Width < 1 || image->Height < 1)
		return fail(failure, 422, "the GIF is damaged: its picture has no place");
	if (source_check_size(source->width, source->height, 0, wanted, failure) ||
		source_check_size((uint32_t)image->Width, (uint32_t)image->Height, 1, wanted,
			failure))
		return -1;
	s->colors = image->ColorMap ? image->ColorMap : s->gif->SColorMap;
	if (!s->colors)
		return fail(failure, 422, "the GIF is damaged: it has no colours");
	source->alpha = s->transparent != NO_TRANSPARENT_COLOR || image->Left || image->Top ||
		image->Width < s->gif->SWidth || image->Height < s->gif->SHeight;
	return 0;
}

int source_gif(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);
	int error = 0;

	if (!s)
		return -1;
	*s = (struct state){.rest = body, .transparent = NO_TRANSPARENT_COLOR};
	source->state = s;
	source->format = FORMAT_GIF;
	source->row = row;
	source->finish = finish;
	s->gif = DGifOpen(s, on_read, &error);
	if (!s->gif)
		return damaged(s, error, failure);
	if (find_picture(s, failure) || check(s, wanted, source, failure))
		return -1;
	return read_picture(s, failure);
}
