/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG files, with libjpeg-turbo: baseline, Huffman tables made for the picture, colours at half the resolution below quality 90. */
#include "functions/image/sink.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define EXIF_PREFIX "Exif\0"
#define XMP_PREFIX "http://ns.adobe.com/xap/1.0/"
#define MARKER_MAX 65533u

struct state {
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_destination_mgr destination;
	jmp_buf back;
	struct failure *failure;
	struct output *output;
	uint8_t spill[4096]; /* what is written when there is no room: dropped */
};

static void on_error(j_common_ptr jpeg)
{
	struct state *s = jpeg->client_data;
	char text[JMSG_LENGTH_MAX];

	jpeg->err->format_message(jpeg, text);
	fail(s->failure, 500, "the JPEG could not be written: %s", text);
	longjmp(s->back, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
	(void)jpeg;
	(void)level;
}

/* --- straight into the output --- */

static void start_output(j_compress_ptr jpeg)
{
	struct state *s = jpeg->client_data;

	s->destination.next_output_byte = s->output->bytes;
	s->destination.free_in_buffer = s->output->max;
}

static boolean spill(j_compress_ptr jpeg)
{
	struct state *s = jpeg->client_data;

	s->output->full = true;
	s->destination.next_output_byte = s->spill;
	s->destination.free_in_buffer = sizeof(s->spill);
	return TRUE;
}

static void end_output(j_compress_ptr jpeg)
{
	struct state *s = jpeg->client_data;

	s->output->length = s->output->max - s->destination.free_in_buffer;
}

/* --- the file --- */

static void write_marker(struct state *s, const char *prefix, size_t prefix_bytes, struct span data)
{
	/* What does not fit one marker is left out. */
	if (!data.bytes || data.length > MARKER_MAX - prefix_bytes)
		return;
	jpeg_write_m_header(&s->jpeg, JPEG_APP0 + 1, (unsigned int)(prefix_bytes + data.length));
	for (size_t i = 0; i < prefix_bytes; i++)
		jpeg_write_m_byte(&s->jpeg, prefix[i]);
	for (size_t i = 0; i < data.length; i++)
		jpeg_write_m_byte(&s->jpeg, data.bytes[i]);
}

static int write_file(struct state *s, const struct picture *picture,
	const struct metadata *metadata, int quality)
{
	struct jpeg_compress_struct *jpeg = &s->jpeg;

	if (setjmp(s->back))
		return -1;
	jpeg_create_compress(jpeg);
	jpeg->dest = &s->destination;
	jpeg->image_width = picture->width;
	jpeg->image_height = picture->height;
	jpeg->input_components = 4;
	jpeg->in_color_space = JCS_EXT_RGBX;
	jpeg_set_defaults(jpeg);
	jpeg_set_quality(jpeg, quality, TRUE);
	jpeg->optimize_coding = TRUE;
	if (quality >= 90)
		jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1;
	jpeg_start_compress(jpeg, TRUE);
	write_marker(s, EXIF_PREFIX, 6, metadata->exif);
	write_marker(s, XMP_PREFIX, sizeof(XMP_PREFIX), metadata->xmp);
	if (metadata->icc.bytes)
		jpeg_write_icc_profile(jpeg, metadata->icc.bytes,
			(unsigned int)metadata->icc.length);
	while (jpeg->next_scanline < picture->height) {
		JSAMPROW row = picture->pixels + 4ull * picture->width * jpeg->next_scanline;

		jpeg_write_scanlines(jpeg, &row, 1);
	}
	jpeg_finish_compress(jpeg);
	return 0;
}

int sink_jpeg(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);

	if (!s)
		return -1;
	memset(s, 0, sizeof(*s));
	s->failure = failure;
	s->output = output;
	s->jpeg.err = jpeg_std_error(&s->errors);
	s->errors.error_exit = on_error;
	s->errors.emit_message = on_message;
	s->jpeg.client_data = s;
	s->destination.init_destination = start_output;
	s->destination.empty_output_buffer = spill;
	s->destination.term_destination = end_output;
	return write_file(s, picture, metadata, quality);
}
