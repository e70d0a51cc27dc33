// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of the snapshot's checks (base/snapshot.c): the file as it is, and with its checksum made
 * right, which no change would survive. What is accepted must keep what snapshot.h promises, because the
 * monitor copies and maps by it. The file is a heap block of just its size, so the address sanitizer sees
 * every byte that is read outside.
 */
#include <base/snapshot.h>

#include <dayfly/layout.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void check(bool good)
{
	if (!good)
		abort();
}

static bool within(uint64_t at, uint64_t bytes, uint64_t size)
{
	return at <= size && bytes <= size - at;
}

/* Copies every page to where it belongs: nothing but a note of how far each region is filled. */
static void follow(const struct df_snapshot *h, const uint8_t *file, uint64_t list, uint32_t count,
	bool data, size_t size)
{
	uint64_t filled[DF_SNAPSHOT_REGIONS] = {0}, at = h->data_offset;

	for (uint32_t i = 0; i < count; i++) {
		struct df_extent e;

		check(within(list + i * sizeof(e), sizeof(e), size));
		memcpy(&e, file + list + i * sizeof(e), sizeof(e));
		check(e.region < DF_SNAPSHOT_REGIONS && e.pages > 0);
		check(e.first_page >= filled[e.region]);
		filled[e.region] = e.first_page + e.pages;
		check(filled[e.region] > e.first_page &&
			filled[e.region] <= h->region[e.region].bytes >> DF_PAGE_SHIFT);
		if (!data)
			continue;
		check(within(at, e.pages * DF_PAGE_SIZE, size));
		sink = file[at];
		at += e.pages * DF_PAGE_SIZE;
		sink = file[at - 1];
	}
	check(!data || at == h->data_offset + h->data_bytes);
}

static void check_accepted(const uint8_t *file, size_t size)
{
	static const uint64_t most[] = {DF_ARENA_MAX, DF_KHEAP_MAX, DF_KSTACK_MAX / 2,
		DF_SYSTEM_MAX, DF_TABLES_MAX, DF_WINDOW_MAX};
	const char *why;
	struct df_snapshot h;

	memcpy(&h, file, sizeof(h));
	for (unsigned r = 0; r < DF_SNAPSHOT_REGIONS; r++)
		check(h.region[r].bytes <= h.region[r].max_bytes &&
			h.region[r].max_bytes <= most[r] && !(h.region[r].bytes & DF_PAGE_MASK));
	follow(&h, file, h.extents_offset, h.extent_count, true, size);
	follow(&h, file, h.learned_offset, h.learned_count, false, size);
	check(h.boot_page < h.region[DF_SNAPSHOT_SYSTEM].bytes &&
		h.request_page < h.region[DF_SNAPSHOT_SYSTEM].bytes &&
		h.apply_page < h.region[DF_SNAPSHOT_SYSTEM].bytes);
	check(h.out.reply_bytes <= h.out_bytes - DF_OUT_REPLY);
	check(!h.root_offset || within(h.root_offset, h.root_bytes, size));
	check(strnlen(h.program, sizeof(h.program)) < sizeof(h.program));
	check(strnlen(h.features, sizeof(h.features)) < sizeof(h.features));
	df_snapshot_check_memory(file, size, &why);
}

/* The right checksum, where the lists that it covers are in the file. */
static void seal(uint8_t *file, size_t size)
{
	struct df_snapshot *h = (struct df_snapshot *)file;

	if (size < DF_PAGE_SIZE || (h->extents_offset | h->learned_offset) % 8 ||
		!within(h->extents_offset, h->extent_count * 16ULL, size) ||
		!within(h->learned_offset, h->learned_count * 16ULL, size))
		return;
	df_snapshot_seal(h, (const struct df_extent *)(file + h->extents_offset),
		(const struct df_page_run *)(file + h->learned_offset));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size ? size : 1);
	const char *why = NULL;

	memcpy(file, data, size);
	for (int sealed = 0; sealed < 2; sealed++) {
		int r = df_snapshot_check(file, size, &why);

		if (!r)
			check_accepted(file, size);
		else
			check(why && strlen(why) < 160);
		seal(file, size);
	}
	free(file);
	return 0;
}
