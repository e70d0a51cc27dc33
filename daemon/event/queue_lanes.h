/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is due next. A lane is the events of one function, or the deliveries of one, that are ready: a heap of times and numbers, 16 bytes each.
 * Lanes with events form a ring, and the search for the next event goes on where the last one ended, so that each lane gets its turn.
 *
 * Nothing is locked here: queue.c holds its lock around every call. Lanes stay when they are empty.
 */
#ifndef DAEMON_QUEUE_LANES_H
#define DAEMON_QUEUE_LANES_H

#include "daemon/event/queue.h"
#include "host/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_entry {
	uint64_t due_ms;
	uint64_t id;
};

struct lane {
	char *key; /* kind and function, without a qualifier */
	unsigned int limit, taken; /* at the same time */
	struct lane_entry *heap; /* the earliest first, of these the lowest number */
	size_t count,
		capacity; /* capacity >= count + taken + reserved, so entries always find room */
	size_t reserved;
	struct lane *before, *after; /* in the ring; NULL while the heap is empty */
	struct lane *all; /* the next of all lanes */
};

struct lanes {
	struct df_map map;
	struct lane *ring; /* where the search goes on; NULL: nothing is ready */
	struct lane *all;
	unsigned int limit; /* of new lanes */
	unsigned int takers; /* who take, all together; 0: not known, and no share is kept free */
	uint64_t ready, taken;
};

void lanes_init(struct lanes *lanes, unsigned int limit, unsigned int takers);
void lanes_deinit(struct lanes *lanes);

/* The lane of a kind and function, whatever its qualifier, made if it is missing. NULL without memory. */
struct lane *lanes_get(struct lanes *lanes, enum queue_kind kind, const char *function)
	__attribute__((warn_unused_result));

/* Makes room for one more entry: lanes_put or lanes_unreserve follows. Returns 0 or -ENOMEM. */
int lanes_reserve(struct lane *lane) __attribute__((warn_unused_result));
void lanes_unreserve(struct lane *lane);

/* Adds an entry where one was reserved. */
void lanes_put(struct lanes *lanes, struct lane *lane, uint64_t id, uint64_t due_ms);

/*
 * Takes the next entry that is due at `now_ms` from a lane below its limit and its share; it counts as taken until lanes_drop or lanes_return. NULL: there is
 * none; *due_ms is when the first one of these lanes will be, UINT64_MAX for never.
 *
 * The share: a lane that has takers at work gets another one only while more than those are left for all others. So one slow lane has half of them
 * at most, a second one a quarter, and a lane that has none finds one.
 */
struct lane *lanes_take(struct lanes *lanes, uint64_t now_ms, uint64_t *id, uint64_t *due_ms);

/* An entry that was taken is over, or is ready again. */
void lanes_drop(struct lanes *lanes, struct lane *lane);
void lanes_return(struct lanes *lanes, struct lane *lane, uint64_t id, uint64_t due_ms);

/* Drops all entries of a lane that are not taken. */
void lanes_clear(struct lanes *lanes, struct lane *lane);

#endif
