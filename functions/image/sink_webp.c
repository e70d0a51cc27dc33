/* SPDX-License-Identifier: Apache-2.0 */
/* WebP files, with libwebp; with metadata, put together by libwebpmux. */
#include "functions/image/sink.h"

#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>

static int on_write(const uint8_t *bytes, size_t length, const WebPPicture *picture)
{
	struct output *output = picture->custom_ptr;

	output_add(output, bytes, length);
	return !output->full;
}

static int encode(const struct picture *from, int quality, struct output *output,
	struct failure *failure)
{
	WebPConfig config;
	WebPPicture picture;

	if (!WebPConfigPreset(&config, WEBP_PRESET_PHOTO, (float)quality) ||
		!WebPPictureInit(&picture))
		return fail(failure, 500, "libwebp is not the one that this was made for");
	picture.width = (int)from->width;
	picture.height = (int)from->height;
	picture.writer = on_write;
	picture.custom_ptr = output;
	if (!(from->alpha ? WebPPictureImportRGBA : WebPPictureImportRGBX)(&picture, from->pixels,
		    (int)from->width * 4))
		return fail(failure, 500, "out of memory");
	if (!WebPEncode(&config, &picture) && !output->full)
		return fail(failure, 500, "the WebP file could not be written (error %d)",
			(int)picture.error_code);
	return 0;
}

static bool set_chunk(WebPMux *mux, const char name[4], struct span from)
{
	const WebPData data = {from.bytes, from.length};

	return !from.bytes || WebPMuxSetChunk(mux, name, &data, 0) == WEBP_MUX_OK;
}

/* The file is at *output; it becomes one with chunks around it. */
static int add_metadata(const struct metadata *metadata, struct output *output,
	struct failure *failure)
{
	const WebPData plain = {output->bytes, output->length};
	WebPMux *mux = WebPMuxNew();
	WebPData whole;

	if (!mux || WebPMuxSetImage(mux, &plain, 1) != WEBP_MUX_OK ||
		!set_chunk(mux, "ICCP", metadata->icc) || !set_chunk(mux, "EXIF", metadata->exif) ||
		!set_chunk(mux, "XMP ", metadata->xmp) ||
		WebPMuxAssemble(mux, &whole) != WEBP_MUX_OK)
		return fail(failure, 500, "the WebP file could not be put together");
	output->length = 0;
	output_add(output, whole.bytes, whole.size);
	return 0;
}

int sink_webp(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure)
{
	if (encode(picture, quality, output, failure))
		return -1;
	if (output->full || (!metadata->icc.bytes && !metadata->exif.bytes && !metadata->xmp.bytes))
		return 0;
	return add_metadata(metadata, output, failure);
}
