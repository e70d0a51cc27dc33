// SPDX-License-Identifier: Apache-2.0
/* What mm/ uses of the arena beyond frames_alloc and frames_free (mm.h). */
#ifndef KERNEL_ARENA_H
#define KERNEL_ARENA_H

#include <dayfly/layout.h>
#include <kernel/core/lib.h>

/* Everything but the first `reserved_pages` (the main stack) becomes free. */
void arena_init(uint64_t reserved_pages);
/* Zeroed contiguous frames aligned to align_pages (a power of two). NULL: out of memory. */
void *arena_alloc(uint64_t pages, uint64_t align_pages);
/* Takes exactly these frames, zeroed, when they are free; else -ENOMEM. */
int arena_take(gva_t va, uint64_t pages);
/* Has so much plugged in advance, if there is so much. */
void arena_plug(uint64_t bytes);
gva_t arena_end(void); /* of what is plugged */

static inline bool in_arena(gva_t va)
{
	return va >= DF_VA_ARENA && va < arena_end();
}

#endif
