// SPDX-License-Identifier: Apache-2.0
/*
 * An epoll file and the items in it. epoll.c has the calls, epoll_item.c what happens to one item.
 *
 * Invariants: an item is in `items` of its epoll and in the ring of its file (file.watches) as long as
 * it lives; it holds no reference to the file and dies with it. It is in `ready` when its file may be
 * ready: its waiters put it there, a look at the file that finds nothing takes it off.
 */
#ifndef KERNEL_EPOLL_H
#define KERNEL_EPOLL_H

#include <kernel/event/event.h>

#define ITEM_QUEUES 2 /* a file announces its changes on at most so many queues */

struct epoll {
	struct file *file;
	struct list items, ready;
	struct wait_queue sleepers; /* threads in epoll_wait */
	struct wait_queue pollers; /* those that wait for the epoll file itself */
};

struct item;

struct item_waiter {
	struct waiter waiter;
	struct item *item;
};

struct item {
	struct list all; /* epoll.items */
	struct list ready; /* epoll.ready, or on no list */
	struct list ring; /* the items on one file */
	struct epoll *epoll;
	struct file *file;
	int fd;
	uint32_t events;
	uint64_t data;
	struct poll_table table;
	unsigned waiters_used;
	struct item_waiter waiter[ITEM_QUEUES];
};

/* The epoll behind f, or NULL when f is another kind of file. */
struct epoll *epoll_of(struct file *f);

struct item *item_find(struct epoll *ep, struct file *f, int fd);
int item_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event) must_check;
void item_modify(struct item *item, const struct epoll_event *event);
void item_free(struct item *item);
/* Events of interest that are true now. */
unsigned item_poll(struct item *item);
/* event_hooks.awaited: may this waiter's thread, or one in epoll_wait behind it, be told of input? */
bool item_awaited(const struct waiter *w);
/* All items on f end. */
void items_of_file_free(struct file *f);
/* -ELOOP when an item for `target` in ep would close a circle or make the chain too long. */
int epoll_check_loop(struct epoll *ep, struct epoll *target) must_check;

#endif
