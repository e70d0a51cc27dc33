// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's page tables. Only the monitor computes them: supervisor pages that ring 3 can not
 * touch, Accessed and Dirty set in advance, so that ordinary execution never changes one.
 *
 * KVM may shadow these tables and does not see writes from user space. So:
 * - an entry that was not present is written here directly (nothing can have cached it);
 * - an entry that was present is written here and put on the list in struct df_apply, which the
 *   ring-0 stub writes once more from inside the guest (a write that KVM sees) with invlpg;
 * - when the list is full, the memory slot of the tables is deleted and added again, which forgets all;
 * - a table once linked stays where it is.
 *
 * Frozen tables can be put back: every change to one of them is noted, undone by tables_reset, and
 * repeated by the stub before the thawed kernel does anything else. Tables that an event added are
 * unlinked and not used again until the slot was re-added, because KVM may remember what they showed.
 */
#ifndef MONITOR_TABLES_H
#define MONITOR_TABLES_H

#include "memory.h"

#define TABLES_UNDO_MAX 4096

struct tables {
	struct memory *memory;
	uint64_t used; /* table pages handed out */
	struct df_apply *apply; /* host address of the guest's page */
	bool overflow; /* more edits than the list holds */

	/* Since tables_freeze. */
	uint64_t frozen; /* pages in use then, 0: not frozen */
	uint64_t clean; /* pages above this were handed out by the event that runs */
	bool changed;
	bool undo_lost; /* more changes than noted */
	uint64_t *noted; /* one bit an entry of the frozen tables: it is in undo */
	unsigned undo_count;
	struct {
		uint64_t *entry;
		uint64_t old;
		gva_t va;
		bool wide; /* stands for more than one page */
	} undo[TABLES_UNDO_MAX];
};

#define TABLES_USER 1u /* ring 3 may access */
#define TABLES_LARGE 2u /* 2 MiB pages (all three numbers must be aligned) */

int tables_init(struct tables *t, struct memory *m);
gpa_t tables_root(const struct tables *t);
/*
 * Shows `pages` frames from gpa on at va with protection prot (DF_PROT_*; 0 takes away). Uses 2 MiB
 * entries where the numbers allow it and no table stands there. -ENOMEM: no table page left.
 */
int tables_map(struct tables *t, gva_t va, uint64_t pages, gpa_t gpa, uint32_t prot,
	unsigned flags);
/* After the last tables_map of a request: 1 when the guest must execute `int $4`, 0, or -errno. With `overflow`, KVM's log of
 * written pages is lost: collect it before (written.h). */
int tables_commit(struct tables *t);
/* Where the page at va lies that ring 3 can read; false when there is none. */
bool tables_find(const struct tables *t, gva_t va, gpa_t *gpa);

/* From now on changes can be undone. `used`: pages that are in use. 0 or -ENOMEM. */
int tables_freeze(struct tables *t, uint64_t used);
/*
 * Puts back what changed since tables_freeze; the bytes of all table pages are then as they were.
 * pristine: the frozen table pages, for when there were too many changes to note.
 * Result DF_MAP_APPLY (the guest must execute `int $4` first of all), 0, or -errno.
 */
int tables_reset(struct tables *t, const uint8_t *pristine);

#endif
