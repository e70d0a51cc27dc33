/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats that compress knows. Both directions go in one step from the event's body to where the reply lies: nothing is copied,
 * and no window is kept beside them. Nothing is freed: the program ends with its event.
 */
#ifndef FUNCTIONS_COMPRESS_CODEC_H
#define FUNCTIONS_COMPRESS_CODEC_H

#include "functions/common/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job {
	const uint8_t *from;
	size_t from_bytes;
	uint8_t *to;
	size_t to_max;
	size_t to_bytes; /* what was written */
	int level;
	struct failure *failure;
};

struct codec {
	const char *name, *type; /* "gzip", "application/gzip" */
	int least, most, usual; /* levels, as the format's own tool counts them */
	const char
		*magic; /* what files begin with; NULL: brotli's begin with nothing in particular */
	size_t magic_bytes;
	/*
	 * 0 with job->to_bytes set, or -1 with the failure set: 413 if there is not enough room, 422 if the data is damaged or ends too early,
	 * 500 without memory.
	 */
	int (*pack)(struct job *job);
	int (*unpack)(struct job *job);
};

extern const struct codec codec_zstd, codec_gzip, codec_brotli, codec_xz;

/* What is made before the wait point, once. */
int codec_zstd_start(void);

/* The failures that all have. */
int codec_no_room(struct job *job);
int codec_damaged(struct job *job, const char *format, const char *why);
int codec_too_early(struct job *job, const char *format);

#endif
