/* SPDX-License-Identifier: Apache-2.0 */
/* The resampler: see resample.h. */
#include "functions/image/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pixel: R, G and B linear and multiplied by alpha, and alpha. The compiler makes one vector register of it. */
typedef float pixel __attribute__((vector_size(16)));

#define GUESSES 4096

static float to_linear[256];
static float threshold[257]; /* from this value on it is the next code: [0] is 0's upper end */
static uint8_t guess[GUESSES + 1]; /* a code that is not above the right one, and near it */

/* --- sRGB --- */

static double curve(double v)
{
	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

void resample_start(void)
{
	unsigned code = 0;

	for (unsigned i = 0; i < 256; i++) {
		to_linear[i] = (float)curve(i / 255.0);
		threshold[i] = (float)curve((i + 0.5) / 255.0);
	}
	threshold[255] = threshold[256] = INFINITY;
	for (unsigned i = 0; i <= GUESSES; i++) {
		while (threshold[code] <= (float)i / GUESSES)
			code++;
		guess[i] = (uint8_t)code;
	}
}

float linear_from_srgb(uint8_t value)
{
	return to_linear[value];
}

uint8_t srgb_from_linear(float value)
{
	unsigned code;

	/* Also for what is no number. */
	if (!(value > 0))
		return 0;
	if (value >= 1)
		return 255;
	code = guess[(unsigned)(value * GUESSES)];
	while (threshold[code] <= value)
		code++;
	return (uint8_t)code;
}

/* --- filters --- */

struct filter {
	double (*at)(double x);
	double radius;
};

static double sinc(double x)
{
	return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double lanczos(double x)
{
	return fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

/* Mitchell and Netravali, "Reconstruction Filters in Computer Graphics", with B = C = 1/3. */
static double mitchell(double x)
{
	x = fabs(x);
	if (x < 1)
		return (7 * x * x * x - 12 * x * x + 16.0 / 3) / 6;
	if (x < 2)
		return (-7.0 / 3 * x * x * x + 12 * x * x - 20 * x + 32.0 / 3) / 6;
	return 0;
}

static const struct filter smaller = {lanczos, 3}, larger = {mitchell, 2};

/* Where a new pixel comes from: `count` old ones from `first` on, with weights that add up to 1. */
struct taps {
	uint32_t first, count;
	float *weights;
};

struct axis {
	struct taps *taps; /* one for each new pixel */
	uint32_t count, most; /* new pixels; the largest taps.count */
};

/*
 * The weights of one axis: `length` old pixels, of which those from `start` over `part` become `count` new ones. What lies
 * outside the old ones is left out, and the rest made up for it.
 */
static void set_taps(struct taps *taps, const struct filter *filter, double centre, double scale,
	uint32_t length)
{
	double radius = filter->radius * scale, sum = 0;
	double first = ceil(centre - radius - 0.5), last = floor(centre + radius - 0.5);

	first = first < 0 ? 0 : first;
	last = last > length - 1.0 ? length - 1.0 : last;
	taps->first = (uint32_t)first;
	taps->count = (uint32_t)(last - first) + 1;
	for (uint32_t i = 0; i < taps->count; i++) {
		double w = filter->at((taps->first + i + 0.5 - centre) / scale);

		taps->weights[i] = (float)w;
		sum += w;
	}
	for (uint32_t i = 0; i < taps->count; i++)
		taps->weights[i] = (float)(taps->weights[i] / sum);
}

static int make_axis(struct axis *axis, uint32_t length, double start, double part, uint32_t count,
	struct failure *failure)
{
	double step = part / count, scale = step > 1 ? step : 1;
	const struct filter *filter = step > 1 ? &smaller : &larger;
	size_t room = (size_t)(2 * filter->radius * scale) + 2;
	float *weights;

	if (room > length)
		room = length;
	axis->count = count;
	axis->most = 0;
	axis->taps = image_memory(count * sizeof(*axis->taps), failure);
	weights = image_memory(count * room * sizeof(*weights), failure);
	if (!axis->taps || !weights)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		axis->taps[i].weights = weights + i * room;
		set_taps(&axis->taps[i], filter, start + (i + 0.5) * step, scale, length);
		if (axis->taps[i].count > axis->most)
			axis->most = axis->taps[i].count;
	}
	return 0;
}

/* --- rows --- */

struct resampler {
	struct axis x, y;
	uint32_t width, height; /* of the source */
	uint32_t rows, made; /* taken in; put out */
	pixel *line; /* one row of the source */
	pixel *ring; /* the last `y.most` rows, at their new width */
	pixel *sum; /* one new row */
	struct picture *to;
};

/* No sum overflows: sides have 16 bits, and so has the count of taps. */
static uint64_t bytes_needed(const struct resampler *r, const struct picture *to)
{
	uint64_t rows = r->y.most + 1ull;

	return r->width * sizeof(pixel) + rows * to->width * sizeof(pixel) +
		(uint64_t)to->width * to->height * 4;
}

/* Weights, before they are made: as many as all taps of both axes. */
static uint64_t weight_bytes(uint32_t length, double part, uint32_t count)
{
	double step = part / count, each = 6 * (step > 1 ? step : 1) + 2;

	return (uint64_t)((each < length ? each : length) * count * (double)sizeof(float));
}

static void too_large(uint64_t bytes, uint64_t most, struct failure *failure)
{
	fail(failure, 413, "this change of size would take %llu MiB of memory; the limit is %llu",
		(unsigned long long)(bytes >> 20), (unsigned long long)(most >> 20));
}

struct resampler *resample_new(uint32_t width, uint32_t height, const struct area *area,
	uint64_t memory_max, struct picture *to, struct failure *failure)
{
	struct resampler *r = image_memory(sizeof(*r), failure);
	uint64_t weights = weight_bytes(width, area->width, to->width) +
		weight_bytes(height, area->height, to->height);

	if (!r)
		return NULL;
	if (weights > memory_max) {
		too_large(weights, memory_max, failure);
		return NULL;
	}
	*r = (struct resampler){.width = width, .height = height, .to = to};
	if (make_axis(&r->x, width, area->x, area->width, to->width, failure) ||
		make_axis(&r->y, height, area->y, area->height, to->height, failure))
		return NULL;
	if (bytes_needed(r, to) > memory_max) {
		too_large(bytes_needed(r, to), memory_max, failure);
		return NULL;
	}
	r->line = image_memory(width * sizeof(pixel), failure);
	r->ring = image_memory((size_t)r->y.most * to->width * sizeof(pixel), failure);
	r->sum = image_memory(to->width * sizeof(pixel), failure);
	to->pixels = image_memory((size_t)to->width * to->height * 4, failure);
	return r->line && r->ring && r->sum && to->pixels ? r : NULL;
}

static void to_light(pixel *line, const uint8_t *rgba, uint32_t width, bool alpha)
{
	for (uint32_t i = 0; i < width; i++, rgba += 4) {
		pixel p = {to_linear[rgba[0]], to_linear[rgba[1]], to_linear[rgba[2]], 1};

		line[i] = alpha ? p * ((float)rgba[3] / 255) : p;
	}
}

static void across(const struct axis *x, const pixel *line, pixel *to)
{
	for (uint32_t i = 0; i < x->count; i++) {
		const struct taps *taps = &x->taps[i];
		const pixel *from = line + taps->first;
		pixel sum = {0};

		for (uint32_t k = 0; k < taps->count; k++)
			sum += from[k] * taps->weights[k];
		to[i] = sum;
	}
}

static void from_light(const pixel *line, uint8_t *rgba, uint32_t width, bool alpha)
{
	for (uint32_t i = 0; i < width; i++, rgba += 4) {
		pixel p = line[i];
		float a = p[3];

		rgba[3] = 255;
		if (alpha) {
			rgba[3] = a <= 0 ? 0 : a >= 1 ? 255 : (uint8_t)lrintf(a * 255);
			p = rgba[3] ? p / a : (pixel){0};
		}
		rgba[0] = srgb_from_linear(p[0]);
		rgba[1] = srgb_from_linear(p[1]);
		rgba[2] = srgb_from_linear(p[2]);
	}
}

static void down(struct resampler *r, const struct taps *taps)
{
	uint32_t width = r->x.count;

	memset(r->sum, 0, width * sizeof(pixel));
	for (uint32_t k = 0; k < taps->count; k++) {
		const pixel *from = r->ring + (size_t)((taps->first + k) % r->y.most) * width;
		float weight = taps->weights[k];

		for (uint32_t i = 0; i < width; i++)
			r->sum[i] += from[i] * weight;
	}
	from_light(r->sum, r->to->pixels + (size_t)r->made * width * 4, width, r->to->alpha);
}

void resample_row(struct resampler *r, const uint8_t *rgba)
{
	uint32_t row = r->rows++;

	/* Rows that only a crop leaves out are not worked on. */
	if (r->made == r->y.count || row < r->y.taps[r->made].first)
		return;
	to_light(r->line, rgba, r->width, r->to->alpha);
	across(&r->x, r->line, r->ring + (size_t)(row % r->y.most) * r->x.count);
	while (r->made < r->y.count &&
		row + 1 >= r->y.taps[r->made].first + r->y.taps[r->made].count) {
		down(r, &r->y.taps[r->made]);
		r->made++;
	}
}
