// SPDX-License-Identifier: Apache-2.0
/*
 * Which pages of guest memory were written since they were last put back.
 *
 * KVM's dirty log has a bit for each page, which is set before the guest can write to it. A page whose bit
 * stays set stays writable: it is put back after every event and costs no exit again, so the set is also
 * the learned set. When it has grown too large it is given up: the pages are dropped to the snapshot's own
 * and protected anew. What the monitor writes on the guest's behalf KVM does not see; the monitor says so
 * itself (written_add_host).
 *
 * Not the dirty ring, which would save the calls: on shadow paging one reload of CR3 can make hundreds of
 * pages writable at once, more than the ring keeps in reserve, and entries are lost.
 */
#ifndef MONITOR_WRITTEN_H
#define MONITOR_WRITTEN_H

#include "memory.h"

#define WRITTEN_LIST 2048 /* pages that are listed; more are found in the maps */

struct written {
	struct memory *memory;
	uint64_t *map[MEMORY_SLOTS_MAX]; /* a bit for each page of the slot: it is in the set */
	uint64_t *log; /* what KVM says about one slot */
	uint64_t *spare; /* for the maps of slots to come: after the lock nothing can be mapped */
	uint64_t spare_words;
	uint32_t count; /* pages in the maps */
	uint32_t listed; /* the first of them, up to WRITTEN_LIST */
	uint64_t list[WRITTEN_LIST]; /* page << 8 | region */
};

/* Before the first slot is plugged: asks KVM for a log that is cleared by hand. */
int written_enable(struct memory *m, struct df_err *err);
/* When all regions are reserved. */
int written_init(struct written *w, struct memory *m, struct df_err *err);
/* Adds the pages of [host, host + bytes), host memory of a region; anything else is no page of ours. */
void written_add_host(struct written *w, const void *host, uint64_t bytes);
/* Takes over what the log has. 0 or -errno. */
int written_collect(struct written *w);
/* Is this page in the set? */
bool written_has(const struct written *w, enum memory_region r, uint64_t page);
/* Protects all pages of the set again and forgets them. 0 or -errno. */
int written_clear(struct written *w);
/* Calls `each` for every page, in no order. */
void written_each(const struct written *w,
	void (*each)(void *context, enum memory_region r, uint64_t page), void *context);

#endif
