/* SPDX-License-Identifier: Apache-2.0 */
/* Zstandard, with libzstd. See codec.h. */
#include "functions/compress/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

static ZSTD_CCtx *packer;
static ZSTD_DCtx *unpacker;

int codec_zstd_start(void)
{
	packer = ZSTD_createCCtx();
	unpacker = ZSTD_createDCtx();
	return packer && unpacker ? 0 : -1;
}

static int finish(struct job *job, size_t result)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_no_error:
		job->to_bytes = result;
		return 0;
	case ZSTD_error_dstSize_tooSmall:
		return codec_no_room(job);
	case ZSTD_error_srcSize_wrong:
		return codec_too_early(job, "zstd");
	case ZSTD_error_memory_allocation:
		return fail(job->failure, 500, "out of memory");
	default:
		return codec_damaged(job, "zstd", ZSTD_getErrorName(result));
	}
}

static int pack(struct job *job)
{
	ZSTD_CCtx_setParameter(packer, ZSTD_c_compressionLevel, job->level);
	/* As the command line does. */
	ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 1);
	return finish(job,
		ZSTD_compress2(packer, job->to, job->to_max, job->from, job->from_bytes));
}

/* All frames, one behind the other. */
static int unpack(struct job *job)
{
	return finish(job,
		ZSTD_decompressDCtx(unpacker, job->to, job->to_max, job->from, job->from_bytes));
}

const struct codec codec_zstd = {
	"zstd", "application/zstd", 1, 22, 3, "\x28\xb5\x2f\xfd", 4, pack, unpack};
