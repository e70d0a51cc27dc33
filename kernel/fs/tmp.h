// SPDX-License-Identifier: Apache-2.0
/*
 * The writable file system (feature `tmp`): files and directories in memory, over the root image.
 *
 * Every node of the tree is a tmp_node. One that comes from the image has `lower`: its data, entries and
 * attributes are the image's until they are changed, and then change piece by piece (a page of a file, one
 * entry of a directory), without a copy of the whole and without the node becoming another one. So open files,
 * inode numbers and hard links stay right whenever the first change comes, and renaming a directory of the
 * image moves it as it is.
 *
 * A lower node that nobody uses and nothing has changed is forgotten; a changed one is held (`held`) and found
 * again by its number in the image. Names that were removed from a lower directory leave an entry without a
 * node, which hides the name below.
 */
#ifndef KERNEL_FS_TMP_H
#define KERNEL_FS_TMP_H

#include <base/erofs.h>
#include <kernel/fs/node.h>

#define TMP_LEAF_PAGES 512u
#define TMP_HOLE UINT32_MAX /* a page that reads as zero whatever the image has there */

struct tmp_entry {
	struct tmp_entry *next; /* of the same hash bucket */
	struct list list; /* in the order of making */
	struct tmp_node *node; /* with a reference; NULL: hides a name of the image */
	uint64_t pos; /* for listing; grows along the list */
	uint32_t hash;
	uint8_t name_bytes;
	char name[];
};

struct tmp_dir {
	struct tmp_entry **table; /* NULL: no entries yet */
	unsigned buckets, entries, names; /* names: entries with a node */
	uint64_t next_pos;
	struct list list;
	struct tmp_entry *hint; /* where the last listing stopped, or NULL */
};

struct tmp_data {
	uint32_t **
		leaf; /* frame number + 1 of each page, in leaves of TMP_LEAF_PAGES; 0: the image's or a hole */
	uint64_t leaves;
	uint64_t pages; /* frames owned */
	uint64_t lower_bytes; /* the image's data shows through up to here */
	bool mapped; /* frames were mapped: they stay ours until the node ends */
};

struct tmp_node {
	struct node node;
	bool has_lower;
	bool held; /* changed: this reference keeps it */
	bool linkable; /* made by O_TMPFILE: a first link may be made */
	bool memfd;
	unsigned seals; /* F_SEAL_* of a memfd */
	uint32_t nlink, uid, gid, rdev;
	uint64_t size;
	struct node_time atime, mtime, ctime;
	union {
		struct tmp_dir dir;
		struct tmp_data data;
		char *target; /* symlinks that are not the image's; own memory, size bytes */
	};
	/* Only with has_lower: other nodes end here. */
	struct tmp_node *next; /* lower nodes with the same hash of the nid */
	struct erofs_inode lower;
};

static inline struct tmp_node *tmp_node(struct node *n)
{
	return container_of(n, struct tmp_node, node);
}

extern const struct node_ops tmp_ops;

/* Nodes and entries take kernel memory: together at most as many as the machine has pages, so about half as many
 * files, as in Linux. -ENOSPC. */
int tmp_count(void) must_check;
void tmp_uncount(void);

/* tmp.c */
int tmp_new(struct mount *mount, const struct node_new *what, struct tmp_node **out) must_check;
int tmp_lower(uint64_t nid, struct mount *mount,
	struct tmp_node **out) must_check; /* with a reference */
/* The node is about to differ from the image. */
void tmp_hold(struct tmp_node *n);
struct node_time tmp_now(void);
/* Changed data or entries: mtime and ctime are now. */
void tmp_modified(struct tmp_node *n);
/* One link less; the last one lets go of a held node. */
void tmp_unlinked(struct tmp_node *n, bool all);

/* tmp_dir.c */
int tmp_lookup(struct node *dir, const char *name, unsigned name_bytes, struct node **out);
int tmp_next(struct node *dir, uint64_t *pos, struct dir_item *out);
int tmp_create(struct node *dir, const char *name, unsigned name_bytes, const struct node_new *what,
	struct node **out);
int tmp_link(struct node *dir, const char *name, unsigned name_bytes, struct node *n);
int tmp_unlink(struct node *dir, const char *name, unsigned name_bytes, struct node *n);
int tmp_rename(const struct rename_side *from, const struct rename_side *to, bool exchange);
void tmp_dir_init(struct tmp_dir *d);
void tmp_dir_free(struct tmp_dir *d);

/* tmp_data.c */
int64_t tmp_read(struct node *n, void *buf, size_t bytes, uint64_t offset);
int64_t tmp_write(struct node *n, const void *buf, size_t bytes, uint64_t offset);
int tmp_resize(struct node *n, uint64_t size);
int tmp_allocate(struct node *n, int mode, uint64_t offset, uint64_t bytes);
int64_t tmp_hole(struct node *n, uint64_t offset, bool data);
int tmp_frame(struct node *n, uint64_t index, bool write, gpa_t *gpa);
uint64_t tmp_frames(struct node *n, uint64_t index, uint64_t most, gpa_t *gpa);
void tmp_data_free(struct tmp_data *d);

#endif
