// SPDX-License-Identifier: Apache-2.0
/*
 * eventfd: a 64-bit counter as a file. A write adds, a read takes all (or one, EFD_SEMAPHORE). The
 * largest value is UINT64_MAX - 1.
 */
#include <kernel/event/event.h>
#include <kernel/mm/mm.h>

/* The C library has these names, the UAPI headers have not. */
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC O_CLOEXEC
#define EFD_NONBLOCK O_NONBLOCK

struct counter {
	uint64_t value;
	bool semaphore;
	struct wait_queue readers, writers;
};

static int64_t counter_read(struct file *f, void *buf, size_t n, uint64_t *pos, unsigned flags)
{
	struct counter *c = f->data;
	uint64_t value;
	int r;

	(void)pos;
	if (n < sizeof(value))
		return -EINVAL;
	while (c->value == 0) {
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&c->readers, DF_FOREVER);
		if (r)
			return r;
	}
	value = c->semaphore ? 1 : c->value;
	c->value -= value;
	wait_queue_wake(&c->writers, EVENT_OUT);
	return user_put(buf, &value) ? -EFAULT : (int64_t)sizeof(value);
}

static int64_t counter_write(struct file *f, const void *buf, size_t n, uint64_t *pos,
	unsigned flags)
{
	struct counter *c = f->data;
	uint64_t value;
	int r;

	(void)pos;
	if (n < sizeof(value))
		return -EINVAL;
	if (user_get(&value, buf))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	while (UINT64_MAX - 1 - c->value < value) {
		if (flags & FILE_NONBLOCK)
			return -EAGAIN;
		r = wait_on(&c->writers, DF_FOREVER);
		if (r)
			return r;
	}
	c->value += value;
	wait_queue_wake(&c->readers, EVENT_IN);
	return sizeof(value);
}

static unsigned counter_poll(struct file *f, struct poll_table *pt)
{
	struct counter *c = f->data;

	poll_wait(pt, &c->readers);
	poll_wait(pt, &c->writers);
	return (c->value ? EPOLLIN : 0) | (c->value < UINT64_MAX - 1 ? EPOLLOUT : 0);
}

static int counter_stat(struct file *f, struct stat *st)
{
	event_stat(f, st, 0600);
	return 0;
}

static void counter_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops counter_ops = {
	.kind = "anon_inode:[eventfd]",
	.read = counter_read,
	.write = counter_write,
	.poll = counter_poll,
	.stat = counter_stat,
	.release = counter_release,
};

int64_t sys_eventfd2(unsigned count, int flags)
{
	struct counter *c;
	int fd;

	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->value = count;
	c->semaphore = flags & EFD_SEMAPHORE;
	wait_queue_init(&c->readers);
	wait_queue_init(&c->writers);
	fd = event_file_install(&counter_ops, O_RDWR | ((unsigned)flags & (O_CLOEXEC | O_NONBLOCK)),
		c);
	if (fd < 0)
		kfree(c);
	return fd;
}

int64_t sys_eventfd(unsigned count)
{
	return sys_eventfd2(count, 0);
}
