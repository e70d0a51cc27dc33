// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that move data between descriptors inside the kernel (sendfile, copy_file_range, splice), and
 * those that tell or ask for what files in memory have anyway: fsync, readahead and the like, which
 * check their arguments and have nothing to do.
 */
#include <kernel/fs/calls.h>

#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <linux/fs.h>

#define PIECE_BYTES 65536u
#define SPLICE_F_NONBLOCK 2u
#define MOVE_MAX 0x7ffff000u /* Linux moves no more in one call */

static bool can_read(const struct file *f)
{
	return f && !(f->flags & O_PATH) && (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(const struct file *f)
{
	return f && !(f->flags & O_PATH) && (f->flags & O_ACCMODE) != O_RDONLY;
}

/* False: a stream, also one of the host's behind a console file. */
static bool seekable(struct file *f)
{
	return f->ops->seek && f->ops->seek(f, 0, SEEK_CUR) >= 0;
}

/* Writes all of a piece. *done: bytes written. Result > 0: all of them, else what write said last. */
static int64_t put(struct file *out, const char *piece, int64_t bytes, uint64_t *pos,
	unsigned flags, int64_t *done)
{
	int64_t r = 1;

	for (*done = 0; *done < bytes && r > 0; *done += r > 0 ? r : 0)
		r = out->ops->write(out, piece + *done, (size_t)(bytes - *done), pos, flags);
	return r;
}

/* Moves at most `bytes` from *in_pos to *out_pos; NULL: the file's own position. Ends early at the end of the
 * input, on a short write, and when a stream has no more at the moment. Own positions change when all is done, so
 * that one description can be both sides. flags: O_NONBLOCK, for this call. */
static int64_t move(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
	uint64_t bytes, unsigned flags)
{
	uint64_t from = in_pos ? *in_pos : in->pos, to = out_pos ? *out_pos : out->pos, done = 0;
	bool in_stream = !seekable(in), out_stream = !seekable(out);
	unsigned out_flags = (out->flags | flags) & O_NONBLOCK ? FILE_NONBLOCK : 0;
	int64_t r = 0, n, written;
	char *piece;

	if (!in->ops->read || !out->ops->write)
		return -EINVAL;
	/* File operations take program addresses: of the arena, not of the kernel's heap. */
	piece = frames_alloc(PIECE_BYTES >> DF_PAGE_SHIFT);
	if (!piece)
		return -ENOMEM;
	file_ref(in);
	file_ref(out);
	bytes = min(bytes, (uint64_t)MOVE_MAX);
	while (done < bytes) {
		bool wait = !in_stream || (done == 0 && !((in->flags | flags) & O_NONBLOCK));
		n = in->ops->read(in, piece, min(bytes - done, (uint64_t)PIECE_BYTES),
			in_stream ? &in->pos : &from, wait ? 0 : FILE_NONBLOCK);
		r = n <= 0 ? n
			   : put(out, piece, n, out_stream ? &out->pos : &to, out_flags, &written);
		if (n > 0)
			done += (uint64_t)written;
		if (r <= 0) {
			/* What was read and not written stays in a file with positions. */
			if (n > 0)
				from -= (uint64_t)(n - written);
			break;
		}
	}
	if (!out_stream)
		*(out_pos ? out_pos : &out->pos) = to;
	if (!in_stream)
		*(in_pos ? in_pos : &in->pos) = from;
	file_unref(out);
	file_unref(in);
	frames_free(piece, PIECE_BYTES >> DF_PAGE_SHIFT);
	return done > 0 ? (int64_t)done : r;
}

/* An offset that the program passed by address. */
static int fetch_offset(uint64_t address, uint64_t *value, uint64_t **out)
{
	*out = NULL;
	if (!address)
		return 0;
	if (user_get(value, address) < 0)
		return -EFAULT;
	*out = value;
	return (int64_t)*value < 0 ? -EINVAL : 0;
}

int64_t sys_sendfile(arg out_fd, arg in_fd, arg offset, arg bytes)
{
	struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
	uint64_t value, *pos;
	int64_t moved;
	int r;

	r = fetch_offset(offset, &value, &pos);
	if (r == -EFAULT)
		return r;
	if (!can_read(in) || !can_write(out))
		return -EBADF;
	if (!seekable(in))
		return pos ? -ESPIPE : -EINVAL;
	if (in->ops->getdents)
		return -EINVAL;
	if (r < 0 || (int64_t)bytes < 0)
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EINVAL;
	moved = move(in, pos, out, NULL, bytes, 0);
	if (moved >= 0 && pos && user_put(offset, pos) < 0)
		return -EFAULT;
	return moved;
}

int64_t sys_copy_file_range(arg in_fd, arg in_offset, arg out_fd, arg out_offset, arg bytes,
	arg flags)
{
	struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
	uint64_t in_value, out_value, *in_pos, *out_pos;
	uint64_t from, to;
	struct node *a, *b;
	struct stat st;
	int64_t moved;
	int r;

	if (!in || !out || ((in->flags | out->flags) & O_PATH))
		return -EBADF;
	r = fetch_offset(in_offset, &in_value, &in_pos);
	if (r == 0)
		r = fetch_offset(out_offset, &out_value, &out_pos);
	if (r < 0)
		return r;
	if (flags)
		return -EINVAL;
	a = file_node(in);
	b = file_node(out);
	if ((a && S_ISDIR(a->mode)) || (b && S_ISDIR(b->mode)))
		return -EISDIR;
	if (!a || !b || !S_ISREG(a->mode) || !S_ISREG(b->mode))
		return -EINVAL;
	if (!can_read(in) || !can_write(out) || (out->flags & O_APPEND))
		return -EBADF;
	/* What the copy itself adds to the file is not copied again. */
	node_stat(a, &st);
	from = in_pos ? *in_pos : in->pos;
	to = out_pos ? *out_pos : out->pos;
	bytes = from < (uint64_t)st.st_size ? min(bytes, (uint64_t)st.st_size - from) : 0;
	if (a == b && from < to + bytes && to < from + bytes)
		return -EINVAL;
	moved = move(in, in_pos, out, out_pos, bytes, 0);
	if (moved >= 0 &&
		((in_pos && user_put(in_offset, in_pos) < 0) ||
			(out_pos && user_put(out_offset, out_pos) < 0)))
		return -EFAULT;
	return moved;
}

/* One side must be a pipe. The data is copied, which a program can not tell from moved pages. */
int64_t sys_splice(arg in_fd, arg in_offset, arg out_fd, arg out_offset, arg bytes, arg flags)
{
	struct file *in = fd_get((int)in_fd), *out = fd_get((int)out_fd);
	uint64_t in_value, out_value, *in_pos, *out_pos;
	bool in_stream, out_stream;
	int64_t moved;
	int r;

	if (bytes == 0)
		return 0;
	if (flags & ~0xfULL)
		return -EINVAL;
	if (!can_read(in) || !can_write(out))
		return -EBADF;
	in_stream = !seekable(in);
	out_stream = !seekable(out);
	if ((!in_stream && !out_stream) || (out->flags & O_APPEND))
		return -EINVAL;
	if ((in_stream && in_offset) || (out_stream && out_offset))
		return -ESPIPE;
	r = fetch_offset(in_offset, &in_value, &in_pos);
	if (r == 0)
		r = fetch_offset(out_offset, &out_value, &out_pos);
	if (r < 0)
		return r;
	moved = move(in, in_pos, out, out_pos, bytes, flags & SPLICE_F_NONBLOCK ? O_NONBLOCK : 0);
	if (moved >= 0 &&
		((in_pos && user_put(in_offset, in_pos) < 0) ||
			(out_pos && user_put(out_offset, out_pos) < 0)))
		return -EFAULT;
	return moved;
}

/* --- nothing to write back, nothing to read ahead --- */

int64_t sys_fsync(arg fd)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	n = file_node(f);
	return n && !S_ISCHR(n->mode) ? 0 : -EINVAL;
}

int64_t sys_sync(void)
{
	return 0;
}

int64_t sys_syncfs(arg fd)
{
	struct file *f = fd_get((int)fd);

	return f && !(f->flags & O_PATH) ? 0 : -EBADF;
}

int64_t sys_sync_file_range(arg fd, arg offset, arg bytes, arg flags)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	if (!f || (f->flags & O_PATH))
		return -EBADF;
	if (flags & ~7ULL || (int64_t)offset < 0 || (int64_t)(offset + bytes) < (int64_t)offset)
		return -EINVAL;
	n = file_node(f);
	return n && !S_ISCHR(n->mode) ? 0 : -ESPIPE;
}

int64_t sys_fadvise64(arg fd, arg offset, arg bytes, arg advice)
{
	struct file *f = fd_get((int)fd);

	(void)offset;
	if (!f || (f->flags & O_PATH))
		return -EBADF;
	if (!seekable(f))
		return -ESPIPE;
	return (int64_t)bytes < 0 || advice > 5 ? -EINVAL : 0;
}

int64_t sys_readahead(arg fd, arg offset, arg bytes)
{
	struct file *f = fd_get((int)fd);
	struct node *n;

	(void)offset, (void)bytes;
	if (!can_read(f))
		return -EBADF;
	n = file_node(f);
	return n && S_ISREG(n->mode) ? 0 : -EINVAL;
}
