/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A separable resampler that works in linear light, on rows as they come: Lanczos with three lobes where a picture becomes smaller,
 * Mitchell's cubic where it becomes larger (Lanczos would ring there). Colours are multiplied by their alpha before they are
 * mixed, so what is invisible does not show at edges.
 *
 * Only rows that still count are kept, already at their new width. Values are taken for sRGB's curve, whatever profile they have:
 * other curves in use are near enough to it (gamma 2.2 differs by less than 1 % of full scale where it matters).
 */
#ifndef FUNCTIONS_IMAGE_RESAMPLE_H
#define FUNCTIONS_IMAGE_RESAMPLE_H

#include "functions/image/image.h"

/* The part of a source that becomes the whole picture, in pixels of the source. */
struct area {
	double x, y, width, height;
};

struct resampler;

/* Fills the tables; before the wait point, once. */
void resample_start(void);

/*
 * From rows of `width` and `height` to a picture of to->width and to->height, whose pixels it takes memory for: `memory_max` bytes
 * in all. NULL: *failure.
 */
struct resampler *resample_new(uint32_t width, uint32_t height, const struct area *area,
	uint64_t memory_max, struct picture *to, struct failure *failure);

/* The next row, R G B A; `height` times. */
void resample_row(struct resampler *r, const uint8_t *rgba);

/* To one plane and back, for tests and for the background. */
float linear_from_srgb(uint8_t value);
uint8_t srgb_from_linear(float value);

#endif
