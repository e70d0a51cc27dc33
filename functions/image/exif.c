/* SPDX-License-Identifier: Apache-2.0 */
/* How the camera was held: see exif.h. */
#include "functions/image/exif.h"

#include <stdlib.h>
#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT 3
#define ENTRY_BYTES 12

struct reader {
	struct span exif;
	bool big_endian;
};

static uint32_t get(const struct reader *r, size_t at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)r->exif.bytes[at + i] << 8 * (r->big_endian ? bytes - 1 - i : i);
	return value;
}

/* Where the first directory's entries begin, and how many there are; false if there is none. */
static bool first_directory(struct reader *r, size_t *at, uint32_t *count)
{
	struct span e = r->exif;
	size_t directory;

	if (e.length < 8 || (memcmp(e.bytes, "II*\0", 4) && memcmp(e.bytes, "MM\0*", 4)))
		return false;
	r->big_endian = e.bytes[0] == 'M';
	directory = get(r, 4, 4);
	if (directory > e.length - 2)
		return false;
	*count = get(r, directory, 2);
	*at = directory + 2;
	return *count <= (e.length - *at) / ENTRY_BYTES;
}

/* The place of the value, or 0. */
static size_t find_orientation(struct reader *r)
{
	size_t at;
	uint32_t count;

	if (!first_directory(r, &at, &count))
		return 0;
	for (uint32_t i = 0; i < count; i++, at += ENTRY_BYTES) {
		if (get(r, at, 2) == TAG_ORIENTATION && get(r, at + 2, 2) == TYPE_SHORT &&
			get(r, at + 4, 4) == 1)
			return at + 8;
	}
	return 0;
}

unsigned exif_orientation(struct span exif)
{
	struct reader r = {.exif = exif};
	size_t at = find_orientation(&r);
	uint32_t value = at ? get(&r, at, 2) : 1;

	return value >= 1 && value <= 8 ? value : 1;
}

uint8_t *exif_upright(struct span exif)
{
	struct reader r = {.exif = exif};
	size_t value = find_orientation(&r), at;
	uint32_t count;
	uint8_t *copy = malloc(exif.length);

	if (!copy)
		return NULL;
	memcpy(copy, exif.bytes, exif.length);
	if (value) {
		copy[value] = r.big_endian ? 0 : 1;
		copy[value + 1] = r.big_endian ? 1 : 0;
	}
	if (first_directory(&r, &at, &count) && exif.length - at - count * ENTRY_BYTES >= 4)
		memset(copy + at + count * ENTRY_BYTES, 0, 4);
	return copy;
}

/* --- turning --- */

/* Where a pixel of the turned picture comes from: column and row of the old one. */
static void origin(unsigned orientation, const struct picture *old, uint32_t x, uint32_t y,
	uint32_t *from_x, uint32_t *from_y)
{
	uint32_t right = old->width - 1, bottom = old->height - 1;

	/* By the definition: which side of the scene row 0 and column 0 are. */
	switch (orientation) {
	case 2:
		*from_x = right - x, *from_y = y;
		break;
	case 3:
		*from_x = right - x, *from_y = bottom - y;
		break;
	case 4:
		*from_x = x, *from_y = bottom - y;
		break;
	case 5:
		*from_x = y, *from_y = x;
		break;
	case 6:
		*from_x = y, *from_y = bottom - x;
		break;
	case 7:
		*from_x = right - y, *from_y = bottom - x;
		break;
	default:
		*from_x = right - y, *from_y = x;
		break;
	}
}

int exif_turn(struct picture *picture, unsigned orientation, struct failure *failure)
{
	struct picture new = *picture;

	if (orientation < 2 || orientation > 8)
		return 0;
	if (exif_is_sideways(orientation)) {
		new.width = picture->height;
		new.height = picture->width;
	}
	new.pixels = image_memory(4ull * new.width *new.height, failure);
	if (!new.pixels)
		return -1;
	for (uint32_t y = 0; y < new.height; y++) {
		for (uint32_t x = 0; x < new.width; x++) {
			uint32_t from_x, from_y;

			origin(orientation, picture, x, y, &from_x, &from_y);
			memcpy(new.pixels + 4 * ((size_t)y * new.width + x),
				picture->pixels + 4 * ((size_t)from_y * picture->width + from_x),
				4);
		}
	}
	*picture = new;
	return 0;
}
