// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that make, remove and move names: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * Here are the checks that hold for every file system, in the order in which Linux makes them, so
 * that the errors agree; a file system without the operation is read-only.
 */
#include <kernel/fs/calls.h>

#include <kernel/fs/walk.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <linux/fs.h>
#include <linux/magic.h>

/* Walks to the directory of a name that is to be made or removed. */
static int parent_at(uint64_t dirfd, uint64_t path, struct walk *w)
{
	int r = walk_fetch(path);

	return r < 0 ? r : walk((int)dirfd, WALK_PARENT, w);
}

int fs_no_create(const struct node *dir)
{
	return dir->mount->magic == PROC_SUPER_MAGIC ? -ENOENT : -EROFS;
}

/* Makes a node where (dirfd, path) says. */
static int64_t make(uint64_t dirfd, uint64_t path, const struct node_new *what)
{
	struct node *made;
	struct walk w;
	int r = parent_at(dirfd, path, &w);

	if (r < 0)
		return r;
	if (w.node)
		r = -EEXIST;
	else if (w.trailing && !S_ISDIR(what->mode))
		r = -ENOENT;
	else if (!w.dir->ops->create)
		r = fs_no_create(w.dir);
	else
		r = w.dir->ops->create(w.dir, w.name, w.name_bytes, what, &made);
	walk_end(&w);
	if (r == 0)
		node_unref(made);
	return r;
}

int64_t sys_mkdirat(arg dirfd, arg path, arg mode)
{
	/* Linux keeps the sticky bit of mkdir's mode and drops the set-id bits. */
	struct node_new what = {.mode = S_IFDIR | ((uint32_t)mode & 01777 & ~fs_umask)};

	return make(dirfd, path, &what);
}

int64_t sys_mkdir(arg path, arg mode)
{
	return sys_mkdirat((uint64_t)AT_FDCWD, path, mode);
}

int64_t sys_mknodat(arg dirfd, arg path, arg mode, arg dev)
{
	uint32_t type = (uint32_t)mode & S_IFMT;
	struct node_new what = {
		.mode = (type ? type : S_IFREG) | ((uint32_t)mode & 07777 & ~fs_umask),
		.rdev = (uint32_t)dev,
	};

	switch (type) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		what.rdev = 0;
		__attribute__((fallthrough));
	case S_IFCHR:
	case S_IFBLK:
		return make(dirfd, path, &what);
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int64_t sys_mknod(arg path, arg mode, arg dev)
{
	return sys_mknodat((uint64_t)AT_FDCWD, path, mode, dev);
}

int64_t sys_symlinkat(arg target, arg dirfd, arg path)
{
	struct node_new what = {.mode = S_IFLNK | 0777};
	char *text = kmalloc(PATH_BYTES_MAX);
	int64_t r;

	if (!text)
		return -ENOMEM;
	r = user_string(text, target, PATH_BYTES_MAX);
	if (r == 0)
		r = -ENOENT;
	if (r > 0) {
		what.target = text;
		what.target_bytes = (unsigned)r;
		r = make(dirfd, path, &what);
	}
	kfree(text);
	return r;
}

int64_t sys_symlink(arg target, arg path)
{
	return sys_symlinkat(target, (uint64_t)AT_FDCWD, path);
}

/* --- removing --- */

static int remove_checks(const struct walk *w, bool dir)
{
	if (dir && w->last == LAST_DOTDOT)
		return -ENOTEMPTY;
	if (dir && w->last == LAST_DOT)
		return -EINVAL;
	if (dir && w->last == LAST_ROOT)
		return -EBUSY;
	if (!dir && w->last != LAST_NAME)
		return -EISDIR;
	if (!w->dir->ops->unlink)
		return -EROFS;
	if (!w->node)
		return -ENOENT;
	if (!dir && w->trailing)
		return S_ISDIR(w->node->mode) ? -EISDIR : -ENOTDIR;
	if (dir && !S_ISDIR(w->node->mode))
		return -ENOTDIR;
	if (!dir && S_ISDIR(w->node->mode))
		return -EISDIR;
	return node_is_mount_root(w->node) ? -EBUSY : 0;
}

int64_t sys_unlinkat(arg dirfd, arg path, arg flags)
{
	struct walk w;
	int r;

	if (flags & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	r = parent_at(dirfd, path, &w);
	if (r < 0)
		return r;
	r = remove_checks(&w, flags & AT_REMOVEDIR);
	if (r == 0)
		r = w.dir->ops->unlink(w.dir, w.name, w.name_bytes, w.node);
	if (r == 0)
		walk_forget(w.dir, w.name, w.name_bytes);
	walk_end(&w);
	return r;
}

int64_t sys_unlink(arg path)
{
	return sys_unlinkat((uint64_t)AT_FDCWD, path, 0);
}

int64_t sys_rmdir(arg path)
{
	return sys_unlinkat((uint64_t)AT_FDCWD, path, AT_REMOVEDIR);
}

/* --- links --- */

int64_t sys_linkat(arg from_fd, arg from, arg to_fd, arg to, arg flags)
{
	struct node *n;
	struct file *f;
	struct walk w;
	int r;

	if (flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = fs_find((int)from_fd, from,
		(flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) |
			(unsigned)(flags & AT_EMPTY_PATH),
		&n, &f);
	if (r < 0)
		return r;
	if (!n)
		return -EXDEV;
	r = parent_at(to_fd, to, &w);
	if (r < 0)
		goto out_node;
	if (w.node)
		r = -EEXIST;
	else if (w.trailing)
		r = -ENOENT;
	else if (!w.dir->ops->link)
		r = -EROFS;
	else if (n->mount != w.dir->mount)
		r = -EXDEV;
	else if (S_ISDIR(n->mode))
		r = -EPERM;
	else
		r = w.dir->ops->link(w.dir, w.name, w.name_bytes, n);
	walk_end(&w);
out_node:
	node_unref(n);
	return r;
}

int64_t sys_link(arg from, arg to)
{
	return sys_linkat((uint64_t)AT_FDCWD, from, (uint64_t)AT_FDCWD, to, 0);
}

/* --- rename --- */

/* True when `below` is `dir` or lies in it. */
static bool is_below(struct node *below, const struct node *dir)
{
	for (; below; below = below->parent)
		if (below == dir)
			return true;
	return false;
}

static int rename_checks(const struct walk *from, const struct walk *to, unsigned flags)
{
	const struct node *n = from->node, *old = to->node;
	bool dir, old_dir;

	if (from->dir->mount != to->dir->mount)
		return -EXDEV;
	if (from->last != LAST_NAME)
		return -EBUSY;
	if (to->last != LAST_NAME)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!from->dir->ops->rename)
		return -EROFS;
	if (!n)
		return -ENOENT;
	if (old && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!old && (flags & RENAME_EXCHANGE))
		return -ENOENT;
	dir = S_ISDIR(n->mode);
	old_dir = old && S_ISDIR(old->mode);
	if ((flags & RENAME_EXCHANGE) && to->trailing && !old_dir)
		return -ENOTDIR;
	if (!dir && (from->trailing || (!(flags & RENAME_EXCHANGE) && to->trailing)))
		return -ENOTDIR;
	if (dir && is_below(to->dir, n))
		return -EINVAL;
	if (old_dir && is_below(from->dir, old))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (node_is_mount_root(n) || (old && node_is_mount_root(old)))
		return -EBUSY;
	if (old && old != n && !(flags & RENAME_EXCHANGE)) {
		if (dir && !old_dir)
			return -ENOTDIR;
		if (!dir && old_dir)
			return -EISDIR;
	}
	return 0;
}

static struct rename_side side_of(const struct walk *w)
{
	return (struct rename_side){
		.dir = w->dir, .name = w->name, .name_bytes = w->name_bytes, .node = w->node};
}

int64_t sys_renameat2(arg from_fd, arg from, arg to_fd, arg to, arg flags)
{
	struct rename_side a, b;
	struct walk f, t;
	int r;

	if (flags & ~(uint64_t)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
		flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = parent_at(from_fd, from, &f);
	if (r < 0)
		return r;
	r = parent_at(to_fd, to, &t);
	if (r < 0)
		goto out_from;
	r = rename_checks(&f, &t, (unsigned)flags);
	/* Two names of one file: nothing to do, says POSIX. */
	if (r == 0 && f.node != t.node) {
		a = side_of(&f);
		b = side_of(&t);
		r = f.dir->ops->rename(&a, &b, flags & RENAME_EXCHANGE);
		walk_forget(f.dir, f.name, f.name_bytes);
		walk_forget(t.dir, t.name, t.name_bytes);
	}
	walk_end(&t);
out_from:
	walk_end(&f);
	return r;
}

int64_t sys_renameat(arg from_fd, arg from, arg to_fd, arg to)
{
	return sys_renameat2(from_fd, from, to_fd, to, 0);
}

int64_t sys_rename(arg from, arg to)
{
	return sys_renameat2((uint64_t)AT_FDCWD, from, (uint64_t)AT_FDCWD, to, 0);
}
