/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats say alike when something is wrong: see codec.h. */
#include "functions/compress/codec.h"

int codec_no_room(struct job *job)
{
	return fail(job->failure, 413, "the result has more than %zu bytes, which is the limit",
		job->to_max);
}

int codec_damaged(struct job *job, const char *format, const char *why)
{
	return fail(job->failure, 422, "the %s data is damaged: %.160s", format, why);
}

int codec_too_early(struct job *job, const char *format)
{
	return fail(job->failure, 422, "the %s data ends too early", format);
}
