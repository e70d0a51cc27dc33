// SPDX-License-Identifier: Apache-2.0
/*
 * One file in one epoll: how it gets ready, how it ends, and which nestings are refused.
 */
#include <kernel/event/epoll.h>
#include <kernel/mm/mm.h>

#define ITEMS_MAX 65536 /* over all epolls: the heap they cost is bounded */
#define NESTS_MAX 4 /* Linux: EP_MAX_NESTS */
#define VISITS_MAX 500 /* of a loop check: Linux remembers where it was, we stop */
#define NOT_EVENTS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static unsigned item_count;

static void make_ready(struct item *item)
{
	struct epoll *ep = item->epoll;

	if (list_empty(&item->ready))
		list_add_tail(&ep->ready, &item->ready);
	wait_queue_wake(&ep->sleepers, EVENT_IN);
	wait_queue_wake(&ep->pollers, EVENT_IN);
}

static void item_woken(struct waiter *w, unsigned events)
{
	struct item *item = container_of(w, struct item_waiter, waiter)->item;

	/* A one-shot item that has fired has no events left. */
	if (!(item->events & ~NOT_EVENTS) || (events && !(events & item->events)))
		return;
	make_ready(item);
}

bool item_awaited(const struct waiter *w)
{
	const struct item *item;
	const struct waiter *poller;

	if (w->wake != item_woken)
		return true;
	item = container_of(w, struct item_waiter, waiter)->item;
	if (!(item->events & EVENT_IN))
		return false;
	if (!list_empty(&item->epoll->sleepers.waiters))
		return true;
	list_for_each(poller, &item->epoll->pollers.waiters, node)
		if (item_awaited(poller))
			return true;
	return false;
}

static void item_add_waiter(struct poll_table *table, struct wait_queue *q)
{
	struct item *item = container_of(table, struct item, table);
	struct item_waiter *w;

	if (item->waiters_used == ITEM_QUEUES)
		return;
	w = &item->waiter[item->waiters_used++];
	w->item = item;
	w->waiter.wake = item_woken;
	wait_queue_add(q, &w->waiter);
}

unsigned item_poll(struct item *item)
{
	return file_poll(item->file, NULL) & item->events;
}

/* The few items on the file are searched, not the many of the epoll. */
struct item *item_find(struct epoll *ep, struct file *f, int fd)
{
	struct item *first = f->watches, *item = first;

	if (!first)
		return NULL;
	do {
		if (item->epoll == ep && item->fd == fd)
			return item;
		item = list_entry(item->ring.next, struct item, ring);
	} while (item != first);
	return NULL;
}

int item_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct item *item, *other = f->watches;

	if (item_count >= ITEMS_MAX)
		return -ENOSPC;
	item = kzalloc(sizeof(*item));
	if (!item)
		return -ENOMEM;
	item_count++;
	item->epoll = ep;
	item->file = f;
	item->fd = fd;
	item->events = event->events | EPOLLERR | EPOLLHUP;
	item->data = event->data;
	item->table.add = item_add_waiter;
	list_init(&item->ready);
	list_init(&item->ring);
	list_add_tail(&ep->items, &item->all);
	if (other)
		list_add_tail(&other->ring, &item->ring);
	else
		f->watches = item;
	if (file_poll(f, &item->table) & item->events)
		make_ready(item);
	return 0;
}

void item_modify(struct item *item, const struct epoll_event *event)
{
	item->events = event->events | EPOLLERR | EPOLLHUP;
	item->data = event->data;
	if (item_poll(item))
		make_ready(item);
}

void item_free(struct item *item)
{
	for (unsigned i = 0; i < item->waiters_used; i++)
		wait_queue_remove(&item->waiter[i].waiter);
	if (item->file->watches == item)
		item->file->watches = list_empty(&item->ring)
			? NULL
			: list_entry(item->ring.next, struct item, ring);
	list_del(&item->ring);
	list_del(&item->ready);
	list_del(&item->all);
	kfree(item);
	item_count--;
}

void items_of_file_free(struct file *f)
{
	while (f->watches)
		item_free(f->watches);
}

/* Length of the longest chain of epolls below ep; too much when it meets `forbidden`. */
static int depth_below(struct epoll *ep, struct epoll *forbidden, int depth, unsigned *visits)
{
	struct item *item;
	int deepest = 0;

	if (++*visits > VISITS_MAX)
		return NESTS_MAX + 1;
	list_for_each(item, &ep->items, all) {
		struct epoll *inner = epoll_of(item->file);

		if (!inner)
			continue;
		if (inner == forbidden || depth > NESTS_MAX)
			return NESTS_MAX + 1;
		deepest = max(deepest, depth_below(inner, forbidden, depth + 1, visits) + 1);
	}
	return deepest;
}

static int depth_above(struct epoll *ep, unsigned *visits)
{
	struct item *first = ep->file->watches, *item = first;
	int highest = 0;

	if (!first)
		return 0;
	if (++*visits > VISITS_MAX)
		return NESTS_MAX + 1;
	do {
		highest = max(highest, depth_above(item->epoll, visits) + 1);
		item = list_entry(item->ring.next, struct item, ring);
	} while (item != first);
	return highest;
}

int epoll_check_loop(struct epoll *ep, struct epoll *target)
{
	unsigned visits = 0;
	int below = depth_below(target, ep, 0, &visits);

	if (below > NESTS_MAX)
		return -ELOOP;
	return below + 1 + depth_above(ep, &visits) > NESTS_MAX ? -ELOOP : 0;
}
