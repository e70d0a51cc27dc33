/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importing container images: an OCI image layout (a directory, or a tar file of one) or what `docker save` writes becomes a directory
 * tree, which can be the `root` of a manifest, and the command, environment and working directory of that manifest.
 *
 * Layers are hostile input. They are unpacked by a program of their own, `dayfly-import`, which is started for one image and
 * jails itself before it reads the first byte (import_jail.h): it can read the source, write below the target, and little else.
 */
#ifndef IMAGE_IMPORT_H
#define IMAGE_IMPORT_H

#include "host/err.h"
#include "image/manifest.h"

#include <stdint.h>

#define IMPORT_BYTES_MAX (8ull << 30)
#define IMPORT_FILES_MAX 500000

struct import_request {
	const char *helper; /* path of the program dayfly-import; NULL: ours (host/place.h) */
	const char *source; /* directory or file, as the user typed it */
	const char *reference; /* which image, if the source holds several; NULL: the only one */
	const char *
		target; /* an existing empty directory; its parent is written to as well, for a passing directory */
	uint64_t bytes_max; /* of all files, unpacked; 0: IMPORT_BYTES_MAX */
	uint64_t files_max; /* 0: IMPORT_FILES_MAX */
	unsigned int time_limit_ms; /* 0: ten minutes */
};

struct import_result {
	uint64_t bytes, files; /* in the tree */
	uint64_t skipped; /* device nodes, sockets and pipes that were left out */
};

/*
 * Unpacks, and completes *m (which the caller has initialised): the image's command and workdir where *m has none yet, and those of its
 * variables that *m does not set. Returns 0, -EINVAL (not an image, damaged, or refused for what it holds), -EFBIG (above a limit), -ENOENT
 * (no such reference), -EEXIST (several images and no reference), -EOPNOTSUPP (made for another processor, or layers that are no file
 * system), -ETIMEDOUT or -errno; *err is set and *m as it was. After a failure the target may hold a part of the tree, for
 * the caller to remove. Set-id bits are not kept, owners neither; directories are kept writable for their owner.
 */
int import_unpack(const struct import_request *request, struct manifest *m,
	struct import_result *result, struct df_err *err) __attribute__((warn_unused_result));

#endif
