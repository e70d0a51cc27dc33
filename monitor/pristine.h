// SPDX-License-Identifier: Apache-2.0
/*
 * The frozen state that instances are put back to: each region of guest memory as it was, readable at an
 * address of ours, and what the header of a snapshot says. It comes from a snapshot file, which is mapped
 * and not read, or (while a program is being frozen) from a running VM, which is copied.
 */
#ifndef MONITOR_PRISTINE_H
#define MONITOR_PRISTINE_H

#include <dayfly/snapshot.h>

#include "memory.h"

struct pristine {
	struct df_snapshot header; /* a checked copy */
	/* header.region[r].bytes readable bytes each; not in use: zero */
	uint8_t *memory[MEMORY_FROZEN];
	/* From a file: */
	int fd;
	const uint8_t *map; /* header, extents, learned set and pages */
	const struct df_extent *extents; /* private copies, checked */
	const struct df_page_run *learned;
};

/* Maps a snapshot file; p keeps the descriptor. -errno with *err set: the reason why it is refused. */
int pristine_open(struct pristine *p, int fd, struct df_err *err);
/* Lets a region of an instance, which is reserved, show the pristine pages, privately, until they are written. */
int pristine_map(const struct pristine *p, enum memory_region r, const struct memory *m,
	struct df_err *err);

/* Reserves what pristine_copy needs for memory of these sizes (max_bytes of each region). */
int pristine_reserve(struct pristine *p, const struct memory *m, struct df_err *err);
/* Copies the memory of a VM that stands still, into header.region and memory. */
int pristine_copy(struct pristine *p, const struct memory *m);
/* Calls `each` for every page of the VM that differs now. */
void pristine_compare(const struct pristine *p, const struct memory *m,
	void (*each)(void *context, enum memory_region r, uint64_t page), void *context);
/*
 * Writes header, extents, `learned_count` runs of learned pages, and the pages to a file that is empty.
 * Fills in the counts and offsets of p->header. -errno with *err set.
 */
int pristine_write(struct pristine *p, int fd, const struct df_page_run *learned,
	uint32_t learned_count, struct df_err *err);

/* The frozen bytes of one page; a page of zeros where the region had no such page. */
static inline const uint8_t *pristine_page(const struct pristine *p, enum memory_region r,
	uint64_t page)
{
	static const uint8_t zero[DF_PAGE_SIZE] __attribute__((aligned(4096)));

	return page < p->header.region[r].bytes >> DF_PAGE_SHIFT
		? p->memory[r] + (page << DF_PAGE_SHIFT)
		: zero;
}

#endif
