// SPDX-License-Identifier: Apache-2.0
/* Page tables: see tables.h for the rules that keep shadow paging honest. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "tables.h"

#define PTE_PRESENT 1ULL
#define PTE_WRITE 2ULL
#define PTE_USER 4ULL
#define PTE_ACCESSED 0x20ULL
#define PTE_DIRTY 0x40ULL
#define PTE_LARGE 0x80ULL
#define PTE_NX (1ULL << 63)
#define PTE_ADDRESS 0x000ffffffffff000ULL
#define PTE_UPPER (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define ENTRIES 512

/* NULL when there is no table page: tables that came with a snapshot may say anything. */
static uint64_t *table_host(const struct tables *t, gpa_t gpa)
{
	const struct memory_range *r = &t->memory->range[MEMORY_TABLES];

	return gpa - r->gpa < r->bytes ? (uint64_t *)(r->host + (gpa - r->gpa)) : NULL;
}

static int table_new(struct tables *t, gpa_t *gpa)
{
	const struct memory_range *r = &t->memory->range[MEMORY_TABLES];

	if (t->used >= r->bytes >> DF_PAGE_SHIFT)
		return -ENOMEM;
	*gpa = r->gpa + (t->used++ << DF_PAGE_SHIFT);
	return 0;
}

int tables_init(struct tables *t, struct memory *m)
{
	gpa_t root;

	*t = (struct tables){.memory = m};
	return table_new(t, &root);
}

gpa_t tables_root(const struct tables *t)
{
	return t->memory->range[MEMORY_TABLES].gpa;
}

static unsigned index_at(gva_t va, int level)
{
	return (va >> (DF_PAGE_SHIFT + 9 * level)) & (ENTRIES - 1);
}

static uint64_t entry_offset(const struct tables *t, const uint64_t *entry)
{
	return (uint64_t)((const uint8_t *)entry - t->memory->range[MEMORY_TABLES].host);
}

/* Lets the stub write the entry once more. */
static void apply_add(struct tables *t, const uint64_t *entry, gva_t va, bool wide)
{
	struct df_apply *a = t->apply;

	if (a->count >= DF_APPLY_MAX) {
		t->overflow = true;
		return;
	}
	a->flush = wide || (a->count && a->flush);
	a->edit[a->count].entry = DF_VA_TABLES + entry_offset(t, entry);
	a->edit[a->count].value = *entry;
	a->edit[a->count].va = va;
	a->count++;
}

static void undo_add(struct tables *t, uint64_t *entry, gva_t va, bool wide)
{
	uint64_t n = entry_offset(t, entry) / sizeof(*entry), bit = 1ULL << n % 64;

	t->changed = true;
	if (n >= t->frozen * ENTRIES || (t->noted[n / 64] & bit))
		return;
	t->noted[n / 64] |= bit;
	if (t->undo_count == TABLES_UNDO_MAX) {
		t->undo_lost = true;
		return;
	}
	t->undo[t->undo_count].entry = entry;
	t->undo[t->undo_count].old = *entry;
	t->undo[t->undo_count].va = va;
	t->undo[t->undo_count].wide = wide;
	t->undo_count++;
}

/* Writes one live entry by the rules above. */
static void entry_set(struct tables *t, uint64_t *entry, uint64_t value, gva_t va, bool wide)
{
	uint64_t old = *entry;

	if (old == value)
		return;
	if (t->frozen)
		undo_add(t, entry, va, wide);
	*entry = value;
	if ((old & PTE_PRESENT) && t->apply)
		apply_add(t, entry, va, wide);
}

/* Replaces a 2 MiB entry by a table of the same 512 frames. */
static int split(struct tables *t, uint64_t *entry, gva_t va)
{
	uint64_t flags = *entry & (PTE_NX | (PTE_UPPER & ~PTE_LARGE));
	gpa_t frame = *entry & PTE_ADDRESS & ~DF_LARGE_MASK, gpa;
	uint64_t *table;
	int r = table_new(t, &gpa);

	if (r)
		return r;
	table = table_host(t, gpa);
	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = flags | (frame + i * DF_PAGE_SIZE);
	entry_set(t, entry, gpa | PTE_UPPER, va, true);
	return 0;
}

/* Entry for va at `level` (0: 4 KiB, 1: 2 MiB), making the tables above it. */
static int entry_at(struct tables *t, gva_t va, int level, uint64_t **out)
{
	uint64_t *table = table_host(t, tables_root(t));
	gpa_t gpa;
	int r;

	for (int l = 3; l > level; l--) {
		uint64_t *e = &table[index_at(va, l)];

		if (!(*e & PTE_PRESENT)) {
			r = table_new(t, &gpa);
			if (r)
				return r;
			entry_set(t, e, gpa | PTE_UPPER, va, true);
		} else if (l == 1 && (*e & PTE_LARGE)) {
			r = split(t, e, va);
			if (r)
				return r;
		}
		table = table_host(t, *e & PTE_ADDRESS);
		if (!table)
			return -EINVAL;
	}
	*out = &table[index_at(va, level)];
	return 0;
}

static uint64_t leaf_flags(uint32_t prot, unsigned flags)
{
	if (!prot)
		return 0;
	return PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | ((flags & TABLES_USER) ? PTE_USER : 0) |
		((prot & DF_PROT_WRITE) ? PTE_WRITE : 0) | ((prot & DF_PROT_EXEC) ? 0 : PTE_NX);
}

static int map_large(struct tables *t, gva_t va, gpa_t gpa, uint64_t flags, bool *done)
{
	uint64_t *entry;
	int r = entry_at(t, va, 1, &entry);

	if (r)
		return r;
	/* A table that is linked stays: its entries are set one by one. */
	*done = !(*entry & PTE_PRESENT) || (*entry & PTE_LARGE);
	if (*done)
		entry_set(t, entry, flags ? flags | PTE_LARGE | gpa : 0, va, true);
	return 0;
}

int tables_map(struct tables *t, gva_t va, uint64_t pages, gpa_t gpa, uint32_t prot, unsigned flags)
{
	uint64_t bits = leaf_flags(prot, flags);
	uint64_t *entry = NULL;
	int r;

	while (pages) {
		bool large = false;

		if (!((va | gpa) & DF_LARGE_MASK) && pages >= ENTRIES) {
			r = map_large(t, va, gpa, bits, &large);
			if (r)
				return r;
		}
		if (large) {
			uint64_t n = ENTRIES;

			va += n << DF_PAGE_SHIFT;
			gpa += bits ? n << DF_PAGE_SHIFT : 0;
			pages -= n;
			entry = NULL;
			continue;
		}
		if (!entry || !(va & DF_LARGE_MASK)) {
			r = entry_at(t, va, 0, &entry);
			if (r)
				return r;
		}
		entry_set(t, entry++, bits ? bits | gpa : 0, va, false);
		va += DF_PAGE_SIZE;
		gpa += bits ? DF_PAGE_SIZE : 0;
		pages--;
	}
	return 0;
}

int tables_commit(struct tables *t)
{
	if (t->overflow) {
		t->overflow = false;
		t->apply->count = 0;
		return memory_replug_block(t->memory);
	}
	return t->apply && t->apply->count ? DF_MAP_APPLY : 0;
}

bool tables_find(const struct tables *t, gva_t va, gpa_t *gpa)
{
	gpa_t table = tables_root(t);

	if (va >= DF_VA_PROGRAM_MAX)
		return false;
	for (int level = 3; level >= 0; level--) {
		const uint64_t *host = memory_at(t->memory, table, DF_PAGE_SIZE, false);
		uint64_t e, offset = (1ULL << (DF_PAGE_SHIFT + 9 * level)) - 1;

		if (!host)
			return false;
		e = host[index_at(va, level)];
		if (!(e & PTE_PRESENT) || !(e & PTE_USER))
			return false;
		if (!level || (level == 1 && (e & PTE_LARGE))) {
			*gpa = (e & PTE_ADDRESS & ~offset) | (va & offset);
			return true;
		}
		table = e & PTE_ADDRESS;
	}
	return false;
}

static uint64_t noted_bytes(const struct tables *t)
{
	return df_page_up(t->frozen * ENTRIES / 8);
}

int tables_freeze(struct tables *t, uint64_t used)
{
	t->used = t->frozen = t->clean = used;
	t->noted = mmap(NULL, noted_bytes(t), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return t->noted == MAP_FAILED ? -ENOMEM : 0;
}

/* All table pages from the pristine copy, and KVM forgets what it knows. */
static int reset_all(struct tables *t, const uint8_t *pristine)
{
	uint8_t *host = t->memory->range[MEMORY_TABLES].host;
	uint64_t frozen = t->frozen << DF_PAGE_SHIFT;

	memcpy(host, pristine, frozen);
	memset(host + frozen, 0, (t->used << DF_PAGE_SHIFT) - frozen);
	t->apply->count = 0;
	memset(t->noted, 0, noted_bytes(t));
	t->used = t->clean = t->frozen;
	t->changed = t->undo_lost = t->overflow = false;
	t->undo_count = 0;
	return memory_replug_block(t->memory);
}

/*
 * Puts the noted entries back. The stub repeats that for those that ended up with another value, which is
 * all that KVM can know, unless the guest left edits of its own undone.
 */
static void undo(struct tables *t)
{
	bool all = t->apply->count || t->overflow;

	t->apply->count = 0;
	for (unsigned i = 0; i < t->undo_count; i++) {
		uint64_t *entry = t->undo[i].entry, now = *entry;
		uint64_t n = entry_offset(t, entry) / sizeof(*entry);

		*entry = t->undo[i].old;
		t->noted[n / 64] &= ~(1ULL << n % 64);
		if (now != *entry || all)
			apply_add(t, entry, t->undo[i].va, t->undo[i].wide);
	}
}

int tables_reset(struct tables *t, const uint8_t *pristine)
{
	const struct memory_range *r = &t->memory->range[MEMORY_TABLES];
	uint64_t used = t->used;

	if (!t->changed)
		return 0;
	/* Half of the spare tables are burnt: start over. */
	if (t->undo_lost || used - t->frozen > ((r->bytes >> DF_PAGE_SHIFT) - t->frozen) / 2)
		return reset_all(t, pristine);
	undo(t);
	if (t->overflow)
		return reset_all(t, pristine);
	if (used > t->clean)
		memset(r->host + (t->clean << DF_PAGE_SHIFT), 0,
			(used - t->clean) << DF_PAGE_SHIFT);
	t->clean = used;
	t->changed = t->overflow = false;
	t->undo_count = 0;
	return t->apply->count ? DF_MAP_APPLY : 0;
}
