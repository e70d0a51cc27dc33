/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG sources, with libjpeg-turbo. Its discrete cosine transform can leave out frequencies, which gives a picture of 1/8 to 7/8 of the size for
 * part of the time; that is done as long as it stays three times as large as what is wanted, so that what is seen comes from the resampler.
 *
 * A file that ends too early, or whose entropy-coded data makes no sense, is no picture here, though libjpeg would go on with grey.
 */
#include "functions/image/color.h"
#include "functions/image/exif.h"
#include "functions/image/source.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#define SCANS_MAX \
	200 /* a progressive file has about ten; each one costs a pass over the whole picture */
#define EXIF_PREFIX "Exif\0"
#define XMP_PREFIX "http://ns.adobe.com/xap/1.0/"

struct state {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf back;
	struct failure *failure; /* of the call that runs */
	uint8_t *line; /* one row of CMYK, else NULL */
	struct color *cmyk; /* its way to sRGB, or NULL */
};

/* --- errors --- */

static struct state *state_of(j_common_ptr jpeg)
{
	return jpeg->client_data;
}

static void on_error(j_common_ptr jpeg)
{
	struct state *s = state_of(jpeg);
	char text[JMSG_LENGTH_MAX];
	int code = jpeg->err->msg_code;

	jpeg->err->format_message(jpeg, text);
	if (code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE)
		fail(s->failure, 413, "the JPEG would take too much memory");
	else
		fail(s->failure, 422, "the JPEG is damaged or of an unusual kind: %s", text);
	longjmp(s->back, 1);
}

/* Warnings: those that tell of lost data end it; others are about tables and markers that we can do without. */
static void on_message(j_common_ptr jpeg, int level)
{
	switch (jpeg->err->msg_code) {
	case JWRN_HIT_MARKER:
	case JWRN_JPEG_EOF:
	case JWRN_HUFF_BAD_CODE:
	case JWRN_MUST_RESYNC:
	case JWRN_BOGUS_PROGRESSION:
	case JWRN_NOT_SEQUENTIAL:
		if (level < 0)
			on_error(jpeg);
		break;
	default:
		break;
	}
}

static void on_progress(j_common_ptr jpeg)
{
	struct jpeg_decompress_struct *decompress = (struct jpeg_decompress_struct *)jpeg;
	struct state *s = state_of(jpeg);

	if (decompress->input_scan_number <= SCANS_MAX)
		return;
	fail(s->failure, 422, "the JPEG has more than %d scans", SCANS_MAX);
	longjmp(s->back, 1);
}

/* --- metadata --- */

static bool begins(const struct jpeg_marker_struct *marker, const char *prefix, size_t length)
{
	return marker->data_length > length && memcmp(marker->data, prefix, length) == 0;
}

static void read_metadata(struct state *s, struct metadata *metadata)
{
	JOCTET *icc;
	unsigned int icc_bytes;

	for (const struct jpeg_marker_struct *m = s->jpeg.marker_list; m; m = m->next) {
		if (m->marker != JPEG_APP0 + 1)
			continue;
		if (!metadata->exif.bytes && begins(m, EXIF_PREFIX, 6))
			metadata->exif = (struct span){m->data + 6, m->data_length - 6};
		else if (!metadata->xmp.bytes && begins(m, XMP_PREFIX, sizeof(XMP_PREFIX)))
			metadata->xmp = (struct span){
				m->data + sizeof(XMP_PREFIX), m->data_length - sizeof(XMP_PREFIX)};
	}
	if (jpeg_read_icc_profile(&s->jpeg, &icc, &icc_bytes))
		metadata->icc = (struct span){icc, icc_bytes};
}

/* --- header --- */

/* The smallest scale, in eighths, whose picture is three times as large as what is wanted. */
static void set_scale(struct jpeg_decompress_struct *jpeg, const struct wanted *wanted)
{
	uint32_t width, height;

	if (!wanted->size)
		return;
	wanted->size(wanted->context, jpeg->image_width, jpeg->image_height, &width, &height);
	jpeg->scale_denom = 8;
	for (jpeg->scale_num = 1; jpeg->scale_num < 8; jpeg->scale_num++) {
		if ((uint64_t)jpeg->image_width * jpeg->scale_num >= 24ull * width &&
			(uint64_t)jpeg->image_height * jpeg->scale_num >= 24ull * height)
			return;
	}
}

/* Progressive files are decoded into coefficients of the whole picture first, two bytes each. */
static int check_size(const struct jpeg_decompress_struct *jpeg, const struct wanted *wanted,
	struct failure *failure)
{
	uint64_t bytes = 0;

	if (jpeg->progressive_mode) {
		uint64_t samples = 0, most = 0;

		for (int i = 0; i < jpeg->num_components; i++) {
			const jpeg_component_info *c = &jpeg->comp_info[i];
			uint64_t area = (uint64_t)c->h_samp_factor * c->v_samp_factor;

			samples += area;
			most = area > most ? area : most;
		}
		bytes = most ? (2 * samples + most - 1) / most : 0;
	}
	return source_check_size(jpeg->image_width, jpeg->image_height, bytes, wanted, failure);
}

static int read_header(struct state *s, struct span body, const struct wanted *wanted,
	struct source *source)
{
	struct jpeg_decompress_struct *jpeg = &s->jpeg;

	if (setjmp(s->back))
		return -1;
	jpeg_create_decompress(jpeg);
	jpeg->mem->max_memory_to_use = (long)wanted->memory_max;
	jpeg_mem_src(jpeg, body.bytes, body.length);
	jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
	jpeg_save_markers(jpeg, JPEG_APP0 + 2, 0xffff);
	jpeg_read_header(jpeg, TRUE);
	if (check_size(jpeg, wanted, s->failure))
		return -1;
	read_metadata(s, &source->metadata);
	source->gray = jpeg->jpeg_color_space == JCS_GRAYSCALE;
	jpeg->out_color_space =
		jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK
		? JCS_CMYK
		: JCS_EXT_RGBX;
	set_scale(jpeg, wanted);
	jpeg->progress = &s->progress;
	jpeg_start_decompress(jpeg);
	return 0;
}

/* --- rows --- */

/* Without a profile: each ink takes its colour away. Adobe's files, and so most, hold what is left. */
static void mix_inks(const uint8_t *cmyk, uint8_t *rgba, uint32_t width, bool inverted)
{
	for (uint32_t i = 0; i < width; i++, cmyk += 4, rgba += 4) {
		unsigned flip = inverted ? 0 : 255;

		for (int k = 0; k < 3; k++)
			rgba[k] = (uint8_t)((cmyk[k] ^ flip) * (cmyk[3] ^ flip) / 255);
		rgba[3] = 255;
	}
}

static int read_line(struct state *s, JSAMPROW into)
{
	if (setjmp(s->back))
		return -1;
	if (jpeg_read_scanlines(&s->jpeg, &into, 1) != 1)
		return fail(s->failure, 422, "the JPEG ends too early");
	return 0;
}

static int row(struct source *source, uint8_t *rgba, struct failure *failure)
{
	struct state *s = source->state;

	s->failure = failure;
	if (read_line(s, s->line ? s->line : rgba))
		return -1;
	if (s->cmyk)
		color_row(s->cmyk, s->line, rgba, source->width);
	else if (s->line)
		mix_inks(s->line, rgba, source->width, s->jpeg.saw_Adobe_marker);
	return 0;
}

/* What libjpeg saved is gone when it has finished. */
static int copy(struct span *span, struct failure *failure)
{
	uint8_t *memory;

	if (!span->bytes)
		return 0;
	memory = image_memory(span->length, failure);
	if (!memory)
		return -1;
	memcpy(memory, span->bytes, span->length);
	span->bytes = memory;
	return 0;
}

static int finish(struct source *source, struct failure *failure)
{
	struct state *s = source->state;

	s->failure = failure;
	if (copy(&source->metadata.exif, failure) || copy(&source->metadata.xmp, failure))
		return -1;
	if (setjmp(s->back))
		return -1;
	jpeg_finish_decompress(&s->jpeg);
	return 0;
}

/* Inks become sRGB at once, so a profile of inks is of no use behind this. */
static int start_cmyk(struct state *s, struct source *source, struct failure *failure)
{
	s->line = image_memory(4ull * source->width, failure);
	if (source->metadata.icc.bytes)
		s->cmyk = color_from_cmyk(source->metadata.icc, s->jpeg.saw_Adobe_marker);
	source->metadata.icc = (struct span){NULL, 0};
	return s->line ? 0 : -1;
}

int source_jpeg(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure)
{
	struct state *s = image_memory(sizeof(*s), failure);

	if (!s)
		return -1;
	memset(s, 0, sizeof(*s));
	s->jpeg.err = jpeg_std_error(&s->errors);
	s->errors.error_exit = on_error;
	s->errors.emit_message = on_message;
	s->progress.progress_monitor = on_progress;
	s->jpeg.client_data = s;
	s->failure = failure;
	source->state = s;
	source->format = FORMAT_JPEG;
	source->row = row;
	source->finish = finish;
	if (read_header(s, body, wanted, source))
		return -1;
	source->full_width = s->jpeg.image_width;
	source->full_height = s->jpeg.image_height;
	source->width = s->jpeg.output_width;
	source->height = s->jpeg.output_height;
	return s->jpeg.out_color_space == JCS_CMYK ? start_cmyk(s, source, failure) : 0;
}
