// SPDX-License-Identifier: Apache-2.0
/*
 * The standard streams of an event: windows of memory (dayfly/event.h) that look like pipes. Reading takes
 * the body and then finds the end; writing appends to the reply or the log. No call leaves the guest.
 *
 * Where the body is read is the file's own position, in a page that every call on the descriptor writes anyway.
 */
#include <asm/ioctls.h>
#include <kernel/core/errno.h>
#include <kernel/freeze/freeze.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#define STREAMS 3
#define PIPE_DEV 15
#define ARRIVED (EPOLLIN | EPOLLRDNORM | EPOLLHUP)

static struct wait_queue input;
static struct file *files[STREAMS]; /* not references: cleared on release */

/* Number of the stream: its files have it for data. */
static unsigned number(const struct file *f)
{
	return (unsigned)(uintptr_t)f->data;
}

/* What a server prints is no part of its answers. */
static bool is_log(const struct file *f)
{
	return number(f) == 2 || http_hooks;
}

static uint64_t log_limit(void)
{
	return event_there() ? min(boot_info->event.log_max, (uint64_t)DF_OUT_LOG_MAX)
			     : DF_OUT_LOG_MAX;
}

/* --- waiting for the event --- */

bool input_awaited(bool *own)
{
	struct waiter *w;
	bool any = false;

	*own = false;
	if (http_hooks)
		return http_hooks->awaited(own);
	list_for_each(w, &input.waiters, node) {
		if (event_hooks.awaited && !event_hooks.awaited(w))
			continue;
		any = true;
		*own |= w->thread == current && current->state == THREAD_RUNNABLE;
	}
	return any;
}

void input_arrived(void)
{
	wait_queue_wake(&input, ARRIVED);
}

int input_sleep(void)
{
	return wait_on(&input, DF_FOREVER);
}

int input_wait(bool nonblock)
{
	int r;

	while (!event_there() && !http_hooks) {
		if (!nonblock) {
			r = input_sleep();
			if (r)
				return r;
		} else if (thread_runnable() == 1) {
			freeze_at(DF_WAIT_POINT_STDIO);
		} else {
			thread_yield();
			return event_there() ? 0 : -EAGAIN;
		}
	}
	return 0;
}

/* --- standard input --- */

static uint64_t left(const struct file *f)
{
	return event_there() && !http_hooks ? boot_info->event.body_bytes - f->pos : 0;
}

static int64_t input_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	int r = n ? input_wait(flags & FILE_NONBLOCK) : 0;

	(void)pos;
	if (r)
		return r;
	n = min(n, (size_t)left(f));
	frames_touch(buf, n);
	if (user_copy_to(buf, (const void *)(DF_VA_IN + DF_IN_BODY + f->pos), n))
		return -EFAULT;
	f->pos += n;
	return (int64_t)n;
}

/* As a pipe whose writer is done. */
static unsigned input_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, &input);
	if (!event_there() && !http_hooks)
		return 0;
	return EPOLLHUP | (left(f) ? EPOLLIN | EPOLLRDNORM : 0);
}

static const struct file_ops input_ops;

bool is_input(const struct file *f)
{
	return f->ops == &input_ops;
}

/* --- standard output and error --- */

static int64_t output_write(struct file *f, const void *buf, size_t n, uint64_t *pos,
	unsigned flags)
{
	struct df_out *out = &request_page->out;
	uint64_t *used = is_log(f) ? &out->log_bytes : &out->reply_bytes;
	uint64_t limit = is_log(f) ? log_limit() : event_reply_limit(), have = min(*used, limit);
	gva_t to = DF_VA_OUT + (is_log(f) ? DF_OUT_LOG : DF_OUT_REPLY) + have;
	size_t part = min(n, (size_t)(limit - have));

	(void)pos, (void)flags;
	if (user_copy_from((void *)to, buf, part))
		return -EFAULT;
	*used = have + part;
	if (part < n)
		event_stop(is_log(f) ? DF_STOP_LOG_SIZE : DF_STOP_REPLY_SIZE);
	return (int64_t)n;
}

static unsigned output_poll(struct file *f, struct poll_table *pt)
{
	(void)f, (void)pt;
	return EPOLLOUT | EPOLLWRNORM;
}

/* --- both --- */

static int stream_stat(struct file *f, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = PIPE_DEV;
	st->st_ino = number(f) + 1;
	st->st_mode = S_IFIFO | 0600;
	st->st_nlink = 1;
	st->st_blksize = DF_PAGE_SIZE;
	return 0;
}

static int64_t stream_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	uint64_t bytes = is_input(f) ? left(f) : 0;
	int n = (int)min(bytes, (uint64_t)INT32_MAX);

	return request == FIONREAD ? user_put(arg, &n) : -ENOTTY;
}

static void stream_release(struct file *f)
{
	files[number(f)] = NULL;
}

static const struct file_ops input_ops = {
	.kind = "pipe",
	.read = input_read,
	.poll = input_poll,
	.stat = stream_stat,
	.ioctl = stream_ioctl,
	.release = stream_release,
};

static const struct file_ops output_ops = {
	.kind = "pipe",
	.copies = true,
	.write = output_write,
	.poll = output_poll,
	.stat = stream_stat,
	.ioctl = stream_ioctl,
	.release = stream_release,
};

struct file *stream_file(int n)
{
	if (files[n])
		file_ref(files[n]);
	else if (file_new(n ? &output_ops : &input_ops, n ? O_WRONLY : O_RDONLY,
			 (void *)(uintptr_t)n, &files[n]))
		return NULL;
	return files[n];
}

void streams_next(void)
{
	if (files[0])
		files[0]->pos = 0;
	input_arrived();
}

void streams_init(void)
{
	wait_queue_init(&input);
}
