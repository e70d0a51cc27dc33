// SPDX-License-Identifier: Apache-2.0
/* Open files and descriptors: see file.h. */
#include <kernel/core/file.h>
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/mm.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#define FD_FIRST 32 /* slots of the static table; a larger one comes from the heap */

struct slot {
	struct file *file;
	bool cloexec;
};

static struct slot first_slots[FD_FIRST];
static struct slot *slots = first_slots;
static unsigned slot_count = FD_FIRST;
static unsigned limit = 1024;

int file_new(const struct file_ops *ops, unsigned flags, void *data, struct file **out)
{
	struct file *f = kzalloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ops = ops;
	f->flags = flags;
	f->data = data;
	f->refs = 1;
	*out = f;
	return 0;
}

void file_ref(struct file *f)
{
	f->refs++;
}

void file_unref(struct file *f)
{
	kassert(f->refs);
	if (--f->refs)
		return;
	if (f->watches && event_hooks.file_gone)
		event_hooks.file_gone(f);
	if (f->ops->release)
		f->ops->release(f);
	kfree(f);
}

int64_t file_read(struct file *f, void *buf, size_t n)
{
	if ((f->flags & O_ACCMODE) == O_WRONLY || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->read)
		return f->ops->getdents ? -EISDIR : -EINVAL;
	/* Streams bring little at a time, and know how much. */
	if (f->ops->seek)
		frames_touch(buf, n);
	return f->ops->read(f, buf, n, &f->pos, f->flags & O_NONBLOCK ? FILE_NONBLOCK : 0);
}

int64_t file_write(struct file *f, const void *buf, size_t n)
{
	if ((f->flags & O_ACCMODE) == O_RDONLY || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	return f->ops->write(f, buf, n, &f->pos, f->flags & O_NONBLOCK ? FILE_NONBLOCK : 0);
}

unsigned file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
	return f->ops->poll(f, pt);
}

unsigned fd_limit(void)
{
	return limit;
}

void fd_set_limit(uint64_t n)
{
	limit = (unsigned)min(n, (uint64_t)FD_MAX);
}

struct file *fd_get(int fd)
{
	return (unsigned)fd < slot_count ? slots[fd].file : NULL;
}

struct file *fd_ref(int fd)
{
	struct file *f = fd_get(fd);

	if (f)
		file_ref(f);
	return f;
}

/* Makes room for descriptor `fd`. */
static int reserve(unsigned fd)
{
	unsigned count = slot_count;
	struct slot *larger;

	if (fd < slot_count)
		return 0;
	while (count <= fd)
		count *= 2;
	larger = kzalloc(count * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memcpy(larger, slots, slot_count * sizeof(*slots));
	if (slots != first_slots)
		kfree(slots);
	slots = larger;
	slot_count = count;
	return 0;
}

int fd_install(struct file *f, int from, bool cloexec)
{
	unsigned fd = (unsigned)from;
	int r;

	while (fd < slot_count && slots[fd].file)
		fd++;
	if (fd >= limit)
		return -EMFILE;
	r = reserve(fd);
	if (r)
		return r;
	slots[fd] = (struct slot){f, cloexec};
	return (int)fd;
}

int fd_replace(int fd, struct file *f, bool cloexec)
{
	struct file *old;
	int r;

	if ((unsigned)fd >= limit)
		return -EBADF;
	r = reserve((unsigned)fd);
	if (r)
		return r;
	old = slots[fd].file;
	slots[fd] = (struct slot){f, cloexec};
	if (old)
		file_unref(old);
	return fd;
}

int fd_close(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	slots[fd].file = NULL;
	file_unref(f);
	return 0;
}

void fd_close_on_exec(void)
{
	for (unsigned fd = 0; fd < slot_count; fd++)
		if (slots[fd].file && slots[fd].cloexec)
			fd_close((int)fd);
}

bool fd_cloexec(int fd)
{
	return slots[fd].cloexec;
}

void fd_set_cloexec(int fd, bool on)
{
	slots[fd].cloexec = on;
}

int fd_next(int from)
{
	for (unsigned fd = (unsigned)from; fd < slot_count; fd++)
		if (slots[fd].file)
			return (int)fd;
	return -1;
}
