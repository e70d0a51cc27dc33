// SPDX-License-Identifier: Apache-2.0
/*
 * Path resolution, as path_resolution(7) says. The path to walk is put into one static buffer by
 * walk_fetch (or walk_path) and walked before anything else uses the buffer; nothing sleeps meanwhile.
 */
#ifndef KERNEL_FS_WALK_H
#define KERNEL_FS_WALK_H

#include <kernel/fs/node.h>

#define WALK_FOLLOW 1u /* follow a symlink at the end */
#define WALK_PARENT \
	2u /* the last name may be missing (node NULL); a symlink there is never followed, a slash
			  behind it is for the caller to judge (trailing) */
#define WALK_CREATE 4u /* the last name may be missing (node NULL); a slash behind it is -EISDIR */
#define WALK_EMPTY 8u /* AT_EMPTY_PATH: the empty path is the descriptor itself */

enum walk_last {
	LAST_NAME,
	LAST_DOT,
	LAST_DOTDOT,
	LAST_ROOT, /* the path is only slashes */
};

struct walk {
	struct node *dir; /* with a reference: directory of the last name */
	struct node *node; /* with a reference; NULL: nothing there */
	struct file
		*file; /* borrowed: WALK_EMPTY met a descriptor that has no node; dir, node NULL */
	enum walk_last last;
	bool trailing; /* a slash behind the last name */
	unsigned name_bytes;
	char name[NAME_BYTES_MAX + 1];
};

/* Fetches a path from the program. 0, -EFAULT, -ENAMETOOLONG. */
int walk_fetch(gva_t path) must_check;
/* As walk_fetch, from the kernel. */
int walk_path(const char *path) must_check;
/* Walks the fetched path from directory descriptor dirfd (AT_FDCWD). On success the caller ends with
 * walk_end. */
int walk(int dirfd, unsigned flags, struct walk *w) must_check;
void walk_end(struct walk *w);
/* The name was removed or replaced: lets go of the node that walks remember for it. */
void walk_forget(struct node *dir, const char *name, unsigned name_bytes);

#endif
