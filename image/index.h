/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a cached root image: which host files it was made from, and what they looked like. One small file per
 * key, read with one system call on every run; see roots.h for the whole cache.
 *
 * Layout, in the byte order of the machine that wrote it (a cache is not carried around):
 *	struct index_header
 *	struct index_record[record_count]
 *	key, key_bytes			what the image is for, compared byte for byte
 *	paths, path_bytes		zero-ended, one after the other
 */
#ifndef IMAGE_INDEX_H
#define IMAGE_INDEX_H

#include "image/gather.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_MAGIC 0x3131746f6f726664ull /* "dfroot11" */
#define INDEX_IMAGE_BYTES 96
#define INDEX_BYTES_MAX (256u << 20)

struct index_header {
	uint64_t magic;
	uint64_t image_bytes;
	uint32_t record_count;
	uint32_t key_bytes;
	uint32_t path_bytes;
	uint32_t reserved;
	char image
		[INDEX_IMAGE_BYTES]; /* file name in the same directory, zero-ended, without '/' */
};
_Static_assert(sizeof(struct index_header) == 128, "written to disk");

struct index_record {
	uint64_t device, inode, size;
	int64_t mtime_ns;
	uint32_t mode; /* 0: the path must not exist */
	uint32_t path; /* offset among the paths */
};
_Static_assert(sizeof(struct index_record) == 40, "written to disk");

/* An index that has been checked; points into the bytes it was made from. */
struct index_view {
	const struct index_header *header;
	const struct index_record *records;
	const char *paths;
};

/*
 * Checks the form of an index, and that it is for this key. `bytes` is aligned to 8. Nothing outside of `length` bytes is
 * read. Returns 0 with *view set, or -EINVAL: damaged, another version, or another key.
 */
int index_parse(const void *bytes, size_t length, const char *key, size_t key_bytes,
	struct index_view *view) __attribute__((warn_unused_result));

/* Asks the file system whether every watched path still looks the same: one system call each, stops at the first that does not. */
bool index_is_current(const struct index_view *view);

/* Makes the bytes of an index. *bytes is for the caller to free. Returns 0, -ENOMEM, or -EINVAL for a bad image name. */
int index_make(const struct watch *watches, size_t watch_count, const char *key, size_t key_bytes,
	const char *image, uint64_t image_bytes, char **bytes, size_t *length)
	__attribute__((warn_unused_result));

#endif
