/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image: what the parts share. A request goes through convert.c:
 *
 *	source_*.c     the picture's rows, one after the other, as the file has them
 *	resample.c     rows to the size that was asked for, in linear light
 *	color.c        colours to sRGB, the alpha channel away
 *	orient.c       turned as the camera was held
 *	sink_*.c       the new file, written where the reply lies
 *
 * A picture is never held whole at full size where the format lets its rows be read in turn: memory that an event touches costs time
 * twice, when it is touched and when it is put back. Nothing is freed: the program ends with its event.
 *
 * Everything in a file is hostile. Sizes are checked before memory is taken for them; the libraries' errors become failures.
 */
#ifndef FUNCTIONS_IMAGE_IMAGE_H
#define FUNCTIONS_IMAGE_IMAGE_H

#include "functions/common/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_MAX 16383u /* of what is made: WebP's limit, and the lowest */

enum format { FORMAT_WEBP, FORMAT_JPEG, FORMAT_PNG, FORMAT_GIF };

/* Content types, in the order of enum format. */
extern const char *const format_types[];

enum fit { FIT_INSIDE, FIT_FILL, FIT_EXACT };

struct request {
	uint32_t width, height; /* 0: whatever follows from the other; both 0: as it is */
	enum fit fit;
	bool enlarge; /* FIT_INSIDE may make it larger */
	int format; /* enum format, or one of: */
#define FORMAT_SAME (-1) /* as the source; GIF becomes PNG */
#define FORMAT_ACCEPT (-2) /* the smallest that `accept` names */
	const char *accept; /* value of an Accept header, or NULL */
	int quality; /* 1 to 100 */
	uint32_t
		background; /* 0xRRGGBB, behind what is transparent where the format has no alpha */
	bool orient; /* turn as EXIF says */
	bool keep_icc; /* else: convert to sRGB */
	bool keep_metadata; /* EXIF and XMP */
	uint64_t pixels_max; /* of a source */
	uint64_t memory_max; /* bytes for one picture */
};

/* Bytes of somebody else, or NULL. */
struct span {
	const uint8_t *bytes;
	size_t length;
};

/* What a file brings beside its pixels. */
struct metadata {
	struct span icc, exif, xmp; /* exif begins with the TIFF header */
};

/* Where the reply is put together. */
struct output {
	uint8_t *bytes;
	size_t max, length;
	bool full; /* there was not enough room */
};

void output_add(struct output *output, const void *bytes, size_t length);

/* A picture in memory: 4 bytes a pixel, R G B A, alpha not multiplied in. */
struct picture {
	uint8_t *pixels;
	uint32_t width, height;
	bool alpha; /* else all alphas are 255 */
};

/*
 * Makes a new picture of `body` at *output. *format becomes what it is. Returns 0, or -1 with *failure set: 413 a limit, 415 not a
 * picture that is known, 422 a damaged one, 500 no memory. No global state but the tables of resample_start().
 */
int image_convert(const struct request *request, struct span body, struct output *output,
	enum format *format, struct failure *failure) __attribute__((warn_unused_result));

/* malloc() that fails as a failure. */
void *image_memory(size_t bytes, struct failure *failure);

#endif
