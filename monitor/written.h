// SPDX-License-Identifier: Apache-2.0
/*
 * Which pages of guest memory were written since they were last put back.
 *
 * KVM's dirty ring names each page when the guest gets write access to it, before it can write. A page
 * that was named once stays writable: it is put back after every event and costs no exit again, so
 * the set is also the learned set. When it has grown too large it is given up: the pages are dropped to
 * the snapshot's own and protected anew. What the monitor writes on the guest's behalf KVM does not see; the
 * monitor says so itself (written_add).
 */
#ifndef MONITOR_WRITTEN_H
#define MONITOR_WRITTEN_H

#include "memory.h"

#include <linux/kvm.h>

#define WRITTEN_RING 2048 /* entries; a power of two */
#define WRITTEN_LIST 2048 /* pages that are listed; more are found in the maps */

struct written {
	struct memory *memory;
	int vm_fd;
	struct kvm_dirty_gfn *ring;
	uint32_t next, reset; /* first entry not yet seen; first not yet given back */
	uint64_t *map[MEMORY_FROZEN]; /* one bit a page of the whole region */
	uint32_t count; /* pages in the maps */
	uint32_t listed; /* the first of them, up to WRITTEN_LIST */
	uint64_t list[WRITTEN_LIST]; /* page << 8 | region */
};

/* Before the vCPU is made: asks KVM for dirty rings; slots plugged from now on are tracked. */
int written_enable(struct memory *m, struct df_err *err);
/* When all regions are reserved: makes the maps. */
int written_init(struct written *w, struct memory *m, struct df_err *err);
/* When the vCPU is there: maps its ring. */
int written_map_ring(struct written *w, int vcpu_fd, struct df_err *err);
/* Adds a page. */
void written_add(struct written *w, enum memory_region r, uint64_t page);
/* Adds the pages of [host, host + bytes), host memory of a region; anything else is no page of ours. */
void written_add_host(struct written *w, const void *host, uint64_t bytes);
/* Takes over what the ring names. */
void written_collect(struct written *w);
/* Gives all entries of the ring back to KVM, which protects those pages again. */
int written_protect(struct written *w);
/* Calls `each` for every page, in no order. */
void written_each(const struct written *w,
	void (*each)(void *context, enum memory_region r, uint64_t page), void *context);
/* Forgets all pages. */
void written_clear(struct written *w);

#endif
