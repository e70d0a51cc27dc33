// SPDX-License-Identifier: Apache-2.0
/*
 * select and pselect6: the three bit sets are turned into watches for the engine in poll.c, one per
 * descriptor that is named in any of them.
 */
#include <kernel/event/event.h>
#include <kernel/mm/mm.h>

#define FEW 8
#define WORDS (FD_MAX / 64)

/* What counts for each set, as on Linux. */
#define READY_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define READY_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define READY_EXCEPT EPOLLPRI

enum { SET_IN, SET_OUT, SET_EXCEPT, SETS };

static const unsigned ready_mask[SETS] = {READY_IN, READY_OUT, READY_EXCEPT};

struct select {
	gva_t user[SETS]; /* 0: not given */
	unsigned bits; /* descriptors looked at */
	uint64_t set[SETS][WORDS];
};

struct timeval64 {
	int64_t tv_sec, tv_usec;
};

static size_t set_bytes(const struct select *s)
{
	return (s->bits + 63) / 64 * sizeof(uint64_t);
}

/* Events that descriptor fd was asked for. */
static unsigned wanted(const struct select *s, unsigned fd)
{
	unsigned events = 0;

	for (unsigned i = 0; i < SETS; i++) {
		if (s->set[i][fd / 64] >> fd % 64 & 1)
			events |= ready_mask[i];
	}
	return events;
}

/* Reads the sets. Number of descriptors named in them, or -errno. */
static int read_sets(struct select *s)
{
	int named = 0;

	memset(s->set, 0, sizeof(s->set));
	for (unsigned i = 0; i < SETS; i++) {
		if (s->user[i] && user_copy_from(s->set[i], (void *)s->user[i], set_bytes(s)))
			return -EFAULT;
	}
	for (unsigned fd = 0; fd < s->bits; fd++)
		named += wanted(s, fd) != 0;
	return named;
}

static int open_watches(const struct select *s, struct watch *w)
{
	for (unsigned fd = 0; fd < s->bits; fd++) {
		unsigned events = wanted(s, fd);

		if (!events)
			continue;
		w->file = fd_ref((int)fd);
		if (!w->file)
			return -EBADF;
		w->wanted = events;
		w++;
	}
	return 0;
}

/* Leaves in the sets what is ready. Number of bits. */
static int keep_ready(struct select *s, const struct watch *w)
{
	int count = 0;

	for (unsigned fd = 0; fd < s->bits; fd++) {
		if (!wanted(s, fd))
			continue;
		for (unsigned i = 0; i < SETS; i++) {
			uint64_t bit = 1ULL << fd % 64;

			if (!(s->set[i][fd / 64] & bit))
				continue;
			if (w->ready & ready_mask[i])
				count++;
			else
				s->set[i][fd / 64] &= ~bit;
		}
		w++;
	}
	return count;
}

static int64_t wait_sets(struct select *s, uint64_t deadline)
{
	struct watch few[FEW], *watches;
	int named = read_sets(s);
	int r;

	if (named < 0)
		return named;
	watches = watches_new((unsigned)named, few, FEW);
	if (!watches)
		return -ENOMEM;
	r = open_watches(s, watches);
	if (r == 0)
		r = watch_wait(watches, (unsigned)named, deadline);
	if (r >= 0)
		r = keep_ready(s, watches);
	watches_free(watches, (unsigned)named, few);
	for (unsigned i = 0; i < SETS && r >= 0; i++) {
		if (s->user[i] && user_copy_to((void *)s->user[i], s->set[i], set_bytes(s)))
			r = -EFAULT;
	}
	return r;
}

/* The sets are too large for the stack. */
static int64_t do_select(int count, gva_t in, gva_t out, gva_t except, uint64_t deadline)
{
	struct select *s;
	int64_t r;

	if (count < 0)
		return -EINVAL;
	s = kmalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->bits = min((unsigned)count, (unsigned)FD_MAX);
	s->user[SET_IN] = in;
	s->user[SET_OUT] = out;
	s->user[SET_EXCEPT] = except;
	r = wait_sets(s, deadline);
	kfree(s);
	return r;
}

static int read_timeval(gva_t timeout, uint64_t *deadline)
{
	struct timeval64 tv;
	struct timespec64 ts;

	*deadline = DF_FOREVER;
	if (!timeout)
		return 0;
	if (user_get(&tv, timeout))
		return -EFAULT;
	/* Linux lets whole seconds stand in the microseconds. */
	if (__builtin_add_overflow(tv.tv_sec, tv.tv_usec / 1000000, &ts.tv_sec))
		return -EINVAL;
	ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline = timespec_to_ns(&ts) ? deadline_in(timespec_to_ns(&ts)) : 0;
	return 0;
}

int64_t sys_select(int count, gva_t in, gva_t out, gva_t except, gva_t timeout)
{
	uint64_t deadline;
	int64_t r = read_timeval(timeout, &deadline);

	if (r)
		return r;
	r = do_select(count, in, out, except, deadline);
	if (timeout) {
		struct timespec64 left = event_left(deadline);
		struct timeval64 tv = {left.tv_sec, left.tv_nsec / 1000};

		/* Linux, too, keeps the result when this can not be written. */
		if (user_put(timeout, &tv))
			return r;
	}
	return r;
}

int64_t sys_pselect6(int count, gva_t in, gva_t out, gva_t except, gva_t timeout, gva_t mask)
{
	struct {
		gva_t set;
		uint64_t bytes;
	} argument = {0, 0};
	uint64_t deadline;
	bool pushed;
	int64_t r;

	if (mask && user_get(&argument, mask))
		return -EFAULT;
	r = event_deadline(timeout, &deadline);
	if (r)
		return r;
	r = event_mask_push(argument.set, argument.bytes, &pushed);
	if (r)
		return r;
	r = do_select(count, in, out, except, deadline);
	event_mask_pop(pushed, r == -EINTR);
	event_time_left(timeout, deadline);
	return r;
}
