/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: see geometry.h. */
#include "functions/image/geometry.h"

#include <math.h>

static double rounded(double side)
{
	side = floor(side + 0.5);
	return side < 1 ? 1 : side;
}

/* Shrinks the area, around its middle, to the shape that the new picture has. */
static void crop(struct area *area, double width, double height)
{
	double wide = area->height * width / height, high = area->width * height / width;

	if (wide < area->width) {
		area->x += (area->width - wide) / 2;
		area->width = wide;
	} else if (high < area->height) {
		area->y += (area->height - high) / 2;
		area->height = high;
	}
}

int geometry_find(const struct request *request, uint32_t width, uint32_t height, bool sideways,
	struct geometry *g, struct failure *failure)
{
	double w = sideways ? request->height : request->width;
	double h = sideways ? request->width : request->height;
	double by_width = w / width, by_height = h / height, scale;

	g->area = (struct area){0, 0, width, height};
	if (request->fit == FIT_INSIDE || w == 0 || h == 0) {
		scale = w == 0 ? by_height : h == 0 || by_width < by_height ? by_width : by_height;
		if (scale == 0 || (scale > 1 && request->fit == FIT_INSIDE && !request->enlarge))
			scale = 1;
		w = rounded(width * scale);
		h = rounded(height * scale);
	} else if (request->fit == FIT_FILL) {
		crop(&g->area, w, h);
	}
	if (w > SIDE_MAX || h > SIDE_MAX)
		return fail(failure, 413,
			"the new picture would have %.0f x %.0f pixels; a side can have %u", w, h,
			SIDE_MAX);
	g->width = (uint32_t)w;
	g->height = (uint32_t)h;
	return 0;
}
