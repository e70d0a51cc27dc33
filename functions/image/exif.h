/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one field of EXIF that matters for showing a picture: how the camera was held. EXIF is a TIFF directory; libraries for
 * it parse all that makers ever put there, which is more to go wrong than these few lines.
 */
#ifndef FUNCTIONS_IMAGE_EXIF_H
#define FUNCTIONS_IMAGE_EXIF_H

#include "functions/image/image.h"

/* 1 to 8 as in TIFF 6.0 ("Orientation"); 1 if it does not say, or makes no sense. `exif` begins with the TIFF header. */
unsigned exif_orientation(struct span exif);

/*
 * A copy that says 1, for a picture that was turned, and that has no link to a second directory any more, whose small picture would show
 * the old one. NULL without memory. As long as `exif`.
 */
uint8_t *exif_upright(struct span exif);

/* How a picture of these sides looks when it is turned: do width and height change places? */
static inline bool exif_is_sideways(unsigned orientation)
{
	return orientation >= 5;
}

/* Turns it; takes new memory for the pixels. Returns 0, or -1 with *failure set. */
int exif_turn(struct picture *picture, unsigned orientation, struct failure *failure)
	__attribute__((warn_unused_result));

#endif
