// SPDX-License-Identifier: Apache-2.0
/* Tests of sizes, turning and the resampler; whole pictures are tests/e2e/functions' business. */
#include "functions/image/exif.h"
#include "functions/image/geometry.h"
#include "functions/image/resample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY (64u << 20)

static struct picture resized(const uint8_t *rgba, uint32_t width, uint32_t height, bool alpha,
	uint32_t to_width, uint32_t to_height)
{
	struct picture to = {.width = to_width, .height = to_height, .alpha = alpha};
	const struct area area = {0, 0, width, height};
	struct failure failure = {0};
	struct resampler *r = resample_new(width, height, &area, MEMORY, &to, &failure);

	assert_non_null(r);
	for (uint32_t y = 0; y < height; y++)
		resample_row(r, rgba + 4ull * width * y);
	return to;
}

static void every_code_comes_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(srgb_from_linear(linear_from_srgb((uint8_t)i)), i);
	assert_int_equal(srgb_from_linear(-1), 0);
	assert_int_equal(srgb_from_linear(2), 255);
	assert_int_equal(srgb_from_linear(0.0f / 1.0f), 0);
	/* Halves of the way between two codes belong to one of them. */
	for (unsigned i = 0; i < 255; i++) {
		float a = linear_from_srgb((uint8_t)i), b = linear_from_srgb((uint8_t)(i + 1));

		assert_int_equal(srgb_from_linear(a + (b - a) * 0.25f), i);
		assert_int_equal(srgb_from_linear(a + (b - a) * 0.75f), i + 1);
	}
}

static void one_colour_stays(void **state)
{
	static const uint32_t sizes[][2] = {{1, 1}, {7, 3}, {64, 48}, {100, 1}, {1, 100}, {63, 49}};
	static const uint8_t colour[4] = {0x21, 0x80, 0xfe, 0xff};
	uint8_t from[64 * 48 * 4];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i += 4)
		memcpy(from + i, colour, 4);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct picture to = resized(from, 64, 48, false, sizes[s][0], sizes[s][1]);

		for (size_t i = 0; i < 4ull * to.width * to.height; i += 4)
			assert_memory_equal(to.pixels + i, colour, 4);
	}
}

/* Black and white by turns give half of the light, which is 188, not 128. */
static void light_is_mixed(void **state)
{
	uint8_t from[64 * 64 * 4];
	struct picture to;

	(void)state;
	for (size_t i = 0; i < 64 * 64; i++)
		memset(from + 4 * i, (i + i / 64) % 2 ? 255 : 0, 4), from[4 * i + 3] = 255;
	to = resized(from, 64, 64, false, 8, 8);
	for (size_t i = 0; i < 64; i++)
		assert_in_range(to.pixels[4 * i], 186, 190);
}

/* What is invisible has no colour to give. */
static void hidden_colours_stay_hidden(void **state)
{
	static const uint8_t hidden[4] = {0, 0xff, 0, 0}, seen[4] = {0x80, 0x10, 0x20, 0xff};
	uint8_t from[32 * 32 * 4];
	struct picture to;

	(void)state;
	for (size_t i = 0; i < 32 * 32; i++)
		memcpy(from + 4 * i, i % 32 < 16 ? hidden : seen, 4);
	to = resized(from, 32, 32, true, 5, 5);
	for (size_t i = 0; i < 25; i++) {
		if (to.pixels[4 * i + 3] > 8)
			assert_in_range(to.pixels[4 * i + 1], 14, 18);
	}
}

static void sizes_are_found(void **state)
{
	static const struct {
		struct request request;
		uint32_t width, height;
		bool sideways;
		uint32_t to_width, to_height;
		double x, y;
	} cases[] = {
		{{.width = 100, .height = 100}, 400, 200, false, 100, 50, 0, 0},
		{{.width = 100, .height = 100}, 40, 20, false, 40, 20, 0, 0},
		{{.width = 100, .height = 100, .enlarge = true}, 40, 20, false, 100, 50, 0, 0},
		{{.width = 100}, 400, 200, true, 200, 100, 0, 0},
		{{.height = 50, .fit = FIT_EXACT}, 400, 200, false, 100, 50, 0, 0},
		{{.width = 100, .height = 100, .fit = FIT_FILL}, 400, 200, false, 100, 100, 100, 0},
		{{.width = 40, .height = 80, .fit = FIT_FILL}, 400, 200, true, 80, 40, 0, 0},
		{{.width = 80, .height = 20, .fit = FIT_EXACT}, 400, 200, true, 20, 80, 0, 0},
		{{.width = 10, .height = 10}, 65535, 1, false, 10, 1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure failure = {0};
		struct geometry g;

		assert_int_equal(geometry_find(&cases[i].request, cases[i].width, cases[i].height,
					 cases[i].sideways, &g, &failure),
			0);
		assert_int_equal(g.width, cases[i].to_width);
		assert_int_equal(g.height, cases[i].to_height);
		assert_true(g.area.x == cases[i].x && g.area.y == cases[i].y);
	}
}

/* The corners of a picture of 3 x 2, numbered 1 to 6 by rows, for each way that the camera was held. */
static void pictures_are_turned(void **state)
{
	static const char *const turned[] = {
		"123456", "321654", "654321", "456123", "142536", "415263", "635241", "362514"};

	(void)state;
	for (unsigned orientation = 1; orientation <= 8; orientation++) {
		uint8_t pixels[24] = {0};
		struct picture p = {pixels, 3, 2, false};
		struct failure failure = {0};
		char seen[7] = "";

		for (unsigned i = 0; i < 6; i++)
			pixels[4 * i] = (uint8_t)('1' + i);
		assert_int_equal(exif_turn(&p, orientation, &failure), 0);
		assert_int_equal(p.width, exif_is_sideways(orientation) ? 2 : 3);
		for (unsigned i = 0; i < 6; i++)
			seen[i] = (char)p.pixels[4 * i];
		assert_string_equal(seen, turned[orientation - 1]);
	}
}

static void exif_is_read(void **state)
{
	uint8_t exif[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x99\0\0\0";
	struct span whole = {exif, sizeof(exif) - 1};
	uint8_t *upright = exif_upright(whole);

	(void)state;
	assert_int_equal(exif_orientation(whole), 6);
	assert_non_null(upright);
	assert_int_equal(exif_orientation((struct span){upright, whole.length}), 1);
	/* No second directory any more. */
	assert_memory_equal(upright + 22, "\0\0\0\0", 4);
	for (size_t cut = 0; cut < 22; cut++)
		assert_int_equal(exif_orientation((struct span){exif, cut}), 1);
	free(upright);
}

static void memory_is_limited(void **state)
{
	struct picture to = {.width = 16383, .height = 1};
	const struct area area = {0, 0, 1500, 65535};
	struct failure failure = {0};

	(void)state;
	assert_null(resample_new(1500, 65535, &area, MEMORY, &to, &failure));
	assert_int_equal(failure.status, 413);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_comes_back),
		cmocka_unit_test(one_colour_stays),
		cmocka_unit_test(light_is_mixed),
		cmocka_unit_test(hidden_colours_stay_hidden),
		cmocka_unit_test(sizes_are_found),
		cmocka_unit_test(pictures_are_turned),
		cmocka_unit_test(exif_is_read),
		cmocka_unit_test(memory_is_limited),
	};

	resample_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
