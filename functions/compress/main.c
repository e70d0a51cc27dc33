/* SPDX-License-Identifier: Apache-2.0 */
/* compress: packs and unpacks gzip, zstd, brotli and xz. See codec.h and docs/functions.md. */
#include "functions/common/params.h"
#include "functions/compress/compress.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { P_ACTION, P_FORMAT, P_LEVEL, P_LIMIT };

#define LIMIT_MAX (1023ull << 20) /* of any reply */

static const struct param table[] = {
	[P_ACTION] = {"action", "compress", false, "compress or decompress"},
	[P_FORMAT] = {"format", "", false,
		"zstd, gzip, brotli or xz; without: zstd, or what the body is"},
	[P_LEVEL] = {"level", "", false,
		"as the format's own tool counts; without: zstd 3, gzip 6, brotli 5, xz 6"},
	[P_LIMIT] = {"limit", "1023M", true, "most bytes of a result"},
	{0},
};

static const struct program program = {
	"compress", "COMPRESS_", "packs or unpacks standard input to standard output", table};

struct request {
	bool unpack;
	const struct codec *codec; /* NULL: to be found out */
	int level;
	uint64_t limit;
};

static int read_level(const struct params *params, struct request *r, struct failure *failure)
{
	const struct codec *codec = r->codec;
	uint64_t level;

	if (r->unpack)
		return 0;
	r->level = codec->usual;
	if (!*params->values[P_LEVEL])
		return 0;
	if (params_number(params, P_LEVEL, (uint64_t)codec->least, (uint64_t)codec->most, &level,
		    failure))
		return -1;
	r->level = (int)level;
	return 0;
}

static int read_request(const struct params *params, struct request *r, struct failure *failure)
{
	static const char *const actions[] = {"compress", "decompress", NULL};
	static const char *const formats[] = {"", "zstd", "gzip", "brotli", "xz", NULL};
	int action = params_word(params, P_ACTION, actions, failure);
	int format = params_word(params, P_FORMAT, formats, failure);

	if (action < 0 || format < 0 || params_size(params, P_LIMIT, LIMIT_MAX, &r->limit, failure))
		return -1;
	r->unpack = action == 1;
	r->codec = compress_codec(format == 0 && !r->unpack ? "zstd" : formats[format]);
	return read_level(params, r, failure);
}

static int answer(struct params *params, const struct df_event_view *event)
{
	struct failure failure = {0};
	struct request request;
	struct job job = {
		.from = event->body,
		.from_bytes = event->body_bytes,
		.to = event->reply,
		.failure = &failure,
	};

	if (params_event(params, event, &failure) || read_request(params, &request, &failure))
		return answer_failure(event, program.name, &failure);
	job.level = request.level;
	job.to_max = request.limit < event->reply_max ? request.limit : event->reply_max;
	if (request.unpack ? compress_unpack(request.codec, &job) : request.codec->pack(&job))
		return answer_failure(event, program.name, &failure);
	return answer_body(event, request.unpack ? "application/octet-stream" : request.codec->type,
		NULL, job.to, job.to_bytes);
}

/* What is wrong with the settings is said when the function is deployed, not by its first event. */
static int check_settings(const struct params *params)
{
	struct failure failure = {0};
	struct request request;

	if (!read_request(params, &request, &failure))
		return 0;
	fprintf(stderr, "compress: %s\n", failure.text);
	return 2;
}

int main(int argc, char **argv)
{
	struct df_event_view event;
	struct params params;

	/* Memory of one event comes from the heap alone, whose pages are the same in each. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	params_start(&params, &program, argc, argv);
	if (check_settings(&params))
		return 2;
	if (codec_zstd_start()) {
		fputs("compress: out of memory\n", stderr);
		return 1;
	}
	if (df_next_event(&event) <= 0)
		return 1;
	return answer(&params, &event);
}
