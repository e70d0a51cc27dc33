// SPDX-License-Identifier: Apache-2.0
/*
 * flock(2): locks of open file descriptions. Descriptions of the one process can exclude each other,
 * so they are real. (Record locks, fcntl F_SETLK, belong to processes: the only one always gets them.)
 */
#include <kernel/fs/calls.h>

#include <kernel/mm/mm.h>

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

struct held {
	struct list list;
	struct file *file; /* no reference: the lock ends with the description */
	struct node *node;
	bool exclusive;
};

static struct list locks = LIST_INIT(locks);
static struct wait_queue released = {LIST_INIT(released.waiters)};
void (*fs_file_closed)(struct file *f);

static struct held *held_by(const struct file *f)
{
	struct held *h;

	list_for_each(h, &locks, list)
		if (h->file == f)
			return h;
	return NULL;
}

static bool conflicts(const struct file *f, const struct node *n, bool exclusive)
{
	struct held *h;

	list_for_each(h, &locks, list)
		if (h->node->mount == n->mount && h->node->ino == n->ino && h->file != f &&
			(exclusive || h->exclusive))
			return true;
	return false;
}

static void unlock(struct file *f)
{
	struct held *h = held_by(f);

	if (!h)
		return;
	list_del(&h->list);
	kfree(h);
	wait_queue_wake(&released, 0);
}

int64_t sys_flock(arg fd, arg operation)
{
	struct file *f = fd_get((int)fd);
	unsigned kind = (unsigned)operation & ~LOCK_NB;
	struct node *n;
	struct held *h;
	int r = 0;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	if (!f || (f->flags & O_PATH))
		return -EBADF;
	n = file_node(f);
	if (kind == LOCK_UN) {
		unlock(f);
		return 0;
	}
	/* Streams of the host are nobody else's here. */
	if (!n)
		return 0;
	h = kzalloc(sizeof(*h));
	if (!h)
		return -ENOLCK;
	/* A change of kind gives the old lock up first, as in Linux. */
	unlock(f);
	file_ref(f);
	while (conflicts(f, n, kind == LOCK_EX)) {
		r = operation & LOCK_NB ? -EWOULDBLOCK : wait_on(&released, DF_FOREVER);
		if (r < 0)
			goto out_free;
	}
	unlock(f); /* another thread may have locked by the same description */
	*h = (struct held){.file = f, .node = n, .exclusive = kind == LOCK_EX};
	list_add_tail(&locks, &h->list);
	fs_file_closed = unlock;
	h = NULL;
out_free:
	kfree(h);
	file_unref(f);
	return r;
}
