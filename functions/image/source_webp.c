/* SPDX-License-Identifier: Apache-2.0 */
/* WebP sources, with libwebp; of an animation, the first frame on its canvas. Decoded whole. */
#include "functions/image/source.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

struct state {
	uint8_t *pixels;
	uint32_t next;
};

static int row(struct source *source, uint8_t *rgba, struct failure *failure)
{
	struct state *s = source->state;

	(void)failure;
	memcpy(rgba, s->pixels + 4ull * source->width * s->next++, 4ull * source->width);
	return 0;
}

static int finish(struct source *source, struct failure *failure)
{
	(void)source;
	(void)failure;
	return 0;
}

static struct span chunk(WebPDemuxer *demuxer, const char name[4])
{
	WebPChunkIterator found;

	if (!WebPDemuxGetChunk(demuxer, name, 1, &found))
		return (struct span){NULL, 0};
	return (struct span){found.chunk.bytes, found.chunk.size};
}

static int damaged(struct failure *failure)
{
	return fail(failure, 422, "the WebP file is damaged, or ends too early");
}

static int decode(struct state *s, const WebPIterator *frame, const struct source *source,
	struct failure *failure)
{
	size_t stride = 4ull * source->width, bytes = stride * source->height;
	uint64_t at = stride * (uint64_t)frame->y_offset + 4ull * (uint64_t)frame->x_offset;

	if (frame->width < 1 || frame->height < 1 || frame->x_offset < 0 || frame->y_offset < 0 ||
		(uint64_t)frame->x_offset + (uint64_t)frame->width > source->width ||
		(uint64_t)frame->y_offset + (uint64_t)frame->height > source->height)
		return damaged(failure);
	s->pixels = image_memory(bytes, failure);
	if (!s->pixels)
		return -1;
	if ((uint32_t)frame->width != source->width || (uint32_t)frame->height != source->height)
		memset(s->pixels, 0, bytes);
	if (!WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, s->pixels + at,
		    bytes - at, (int)stride))
		return damaged(failure);
	return 0;
}

int source_webp(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);
	WebPData data = {body.bytes, body.length};
	WebPDemuxer *demuxer;
	WebPIterator frame;

	if (!s)
		return -1;
	*s = (struct state){0};
	source->state = s;
	source->format = FORMAT_WEBP;
	source->row = row;
	source->finish = finish;
	demuxer = WebPDemux(&data);
	if (!demuxer || !WebPDemuxGetFrame(demuxer, 1, &frame))
		return damaged(failure);
	source->width = source->full_width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
	source->height = source->full_height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
	/* The decoder keeps as much again for itself. */
	if (source_check_size(source->width, source->height, 8, wanted, failure))
		return -1;
	source->alpha = frame.has_alpha || (uint32_t)frame.width != source->width ||
		(uint32_t)frame.height != source->height;
	source->metadata.icc = chunk(demuxer, "ICCP");
	source->metadata.exif = chunk(demuxer, "EXIF");
	source->metadata.xmp = chunk(demuxer, "XMP ");
	return decode(s, &frame, source, failure);
}
