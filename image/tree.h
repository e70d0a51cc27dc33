/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root file system in the making: names and where their contents come from, nothing copied yet.
 *
 * Paths are absolute paths in the guest, cleaned (df_path_clean), without "..". The tree always holds "/". A
 * directory that something is put into exists already or is added by tree_add_parents. Not locked.
 */
#ifndef IMAGE_TREE_H
#define IMAGE_TREE_H

#include "host/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum tree_type { TREE_DIR, TREE_FILE, TREE_TEXT, TREE_LINK };

struct tree_node {
	char *path; /* owned; "/" for the top */
	const char *name; /* the last part of path; "" for the top */
	struct tree_node *parent; /* the top is its own parent */
	enum tree_type type;
	uint32_t mode; /* permission bits, also set-id and sticky */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size; /* FILE, TEXT, LINK: bytes */
	uint64_t device; /* FILE: of the host's file, as is */
	uint64_t inode; /* FILE */
	bool shared; /* FILE: the host's file has more names, so it may come again */
	/* FILE: the host path to read; TEXT: the contents; LINK: the target. NULL for a directory. Owned. */
	char *source;
};

struct tree {
	struct tree_node **nodes; /* in the order they were added; nodes[0] is the top */
	size_t count, capacity;
	struct df_map by_path;
};

/* Starts with "/" alone. Returns 0 or -ENOMEM. tree_deinit is allowed after a failure. */
int tree_init(struct tree *tree) __attribute__((warn_unused_result));
void tree_deinit(struct tree *tree);

/* The node with exactly this path (no link is followed), or NULL. */
struct tree_node *tree_find(const struct tree *tree, const char *path);

/*
 * Add what a host file is like (*from: type ignored; permission bits, times and identity used). What stood at the path
 * is replaced; a directory over a directory keeps its contents and takes the new mode. Return 0, -ENOMEM, -ENOTDIR when the
 * parent is not a directory of the tree, or -EISDIR/-EEXIST when a directory would be replaced by
 * something else, or the other way round.
 */
int tree_add_dir(struct tree *tree, const char *path, const struct stat *from)
	__attribute__((warn_unused_result));
int tree_add_file(struct tree *tree, const char *path, const struct stat *from,
	const char *host_path) __attribute__((warn_unused_result));
int tree_add_link(struct tree *tree, const char *path, const struct stat *from, const char *target)
	__attribute__((warn_unused_result));

/* A small generated file with mode 0644 and the time 0. */
int tree_add_text(struct tree *tree, const char *path, const char *text)
	__attribute__((warn_unused_result));

/* Adds the directories above `path` that are missing, with mode 0755 and the time 0. Results as above. */
int tree_add_parents(struct tree *tree, const char *path) __attribute__((warn_unused_result));

/* Adds the directory `path` with `mode` unless something of that name exists. Parents too. */
int tree_ensure_dir(struct tree *tree, const char *path, uint32_t mode)
	__attribute__((warn_unused_result));

/*
 * Where a path leads when the tree's links are followed, the last part too: a new string for the caller to free.
 * Parts that are not in the tree are kept as they are. NULL with errno ELOOP or ENOMEM.
 */
char *tree_resolve(const struct tree *tree, const char *path) __attribute__((warn_unused_result));

#endif
