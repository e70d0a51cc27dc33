/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: what a request makes of a picture's. See image.h. */
#ifndef FUNCTIONS_IMAGE_GEOMETRY_H
#define FUNCTIONS_IMAGE_GEOMETRY_H

#include "functions/image/resample.h"

struct geometry {
	uint32_t width, height; /* of the new picture, before it is turned */
	struct area area; /* of the source that it shows */
};

/*
 * For a source of these sides. `sideways`: it is turned by a quarter later, so the request's width is a height here. Sides of the
 * result are 1 to SIDE_MAX, or *failure is set (413).
 */
int geometry_find(const struct request *request, uint32_t width, uint32_t height, bool sideways,
	struct geometry *g, struct failure *failure) __attribute__((warn_unused_result));

#endif
