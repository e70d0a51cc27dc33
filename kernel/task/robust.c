// SPDX-License-Identifier: Apache-2.0
/*
 * Robust locks: a thread registers the list of the locks it holds; when it ends while holding some,
 * each is marked FUTEX_OWNER_DIED and one waiter is woken. The list is the program's memory and may be
 * nonsense: it is read with the copy routines, an error or a loop ends the walk.
 */
#include <linux/futex.h>
#include <kernel/mm/user.h>
#include <kernel/task/task.h>

struct robust_head {
	gva_t next;
	int64_t offset; /* from an entry to its lock word */
	gva_t pending; /* an entry that is being locked or unlocked right now */
};

int64_t sys_set_robust_list(gva_t head, uint64_t bytes)
{
	if (bytes != sizeof(struct robust_head))
		return -EINVAL;
	current->robust_list = head;
	current->robust_bytes = bytes;
	return 0;
}

int64_t sys_get_robust_list(int tid, gva_t head_out, gva_t bytes_out)
{
	struct thread *t = task_find(tid);
	uint64_t bytes = sizeof(struct robust_head);

	if (!t)
		return -ESRCH;
	if (user_put(bytes_out, &bytes))
		return -EFAULT;
	return user_put(head_out, &t->robust_list);
}

/* One lock. Nonzero: the walk ends. */
static int release_lock(struct thread *t, gva_t word_at, bool pi, bool pending)
{
	uint32_t word, died;

	if (word_at & 3 || user_get(&word, word_at))
		return -1;
	/* Unlocked already, but the thread died before it could wake anybody. */
	if (pending && !pi && word == 0) {
		futex_wake(word_at, 1, ~0u);
		return 0;
	}
	if ((word & FUTEX_TID_MASK) != (uint32_t)t->tid)
		return 0;
	died = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	if (user_put(word_at, &died))
		return -1;
	if (!pi && (word & FUTEX_WAITERS))
		futex_wake(word_at, 1, ~0u);
	return 0;
}

void robust_exit(struct thread *t)
{
	struct robust_head head;
	gva_t list = t->robust_list;
	gva_t entry, next;
	unsigned steps = 2048; /* ROBUST_LIST_LIMIT of Linux */

	t->robust_list = 0;
	if (!list || user_get(&head, list))
		return;
	/* Bit 0 of a link says that its lock has priority inheritance. */
	for (entry = head.next; (entry & ~1ULL) != list && steps; entry = next, steps--) {
		int bad = user_get(&next, entry & ~1ULL);

		if ((entry & ~1ULL) != (head.pending & ~1ULL) &&
			release_lock(t, (entry & ~1ULL) + (gva_t)head.offset, entry & 1, false))
			return;
		if (bad)
			break;
	}
	if (head.pending & ~1ULL)
		(void)release_lock(t, (head.pending & ~1ULL) + (gva_t)head.offset, head.pending & 1,
			true);
}
