// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that change what is known about a file: mode, owner, times, size; and extended attributes,
 * which none of the file systems has.
 */
#include <kernel/fs/calls.h>

#include <kernel/fs/walk.h>
#include <kernel/mm/user.h>
#include <kernel/time/clock.h>

/* Changes the node that (dirfd, path) names. */
static int change_at(uint64_t dirfd, uint64_t path, unsigned flags, const struct node_change *c)
{
	struct node *n;
	struct file *f;
	int r = fs_find((int)dirfd, path, flags, &n, &f);

	if (r < 0)
		return r;
	if (!n)
		return -EPERM;
	if (!n->ops->change)
		r = -EROFS;
	else if ((c->what & CHANGE_MODE) && S_ISLNK(n->mode))
		r = -EOPNOTSUPP;
	else
		r = n->ops->change(n, c);
	node_unref(n);
	return r;
}

static int change_fd(uint64_t fd, const struct node_change *c)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	n = file_node(f);
	if (!n)
		return -EPERM;
	return n->ops->change ? n->ops->change(n, c) : -EROFS;
}

/* --- mode --- */

int64_t sys_fchmodat2(arg dirfd, arg path, arg mode, arg flags)
{
	struct node_change c = {.what = CHANGE_MODE, .mode = (uint32_t)mode & 07777};

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return change_at(dirfd, path, (unsigned)flags, &c);
}

int64_t sys_fchmodat(arg dirfd, arg path, arg mode)
{
	return sys_fchmodat2(dirfd, path, mode, 0);
}

int64_t sys_chmod(arg path, arg mode)
{
	return sys_fchmodat2((uint64_t)AT_FDCWD, path, mode, 0);
}

int64_t sys_fchmod(arg fd, arg mode)
{
	struct node_change c = {.what = CHANGE_MODE, .mode = (uint32_t)mode & 07777};

	return change_fd(fd, &c);
}

/* --- owner --- */

static struct node_change owner(uint64_t uid, uint64_t gid)
{
	struct node_change c = {.uid = (uint32_t)uid, .gid = (uint32_t)gid};

	/* -1 leaves it as it is. */
	if (c.uid != UINT32_MAX)
		c.what |= CHANGE_UID;
	if (c.gid != UINT32_MAX)
		c.what |= CHANGE_GID;
	return c;
}

int64_t sys_fchownat(arg dirfd, arg path, arg uid, arg gid, arg flags)
{
	struct node_change c = owner(uid, gid);

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return change_at(dirfd, path, (unsigned)flags, &c);
}

int64_t sys_chown(arg path, arg uid, arg gid)
{
	return sys_fchownat((uint64_t)AT_FDCWD, path, uid, gid, 0);
}

int64_t sys_lchown(arg path, arg uid, arg gid)
{
	return sys_fchownat((uint64_t)AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int64_t sys_fchown(arg fd, arg uid, arg gid)
{
	struct node_change c = owner(uid, gid);

	return change_fd(fd, &c);
}

/* --- times --- */

/* Adds one time to the change: ns is 0-999999999 or UTIME_NOW or UTIME_OMIT. */
static int add_time(struct node_change *c, unsigned which, int64_t s, int64_t ns)
{
	const int64_t now = (1 << 30) - 1, omit = (1 << 30) - 2;
	struct node_time t = {.s = s, .ns = (uint32_t)ns};

	if (ns == omit)
		return 0;
	if (ns == now) {
		uint64_t clock = clock_realtime();
		t = (struct node_time){
			.s = (int64_t)(clock / NS_PER_S), .ns = (uint32_t)(clock % NS_PER_S)};
	} else if (ns < 0 || ns >= (int64_t)NS_PER_S) {
		return -EINVAL;
	}
	c->what |= which;
	if (which == CHANGE_ATIME)
		c->atime = t;
	else
		c->mtime = t;
	return 0;
}

static int add_times(struct node_change *c, const int64_t t[4])
{
	int r = add_time(c, CHANGE_ATIME, t[0], t[1]);

	return r < 0 ? r : add_time(c, CHANGE_MTIME, t[2], t[3]);
}

int64_t sys_utimensat(arg dirfd, arg path, arg times, arg flags)
{
	struct node_change c = {0};
	int64_t t[4] = {0, (1 << 30) - 1, 0, (1 << 30) - 1};
	int r;

	if (times && user_copy_from(t, (const void *)times, sizeof(t)) < 0)
		return -EFAULT;
	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = add_times(&c, t);
	if (r < 0)
		return r;
	if (path == 0 && (int)dirfd != AT_FDCWD)
		return flags ? -EINVAL : change_fd(dirfd, &c);
	return change_at(dirfd, path, (unsigned)flags, &c);
}

/* With times in seconds and microseconds. */
int64_t sys_futimesat(arg dirfd, arg path, arg times)
{
	struct node_change c = {0};
	int64_t t[4] = {0, (1 << 30) - 1, 0, (1 << 30) - 1};
	int r;

	if (times) {
		if (user_copy_from(t, (const void *)times, sizeof(t)) < 0)
			return -EFAULT;
		if (t[1] < 0 || t[1] >= 1000000 || t[3] < 0 || t[3] >= 1000000)
			return -EINVAL;
		t[1] *= 1000;
		t[3] *= 1000;
	}
	r = add_times(&c, t);
	if (r < 0)
		return r;
	return path ? change_at(dirfd, path, 0, &c) : change_fd(dirfd, &c);
}

int64_t sys_utimes(arg path, arg times)
{
	return sys_futimesat((uint64_t)AT_FDCWD, path, times);
}

int64_t sys_utime(arg path, arg times)
{
	struct node_change c = {0};
	int64_t t[4] = {0, (1 << 30) - 1, 0, (1 << 30) - 1}, seconds[2];
	int r;

	if (times) {
		if (user_copy_from(seconds, (const void *)times, sizeof(seconds)) < 0)
			return -EFAULT;
		t[0] = seconds[0];
		t[2] = seconds[1];
		t[1] = t[3] = 0;
	}
	r = add_times(&c, t);
	return r < 0 ? r : change_at((uint64_t)AT_FDCWD, path, 0, &c);
}

/* --- size --- */

int64_t sys_truncate(arg path, arg size)
{
	struct node *n;
	struct file *f;
	int r;

	if ((int64_t)size < 0)
		return -EINVAL;
	r = fs_find(AT_FDCWD, path, 0, &n, &f);
	if (r < 0)
		return r;
	if (S_ISDIR(n->mode))
		r = -EISDIR;
	else if (!S_ISREG(n->mode) || n->ops->open)
		r = -EINVAL;
	else
		r = n->ops->resize ? n->ops->resize(n, size) : -EROFS;
	node_unref(n);
	return r;
}

int64_t sys_ftruncate(arg fd, arg size)
{
	struct file *f = fd_get((int)fd);

	if ((int64_t)size < 0)
		return -EINVAL;
	if (!f || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->truncate || (f->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	return f->ops->truncate(f, size);
}

int64_t sys_fallocate(arg fd, arg mode, arg offset, arg bytes)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	if ((int64_t)offset < 0 || (int64_t)bytes <= 0)
		return -EINVAL;
	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	n = file_node(f);
	if (!n || !S_ISREG(n->mode))
		return n ? -ENODEV : -ESPIPE;
	if (offset + bytes > INT64_MAX)
		return -EFBIG;
	return n->ops->allocate ? n->ops->allocate(n, (int)mode, offset, bytes) : -EOPNOTSUPP;
}

/* --- extended attributes: none, on any file --- */

/* What asking for an attribute gives: it is not there, or there is no such kind. */
static int attribute_error(uint64_t name)
{
	static const char *const kinds[] = {"user.", "security.", "trusted.", "system."};
	char text[256];
	int64_t r = user_string(text, name, sizeof(text));

	if (r < 0)
		return r == -ENAMETOOLONG ? -ERANGE : (int)r;
	for (unsigned i = 0; i < array_size(kinds); i++)
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return -ENODATA;
	return -EOPNOTSUPP;
}

static int64_t no_attribute(uint64_t dirfd, uint64_t path, unsigned flags, int answer)
{
	struct node *n;
	struct file *f;
	int r = fs_find((int)dirfd, path, flags, &n, &f);

	if (r < 0)
		return r;
	node_unref(n);
	return answer;
}

int64_t sys_getxattr(arg path, arg name)
{
	int r = attribute_error(name);

	return no_attribute((uint64_t)AT_FDCWD, path, 0, r);
}

int64_t sys_lgetxattr(arg path, arg name)
{
	int r = attribute_error(name);

	return no_attribute((uint64_t)AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, r);
}

int64_t sys_fgetxattr(arg fd, arg name)
{
	return fd_get((int)fd) ? attribute_error(name) : -EBADF;
}

int64_t sys_setxattr(arg path)
{
	return no_attribute((uint64_t)AT_FDCWD, path, 0, -EOPNOTSUPP);
}

int64_t sys_lsetxattr(arg path)
{
	return no_attribute((uint64_t)AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP);
}

int64_t sys_fsetxattr(arg fd)
{
	return fd_get((int)fd) ? -EOPNOTSUPP : -EBADF;
}

int64_t sys_listxattr(arg path)
{
	return no_attribute((uint64_t)AT_FDCWD, path, 0, 0);
}

int64_t sys_llistxattr(arg path)
{
	return no_attribute((uint64_t)AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0);
}

int64_t sys_flistxattr(arg fd)
{
	return fd_get((int)fd) ? 0 : -EBADF;
}
