// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic file systems: trees that are tables in the kernel (/dev, /proc, /sys). A directory is a
 * static list of entries, or computes its children (descriptors, threads); a file's text is made when it
 * is read from the start.
 */
#ifndef KERNEL_FS_SYNTH_H
#define KERNEL_FS_SYNTH_H

#include <kernel/fs/node.h>

/* Text that grows. A lack of memory makes it shorter, never a failure. */
struct text {
	char *buf; /* own memory */
	size_t used, size;
};
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *t, const void *p, size_t n); /* p: kernel or program memory */
void text_free(struct text *t);

/* What few entries have. `id` is what the computed directory on the way gave (0: none). */
struct synth_more {
	/* S_IFDIR with computed children, which look like *child and are named by their decimal id: the lowest
	 * id >= from, or -1. */
	int (*next_id)(int from);
	const struct synth *child;
	int64_t (*store)(int id, const char *text, size_t bytes); /* S_IFREG: written to */
	int (*jump)(int id, struct node **out); /* S_IFLNK: see node_ops */
};

/* One entry of a synthetic directory. */
struct synth {
	const char *name; /* NULL in the template for computed children */
	uint32_t mode;
	union {
		uint32_t rdev; /* S_IFCHR */
		uint32_t count; /* S_IFDIR: of list */
		uint32_t fixed; /* S_IFREG, S_IFLNK: not 0 when the text is a constant */
	};
	union {
		const struct synth *list; /* S_IFDIR: fixed children */
		const char *constant;
		void (*text)(struct text *t, int id); /* S_IFREG: content, S_IFLNK: target */
	};
	const struct synth_more *more; /* or NULL */
};

#define SYNTH_DIR(n, entries)                                           \
	{                                                               \
		.name = (n), .mode = S_IFDIR | 0555, .list = (entries), \
		.count = array_size(entries)                            \
	}
#define SYNTH_FILE(n, content)                                         \
	{                                                              \
		.name = (n), .mode = S_IFREG | 0444, .text = (content) \
	}
#define SYNTH_FIXED(n, content)                                                        \
	{                                                                              \
		.name = (n), .mode = S_IFREG | 0444, .fixed = 1, .constant = (content) \
	}
#define SYNTH_LINK(n, content)                                         \
	{                                                              \
		.name = (n), .mode = S_IFLNK | 0777, .text = (content) \
	}
#define SYNTH_LINK_TO(n, content)                                                      \
	{                                                                              \
		.name = (n), .mode = S_IFLNK | 0777, .fixed = 1, .constant = (content) \
	}

/* Root directory of a tree, with a reference. -ENOMEM. */
int synth_root(const struct synth *s, struct node **out) must_check;

extern const struct synth dev_tree, proc_tree, sys_tree;
/* proc_self.c: what is in /proc/PID */
extern const struct synth proc_pid;

#endif
