// SPDX-License-Identifier: Apache-2.0
/* The software page map and batches of page-table changes: see map.h. */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/mm/map.h>
#include <asm/signal.h>

#define LEAF_PAGES 1024
#define LEAF_SHIFT (DF_PAGE_SHIFT + 10)
#define BUCKETS 64

struct leaf {
	struct leaf *next;
	uint64_t number; /* va >> LEAF_SHIFT */
	uint32_t *entry; /* LEAF_PAGES */
};

static struct leaf *buckets[BUCKETS];
static struct leaf *last; /* most lookups stay in one leaf */

static struct leaf *leaf_find(gva_t va)
{
	uint64_t number = va >> LEAF_SHIFT;
	struct leaf *l = last;

	if (l && l->number == number)
		return l;
	for (l = buckets[number % BUCKETS]; l; l = l->next)
		if (l->number == number)
			return last = l;
	return NULL;
}

uint32_t page_get(gva_t va)
{
	struct leaf *l = leaf_find(va);

	return l ? l->entry[va >> DF_PAGE_SHIFT & (LEAF_PAGES - 1)] : 0;
}

int page_set(gva_t va, uint32_t entry)
{
	struct leaf *l = leaf_find(va);

	if (!l) {
		if (!entry)
			return 0;
		l = kzalloc(sizeof(*l));
		if (!l)
			return -ENOMEM;
		l->entry = kzalloc(LEAF_PAGES * sizeof(*l->entry));
		if (!l->entry) {
			kfree(l);
			return -ENOMEM;
		}
		l->number = va >> LEAF_SHIFT;
		l->next = buckets[l->number % BUCKETS];
		buckets[l->number % BUCKETS] = l;
	}
	l->entry[va >> DF_PAGE_SHIFT & (LEAF_PAGES - 1)] = entry;
	return 0;
}

/* The batch grows where the hypercall wants it: until map_flush no other call may use the data page. */
#define batch ((struct df_map_range *)request_page->data)
static unsigned batch_count;

/* The next free range; flushes when there is none. */
static struct df_map_range *range_new(void)
{
	if (batch_count == DF_MAP_RANGES_MAX)
		map_flush();
	return &batch[batch_count++];
}

/* Lengthens the last range when this page continues it. */
static bool range_join(gva_t va, uint64_t pages, gpa_t gpa, unsigned prot, gpa_t source,
	unsigned bytes)
{
	struct df_map_range *p = &batch[batch_count - 1];
	uint64_t have = p->pages << DF_PAGE_SHIFT;

	if (!batch_count || p->va + have != va || p->prot != prot || (prot && p->gpa + have != gpa))
		return false;
	if (bytes ? p->copy_bytes != have || p->source + have != source : p->copy_bytes != 0)
		return false;
	p->pages += pages;
	p->copy_bytes += bytes;
	return true;
}

void map_add(gva_t va, uint64_t pages, gpa_t gpa, unsigned prot)
{
	if (!range_join(va, pages, gpa, prot, 0, 0))
		*range_new() = (struct df_map_range){
			.va = va, .pages = pages, .gpa = prot ? gpa : 0, .prot = prot};
}

void map_add_copy(gva_t va, gpa_t gpa, unsigned prot, gpa_t source, unsigned bytes)
{
	if (!range_join(va, 1, gpa, prot, source, bytes))
		*range_new() = (struct df_map_range){.va = va,
			.pages = 1,
			.gpa = gpa,
			.prot = prot,
			.copy_bytes = bytes,
			.source = source};
}

void map_flush(void)
{
	int64_t r;

	if (!batch_count)
		return;
	r = hypercall(DF_CALL_MAP, batch_count, 0, 0, 0);
	batch_count = 0;
	if (r == DF_MAP_APPLY)
		arch_apply();
	if (r >= 0)
		return;
	note("out of memory for page tables: the program spreads its mappings too widely");
	program_exit(0, SIGKILL);
}
