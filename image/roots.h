/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of root images: `$XDG_CACHE_HOME/dayfly/roots`, else `~/.cache/dayfly/roots`.
 *
 *	HASH.index		what an image was made from (index.h); HASH is that of the request's key
 *	HASH-CONTENT.erofs	the image
 *	.new-*			being written; renamed when complete, so a reader sees a whole file or none
 *
 * A run reads the index, asks the file system whether the watched files are the same, and uses the image: for a static
 * program about 25 system calls, no process, no packing. Anything that does not fit (another key, a damaged index, an image
 * of another size) means: pack again. Images are never changed in place: a running guest keeps the one it has mapped. Runs
 * at the same time may pack the same image twice; the last rename stays. After each packing the images used longest ago are removed until
 * the cache is below its bound; using an image renews its modification time (at most once a minute).
 */
#ifndef IMAGE_ROOTS_H
#define IMAGE_ROOTS_H

#include "host/err.h"
#include "image/gather.h"

#include <stddef.h>

#define ROOTS_BOUND_BYTES (4ull << 30)

/* "--file HOST:GUEST": absolute, cleaned paths. */
struct root_file {
	const char *host;
	const char *guest;
};

struct root_request {
	const char *program; /* absolute host path; NULL when `root` is given */
	const char *shown_name; /* the program as the user typed it */
	const char *root; /* absolute host path of a prepared directory, or NULL */
	const struct root_file *files;
	size_t file_count;
	const char *
		guest_path; /* PATH, LD_LIBRARY_PATH and TZ of the guest; the latter two may be NULL */
	const char *library_path;
	const char *time_zone;
	const char *workdir; /* made in a gathered root when it is missing */
};

/*
 * Finds or makes the image for a request. *image becomes its absolute path, for the caller to free. Returns 0, an enum
 * image_result, or -errno; *err is set. The image may be removed by a later run's clean-up (not within five minutes
 * of its last use): open it soon.
 */
int roots_image(const struct root_request *request, char **image, struct df_err *err)
	__attribute__((warn_unused_result));

/* The cache's directory, whether it exists or not, for the caller to free; NULL without memory. */
char *roots_directory(void) __attribute__((warn_unused_result));

/* Removes what the cache does not need, down to `bound_bytes`, in the directory open as `dir_fd`. Best effort. */
void roots_clean(int dir_fd, uint64_t bound_bytes);

#endif
