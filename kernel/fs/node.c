// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes and mounts: references, places, paths. See node.h.
 *
 * A node holds a reference on the directory it was found in, so the chain of parents up to / is
 * always there. Roots of mounted file systems are placed in the directory they are mounted over,
 * which makes ".." and paths work across mounts without a special case.
 */
#include <kernel/fs/node.h>

#include <kernel/mm/mm.h>

struct mount mounts[MOUNTS_MAX];
unsigned mount_count;
struct node *fs_root, *fs_cwd;
uint32_t fs_umask = 022;

void node_unref(struct node *n)
{
	/* A node may be the last that holds its directory, and so on up: a loop, because a program can make the
	 * chain longer than our stack. */
	while (n) {
		struct node *parent = n->parent;
		kassert(n->refs > 0);
		if (--n->refs > 0)
			return;
		n->parent = NULL;
		n->ops->release(n);
		n = parent;
	}
}

int node_place(struct node *n, struct node *parent, const char *name, unsigned name_bytes)
{
	char *copy;

	if (n->parent == parent && n->name && strncmp(n->name, name, name_bytes) == 0 &&
		n->name[name_bytes] == 0) {
		n->gone = false;
		return 0;
	}
	copy = kmalloc(name_bytes + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, name, name_bytes);
	copy[name_bytes] = 0;
	node_ref(parent);
	node_unplace(n);
	n->parent = parent;
	n->name = copy;
	return 0;
}

void node_unplace(struct node *n)
{
	struct node *parent = n->parent;

	kfree(n->name);
	n->name = NULL;
	n->parent = NULL;
	n->gone = false;
	node_unref(parent);
}

int node_path(struct node *n, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t at = size;

	/* From the end of the buffer backwards. */
	if (size < 2)
		return -ENAMETOOLONG;
	buf[--at] = 0;
	if (n->gone) {
		if (at < sizeof(deleted))
			return -ENAMETOOLONG;
		at -= sizeof(deleted) - 1;
		memcpy(buf + at, deleted, sizeof(deleted) - 1);
	}
	if (!n->parent)
		buf[--at] = '/';
	for (; n->parent; n = n->parent) {
		size_t bytes = strlen(n->name);
		if (at < bytes + 1)
			return -ENAMETOOLONG;
		at -= bytes;
		memcpy(buf + at, n->name, bytes);
		buf[--at] = '/';
	}
	memmove(buf, buf + at, size - at);
	return (int)(size - at - 1);
}

void node_stat(struct node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = n->mount->dev;
	st->st_ino = n->ino;
	st->st_mode = n->mode;
	st->st_blksize = DF_PAGE_SIZE;
	st->st_nlink = 1;
	n->ops->stat(n, st);
}

void mount_add(const struct mount *m)
{
	struct mount *mount = &mounts[mount_count];

	kassert(mount_count < MOUNTS_MAX);
	*mount = *m;
	mount->dev = ++mount_count + 0x20;
	mount->root->mount = mount;
	if (mount->over &&
		node_place(mount->root, mount->over, mount->name, strlen(mount->name)) < 0)
		panic("no memory for the mount of %s", mount->name);
}

void root_replace(struct node *root, const char *type, uint32_t magic,
	void (*space)(struct statfs *st))
{
	struct node *old = fs_root;

	mounts[0].type = type;
	mounts[0].magic = magic;
	mounts[0].space = space;
	mounts[0].root = root;
	for (unsigned i = 1; i < mount_count; i++) {
		if (mounts[i].over != old)
			continue;
		mounts[i].over = root;
		if (node_place(mounts[i].root, root, mounts[i].name,
			    (unsigned)strlen(mounts[i].name)) < 0)
			panic("no memory for the mount of %s", mounts[i].name);
	}
	if (fs_cwd == old) {
		node_unref(fs_cwd);
		fs_cwd = node_ref(root);
	}
	fs_root = root;
	node_unref(old);
}

struct mount *mount_at(struct node *dir, const char *name, unsigned name_bytes)
{
	for (unsigned i = 1; i < mount_count; i++) {
		struct mount *m = &mounts[i];
		if (m->over == dir && strncmp(m->name, name, name_bytes) == 0 &&
			m->name[name_bytes] == 0)
			return m;
	}
	return NULL;
}
