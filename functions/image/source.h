/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: files that are read row by row. See image.h. */
#ifndef FUNCTIONS_IMAGE_SOURCE_H
#define FUNCTIONS_IMAGE_SOURCE_H

#include "functions/image/image.h"

struct source {
	enum format format;
	uint32_t width, height; /* of the rows that it gives */
	uint32_t full_width, full_height; /* of the file; larger, if a JPEG is decoded smaller */
	bool alpha;
	bool gray; /* R, G and B are equal, and a profile is one for gray */
	struct metadata metadata;
	void *state;
	/* The next row, R G B A. Returns 0, or -1 with *failure set. Not to be called more than `height` times. */
	int (*row)(struct source *source, uint8_t *rgba, struct failure *failure);
	/* What stands behind the last row is checked, too. To be called after all rows. */
	int (*finish)(struct source *source, struct failure *failure);
};

/* How much is wanted of a file. */
struct wanted {
	uint64_t pixels_max, memory_max;
	/*
	 * The least size that is of use to the caller once it knows the full one, for decoders that can skip: called once, before any
	 * row. Never larger than the full size.
	 */
	void (*size)(void *context, uint32_t full_width, uint32_t full_height, uint32_t *width,
		uint32_t *height);
	void *context;
};

/* Finds out what the file is and reads its header. Returns 0, or -1 with *failure set. */
int source_open(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure) __attribute__((warn_unused_result));

/* One for each format; `body` begins as one of it does. */
int source_jpeg(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure) __attribute__((warn_unused_result));
int source_png(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure) __attribute__((warn_unused_result));
int source_webp(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure) __attribute__((warn_unused_result));
int source_gif(struct source *source, struct span body, const struct wanted *wanted,
	struct failure *failure) __attribute__((warn_unused_result));

/* What they share: is that many pixels allowed, and that much memory? `what` is the format's name. */
int source_check_size(uint64_t width, uint64_t height, uint64_t bytes_per_pixel,
	const struct wanted *wanted, struct failure *failure) __attribute__((warn_unused_result));

#endif
