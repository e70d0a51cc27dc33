/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking hostile tar archives into a directory, layer over layer (OCI Image Layer Filesystem Changeset). Every path is looked up
 * by openat2 with the directory as its root, so no link and no ".." leads out of it.
 */
#ifndef IMAGE_IMPORT_UNPACK_H
#define IMAGE_IMPORT_UNPACK_H

#include "host/err.h"

#include <stdbool.h>
#include <stdint.h>

struct unpack {
	int root; /* directory to unpack into */
	bool whiteouts; /* ".wh." names remove what lower layers brought */
	uint64_t bytes_max, files_max; /* over all calls */
	uint64_t bytes, files; /* so far */
	uint64_t skipped; /* devices, pipes, sockets */
	const char *what; /* for messages: "layer 2 of x.tar" */
	struct df_err *err;
};

/*
 * Unpacks the tar archive (plain, gzip or zstd) in `fd`, from its start. Returns 0, -EINVAL (damaged, or an entry that is refused), -EFBIG (a
 * limit), or -errno; u->err is set.
 */
int unpack_archive(struct unpack *u, int fd) __attribute__((warn_unused_result));

/* Opens a path below a directory, which is its root. Returns a descriptor or -errno. */
int open_inside(int root, const char *path, int flags, unsigned int mode)
	__attribute__((warn_unused_result));

#endif
