/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-over of an event slot: see slot_state.h. */
#include "host/slot_state.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void df_slot_set(struct df_control *control, enum df_slot_side self, uint32_t state)
{
	uint32_t other = self == DF_SIDE_MONITOR ? DF_SIDE_CLIENT : DF_SIDE_MONITOR;

	__atomic_store_n(&control->state, state, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&control->waiters, __ATOMIC_SEQ_CST) & other))
		return;
	/* Taken back here, so that the waiter need not do it, and nobody wakes it twice. */
	__atomic_fetch_and(&control->waiters, ~other, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, &control->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* 0 when there is a reason to look at the state again. */
static int sleep_while(struct df_control *control, uint32_t seen, uint64_t deadline_ns)
{
	struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / 1000000000),
		.tv_nsec = (long)(deadline_ns % 1000000000),
	};

	/* The kind of futex wait whose time is absolute, so that wake-ups without a reason do not prolong it. */
	if (syscall(SYS_futex, &control->state, FUTEX_WAIT_BITSET, seen,
		    deadline_ns == DF_SLOT_NO_DEADLINE ? NULL : &deadline, NULL,
		    FUTEX_BITSET_MATCH_ANY) == 0 ||
		errno == EAGAIN)
		return 0;
	return -errno;
}

int df_slot_wait(struct df_control *control, enum df_slot_side self, uint32_t seen,
	uint64_t deadline_ns, uint32_t *state)
{
	int result = 0;

	for (;;) {
		uint32_t now = df_slot_state(control);

		if (now != seen) {
			*state = now;
			return 0;
		}
		if (result)
			return result;
		__atomic_fetch_or(&control->waiters, (uint32_t)self, __ATOMIC_SEQ_CST);
		if (df_slot_state(control) == seen)
			result = sleep_while(control, seen, deadline_ns);
		/* Usually the waker took it back already; then this line of memory stays as it is. */
		if (__atomic_load_n(&control->waiters, __ATOMIC_SEQ_CST) & self)
			__atomic_fetch_and(&control->waiters, ~(uint32_t)self, __ATOMIC_SEQ_CST);
	}
}
