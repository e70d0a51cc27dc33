/* SPDX-License-Identifier: Apache-2.0 */
/* Colour profiles: see color.h. */
#include "functions/image/color.h"

#include <lcms2.h>
#include <math.h>
#include <string.h>

#define PROFILE_MAX (4u << 20)
/* Less than half a step of 8 bits, in light and in XYZ. */
#define CURVE_NEAR 0.0015f
#define XYZ_NEAR 0.0015
#define FLAGS cmsFLAGS_COPY_ALPHA

static cmsHPROFILE srgb;

/* What is wrong with a profile is not told: there is nobody who could change it. */
static void on_error(cmsContext context, cmsUInt32Number code, const char *text)
{
	(void)context;
	(void)code;
	(void)text;
}

void color_start(void)
{
	cmsSetLogErrorHandler(on_error);
	srgb = cmsCreate_sRGBProfile();
}

static cmsHPROFILE open_profile(struct span icc, cmsColorSpaceSignature space)
{
	cmsHPROFILE profile;

	if (!srgb || icc.length == 0 || icc.length > PROFILE_MAX)
		return NULL;
	profile = cmsOpenProfileFromMem(icc.bytes, (cmsUInt32Number)icc.length);
	return profile && cmsGetColorSpace(profile) == space ? profile : NULL;
}

static bool same_primary(cmsHPROFILE profile, cmsTagSignature tag)
{
	const cmsCIEXYZ *a = cmsReadTag(profile, tag), *b = cmsReadTag(srgb, tag);

	return a && b && fabs(a->X - b->X) < XYZ_NEAR && fabs(a->Y - b->Y) < XYZ_NEAR &&
		fabs(a->Z - b->Z) < XYZ_NEAR;
}

static bool same_curve(cmsHPROFILE profile, cmsTagSignature tag)
{
	const cmsToneCurve *a = cmsReadTag(profile, tag), *b = cmsReadTag(srgb, tag);

	for (unsigned i = 0; a && b && i <= 32; i++) {
		float v = (float)i / 32;

		if (fabsf(cmsEvalToneCurveFloat(a, v) - cmsEvalToneCurveFloat(b, v)) > CURVE_NEAR)
			return false;
	}
	return a && b;
}

/* Most profiles are sRGB's. To make a transformation takes longer than a thumbnail's pixels do. */
static bool is_srgb(cmsHPROFILE profile)
{
	return profile && cmsIsMatrixShaper(profile) &&
		same_primary(profile, cmsSigRedColorantTag) &&
		same_primary(profile, cmsSigGreenColorantTag) &&
		same_primary(profile, cmsSigBlueColorantTag) &&
		same_curve(profile, cmsSigRedTRCTag) && same_curve(profile, cmsSigGreenTRCTag) &&
		same_curve(profile, cmsSigBlueTRCTag);
}

/* For the eye: relative colours, unless the profile's maker has a better rendering. */
static cmsHTRANSFORM transform(cmsHPROFILE from, cmsUInt32Number format)
{
	return from ? cmsCreateTransform(from, format, srgb, TYPE_RGBA_8, INTENT_PERCEPTUAL, FLAGS)
		    : NULL;
}

struct color *color_from_cmyk(struct span icc, bool inverted)
{
	cmsHPROFILE profile = open_profile(icc, cmsSigCmykData);

	if (!profile)
		return NULL;
	return cmsCreateTransform(profile, inverted ? TYPE_CMYK_8_REV : TYPE_CMYK_8, srgb,
		TYPE_RGBA_8, INTENT_PERCEPTUAL, 0);
}

void color_row(struct color *color, const uint8_t *from, uint8_t *rgba, uint32_t width)
{
	cmsDoTransform(color, from, rgba, width);
	for (uint32_t i = 0; i < width; i++)
		rgba[4 * i + 3] = 255;
}

/* Gray profiles have one channel: one of ours, put in the place of the alpha that lcms2 copies. */
static bool gray_to_srgb(struct picture *picture, cmsHTRANSFORM t)
{
	uint8_t from[256], to[256 * 4];

	/* 256 shades are all that there are. */
	for (unsigned i = 0; i < 256; i++)
		from[i] = (uint8_t)i;
	cmsDoTransform(t, from, to, 256);
	for (size_t i = 0; i < (size_t)picture->width * picture->height; i++)
		memcpy(picture->pixels + 4 * i, to + 4 * (size_t)picture->pixels[4 * i], 3);
	return true;
}

bool color_to_srgb(struct picture *picture, struct span icc, bool gray)
{
	cmsHPROFILE profile = open_profile(icc, gray ? cmsSigGrayData : cmsSigRgbData);
	cmsHTRANSFORM t;

	/* Files of shades of gray may have a profile for colours. */
	if (!profile && gray) {
		profile = open_profile(icc, cmsSigRgbData);
		gray = false;
	}
	if (gray && profile) {
		t = cmsCreateTransform(profile, TYPE_GRAY_8, srgb, TYPE_RGBA_8, INTENT_PERCEPTUAL,
			0);
		return t && gray_to_srgb(picture, t);
	}
	if (is_srgb(profile))
		return true;
	t = transform(profile, TYPE_RGBA_8);
	if (!t)
		return false;
	cmsDoTransform(t, picture->pixels, picture->pixels, picture->width * picture->height);
	return true;
}
