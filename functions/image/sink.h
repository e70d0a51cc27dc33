/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks: pictures become files. See image.h. Each returns 0, or -1 with *failure set; a lack of room shows in output->full. */
#ifndef FUNCTIONS_IMAGE_SINK_H
#define FUNCTIONS_IMAGE_SINK_H

#include "functions/image/image.h"

int sink_jpeg(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure) __attribute__((warn_unused_result));
int sink_png(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure) __attribute__((warn_unused_result));
int sink_webp(const struct picture *picture, const struct metadata *metadata, int quality,
	struct output *output, struct failure *failure) __attribute__((warn_unused_result));

#endif
