/* SPDX-License-Identifier: Apache-2.0 */
/* Colour profiles, with lcms2. A profile that cannot be used is as good as none: colours are taken for sRGB. */
#ifndef FUNCTIONS_IMAGE_COLOR_H
#define FUNCTIONS_IMAGE_COLOR_H

#include "functions/image/image.h"

struct color;

/* Makes sRGB's own profile; before the wait point, once. */
void color_start(void);

/* From inks, 4 bytes a pixel, to R, G, B and alpha 255. `inverted`: 255 is no ink. NULL: the profile is of no use. */
struct color *color_from_cmyk(struct span icc, bool inverted);

/* One row. */
void color_row(struct color *color, const uint8_t *from, uint8_t *rgba, uint32_t width);

/* Colours of a picture from its profile to sRGB, in place. `gray`: R, G and B are equal. False: left as they were. */
bool color_to_srgb(struct picture *picture, struct span icc, bool gray);

#endif
