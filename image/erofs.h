/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing root images: EROFS, uncompressed, no inline data (the layout of `mkfs.erofs -Enoinline_data`), so that
 * every file begins at a multiple of 4096 in the image and can be mapped as it lies. Written here instead of
 * calling mkfs.erofs because the files to pack lie all over the host: mkfs.erofs would need them copied into one
 * directory first, and a process started. fsck.erofs is the judge in the tests.
 */
#ifndef IMAGE_EROFS_H
#define IMAGE_EROFS_H

#include "host/err.h"
#include "image/tree.h"

#include <stdbool.h>
#include <stdint.h>

#define EROFS_BLOCK_BYTES 4096
#define EROFS_SUPER_OFFSET 1024
#define EROFS_SUPER_MAGIC 0xe0f5e1e2u

/*
 * Writes the tree as an image to `fd`, a new empty file, and sets *image_bytes to its size, a multiple of 4096. Everything belongs to
 * root; modes and modification times are the tree's. Equal trees give equal bytes. Reads the tree's host files; a file whose size
 * is not what the tree says any more fails with -EAGAIN (it is being changed). Returns 0 or -errno with *err set.
 */
int erofs_write(const struct tree *tree, int fd, uint64_t *image_bytes, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Is this an EROFS image that dayfly can use, as far as its superblock tells? `image` is at its start; reads one
 * block. Returns 0, or -EINVAL (not EROFS), -EIO (damaged or cut off), -ENOTSUP (a variant that the guest cannot read, such as a
 * compressed one).
 */
int erofs_check(int fd, uint64_t file_bytes) __attribute__((warn_unused_result));

/*
 * Finds a program by name in the directories of `search_path` (colon-separated, as PATH in the guest) inside a finished
 * image, which is read as hostile. *found is "DIRECTORY/NAME", for the caller to free; links on the way to a directory are not
 * followed. Returns 0, -ENOENT, -EUCLEAN (damaged), -EOPNOTSUPP (a kind of image that the guest cannot read), or -errno.
 */
int erofs_find_program(int fd, uint64_t file_bytes, const char *search_path, const char *name,
	char **found) __attribute__((warn_unused_result));

#endif
