/* SPDX-License-Identifier: Apache-2.0 */
/* image: makes thumbnails and converts pictures. See image.h and docs/functions.md. */
#include "functions/common/params.h"
#include "functions/image/color.h"
#include "functions/image/image.h"
#include "functions/image/resample.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum {
	P_WIDTH,
	P_HEIGHT,
	P_SCALE,
	P_ENLARGE,
	P_FORMAT,
	P_QUALITY,
	P_BACKGROUND,
	P_ORIENT,
	P_ICC,
	P_METADATA,
	P_MAX_PIXELS,
	P_MAX_MEMORY,
};

static const struct param table[] = {
	[P_WIDTH] = {"width", "320", false, "pixels; 0: as follows from the height"},
	[P_HEIGHT] = {"height", "320", false, "pixels; 0: as follows from the width"},
	[P_SCALE] = {"scale", "fit", false,
		"fit (all of it, inside), fill (the middle, cut off) or exact (distorted)"},
	[P_ENLARGE] = {"enlarge", "no", false, "yes: scale=fit makes smaller pictures larger"},
	[P_FORMAT] = {"format", "webp", false,
		"webp, jpeg, png, same, or accept (as the caller's Accept header says)"},
	[P_QUALITY] = {"quality", "80", false, "1 to 100, of WebP and JPEG"},
	[P_BACKGROUND] = {"background", "ffffff", false,
		"RRGGBB, behind what is transparent in a JPEG"},
	[P_ORIENT] = {"orient", "yes", false, "yes: turned as EXIF says"},
	[P_ICC] = {"icc", "convert", false,
		"convert (to sRGB) or keep (the profile and the values)"},
	[P_METADATA] = {"metadata", "keep", false, "keep (EXIF and XMP) or strip"},
	[P_MAX_PIXELS] = {"max-pixels", "100000000", true, "most pixels of a picture that is read"},
	[P_MAX_MEMORY] = {"max-memory", "256M", true, "most memory for one picture"},
	{0},
};

static const struct program program = {"image", "IMAGE_",
	"a picture on standard input becomes another one on standard output", table};

static int yes_or_no(const struct params *params, unsigned index, bool *yes,
	struct failure *failure)
{
	static const char *const words[] = {"no", "yes", NULL};
	int word = params_word(params, index, words, failure);

	*yes = word == 1;
	return word < 0 ? -1 : 0;
}

static int color_value(const struct params *params, uint32_t *color, struct failure *failure)
{
	const char *text = params->values[P_BACKGROUND];
	unsigned value;

	if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6 ||
		sscanf(text, "%x", &value) != 1)
		return fail(failure, 400,
			"background must be six hexadecimal digits, RRGGBB; this is %.40s", text);
	*color = value;
	return 0;
}

static int read_sizes(const struct params *params, struct request *r, struct failure *failure)
{
	uint64_t width, height, quality;

	if (params_number(params, P_WIDTH, 0, SIDE_MAX, &width, failure) ||
		params_number(params, P_HEIGHT, 0, SIDE_MAX, &height, failure) ||
		params_number(params, P_QUALITY, 1, 100, &quality, failure) ||
		params_number(params, P_MAX_PIXELS, 1, UINT32_MAX, &r->pixels_max, failure) ||
		params_size(params, P_MAX_MEMORY, 64ull << 30, &r->memory_max, failure))
		return -1;
	r->width = (uint32_t)width;
	r->height = (uint32_t)height;
	r->quality = (int)quality;
	return 0;
}

static int read_request(const struct params *params, const struct df_event_view *event,
	struct request *r, struct failure *failure)
{
	static const char *const fits[] = {"fit", "fill", "exact", NULL};
	static const char *const formats[] = {"webp", "jpeg", "png", "same", "accept", NULL};
	static const char *const icc[] = {"convert", "keep", NULL};
	static const char *const metadata[] = {"strip", "keep", NULL};
	int fit = params_word(params, P_SCALE, fits, failure);
	int format = params_word(params, P_FORMAT, formats, failure);
	int keep_icc = params_word(params, P_ICC, icc, failure);
	int keep_metadata = params_word(params, P_METADATA, metadata, failure);

	if (fit < 0 || format < 0 || keep_icc < 0 || keep_metadata < 0 ||
		yes_or_no(params, P_ENLARGE, &r->enlarge, failure) ||
		yes_or_no(params, P_ORIENT, &r->orient, failure) ||
		color_value(params, &r->background, failure) || read_sizes(params, r, failure))
		return -1;
	r->fit = (enum fit)fit;
	r->format = format == 3 ? FORMAT_SAME : format == 4 ? FORMAT_ACCEPT : format;
	r->accept = df_attribute(event, "http.header.accept");
	r->keep_icc = keep_icc;
	r->keep_metadata = keep_metadata;
	return 0;
}

static int answer(struct params *params, const struct df_event_view *event)
{
	static const char *const vary[] = {"http.header.vary", "Accept", NULL};
	const struct span body = {event->body, event->body_bytes};
	struct output output = {event->reply, event->reply_max, 0, false};
	struct failure failure = {0};
	struct request request;
	enum format format;

	if (params_event(params, event, &failure) ||
		read_request(params, event, &request, &failure) ||
		image_convert(&request, body, &output, &format, &failure))
		return answer_failure(event, program.name, &failure);
	return answer_body(event, format_types[format],
		request.format == FORMAT_ACCEPT ? vary : NULL, output.bytes, output.length);
}

/* What is wrong with the settings is said when the function is deployed, not by its first event. */
static int check_settings(const struct params *params)
{
	static const struct df_event_view none;
	struct failure failure = {0};
	struct request request;

	if (!read_request(params, &none, &request, &failure))
		return 0;
	fprintf(stderr, "image: %s\n", failure.text);
	return 2;
}

int main(int argc, char **argv)
{
	struct df_event_view event;
	struct params params;

	/* Memory of one event comes from the heap alone, whose pages are the same in each: those that were written are put back fastest. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	params_start(&params, &program, argc, argv);
	resample_start();
	color_start();
	if (check_settings(&params))
		return 2;
	if (df_next_event(&event) <= 0)
		return 1;
	return answer(&params, &event);
}
