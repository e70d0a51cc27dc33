// SPDX-License-Identifier: Apache-2.0
/*
 * Pipes: a ring of bytes between two files. The ring lies in the program's memory (arena frames, so
 * that a pipe is charged to it), starts with one page and doubles up to the capacity, 64 KiB unless
 * F_SETPIPE_SZ changes it. A pipe is writable when PIPE_BUF bytes fit; writes up to PIPE_BUF go in
 * whole or not at all. Packet mode (O_DIRECT) is not there: pipe2 refuses it.
 *
 * Invariants: head - tail <= ring_bytes <= capacity, all powers of two; ring is NULL while
 * ring_bytes is 0.
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <kernel/event/event.h>
#include <kernel/mm/mm.h>

#define CAPACITY_DEFAULT 65536ULL
#define CAPACITY_MAX 1048576ULL /* Linux: /proc/sys/fs/pipe-max-size */
#define SPLICE_NONBLOCK 2u /* SPLICE_F_NONBLOCK */

struct pipe {
	char *ring;
	uint64_t ring_bytes, capacity;
	uint64_t head, tail; /* counts of all bytes written and read */
	bool read_open, write_open;
	struct wait_queue readers, writers;
};

static uint64_t used(const struct pipe *p)
{
	return p->head - p->tail;
}

static uint64_t space(const struct pipe *p)
{
	return p->capacity - used(p);
}

/* Makes the ring `bytes` large, which is enough for what is in it. */
static int resize_ring(struct pipe *p, uint64_t bytes)
{
	char *ring = frames_alloc(bytes / DF_PAGE_SIZE);
	uint64_t n = used(p);

	if (!ring)
		return -ENOMEM;
	if (p->ring) {
		uint64_t from = p->tail & (p->ring_bytes - 1);
		uint64_t first = min(n, p->ring_bytes - from);

		memcpy(ring, p->ring + from, first);
		memcpy(ring + first, p->ring, n - first);
		frames_free(p->ring, p->ring_bytes / DF_PAGE_SIZE);
	}
	p->ring = ring;
	p->ring_bytes = bytes;
	p->tail = 0;
	p->head = n;
	return 0;
}

/*
 * Between buf and the ring, at most a page and not across one of the ring's, so that a bad address in
 * the middle ends the call with the whole pages before it, as on Linux.
 */
static int64_t take_piece(struct pipe *p, char *buf, uint64_t n)
{
	uint64_t at = p->tail & (p->ring_bytes - 1);

	n = min(n, used(p));
	n = min(n, DF_PAGE_SIZE - (at & DF_PAGE_MASK));
	if (user_copy_to(buf, p->ring + at, n))
		return -EFAULT;
	p->tail += n;
	return (int64_t)n;
}

static int64_t put_piece(struct pipe *p, const char *buf, uint64_t n)
{
	uint64_t at, need;

	n = min(n, space(p));
	n = min(n, DF_PAGE_SIZE - (p->head & DF_PAGE_MASK));
	for (need = max(p->ring_bytes, DF_PAGE_SIZE); need < used(p) + n;)
		need *= 2;
	if (need != p->ring_bytes && resize_ring(p, need))
		return -ENOMEM;
	at = p->head & (p->ring_bytes - 1);
	if (user_copy_from(p->ring + at, buf, n))
		return -EFAULT;
	p->head += n;
	return (int64_t)n;
}

/* Waits until bytes are there. 1: they are; 0: there will be none. */
static int64_t wait_for_bytes(struct pipe *p, unsigned flags)
{
	int r;

	while (used(p) == 0) {
		if (!p->write_open)
			return 0;
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&p->readers, DF_FOREVER);
		if (r)
			return r;
	}
	return 1;
}

static int64_t pipe_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct pipe *p = f->data;
	uint64_t done = 0;
	bool was_full;
	int64_t r;

	(void)pos;
	if (n == 0)
		return 0;
	r = wait_for_bytes(p, flags);
	if (r <= 0)
		return r;
	was_full = space(p) < PIPE_BUF;
	while (done < n && used(p) && (r = take_piece(p, (char *)buf + done, n - done)) > 0)
		done += (uint64_t)r;
	if (was_full && done)
		wait_queue_wake(&p->writers, EVENT_OUT);
	return done ? (int64_t)done : r;
}

/* Waits until `least` bytes fit. */
static int64_t wait_for_space(struct pipe *p, uint64_t least, unsigned flags)
{
	int r;

	for (;;) {
		if (!p->read_open) {
			signal_post(SIGPIPE);
			return -EPIPE;
		}
		if (space(p) >= least)
			return 0;
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&p->writers, DF_FOREVER);
		if (r)
			return r;
	}
}

static int64_t pipe_write(struct file *f, const void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct pipe *p = f->data;
	uint64_t done = 0;
	int64_t r = 0;

	(void)pos;
	while (done < n) {
		/* Up to PIPE_BUF bytes go in together: nobody runs between their pieces. */
		r = wait_for_space(p, n <= PIPE_BUF ? n - done : 1, flags);
		if (r == 0)
			r = put_piece(p, (const char *)buf + done, n - done);
		if (r < 0)
			break;
		done += (uint64_t)r;
		wait_queue_wake(&p->readers, EVENT_IN);
	}
	return done ? (int64_t)done : r;
}

static unsigned pipe_poll_read(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->data;

	poll_wait(pt, &p->readers);
	return (used(p) ? EVENT_IN : 0) | (p->write_open ? 0 : EPOLLHUP);
}

static unsigned pipe_poll_write(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->data;

	poll_wait(pt, &p->writers);
	return (space(p) >= PIPE_BUF ? EVENT_OUT : 0) | (p->read_open ? 0 : EPOLLERR);
}

static int pipe_stat(struct file *f, struct stat *st)
{
	event_stat(f, st, S_IFIFO | 0600);
	return 0;
}

static int64_t pipe_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	int n = (int)used(f->data);

	if (request != FIONREAD)
		return -ENOTTY;
	return user_put(arg, &n);
}

static int64_t set_capacity(struct pipe *p, uint64_t wanted)
{
	uint64_t bytes = DF_PAGE_SIZE;

	if (wanted > 1ULL << 31)
		return -EINVAL;
	while (bytes < wanted)
		bytes *= 2;
	if (bytes > CAPACITY_MAX && bytes > p->capacity)
		return -EPERM;
	if (bytes < used(p))
		return -EBUSY;
	if (bytes < p->ring_bytes && resize_ring(p, bytes))
		return -ENOMEM;
	p->capacity = bytes;
	wait_queue_wake(&p->writers, EVENT_OUT);
	return (int64_t)bytes;
}

static int64_t pipe_control(struct file *f, int cmd, uint64_t arg)
{
	struct pipe *p = f->data;

	switch (cmd) {
	case F_GETPIPE_SZ:
		return (int64_t)p->capacity;
	case F_SETPIPE_SZ:
		return set_capacity(p, (unsigned)arg);
	default:
		return -EINVAL;
	}
}

static void pipe_free(struct pipe *p)
{
	if (p->ring)
		frames_free(p->ring, p->ring_bytes / DF_PAGE_SIZE);
	kfree(p);
}

static void pipe_release_read(struct file *f)
{
	struct pipe *p = f->data;

	p->read_open = false;
	if (p->write_open)
		wait_queue_wake(&p->writers, EVENT_OUT | EPOLLERR);
	else
		pipe_free(p);
}

static void pipe_release_write(struct file *f)
{
	struct pipe *p = f->data;

	p->write_open = false;
	if (p->read_open)
		wait_queue_wake(&p->readers, EVENT_IN | EPOLLHUP);
	else
		pipe_free(p);
}

static const struct file_ops read_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.poll = pipe_poll_read,
	.stat = pipe_stat,
	.ioctl = pipe_ioctl,
	.control = pipe_control,
	.release = pipe_release_read,
};

static const struct file_ops write_ops = {
	.kind = "pipe",
	.write = pipe_write,
	.poll = pipe_poll_write,
	.stat = pipe_stat,
	.ioctl = pipe_ioctl,
	.control = pipe_control,
	.release = pipe_release_write,
};

static struct pipe *pipe_new(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->capacity = CAPACITY_DEFAULT;
	p->read_open = p->write_open = true;
	wait_queue_init(&p->readers);
	wait_queue_init(&p->writers);
	return p;
}

int64_t sys_pipe2(gva_t out, int flags)
{
	unsigned keep = (unsigned)flags & (O_NONBLOCK | O_CLOEXEC);
	struct pipe *p;
	int fds[2];

	if (flags & ~(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	p = pipe_new();
	if (!p)
		return -ENOMEM;
	fds[0] = event_file_install(&read_ops, O_RDONLY | keep, p);
	if (fds[0] < 0) {
		pipe_free(p);
		return fds[0];
	}
	fds[1] = event_file_install(&write_ops, O_WRONLY | keep, p);
	if (fds[1] < 0) {
		p->write_open = false;
		fd_close(fds[0]);
		return fds[1];
	}
	if (user_put(out, &fds)) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}

int64_t sys_pipe(gva_t out)
{
	return sys_pipe2(out, 0);
}

static struct pipe *pipe_of(int fd, const struct file_ops *end)
{
	struct file *f = fd_get(fd);

	return f && f->ops == end ? f->data : NULL;
}

/* Copies from one pipe into another and leaves the bytes where they are. The ring is
 * arena memory, so one can be the other's program buffer. */
static int64_t copy_pipe(struct pipe *from, struct pipe *to, uint64_t n, unsigned flags)
{
	uint64_t done = 0;
	int64_t r;

	/* While it waits for room, the bytes may be read by others. */
	do {
		r = wait_for_bytes(from, flags);
		if (r <= 0)
			return r;
		r = wait_for_space(to, 1, flags);
		if (r)
			return r;
	} while (used(from) == 0);
	while (done < n && done < used(from) && space(to)) {
		uint64_t at = (from->tail + done) & (from->ring_bytes - 1);
		uint64_t piece = min(n, used(from)) - done;

		r = put_piece(to, from->ring + at, min(piece, from->ring_bytes - at));
		if (r < 0)
			break;
		done += (uint64_t)r;
	}
	if (done)
		wait_queue_wake(&to->readers, EVENT_IN);
	return done ? (int64_t)done : r;
}

int64_t sys_tee(int from_fd, int to_fd, uint64_t n, unsigned flags)
{
	struct pipe *from = pipe_of(from_fd, &read_ops), *to = pipe_of(to_fd, &write_ops);
	struct file *in, *out;
	int64_t r;

	if (flags & ~0xfu) /* SPLICE_F_* */
		return -EINVAL;
	if (n == 0)
		return 0;
	if (!fd_get(from_fd) || !fd_get(to_fd))
		return -EBADF;
	if (!from || !to)
		return pipe_of(from_fd, &write_ops) || pipe_of(to_fd, &read_ops) ? -EBADF : -EINVAL;
	if (from == to)
		return -EINVAL;
	in = fd_ref(from_fd);
	out = fd_ref(to_fd);
	if ((in->flags | out->flags) & O_NONBLOCK)
		flags |= SPLICE_NONBLOCK;
	r = copy_pipe(from, to, n, flags & SPLICE_NONBLOCK ? FILE_NONBLOCK : 0);
	file_unref(out);
	file_unref(in);
	return r;
}
