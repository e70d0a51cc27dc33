/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over of an event slot (dayfly/wire.h), used by both of its sides.
 *
 * `state` says whose turn it is and is the futex word; `waiters` has a bit for each side that may sleep on it. One side
 * sets its bit, looks at the state once more, and sleeps only if it still is what it saw; the other side changes the state,
 * then looks at the bit, and makes the system call only if it is set. All of it is sequentially consistent: with a store
 * and a load in each direction nothing weaker would do. So an event that finds the monitor awake, or a reply that finds
 * the client awake, costs no system call at all.
 *
 * The other side may be hostile: it can write anything into both words at any time. Neither call trusts what it
 * finds there; df_slot_wait() ends by its deadline, or when the caller gets a signal.
 */
#ifndef HOST_SLOT_STATE_H
#define HOST_SLOT_STATE_H

#include <dayfly/wire.h>

/* The sides, by their bits in `waiters`. */
enum df_slot_side { DF_SIDE_MONITOR = 1, DF_SIDE_CLIENT = 2 };

#define DF_SLOT_NO_DEADLINE UINT64_MAX

static inline uint32_t df_slot_state(const struct df_control *control)
{
	return __atomic_load_n(&control->state, __ATOMIC_SEQ_CST);
}

/* Gives the slot to the other side: everything written before is visible to it. Wakes it if it sleeps. */
void df_slot_set(struct df_control *control, enum df_slot_side self, uint32_t state);

/*
 * Sleeps while the state is `seen`, until CLOCK_MONOTONIC is at `deadline_ns` (DF_SLOT_NO_DEADLINE: for ever). Returns 0
 * with what the state is then in *state, which may be any number; -ETIMEDOUT; or -EINTR after a signal was handled.
 * What the other side wrote before it changed the state is visible to the caller.
 */
int df_slot_wait(struct df_control *control, enum df_slot_side self, uint32_t seen,
	uint64_t deadline_ns, uint32_t *state) __attribute__((warn_unused_result));

#endif
