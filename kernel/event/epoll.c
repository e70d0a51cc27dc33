// SPDX-License-Identifier: Apache-2.0
/*
 * epoll: the calls. epoll_wait takes items off the ready list, asks each file anew, and reports what
 * is true; level-triggered items that were reported go back to its end, edge-triggered ones wait for
 * the next change, one-shot ones for EPOLL_CTL_MOD. EPOLLEXCLUSIVE is accepted and checked as Linux
 * does; all waiters are woken all the same, which it allows.
 */
#include <linux/stat.h>
#include <kernel/core/freeze.h>
#include <kernel/event/epoll.h>
#include <kernel/mm/mm.h>

#define EXCLUSIVE_ALLOWED \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define NOT_EVENTS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static unsigned epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->data;
	struct item *item, *tmp;

	poll_wait(pt, &ep->pollers);
	list_for_each_safe(item, tmp, &ep->ready, ready) {
		if (item_poll(item))
			return EVENT_IN;
		list_del(&item->ready);
	}
	return 0;
}

static int epoll_stat(struct file *f, struct stat *st)
{
	event_stat(f, st, 0600);
	return 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->data;

	while (!list_empty(&ep->items))
		item_free(list_entry(ep->items.next, struct item, all));
	kfree(ep);
}

static const struct file_ops epoll_ops = {
	.kind = "anon_inode:[eventpoll]",
	.poll = epoll_poll,
	.stat = epoll_stat,
	.release = epoll_release,
};

struct epoll *epoll_of(struct file *f)
{
	return f->ops == &epoll_ops ? f->data : NULL;
}

void epoll_init(void)
{
	event_hooks.file_gone = items_of_file_free;
	event_hooks.awaited = item_awaited;
}

int64_t sys_epoll_create1(int flags)
{
	struct epoll *ep;
	int fd;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	list_init(&ep->items);
	list_init(&ep->ready);
	wait_queue_init(&ep->sleepers);
	wait_queue_init(&ep->pollers);
	fd = event_file_install(&epoll_ops, O_RDWR | ((unsigned)flags & O_CLOEXEC), ep);
	if (fd < 0)
		kfree(ep);
	else
		ep->file = fd_get(fd);
	return fd;
}

int64_t sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* Regular files and directories are always ready: Linux refuses to watch them. */
static bool can_be_watched(struct file *f)
{
	struct stat st;

	if (!f->ops->poll)
		return false;
	if (!f->ops->stat || f->ops->stat(f, &st))
		return true;
	return (st.st_mode & S_IFMT) != S_IFREG && (st.st_mode & S_IFMT) != S_IFDIR;
}

static int check_exclusive(int op, struct file *f, const struct epoll_event *event)
{
	if (op == EPOLL_CTL_DEL || !(event->events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && (epoll_of(f) || (event->events & ~EXCLUSIVE_ALLOWED)))
		return -EINVAL;
	return 0;
}

static int do_ctl(struct epoll *ep, int op, struct file *f, int fd, const struct epoll_event *event)
{
	struct item *item;
	int r = check_exclusive(op, f, event);

	if (r)
		return r;
	if (op == EPOLL_CTL_ADD && epoll_of(f)) {
		r = epoll_check_loop(ep, epoll_of(f));
		if (r)
			return r;
	}
	item = item_find(ep, f, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		return item ? -EEXIST : item_add(ep, f, fd, event);
	case EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		if (item->events & EPOLLEXCLUSIVE)
			return -EINVAL;
		item_modify(item, event);
		return 0;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		item_free(item);
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t sys_epoll_ctl(int epfd, int op, int fd, gva_t event_at)
{
	struct epoll_event event = {0};
	struct file *ep, *f;

	if (op != EPOLL_CTL_DEL && user_get(&event, event_at))
		return -EFAULT;
	ep = fd_get(epfd);
	f = fd_get(fd);
	if (!ep || !f)
		return -EBADF;
	if (!can_be_watched(f))
		return -EPERM;
	if (ep == f || !epoll_of(ep))
		return -EINVAL;
	return do_ctl(epoll_of(ep), op, f, fd, &event);
}

/* Reports one item. 1: reported, 0: nothing there, -EFAULT. `again`: it stays on the ready list. */
static int report(struct item *item, gva_t to, bool *again)
{
	struct epoll_event event = {.events = item_poll(item), .data = item->data};

	*again = false;
	if (!event.events)
		return 0;
	if (user_put(to, &event)) {
		*again = true;
		return -EFAULT;
	}
	if (item->events & EPOLLONESHOT)
		item->events &= NOT_EVENTS;
	else
		*again = !(item->events & EPOLLET);
	return 1;
}

/* Reports up to max ready items. Number, or -EFAULT when not even the first could be written. */
static int collect(struct epoll *ep, gva_t events, int max)
{
	struct list round = LIST_INIT(round);
	struct list again = LIST_INIT(again);
	struct item *item;
	bool stays;
	int n = 0, r = 0;

	while (n < max && r >= 0 && !list_empty(&ep->ready)) {
		item = list_entry(ep->ready.next, struct item, ready);
		list_del(&item->ready);
		/* Off the list while its file is asked, which may make others (or itself) ready. */
		list_add_tail(&round, &item->ready);
		r = report(item, events + (unsigned)n * sizeof(struct epoll_event), &stays);
		list_del(&item->ready);
		if (stays)
			list_add_tail(&again, &item->ready);
		if (r > 0)
			n++;
	}
	while (!list_empty(&again)) {
		item = list_entry(again.next, struct item, ready);
		list_del(&item->ready);
		list_add_tail(&ep->ready, &item->ready);
	}
	return n ? n : min(r, 0);
}

/* As sleeping at once with a deadline that has passed. True: look again. */
static bool polled(struct epoll *ep)
{
	struct waiter w = {.thread = current};
	bool again;

	if (!freeze_hooks.polled)
		return false;
	wait_queue_add(&ep->sleepers, &w);
	again = freeze_hooks.polled();
	wait_queue_remove(&w);
	return again;
}

static int64_t wait_items(struct epoll *ep, gva_t events, int max, uint64_t deadline)
{
	int n, r = 0;

	if (deadline == 0 && device_hooks.arrived)
		device_hooks.arrived();
	for (;;) {
		n = collect(ep, events, max);
		if (!n && deadline == 0 && polled(ep))
			n = collect(ep, events, max);
		if (n || r == -ETIMEDOUT || deadline == 0)
			return n;
		if (r == -ERESTART)
			return -EINTR;
		r = wait_on(&ep->sleepers, deadline);
	}
}

struct wait_request {
	gva_t events;
	int max;
	uint64_t deadline;
	gva_t mask;
	uint64_t mask_bytes;
};

static int64_t do_wait(int epfd, const struct wait_request *q)
{
	struct file *f;
	bool pushed;
	int64_t r;

	r = event_mask_push(q->mask, q->mask_bytes, &pushed);
	if (r)
		return r;
	if (q->max <= 0 || q->max > INT32_MAX / (int)sizeof(struct epoll_event)) {
		r = -EINVAL;
	} else if (!user_ok((void *)q->events, (size_t)q->max * sizeof(struct epoll_event))) {
		r = -EFAULT;
	} else if (!(f = fd_ref(epfd))) {
		r = -EBADF;
	} else {
		r = epoll_of(f) ? wait_items(epoll_of(f), q->events, q->max, q->deadline) : -EINVAL;
		file_unref(f);
	}
	event_mask_pop(pushed, r == -EINTR);
	return r;
}

static uint64_t deadline_ms(int timeout_ms)
{
	if (timeout_ms < 0)
		return DF_FOREVER;
	return timeout_ms ? deadline_in((uint64_t)timeout_ms * 1000000) : 0;
}

int64_t sys_epoll_wait(int epfd, gva_t events, int max, int timeout_ms)
{
	return do_wait(epfd, &(struct wait_request){events, max, deadline_ms(timeout_ms), 0, 0});
}

int64_t sys_epoll_pwait(int epfd, gva_t events, int max, int timeout_ms, gva_t mask,
	uint64_t mask_bytes)
{
	return do_wait(epfd,
		&(struct wait_request){events, max, deadline_ms(timeout_ms), mask, mask_bytes});
}

int64_t sys_epoll_pwait2(int epfd, gva_t events, int max, gva_t timeout, gva_t mask,
	uint64_t mask_bytes)
{
	struct wait_request q = {events, max, DF_FOREVER, mask, mask_bytes};
	int r = event_deadline(timeout, &q.deadline);

	return r ? r : do_wait(epfd, &q);
}
