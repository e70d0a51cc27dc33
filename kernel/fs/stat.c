// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that ask about a file: the stat family, access, readlink, statfs.
 *
 * The program is root: permissions of a file matter only for execution, which root may not do either
 * when no execute bit is set.
 */
#include <kernel/fs/calls.h>

#include <kernel/fs/walk.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

int fs_find(int dirfd, gva_t path, unsigned flags, struct node **out, struct file **file)
{
	struct walk w;
	int r = 0;

	/* Linux takes a NULL path for an empty one here. */
	if (path == 0 && (flags & AT_EMPTY_PATH))
		r = walk_path("");
	else
		r = walk_fetch(path);
	if (r < 0)
		return r;
	r = walk(dirfd,
		(flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
			(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0),
		&w);
	if (r < 0)
		return r;
	*file = w.file;
	*out = w.node ? node_ref(w.node) : NULL;
	walk_end(&w);
	return 0;
}

/* stat of whatever (dirfd, path) names. */
static int stat_at(uint64_t dirfd, uint64_t path, unsigned flags, struct stat *st)
{
	struct node *n;
	struct file *f;
	int r = fs_find((int)dirfd, path, flags, &n, &f);

	if (r < 0)
		return r;
	if (!n) {
		if (!f->ops->stat)
			return -EBADF;
		memset(st, 0, sizeof(*st));
		return f->ops->stat(f, st);
	}
	node_stat(n, st);
	node_unref(n);
	return 0;
}

int64_t sys_newfstatat(arg dirfd, arg path, arg buf, arg flags)
{
	struct stat st;
	int r;

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	r = stat_at(dirfd, path, (unsigned)flags, &st);
	return r < 0 ? r : user_put(buf, &st);
}

int64_t sys_stat(arg path, arg buf)
{
	return sys_newfstatat((uint64_t)AT_FDCWD, path, buf, 0);
}

int64_t sys_lstat(arg path, arg buf)
{
	return sys_newfstatat((uint64_t)AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

static uint32_t major_of(uint64_t dev)
{
	return (uint32_t)(dev >> 8 & 0xfff);
}

static uint32_t minor_of(uint64_t dev)
{
	return (uint32_t)((dev & 0xff) | (dev >> 12 & 0xfff00));
}

int64_t sys_statx(arg dirfd, arg path, arg flags, arg mask, arg buf)
{
	struct statx x;
	struct stat st;
	int r;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if (flags &
			~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				AT_STATX_SYNC_TYPE) ||
		(flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	r = stat_at(dirfd, path, (unsigned)flags, &st);
	if (r < 0)
		return r;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS;
	x.stx_blksize = (uint32_t)st.st_blksize;
	x.stx_nlink = (uint32_t)st.st_nlink;
	x.stx_uid = st.st_uid;
	x.stx_gid = st.st_gid;
	x.stx_mode = (uint16_t)st.st_mode;
	x.stx_ino = st.st_ino;
	x.stx_size = (uint64_t)st.st_size;
	x.stx_blocks = (uint64_t)st.st_blocks;
	x.stx_atime.tv_sec = (int64_t)st.st_atime;
	x.stx_atime.tv_nsec = (uint32_t)st.st_atime_nsec;
	x.stx_mtime.tv_sec = (int64_t)st.st_mtime;
	x.stx_mtime.tv_nsec = (uint32_t)st.st_mtime_nsec;
	x.stx_ctime.tv_sec = (int64_t)st.st_ctime;
	x.stx_ctime.tv_nsec = (uint32_t)st.st_ctime_nsec;
	x.stx_rdev_major = major_of(st.st_rdev);
	x.stx_rdev_minor = minor_of(st.st_rdev);
	x.stx_dev_major = major_of(st.st_dev);
	x.stx_dev_minor = minor_of(st.st_dev);
	return user_put(buf, &x);
}

/* --- access --- */

int64_t sys_faccessat2(arg dirfd, arg path, arg mode, arg flags)
{
	struct node *n;
	struct file *f;
	int r;

	if (mode & ~7ULL || flags & ~(uint64_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = fs_find((int)dirfd, path, (unsigned)flags, &n, &f);
	if (r < 0 || !n)
		return r;
	if ((mode & 1) && S_ISREG(n->mode) && !(n->mode & 0111))
		r = -EACCES;
	else if ((mode & 2) && !n->ops->change && (S_ISREG(n->mode) || S_ISDIR(n->mode)) &&
		!n->ops->open)
		r = -EROFS;
	node_unref(n);
	return r;
}

int64_t sys_faccessat(arg dirfd, arg path, arg mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

int64_t sys_access(arg path, arg mode)
{
	return sys_faccessat2((uint64_t)AT_FDCWD, path, mode, 0);
}

/* --- readlink --- */

int64_t sys_readlinkat(arg dirfd, arg path, arg buf, arg size)
{
	struct node *n;
	struct file *f;
	char *text;
	int r;

	if ((int)size <= 0)
		return -EINVAL;
	/* An empty path means the descriptor itself, without a flag for it. */
	r = fs_find((int)dirfd, path,
		path ? AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW, &n, &f);
	if (r < 0)
		return r;
	if (!n || !S_ISLNK(n->mode)) {
		char first;
		bool empty = user_get(&first, path) == 0 && first == 0;
		node_unref(n);
		return empty ? -ENOENT : -EINVAL;
	}
	text = kmalloc(PATH_BYTES_MAX);
	if (!text) {
		node_unref(n);
		return -ENOMEM;
	}
	r = n->ops->target(n, text, PATH_BYTES_MAX);
	if (r >= 0) {
		r = min(r, (int)size);
		if (user_copy_to((void *)buf, text, (size_t)r) < 0)
			r = -EFAULT;
	}
	kfree(text);
	node_unref(n);
	return r;
}

int64_t sys_readlink(arg path, arg buf, arg size)
{
	return sys_readlinkat((uint64_t)AT_FDCWD, path, buf, size);
}

/* --- statfs --- */

static int64_t put_statfs(const struct mount *m, uint64_t buf)
{
	struct statfs st;

	memset(&st, 0, sizeof(st));
	st.f_type = m ? m->magic : 0x50495045; /* a pipe or the like: PIPEFS_MAGIC */
	st.f_bsize = st.f_frsize = DF_PAGE_SIZE;
	st.f_namelen = NAME_BYTES_MAX;
	st.f_flags = 0x20; /* ST_VALID */
	if (m && m->space)
		m->space(&st);
	return user_put(buf, &st);
}

int64_t sys_statfs(arg path, arg buf)
{
	struct node *n;
	struct file *f;
	struct mount *m;
	int r = fs_find(AT_FDCWD, path, 0, &n, &f);

	if (r < 0)
		return r;
	if (!n)
		return -EBADF;
	m = n->mount;
	node_unref(n);
	return put_statfs(m, buf);
}

int64_t sys_fstatfs(arg fd, arg buf)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	if (!f)
		return -EBADF;
	n = file_node(f);
	return put_statfs(n ? n->mount : NULL, buf);
}
