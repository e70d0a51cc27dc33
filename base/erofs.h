// SPDX-License-Identifier: Apache-2.0
/*
 * Reader of uncompressed EROFS images that lie in memory, for the guest kernel (the root image) and
 * for host tools. Format: Linux Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
 *
 * The image may be damaged or hostile: every number in it is checked before it is used, so no call
 * reads outside [base, base + size) or loops without end. What is wrong with the image is -EUCLEAN,
 * what this reader leaves out (compression, chunks, other block sizes) is -EOPNOTSUPP.
 *
 * The image must not change meanwhile. No allocation, no state beside the structures below.
 */
#ifndef BASE_EROFS_H
#define BASE_EROFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EROFS_BLOCK_SIZE 4096u
#define EROFS_NAME_MAX 255u
#define EROFS_LINK_MAX 4095u /* longest symlink target */

struct erofs {
	const uint8_t *base;
	uint64_t size; /* bytes that may be read */
	uint64_t meta; /* offset of nid 0 */
	uint64_t root_nid;
	uint64_t build_time_s; /* mtime of compact inodes */
	uint32_t build_time_ns;
	uint64_t inode_count;
	uint64_t block_count;
};

/* An inode, with where its data lies; erofs_inode has checked that all of it is inside the image. */
struct erofs_inode {
	uint64_t nid;
	uint64_t size; /* bytes */
	uint64_t head; /* offset in the image of the first head_bytes of the data */
	uint64_t head_bytes; /* the rest, less than a block, is at tail */
	uint64_t tail;
	uint64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev; /* as in stat(2), for device nodes */
	uint16_t mode; /* type and permissions as in stat(2) */
};

struct erofs_entry {
	uint64_t nid;
	const char *name; /* in the image, not ended by a zero byte */
	unsigned name_bytes; /* 1-255 */
	uint8_t type; /* DT_* of getdents(2) */
};

/* Checks the superblock of the image. 0, -EUCLEAN, -EOPNOTSUPP. */
int erofs_open(struct erofs *e, const void *base, uint64_t size);

/* Reads an inode. 0, -EUCLEAN, -EOPNOTSUPP. */
int erofs_inode(const struct erofs *e, uint64_t nid, struct erofs_inode *out);

/* Finds a name in a directory. 0 with *nid, -ENOENT, -EUCLEAN. */
int erofs_lookup(const struct erofs *e, const struct erofs_inode *dir, const char *name,
	size_t name_bytes, uint64_t *nid);

/*
 * Entries in order, "." and ".." among them. *pos is 0 to begin with and then what the call before
 * left; other values are safe, too. 1 with *out, 0 at the end, -EUCLEAN.
 */
int erofs_next(const struct erofs *e, const struct erofs_inode *dir, uint64_t *pos,
	struct erofs_entry *out);

/* Contiguous bytes of the file's data from `offset` on, 0 at or past the end; *where: their offset
 * in the image. */
uint64_t erofs_extent(const struct erofs_inode *inode, uint64_t offset, uint64_t *where);

/* Target of a symlink, without a zero byte: the length, at most `size` bytes copied. -EUCLEAN. */
int erofs_link(const struct erofs *e, const struct erofs_inode *inode, char *buf, size_t size);

#endif
