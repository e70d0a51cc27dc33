// SPDX-License-Identifier: Apache-2.0
/*
 * Futexes. A waiter is a small structure on the kernel stack of the thread that waits, in a list
 * chosen by its address. The kernel is not preempted and there is one CPU, so "compare the word, then
 * sleep" and the read-change-write operations are atomic as they stand.
 *
 * The key is the address alone: there is one address space. (One word seen at two addresses of one
 * shared mapping counts as two futexes.) Shared and private futexes differ only in errors.
 *
 * Locks with priority inheritance are plain locks that are handed to the first waiter: with one queue
 * and no priorities there is nothing to inherit.
 */
#include <linux/futex.h>
#include <kernel/core/errno.h>
#include <kernel/mm/user.h>
#include <kernel/task/task.h>

#define BUCKETS 64

/* When a wait ends without success. */
struct until {
	int clock;
	uint64_t ns; /* DF_FOREVER: never */
};

struct futex_waiter {
	struct list node; /* in its bucket, in order of arrival */
	gva_t key;
	uint32_t bitset;
	bool pi;
	bool woken; /* and off the list */
	struct thread *thread;
};

static struct list buckets[BUCKETS];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
}

static struct list *bucket_of(gva_t key)
{
	return &buckets[(key >> 2 ^ key >> 8 ^ key >> 16) % BUCKETS];
}

static void release_waiter(struct futex_waiter *w)
{
	list_del(&w->node);
	w->woken = true;
	thread_wake(w->thread);
}

int futex_wake(gva_t uaddr, int count, uint32_t bitset)
{
	struct list *bucket = bucket_of(uaddr);
	struct futex_waiter *w, *tmp;
	int woken = 0;

	list_for_each_safe(w, tmp, bucket, node) {
		if (w->key != uaddr || w->pi || !(w->bitset & bitset))
			continue;
		release_waiter(w);
		if (++woken >= count)
			break;
	}
	return woken;
}

/* Sleeps in the list until somebody takes the waiter off it. 0, -ETIMEDOUT, -ERESTART. */
static int futex_sleep(struct futex_waiter *w, const struct until *until)
{
	int r = 0;

	w->thread = current;
	w->woken = false;
	list_add_tail(bucket_of(w->key), &w->node);
	while (!w->woken && r == 0)
		r = until->clock == CLOCK_MONOTONIC ? thread_sleep(until->ns)
						    : thread_sleep_clock(until->clock, until->ns);
	if (w->woken)
		return 0; /* a wake-up counts, whatever else happened */
	list_del(&w->node);
	return r;
}

static int64_t futex_wait(gva_t uaddr, uint32_t expected, uint32_t bitset,
	const struct until *until)
{
	struct futex_waiter w = {.key = uaddr, .bitset = bitset};
	uint32_t word;
	int r;

	if (!bitset)
		return -EINVAL;
	if (user_get(&word, uaddr))
		return -EFAULT;
	if (word != expected)
		return -EAGAIN;
	r = futex_sleep(&w, until);
	/* Linux never starts a timed wait anew behind a handler. */
	return r == -ERESTART && until->ns != DF_FOREVER ? -EINTR : r;
}

struct requeue {
	gva_t from, to;
	int wake, move;
	bool compare;
	uint32_t expected;
};

static int64_t futex_requeue(const struct requeue *q)
{
	struct futex_waiter *w, *tmp;
	struct list moved = LIST_INIT(moved);
	uint32_t word;
	int done = 0;

	if (q->wake < 0 || q->move < 0)
		return -EINVAL;
	if (q->compare) {
		if (user_get(&word, q->from))
			return -EFAULT;
		if (word != q->expected)
			return -EAGAIN;
	}
	list_for_each_safe(w, tmp, bucket_of(q->from), node) {
		if (done - q->wake >= q->move)
			break;
		if (w->key != q->from || w->pi)
			continue;
		if (++done <= q->wake) {
			release_waiter(w);
		} else {
			list_del(&w->node);
			list_add_tail(&moved, &w->node);
		}
	}
	/* Only now, as both addresses may share a bucket. */
	list_for_each_safe(w, tmp, &moved, node) {
		list_del(&w->node);
		w->key = q->to;
		list_add_tail(bucket_of(q->to), &w->node);
	}
	return done;
}

/* FUTEX_WAKE_OP: changes the word at uaddr2, and wakes there too if the old value compares. */
static int64_t futex_wake_op(gva_t uaddr, int wake, gva_t uaddr2, int wake2, uint32_t code)
{
	int operation = code >> 28 & 7;
	int comparison = code >> 24 & 15;
	int arg = (int32_t)(code << 8) >> 20;
	int compare_arg = (int32_t)(code << 20) >> 20;
	int old, new;
	bool true_now;

	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = (int)(1u << (arg & 31));
	if (operation > FUTEX_OP_XOR)
		return -ENOSYS;
	if (user_get(&old, uaddr2))
		return -EFAULT;
	switch (operation) {
	case FUTEX_OP_SET:
		new = arg;
		break;
	case FUTEX_OP_ADD:
		new = (int)((unsigned)old + (unsigned)arg);
		break;
	case FUTEX_OP_OR:
		new = old | arg;
		break;
	case FUTEX_OP_ANDN:
		new = old & ~arg;
		break;
	default:
		new = old ^ arg;
		break;
	}
	if (user_put(uaddr2, &new))
		return -EFAULT;
	switch (comparison) {
	case FUTEX_OP_CMP_EQ:
		true_now = old == compare_arg;
		break;
	case FUTEX_OP_CMP_NE:
		true_now = old != compare_arg;
		break;
	case FUTEX_OP_CMP_LT:
		true_now = old < compare_arg;
		break;
	case FUTEX_OP_CMP_GE:
		true_now = old >= compare_arg;
		break;
	case FUTEX_OP_CMP_LE:
		true_now = old <= compare_arg;
		break;
	case FUTEX_OP_CMP_GT:
		true_now = old > compare_arg;
		break;
	default:
		return -ENOSYS;
	}
	wake = futex_wake(uaddr, wake, ~0u);
	return wake + (true_now ? futex_wake(uaddr2, wake2, ~0u) : 0);
}

static struct futex_waiter *first_pi_waiter(gva_t uaddr)
{
	struct futex_waiter *w;

	list_for_each(w, bucket_of(uaddr), node) {
		if (w->key == uaddr && w->pi)
			return w;
	}
	return NULL;
}

static int64_t lock_pi(gva_t uaddr, const struct until *until, bool try_only)
{
	struct futex_waiter w = {.key = uaddr, .bitset = ~0u, .pi = true};
	uint32_t word, new;
	int r;

	if (user_get(&word, uaddr))
		return -EFAULT;
	if ((word & FUTEX_TID_MASK) == (uint32_t)current->tid)
		return -EDEADLK;
	if (!(word & FUTEX_TID_MASK)) {
		new = word | (uint32_t)current->tid;
		return user_put(uaddr, &new);
	}
	if (try_only)
		return -EAGAIN;
	if (!task_find((int)(word & FUTEX_TID_MASK)))
		return -ESRCH;
	new = word | FUTEX_WAITERS;
	if (user_put(uaddr, &new))
		return -EFAULT;
	r = futex_sleep(&w, until); /* woken: the lock is ours, hand_over wrote the word */
	return r == -ERESTART ? -ERESTARTNOINTR : r;
}

/* Gives the lock to its first waiter, or frees it. died: FUTEX_OWNER_DIED or 0. */
static int hand_over(gva_t uaddr, uint32_t died)
{
	struct futex_waiter *w = first_pi_waiter(uaddr);
	uint32_t word = died;

	if (w) {
		list_del(&w->node);
		word |= (uint32_t)w->thread->tid | (first_pi_waiter(uaddr) ? FUTEX_WAITERS : 0);
		list_add_tail(bucket_of(uaddr), &w->node);
	}
	if (user_put(uaddr, &word))
		return -EFAULT;
	if (w)
		release_waiter(w);
	return 0;
}

static int64_t unlock_pi(gva_t uaddr)
{
	uint32_t word;

	if (user_get(&word, uaddr))
		return -EFAULT;
	if ((word & FUTEX_TID_MASK) != (uint32_t)current->tid)
		return -EPERM;
	return hand_over(uaddr, 0);
}

void futex_owner_died(struct thread *t)
{
	struct futex_waiter *w, *tmp;
	uint32_t word;

	for (unsigned i = 0; i < BUCKETS; i++) {
		list_for_each_safe(w, tmp, &buckets[i], node) {
			if (!w->pi || user_get(&word, w->key) ||
				(word & FUTEX_TID_MASK) != (uint32_t)t->tid)
				continue;
			/* A word that can not be written would be met again and again. */
			if (hand_over(w->key, FUTEX_OWNER_DIED))
				break;
			/* The list changed; the word does not name t any more, so this ends. */
			tmp = list_entry(buckets[i].next, __typeof__(*tmp), node);
		}
	}
}

/* Absolute for the bitset and PI waits, relative for FUTEX_WAIT; real time where asked. */
static int read_deadline(gva_t timeout, int op, struct until *until)
{
	int command = op & FUTEX_CMD_MASK;
	bool real = op & FUTEX_CLOCK_REALTIME || command == FUTEX_LOCK_PI;
	struct timespec64 ts;

	*until = (struct until){CLOCK_MONOTONIC, DF_FOREVER};
	if (!timeout)
		return 0;
	if (user_get(&ts, timeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	until->ns = timespec_to_ns(&ts);
	if (command == FUTEX_WAIT)
		until->ns = deadline_in(until->ns);
	else if (real)
		until->clock = CLOCK_REALTIME;
	return 0;
}

static int check_address(gva_t uaddr)
{
	if (uaddr & 3)
		return -EINVAL;
	return user_ok((void *)uaddr, 4) ? 0 : -EFAULT;
}

static bool takes_deadline(int command)
{
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
		command == FUTEX_LOCK_PI2 || command == FUTEX_WAIT_REQUEUE_PI;
}

int64_t sys_futex(gva_t uaddr, int op, uint32_t val, gva_t timeout, gva_t uaddr2, uint32_t val3)
{
	int command = op & FUTEX_CMD_MASK;
	struct until until;
	uint32_t probe;
	int r;

	if (takes_deadline(command) && (r = read_deadline(timeout, op, &until)))
		return r;
	if ((op & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET &&
		command != FUTEX_LOCK_PI2 && command != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	if (command == FUTEX_WAKE_BITSET && !val3)
		return -EINVAL;
	if ((r = check_address(uaddr)))
		return r;
	/* Linux looks up the page behind a shared futex even to wake. */
	if (!(op & FUTEX_PRIVATE_FLAG) && user_get(&probe, uaddr))
		return -EFAULT;
	if (command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE || command == FUTEX_WAKE_OP) {
		if ((r = check_address(uaddr2)))
			return r;
	}
	switch (command) {
	case FUTEX_WAIT:
		return futex_wait(uaddr, val, ~0u, &until);
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, val, val3, &until);
	case FUTEX_WAKE:
		return futex_wake(uaddr, (int)val, ~0u);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, (int)val, val3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		/* The place of the timeout holds how many are to move. */
		return futex_requeue(&(struct requeue){.from = uaddr,
			.to = uaddr2,
			.wake = (int)val,
			.move = (int)timeout,
			.compare = command == FUTEX_CMP_REQUEUE,
			.expected = val3});
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, (int)val, uaddr2, (int)timeout, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return lock_pi(uaddr, &until, false);
	case FUTEX_TRYLOCK_PI:
		return lock_pi(uaddr, &until, true);
	case FUTEX_UNLOCK_PI:
		return unlock_pi(uaddr);
	default:
		return -ENOSYS;
	}
}
