// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting for several files: poll, ppoll, and the engine that select uses too.
 *
 * A call registers one waiter on each queue of each file, looks at all files, and sleeps until a
 * waiter wakes the thread; then it looks again. The files are referenced meanwhile, so their queues
 * stay, even when another thread closes the descriptors.
 */
#include <linux/poll.h>
#include <kernel/core/freeze.h>
#include <kernel/event/event.h>
#include <kernel/mm/mm.h>

#define CHUNK_WAITERS 30
#define FEW 8

struct waiter_chunk {
	struct waiter_chunk *next;
	unsigned used;
	struct waiter waiter[CHUNK_WAITERS];
};

/* The waiters of one call. */
struct poller {
	struct poll_table table;
	bool failed; /* no memory for a waiter */
	unsigned used;
	struct waiter few[FEW];
	struct waiter_chunk *chunks;
};

static void wake_poller(struct waiter *w, unsigned events)
{
	(void)events;
	thread_wake(w->thread);
}

static struct waiter *new_waiter(struct poller *p)
{
	struct waiter_chunk *c = p->chunks;

	if (p->used < FEW)
		return &p->few[p->used++];
	if (!c || c->used == CHUNK_WAITERS) {
		c = kmalloc(sizeof(*c));
		if (!c)
			return NULL;
		c->next = p->chunks;
		c->used = 0;
		p->chunks = c;
	}
	return &c->waiter[c->used++];
}

static void add_waiter(struct poll_table *table, struct wait_queue *q)
{
	struct poller *p = container_of(table, struct poller, table);
	struct waiter *w = new_waiter(p);

	if (!w) {
		p->failed = true;
		return;
	}
	w->wake = wake_poller;
	w->thread = current;
	wait_queue_add(q, w);
}

static void remove_waiters(struct poller *p)
{
	struct waiter_chunk *c;

	for (unsigned i = 0; i < p->used; i++)
		wait_queue_remove(&p->few[i]);
	while ((c = p->chunks)) {
		p->chunks = c->next;
		for (unsigned i = 0; i < c->used; i++)
			wait_queue_remove(&c->waiter[i]);
		kfree(c);
	}
}

static int look(struct watch *watches, unsigned count, struct poll_table *table)
{
	int ready = 0;

	for (unsigned i = 0; i < count; i++) {
		struct watch *w = &watches[i];

		if (!w->file)
			continue;
		/* What is ready already needs no waiter on the rest. */
		w->ready = file_poll(w->file, ready ? NULL : table) & w->wanted;
		if (w->ready)
			ready++;
	}
	return ready;
}

/* Only a temporary mask can leave one; Linux reports it even to a call that would not wait. */
static bool signal_waits(void)
{
	return signal_hooks.pending && signal_hooks.pending(current);
}

int watch_wait(struct watch *watches, unsigned count, uint64_t deadline)
{
	struct poller p;
	int ready, r = 0;

	/* A program that asks again and again never sleeps, where packets are looked for otherwise. */
	if (deadline == 0 && device_hooks.arrived)
		device_hooks.arrived();
	if (deadline == 0 && !freeze_hooks.polled) {
		ready = look(watches, count, NULL);
		return ready || !signal_waits() ? ready : -EINTR;
	}
	p.table.add = add_waiter;
	p.failed = false;
	p.used = 0;
	p.chunks = NULL;
	ready = look(watches, count, &p.table);
	if (deadline == 0) {
		if (!ready && freeze_hooks.polled())
			ready = look(watches, count, NULL);
		r = ready || !signal_waits() ? -ETIMEDOUT : -ERESTART;
	}
	while (!ready && !p.failed && r == 0) {
		r = thread_sleep(deadline);
		ready = look(watches, count, NULL);
	}
	remove_waiters(&p);
	if (ready)
		return ready;
	if (p.failed)
		return -ENOMEM;
	/* Linux never starts these calls anew behind a handler. */
	return r == -ERESTART ? -EINTR : 0;
}

struct watch *watches_new(unsigned count, struct watch *few, unsigned few_count)
{
	struct watch *w = count <= few_count ? few : kmalloc(count * sizeof(*w));

	if (w)
		memset(w, 0, count * sizeof(*w));
	return w;
}

void watches_free(struct watch *watches, unsigned count, struct watch *few)
{
	for (unsigned i = 0; i < count; i++) {
		if (watches[i].file)
			file_unref(watches[i].file);
	}
	if (watches != few)
		kfree(watches);
}

/* Descriptors that are not open are ready by themselves (POLLNVAL). Their number, or -EFAULT. */
static int read_pollfds(struct watch *watches, gva_t fds, unsigned count)
{
	struct pollfd p;
	int closed = 0;

	for (unsigned i = 0; i < count; i++) {
		if (user_get(&p, fds + i * sizeof(p)))
			return -EFAULT;
		if (p.fd < 0)
			continue;
		watches[i].file = fd_ref(p.fd);
		watches[i].wanted = (uint16_t)p.events | EPOLLERR | EPOLLHUP;
		if (!watches[i].file) {
			watches[i].ready = POLLNVAL;
			closed++;
		}
	}
	return closed;
}

static int write_pollfds(const struct watch *watches, gva_t fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		short ready = (short)watches[i].ready;

		if (user_put(fds + i * sizeof(struct pollfd) + offsetof(struct pollfd, revents),
			    &ready))
			return -EFAULT;
	}
	return 0;
}

static int64_t do_poll(gva_t fds, unsigned count, uint64_t deadline)
{
	struct watch few[FEW], *watches;
	int closed, ready;

	if (count > fd_limit())
		return -EINVAL;
	watches = watches_new(count, few, FEW);
	if (!watches)
		return -ENOMEM;
	ready = closed = read_pollfds(watches, fds, count);
	if (closed >= 0) {
		ready = watch_wait(watches, count, closed ? 0 : deadline);
		if (ready >= 0)
			ready += closed;
	}
	if (ready >= 0 && write_pollfds(watches, fds, count))
		ready = -EFAULT;
	watches_free(watches, count, few);
	return ready;
}

int64_t sys_poll(gva_t fds, unsigned count, int timeout_ms)
{
	uint64_t deadline = DF_FOREVER;

	if (timeout_ms >= 0)
		deadline = timeout_ms ? deadline_in((uint64_t)timeout_ms * 1000000) : 0;
	return do_poll(fds, count, deadline);
}

int64_t sys_ppoll(gva_t fds, unsigned count, gva_t timeout, gva_t mask, uint64_t mask_bytes)
{
	uint64_t deadline;
	bool pushed;
	int64_t r = event_deadline(timeout, &deadline);

	if (r)
		return r;
	r = event_mask_push(mask, mask_bytes, &pushed);
	if (r)
		return r;
	r = do_poll(fds, count, deadline);
	event_mask_pop(pushed, r == -EINTR);
	event_time_left(timeout, deadline);
	return r;
}
