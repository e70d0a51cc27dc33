// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes: what paths lead to. A node is a file, directory, link or device of one of the file systems
 * (root image, overlay, synthetic /dev /proc /sys), embedded in that file system's own structure
 * and reached through its node_ops. A node also knows where it was found last (parent and name),
 * which is all that "..", getcwd and /proc/self/fd need; there is no cache of names beside it.
 *
 * Reference counted. Nobody sleeps between taking a borrowed node and using it (kernel code is not
 * preempted), but what is kept across system calls holds a reference.
 *
 * File systems that can not be written to leave the operations of the second half NULL: the calls
 * answer -EROFS. This is how the feature `files` works without naming the feature `tmp`.
 */
#ifndef KERNEL_FS_NODE_H
#define KERNEL_FS_NODE_H

#include <asm/statfs.h>
#include <kernel/core/errno.h>
#include <kernel/core/file.h>
#include <kernel/core/hypercall.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#define NAME_BYTES_MAX 255u
#define PATH_BYTES_MAX 4096u /* with the zero byte */
#define FILE_BYTES_MAX ((1ULL << 44) - DF_PAGE_SIZE) /* as ext4 */

struct node;

/* An entry while a directory is listed. */
struct dir_item {
	uint64_t ino;
	const char *name; /* valid until the next change of the directory */
	unsigned name_bytes;
	uint8_t type; /* DT_* */
};

/* What a new node shall be. */
struct node_new {
	uint32_t mode; /* type and permissions, umask applied */
	uint32_t rdev; /* devices */
	const char *target; /* symlinks */
	unsigned target_bytes;
};

#define CHANGE_MODE 1u
#define CHANGE_UID 2u
#define CHANGE_GID 4u
#define CHANGE_ATIME 8u
#define CHANGE_MTIME 16u
struct node_change {
	unsigned what; /* CHANGE_* */
	uint32_t mode; /* permissions only */
	uint32_t uid, gid;
	struct node_time {
		int64_t s;
		uint32_t ns;
	} atime, mtime;
};

/* One side of a rename: the directory, the name in it, and what is there (NULL: nothing). */
struct rename_side {
	struct node *dir;
	const char *name;
	unsigned name_bytes;
	struct node *node;
};

struct node_ops {
	/* A name that was found leads to the same node until it is removed or replaced: walks may remember it. */
	bool lasting;
	/* Directories: the named child with a reference, placed (node_place). Never "." or "..". */
	int (*lookup)(struct node *dir, const char *name, unsigned name_bytes, struct node **out);
	/* Directories: the entry at *pos, which moves on; the first is at 2, "." and ".." are the
	 * caller's. 1, 0 at the end, -errno. */
	int (*next)(struct node *dir, uint64_t *pos, struct dir_item *out);
	/* Symlinks: copies at most size bytes of the target. Its length. */
	int (*target)(struct node *n, char *buf, size_t size);
	/* Symlinks that lead to a node whatever their target says (/proc/self/fd/3), else NULL. */
	int (*jump)(struct node *n, struct node **out);
	/* Fills in st_nlink, owner, size, times, st_rdev, st_blocks; the rest is the caller's. */
	void (*stat)(struct node *n, struct stat *st);
	/* NULL: plain files, directories and devices by number are opened in the usual way. */
	int (*open)(struct node *n, unsigned flags, struct file **out);
	/* Plain files. Bytes (0: end) or -errno. */
	int64_t (*read)(struct node *n, void *buf, size_t bytes, uint64_t offset);
	/* As in struct file_ops. */
	int (*frame)(struct node *n, uint64_t index, bool write, gpa_t *gpa);
	uint64_t (*frames)(struct node *n, uint64_t index, uint64_t most, gpa_t *gpa);
	/* The last reference is gone: frees the node and its name. The parent's reference was taken away before. */
	void (*release)(struct node *n);

	/* --- NULL in file systems that are read-only --- */
	int64_t (*write)(struct node *n, const void *buf, size_t bytes, uint64_t offset);
	int (*resize)(struct node *n, uint64_t size);
	int (*allocate)(struct node *n, int mode, uint64_t offset, uint64_t bytes); /* fallocate */
	int64_t (*hole)(struct node *n, uint64_t offset,
		bool data); /* SEEK_DATA, SEEK_HOLE; or NULL */
	/* The name is free (NULL: a file without a name). *out has a reference. */
	int (*create)(struct node *dir, const char *name, unsigned name_bytes,
		const struct node_new *what, struct node **out);
	int (*link)(struct node *dir, const char *name, unsigned name_bytes, struct node *n);
	/* Removes the name of n, a directory only when it is empty (-ENOTEMPTY). */
	int (*unlink)(struct node *dir, const char *name, unsigned name_bytes, struct node *n);
	/* Types of what is replaced and loops were checked. exchange: both are there and change
	 * places. */
	int (*rename)(const struct rename_side *from, const struct rename_side *to, bool exchange);
	int (*change)(struct node *n, const struct node_change *c);
	int64_t (*control)(struct node *n, int cmd, uint64_t arg); /* F_ADD_SEALS, F_GET_SEALS */
};

struct mount {
	const char *type; /* as in /proc/mounts */
	uint32_t magic; /* statfs.f_type */
	uint32_t dev; /* minor of st_dev */
	struct node *root;
	struct node *over; /* directory it is mounted in, NULL for / */
	const char *name; /* its name there */
	void (*space)(struct statfs *st); /* blocks and inodes; NULL: none */
};

struct node {
	const struct node_ops *ops;
	struct mount *mount;
	struct node *parent; /* with a reference; NULL for / and nodes without a name */
	char *name; /* own memory; NULL together with parent */
	unsigned refs;
	uint32_t mode;
	uint64_t ino;
	bool gone; /* the name was removed: paths show "(deleted)" */
};

#define MOUNTS_MAX 6
extern struct mount mounts[MOUNTS_MAX]; /* mounts[0] is / */
extern unsigned mount_count;
extern struct node *fs_root, *fs_cwd;
extern uint32_t fs_umask;

static inline struct node *node_ref(struct node *n)
{
	n->refs++;
	return n;
}
void node_unref(struct node *n); /* NULL-safe */

/* Says where n was found. Keeps what it had when that is the same. -ENOMEM. */
int node_place(struct node *n, struct node *parent, const char *name,
	unsigned name_bytes) must_check;
void node_unplace(struct node *n);
/* Absolute path, with " (deleted)" where that is so. Length without the zero byte, -ENAMETOOLONG. */
int node_path(struct node *n, char *buf, size_t size) must_check;
void node_stat(struct node *n, struct stat *st);

/* Adds a file system at `name` in `over`. Takes over the references. */
void mount_add(const struct mount *m);
/* Puts another directory in the place of /; what is mounted in / stays. Takes over the reference. */
void root_replace(struct node *root, const char *type, uint32_t magic,
	void (*space)(struct statfs *st));
/* The mount point `name` in dir, borrowed, or NULL. */
struct mount *mount_at(struct node *dir, const char *name, unsigned name_bytes);
static inline bool node_is_mount_root(const struct node *n)
{
	return n->mount->root == n;
}

/* Opens a node that was found: as open(2), creation and links dealt with. */
int node_open(struct node *n, unsigned flags, struct file **out) must_check;
/* The node behind an open file, borrowed, or NULL: a pipe, a stream. */
struct node *file_node(struct file *f);
/* Opens device number rdev. -ENXIO. */
int device_open(uint32_t rdev, struct node *n, unsigned flags, struct file **out) must_check;
/* A file of these operations on n (takes a reference). */
int node_file(const struct file_ops *ops, struct node *n, unsigned flags,
	struct file **out) must_check;
/* Called before a file with a node ends, NULL while no flock is held. */
extern void (*fs_file_closed)(struct file *f);
/* Operations that all files with a node share. */
int node_file_stat(struct file *f, struct stat *st);
/* lseek where there is no end to seek from: directories and generated files. */
int64_t node_file_seek(struct file *f, int64_t offset, int whence);
int node_file_path(struct file *f, char *buf, size_t size);
void node_file_release(struct file *f);

#endif
