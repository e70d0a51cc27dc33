// SPDX-License-Identifier: Apache-2.0
/*
 * System calls on descriptors: read, write and their vector and positioned forms, lseek, dup, fcntl,
 * ioctl, close, fstat. They work on any struct file; opening is the business of features.
 */
#include <kernel/core/errno.h>
#include <kernel/core/file.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/sys/calls.h>
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#define IOV_MAX 1024
#define MOVE_MAX 0x7ffff000ULL /* Linux moves no more in one call */

struct iovec {
	void *base;
	size_t bytes;
};

static int64_t close_ref(struct file *f, int64_t r)
{
	file_unref(f);
	return r;
}

static int64_t sys_read(int fd, void *buf, size_t n)
{
	struct file *f = fd_ref(fd);

	if (!f)
		return -EBADF;
	return close_ref(f,
		user_ok(buf, n) ? file_read(f, buf, min(n, (size_t)MOVE_MAX)) : -EFAULT);
}

static int64_t sys_write(int fd, const void *buf, size_t n)
{
	struct file *f = fd_ref(fd);

	if (!f)
		return -EBADF;
	return close_ref(f,
		user_ok(buf, n) ? file_write(f, buf, min(n, (size_t)MOVE_MAX)) : -EFAULT);
}

/* Positioned transfers: only where there are positions. */
static int64_t check_positioned(const struct file *f, int64_t offset, bool writing)
{
	unsigned mode = f->flags & O_ACCMODE;

	if (offset < 0)
		return -EINVAL;
	if ((f->flags & O_PATH) || (writing ? mode == O_RDONLY : mode == O_WRONLY))
		return -EBADF;
	if (!f->ops->seek)
		return -ESPIPE;
	if (writing ? !f->ops->write : !f->ops->read)
		return f->ops->getdents ? -EISDIR : -EINVAL;
	return 0;
}

/* The console's files have a position in the monitor only: go there and back. */
static int64_t move_at(struct file *f, void *buf, size_t n, uint64_t *pos, bool writing)
{
	int64_t old = 0, r;
	bool host = !strncmp(f->ops->kind ? f->ops->kind : "", "console", 7);

	if (host) {
		old = f->ops->seek(f, 0, SEEK_CUR);
		r = old < 0 ? old : f->ops->seek(f, (int64_t)*pos, SEEK_SET);
		if (r < 0)
			return r;
	}
	r = writing ? f->ops->write(f, buf, n, pos, 0) : f->ops->read(f, buf, n, pos, 0);
	if (host) {
		f->ops->seek(f, old, SEEK_SET);
		*pos += r > 0 ? (uint64_t)r : 0;
	}
	return r;
}

static int64_t positioned(int fd, void *buf, size_t n, int64_t offset, bool writing)
{
	struct file *f = fd_ref(fd);
	uint64_t pos = (uint64_t)offset;
	int64_t r;

	if (!f)
		return -EBADF;
	r = check_positioned(f, offset, writing);
	if (!r && !user_ok(buf, n))
		r = -EFAULT;
	if (!r)
		r = move_at(f, buf, min(n, (size_t)MOVE_MAX), &pos, writing);
	return close_ref(f, r);
}

static int64_t sys_pread64(int fd, void *buf, size_t n, int64_t offset)
{
	return positioned(fd, buf, n, offset, false);
}

static int64_t sys_pwrite64(int fd, void *buf, size_t n, int64_t offset)
{
	return positioned(fd, buf, n, offset, true);
}

/* Linux looks at all lengths before it moves anything. */
static int check_vector(gva_t iov, unsigned count)
{
	if (count > IOV_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		struct iovec v;

		if (user_get(&v, iov + i * sizeof(v)))
			return -EFAULT;
		if ((int64_t)v.bytes < 0)
			return -EINVAL;
	}
	return 0;
}

/* One after the other until one moves less than asked. pos NULL: at the file's own position. */
static int64_t move_vector(struct file *f, gva_t iov, unsigned count, bool writing, uint64_t *pos)
{
	int64_t total = 0, r = check_vector(iov, count);

	if (r)
		return r;
	if (!count && (writing ? !f->ops->write : !f->ops->read))
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		struct iovec v;

		if (user_get(&v, iov + i * sizeof(v))) {
			r = -EFAULT;
			break;
		}
		v.bytes = min(v.bytes, (size_t)(MOVE_MAX - (uint64_t)total));
		if (!v.bytes)
			continue;
		r = pos           ? move_at(f, v.base, v.bytes, pos, writing)
			: writing ? file_write(f, v.base, v.bytes)
				  : file_read(f, v.base, v.bytes);
		if (r < 0)
			break;
		total += r;
		if ((size_t)r < v.bytes)
			break;
	}
	return total ? total : r < 0 ? r : 0;
}

/* Small vectors leave as one transfer: for the console that is one exit instead of several. */
static int64_t sys_writev(int fd, gva_t iov, unsigned count)
{
	static char *joined; /* a page of the arena: files take program addresses only */
	struct file *f = fd_ref(fd);
	size_t n = 0;

	if (!f)
		return -EBADF;
	if (f->ops->vector)
		return close_ref(f, f->ops->vector(f, iov, count, true));
	if (f->ops->copies)
		return close_ref(f, move_vector(f, iov, count, true, NULL));
	if (!joined)
		joined = frames_alloc(1);
	for (unsigned i = 0; joined && i < count && count <= IOV_MAX; i++) {
		struct iovec v;

		if (user_get(&v, iov + i * sizeof(v)) || v.bytes > DF_PAGE_SIZE - n ||
			user_copy_from(joined + n, v.base, v.bytes))
			return close_ref(f, move_vector(f, iov, count, true, NULL));
		n += v.bytes;
	}
	if (!joined || !n)
		return close_ref(f, move_vector(f, iov, count, true, NULL));
	return close_ref(f, file_write(f, joined, n));
}

static int64_t sys_readv(int fd, gva_t iov, unsigned count)
{
	struct file *f = fd_ref(fd);

	if (!f)
		return -EBADF;
	return close_ref(f,
		f->ops->vector ? f->ops->vector(f, iov, count, false)
			       : move_vector(f, iov, count, false, NULL));
}

static int64_t vector_at(int fd, gva_t iov, unsigned count, int64_t offset, bool writing)
{
	struct file *f = fd_ref(fd);
	uint64_t pos = (uint64_t)offset;
	int64_t r;

	if (!f)
		return -EBADF;
	r = check_positioned(f, offset, writing);
	return close_ref(f, r ? r : move_vector(f, iov, count, writing, &pos));
}

static int64_t sys_preadv(int fd, gva_t iov, unsigned count, int64_t offset)
{
	return vector_at(fd, iov, count, offset, false);
}

static int64_t sys_pwritev(int fd, gva_t iov, unsigned count, int64_t offset)
{
	return vector_at(fd, iov, count, offset, true);
}

static int64_t sys_preadv2(int fd, gva_t iov, unsigned count, int64_t offset, uint64_t high,
	int flags)
{
	(void)high;
	if (flags)
		return -EOPNOTSUPP;
	return offset == -1 ? sys_readv(fd, iov, count) : vector_at(fd, iov, count, offset, false);
}

static int64_t sys_pwritev2(int fd, gva_t iov, unsigned count, int64_t offset, uint64_t high,
	int flags)
{
	(void)high;
	if (flags)
		return -EOPNOTSUPP;
	return offset == -1 ? sys_writev(fd, iov, count) : vector_at(fd, iov, count, offset, true);
}

static int64_t sys_lseek(int fd, int64_t offset, int whence)
{
	struct file *f = fd_get(fd);

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	return f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
}

static int64_t sys_close(int fd)
{
	return fd_close(fd);
}

static int64_t sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	if (first > last || (flags & ~6u))
		return -EINVAL;
	for (int fd = fd_next((int)min(first, (unsigned)FD_MAX)); fd >= 0 && (unsigned)fd <= last;
		fd = fd_next(fd + 1)) {
		if (flags & 4) /* CLOSE_RANGE_CLOEXEC */
			fd_set_cloexec(fd, true);
		else
			fd_close(fd);
	}
	return 0;
}

static int64_t duplicate(int fd, int from, bool cloexec)
{
	struct file *f = fd_ref(fd);
	int r;

	if (!f)
		return -EBADF;
	r = fd_install(f, from, cloexec);
	if (r < 0)
		file_unref(f);
	return r;
}

static int64_t sys_dup(int fd)
{
	return duplicate(fd, 0, false);
}

static int64_t sys_dup3(int fd, int to, int flags)
{
	struct file *f;
	int r;

	if ((flags & ~O_CLOEXEC) || fd == to)
		return -EINVAL;
	f = fd_ref(fd);
	if (!f)
		return -EBADF;
	r = fd_replace(to, f, flags & O_CLOEXEC);
	if (r < 0)
		file_unref(f);
	return r;
}

static int64_t sys_dup2(int fd, int to)
{
	if (fd == to)
		return fd_get(fd) ? fd : -EBADF;
	return sys_dup3(fd, to, 0);
}

#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static int64_t sys_fcntl(int fd, int cmd, uint64_t arg)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg >= fd_limit())
			return -EINVAL;
		return duplicate(fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(fd) ? FD_CLOEXEC : 0;
	case F_SETFD:
		fd_set_cloexec(fd, arg & FD_CLOEXEC);
		return 0;
	case F_GETFL:
		return f->flags & ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	case F_SETFL:
		if (f->flags & O_PATH)
			return -EBADF;
		f->flags = (f->flags & ~(unsigned)STATUS_FLAGS) | ((unsigned)arg & STATUS_FLAGS);
		return 0;
	case F_SETOWN:
	case F_SETSIG:
		return 0;
	case F_GETOWN:
	case F_GETSIG:
		return 0;
	default:
		return f->ops->control ? f->ops->control(f, cmd, arg) : -EINVAL;
	}
}

static int64_t sys_ioctl(int fd, unsigned request, gva_t arg)
{
	struct file *f = fd_get(fd);
	int on;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	switch (request) {
	case FIOCLEX:
	case FIONCLEX:
		fd_set_cloexec(fd, request == FIOCLEX);
		return 0;
	case FIONBIO:
		if (user_get(&on, arg))
			return -EFAULT;
		f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~(unsigned)O_NONBLOCK;
		return 0;
	default:
		return f->ops->ioctl ? f->ops->ioctl(f, request, arg) : -ENOTTY;
	}
}

static int64_t sys_fstat(int fd, gva_t out)
{
	struct file *f = fd_get(fd);
	struct stat st;
	int r;

	if (!f)
		return -EBADF;
	memset(&st, 0, sizeof(st));
	if (f->ops->stat) {
		r = f->ops->stat(f, &st);
		if (r)
			return r;
	} else {
		st.st_mode = 0600; /* an anonymous inode */
		st.st_nlink = 1;
		st.st_blksize = 4096;
	}
	return user_put((void *)out, &st);
}

const struct feature_call io_calls[] = {
	{0, sys_read},
	{1, sys_write},
	{3, sys_close},
	{5, sys_fstat},
	{8, sys_lseek},
	{16, sys_ioctl},
	{17, sys_pread64},
	{18, sys_pwrite64},
	{19, sys_readv},
	{20, sys_writev},
	{32, sys_dup},
	{33, sys_dup2},
	{72, sys_fcntl},
	{292, sys_dup3},
	{295, sys_preadv},
	{296, sys_pwritev},
	{327, sys_preadv2},
	{328, sys_pwritev2},
	{436, sys_close_range},
};
const unsigned io_call_count = array_size(io_calls);
