// SPDX-License-Identifier: Apache-2.0
/*
 * Learning. Nothing is rewritten behind the freeze: an event that rewrote a site would do it for itself alone,
 * and the next one again. Instead a rehearsal, an event in an instance that is thrown away, notes which sites
 * trap and which pages fault, and the frozen instance is prepared accordingly before its snapshot is taken.
 *
 * The notes are taken where the monitor looks for them, in place of the reply's attributes, which a rehearsal
 * therefore does not write. The program can write there, too; what it can spoil is its own guest.
 */
#include <kernel/freeze/freeze.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/rewrite.h>

#define NUMBER_SHIFT 48 /* in `site`: above the address, the number of the call */
#define ADDRESS ((1ULL << NUMBER_SHIFT) - 1)

#define learned ((struct df_learned *)(DF_VA_OUT + DF_OUT_ATTRIBUTES))

static void add(uint64_t *list, uint32_t *count, uint64_t value)
{
	uint32_t n = min(*count, (uint32_t)DF_LEARNED_MAX);

	for (uint32_t i = 0; i < n; i++)
		if (list[i] == value)
			return;
	if (n == DF_LEARNED_MAX)
		return;
	list[n] = value;
	*count = n + 1;
}

bool learn_trap(gva_t site, uint64_t nr)
{
	if (boot_info->event.mode == DF_MODE_REHEARSE)
		add(learned->site, &learned->sites, (site & ADDRESS) | nr << NUMBER_SHIFT);
	return true;
}

void learn_fault(gva_t va, bool write)
{
	if (boot_info->event.mode == DF_MODE_REHEARSE)
		add(learned->page, &learned->pages, df_page_down(va) | write);
}

void learn_start(void)
{
	learned->sites = learned->pages = 0;
}

void learn_apply(void)
{
	uint32_t sites = min(learned->sites, (uint32_t)DF_LEARNED_MAX);
	uint32_t pages = min(learned->pages, (uint32_t)DF_LEARNED_MAX);

	/* Else each event would have it plugged and shown anew, and touch it for the first time. */
	arena_plug(learned->arena_bytes);
	/* The call that waits here trapped before the rehearsal, and is likely to be made again. Behind it stands rip. */
	rewrite_learned(current->frame->rip - 2, current->frame->orig_rax);
	for (uint32_t i = 0; i < sites; i++)
		rewrite_learned(learned->site[i] & ADDRESS, learned->site[i] >> NUMBER_SHIFT);
	for (uint32_t i = 0; i < pages; i++) {
		uint64_t page = learned->page[i];
		int code;

		/* What can not be shown now, the event will ask for again, and be told why not. */
		(void)mm_fault(df_page_down(page), page & 1, false, &code);
	}
	memset(learned, 0, sizeof(*learned));
}
