// SPDX-License-Identifier: Apache-2.0
/*
 * The root image as it is: read-only files of an EROFS image, by number (nid). The read-only root file
 * system and the overlay of `tmp` both stand on this. An image that can not be read gives an empty root.
 */
#ifndef KERNEL_FS_IMAGE_H
#define KERNEL_FS_IMAGE_H

#include <base/erofs.h>
#include <kernel/fs/node.h>

/* Checks the image; the other functions come after it. */
void image_init(void);
uint64_t image_root(void); /* nid of / */
uint64_t image_ino_end(void); /* no nid of the image is this high */

int image_inode(uint64_t nid, struct erofs_inode *out) must_check;
int image_lookup(const struct erofs_inode *dir, const char *name, unsigned name_bytes,
	uint64_t *nid) must_check;
/* As erofs_next, without "." and "..". */
int image_next(const struct erofs_inode *dir, uint64_t *pos, struct dir_item *out) must_check;
int image_target(const struct erofs_inode *link, char *buf, size_t size) must_check;
/* Copies file data to program or kernel memory. Bytes or -EFAULT. */
int64_t image_read(const struct erofs_inode *file, void *buf, size_t bytes,
	uint64_t offset) must_check;
/* Frames that show the file's pages from `index` on, at most `most`; 0: the page is not aligned in
 * the image (or is past the end) and has to be copied. */
uint64_t image_frames(const struct erofs_inode *file, uint64_t index, uint64_t most, gpa_t *gpa);
void image_stat(const struct erofs_inode *inode, struct stat *st);
void image_space(struct statfs *st);

/* The read-only file system: its root directory with a reference. */
int image_mount(struct node **root) must_check;

#endif
