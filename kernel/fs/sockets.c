// SPDX-License-Identifier: Apache-2.0
/* Sockets that have a path, for the feature `net` (struct fs_hooks): the file is a name and no more. */
#include <kernel/fs/calls.h>
#include <kernel/fs/walk.h>

int fs_socket_make(const char *path, struct node **out)
{
	struct node_new what = {.mode = S_IFSOCK | (0777 & ~fs_umask)};
	struct walk w;
	int r = walk_path(path);

	if (r == 0)
		r = walk(AT_FDCWD, WALK_PARENT, &w);
	if (r < 0)
		return r;
	if (w.node)
		r = -EADDRINUSE;
	else if (!w.dir->ops->create)
		r = fs_no_create(w.dir);
	else
		r = w.dir->ops->create(w.dir, w.name, w.name_bytes, &what, out);
	walk_end(&w);
	return r;
}

int fs_socket_find(const char *path, struct node **out)
{
	struct walk w;
	int r = walk_path(path);

	if (r == 0)
		r = walk(AT_FDCWD, WALK_FOLLOW, &w);
	if (r < 0)
		return r;
	if (S_ISSOCK(w.node->mode))
		*out = node_ref(w.node);
	else
		r = -ECONNREFUSED;
	walk_end(&w);
	return r;
}

void fs_socket_forget(struct node *n)
{
	node_unref(n);
}
