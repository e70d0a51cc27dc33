// SPDX-License-Identifier: Apache-2.0
/*
 * Standard input, output and error: see console.h.
 *
 * A transfer is one hypercall. Where the program's buffer lies in the linear arena the monitor reads
 * or writes it directly; other buffers go through a bounce buffer. A lone thread waits inside the
 * transfer itself; with others around it sleeps on the stream's queue and the idle loop waits.
 */
#include <kernel/core/console.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <kernel/time/clock.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#define BOUNCE_PAGES 16
#define STREAMS 3

struct stream {
	struct file *file; /* not a reference: cleared on release */
	struct wait_queue queue;
	int number;
};

static struct stream streams[STREAMS];
static void *bounce;

static struct stream *stream_of(const struct file *f)
{
	return f->data;
}

unsigned console_interest(void)
{
	unsigned interest = 0;

	for (unsigned i = 0; i < STREAMS; i++)
		if (streams[i].queue.waiters.next && !list_empty(&streams[i].queue.waiters))
			interest |= 1u << i;
	return interest;
}

void console_ready(unsigned ready)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (ready & 1u << i)
			wait_queue_wake(&streams[i].queue, i ? EPOLLOUT : EPOLLIN);
}

/* One transfer of at most the bounce buffer or a whole linear buffer. Bytes or -errno. */
static int64_t transfer(struct stream *s, unsigned call, void *buf, size_t n, uint64_t deadline)
{
	bool reading = call == DF_CALL_READ;
	gpa_t gpa = mm_linear_gpa((gva_t)buf, n, reading);
	int64_t r;

	if (gpa || !n)
		return hypercall(call, (uint64_t)s->number, gpa, n, deadline);
	if (!bounce)
		bounce = frames_alloc(BOUNCE_PAGES);
	if (!bounce)
		return -ENOMEM;
	n = min(n, (size_t)(BOUNCE_PAGES * DF_PAGE_SIZE));
	if (!reading) {
		r = user_copy_from(bounce, buf, n);
		if (r)
			return r;
	}
	r = hypercall(call, (uint64_t)s->number, arena_gpa(bounce), n, deadline);
	if (reading && r > 0 && user_copy_to(buf, bounce, (size_t)r))
		return -EFAULT;
	return r;
}

/* Repeats the transfer until it moved something, failed, or a signal came. */
static int64_t stream_move(struct stream *s, unsigned call, void *buf, size_t n, unsigned flags)
{
	for (;;) {
		bool alone = !(flags & FILE_NONBLOCK) && thread_count == 1 && !device_hooks.sleeps;
		uint64_t start = clock_monotonic();
		int64_t r = transfer(s, call, buf, n, alone ? timers_next() : 0);

		thread_idle_since(start);

		if (r != -EAGAIN && r != -EINTR)
			return r;
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		if (alone)
			r = thread_poll_events();
		else
			r = wait_on(&s->queue, DF_FOREVER);
		if (r)
			return r;
	}
}

static int64_t console_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	(void)pos;
	return stream_move(stream_of(f), DF_CALL_READ, buf, n, flags);
}

static int64_t console_write(struct file *f, const void *buf, size_t n, uint64_t *pos,
	unsigned flags)
{
	size_t done = 0;

	(void)pos;
	do {
		int64_t r = stream_move(stream_of(f), DF_CALL_WRITE, (char *)buf + done, n - done,
			flags);

		if (r == -EPIPE)
			signal_post(SIGPIPE);
		if (r < 0)
			return done ? (int64_t)done : r;
		done += (size_t)r;
	} while (done < n);
	return (int64_t)done;
}

static int64_t console_seek(struct file *f, int64_t offset, int whence)
{
	return hypercall(DF_CALL_SEEK, (uint64_t)stream_of(f)->number, (uint64_t)offset,
		(uint64_t)whence, 0);
}

static unsigned console_poll(struct file *f, struct poll_table *pt)
{
	struct stream *s = stream_of(f);
	unsigned bit = 1u << s->number;
	unsigned both = 0;

	poll_wait(pt, &s->queue);
	if (hypercall(DF_CALL_WAIT, bit, 0, 0, 0) & bit)
		both = s->number ? EPOLLOUT | EPOLLWRNORM : EPOLLIN | EPOLLRDNORM;
	/* A terminal opened for both is writable whenever we are asked. */
	if (!s->number && (f->flags & O_ACCMODE) == O_RDWR)
		both |= EPOLLOUT | EPOLLWRNORM;
	return both;
}

static int console_stat(struct file *f, struct stat *st)
{
	struct df_stream_stat h;

	hypercall(DF_CALL_STAT, (uint64_t)stream_of(f)->number, 0, 0, 0);
	memcpy(&h, request_page->data, sizeof(h));
	memset(st, 0, sizeof(*st));
	st->st_mode = h.mode;
	st->st_nlink = 1;
	st->st_size = h.size;
	st->st_rdev = h.rdev;
	st->st_dev = h.dev;
	st->st_ino = h.ino;
	st->st_blksize = S_ISREG(h.mode) ? 4096 : 1024;
	st->st_blocks = (h.size + 511) / 512;
	st->st_mtime = st->st_ctime = st->st_atime = (unsigned long)(h.mtime_ns / 1000000000);
	st->st_mtime_nsec = st->st_ctime_nsec = (unsigned long)(h.mtime_ns % 1000000000);
	return 0;
}

/* Bytes of the structure behind a terminal request, and whether it goes in or comes out. */
static int tty_size(unsigned long request, bool *in)
{
	*in = false;
	switch (request) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		*in = true;
		return 36;
	case TCGETS:
		return 36;
	case TIOCGWINSZ:
		return 8;
	case FIONREAD:
		return 4;
	default:
		return -1;
	}
}

static int64_t console_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	struct stream *s = stream_of(f);
	bool in, tty = S_ISCHR(boot_info->stream[s->number].mode);
	int n = tty_size(request, &in);
	uint8_t data[64] = {0};
	int pgrp;
	int64_t r;

	if (n < 0 || (!tty && request != FIONREAD)) {
		/* Job control has no one to talk to: the program is its own foreground group. */
		if (!tty || hypercall(DF_CALL_TTY, (uint64_t)s->number, TCGETS, 0, 0))
			return -ENOTTY;
		pgrp = (int)boot_info->pid;
		if (request == TIOCGPGRP || request == TIOCGSID)
			return user_put((int *)arg, &pgrp);
		return request == TIOCSPGRP || request == TIOCSCTTY ? 0 : -ENOTTY;
	}
	if (in && user_copy_from(data, (void *)arg, (size_t)n))
		return -EFAULT;
	memcpy(request_page->data, data, sizeof(data));
	r = hypercall(DF_CALL_TTY, (uint64_t)s->number, request, 0, 0);
	if (r || in)
		return r;
	memcpy(data, request_page->data, sizeof(data));
	return user_copy_to((void *)arg, data, (size_t)n);
}

static int console_path(struct file *f, char *buf, size_t size)
{
	static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

	return ksnprintf(buf, size, "%s", names[stream_of(f)->number]);
}

static void console_release(struct file *f)
{
	stream_of(f)->file = NULL;
}

static const struct file_ops console_ops = {
	.kind = "console",
	.read = console_read,
	.write = console_write,
	.seek = console_seek,
	.poll = console_poll,
	.stat = console_stat,
	.ioctl = console_ioctl,
	.path = console_path,
	.release = console_release,
};

struct file *console_file(int n)
{
	struct stream *s = &streams[n];
	struct file *f;

	if (freeze_hooks.stream)
		return freeze_hooks.stream(n);
	if (!boot_info->stream[n].mode)
		return NULL;
	if (s->file) {
		file_ref(s->file);
		return s->file;
	}
	if (file_new(&console_ops, boot_info->stream[n].flags & ~(unsigned)O_NONBLOCK, s, &f))
		return NULL;
	s->file = f;
	return f;
}

void console_init(void)
{
	for (int i = 0; i < STREAMS; i++) {
		struct file *f;

		streams[i].number = i;
		wait_queue_init(&streams[i].queue);
		f = console_file(i);
		if (f && fd_replace(i, f, false) < 0)
			file_unref(f);
	}
}
