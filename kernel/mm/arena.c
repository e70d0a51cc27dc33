// SPDX-License-Identifier: Apache-2.0
/*
 * The arena: frames of program memory, handed out in extents. A free extent knows whether it was
 * used before, because memory fresh from the monitor is zero and used memory is not; it is zeroed
 * when handed out again.
 *
 * The main stack lies at the start, the brk heap grows upwards behind it, everything else is taken
 * from the top downwards. When nothing fits, the monitor plugs more memory, up to --memory.
 */
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/list.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>

/* Freeing this much at once gives it back to the host. */
#define DISCARD_PAGES 8192
/* From this size on a buffer is worth a hypercall before it is filled. In an event most pages are there. */
#define TOUCH_BYTES (boot_info->event.number ? 2ULL << 20 : 128ULL << 10)

struct extent {
	struct list node; /* on free_list, by address */
	uint64_t start, pages; /* page numbers in the arena */
	bool dirty;
};

static struct list free_list = LIST_INIT(free_list);
static struct extent first_extent;
static uint64_t plugged, free_pages, total_pages;

static void account(int64_t pages)
{
	uint64_t used;

	free_pages += (uint64_t)pages;
	used = plugged - free_pages;
	if (used > request_page->stats.frames_used)
		request_page->stats.frames_used = used;
}

void arena_init(uint64_t reserved_pages)
{
	plugged = boot_info->arena_bytes >> DF_PAGE_SHIFT;
	total_pages = boot_info->arena_max_bytes >> DF_PAGE_SHIFT;
	first_extent = (struct extent){.start = reserved_pages, .pages = plugged - reserved_pages};
	list_add_tail(&free_list, &first_extent.node);
	account((int64_t)first_extent.pages);
}

static struct extent *next_of(struct extent *e)
{
	return e->node.next == &free_list ? NULL : list_entry(e->node.next, struct extent, node);
}

static void extent_drop(struct extent *e)
{
	list_del(&e->node);
	if (e != &first_extent)
		kfree(e);
}

static void merge_with_next(struct extent *e)
{
	struct extent *n = next_of(e);

	if (n && e->dirty == n->dirty && e->start + e->pages == n->start) {
		e->pages += n->pages;
		extent_drop(n);
	}
}

/* Puts [start, start + pages) into the free list. Losing it when the heap is full is better than failing. */
static void insert(uint64_t start, uint64_t pages, bool dirty)
{
	struct extent *e = kmalloc(sizeof(*e)), *at;

	if (!e || !pages) {
		kfree(e);
		return;
	}
	*e = (struct extent){.start = start, .pages = pages, .dirty = dirty};
	list_for_each(at, &free_list, node)
		if (at->start > start)
			break;
	list_add_before(&at->node, &e->node);
	account((int64_t)pages);
	merge_with_next(e);
	if (e->node.prev != &free_list)
		merge_with_next(list_entry(e->node.prev, struct extent, node));
}

static void *clean(uint64_t start, uint64_t pages, bool dirty)
{
	void *p = (void *)(DF_VA_ARENA + (start << DF_PAGE_SHIFT));

	if (dirty)
		memset(p, 0, pages << DF_PAGE_SHIFT);
	return p;
}

/* Takes part of a free extent. */
static void *carve(struct extent *e, uint64_t start, uint64_t pages)
{
	uint64_t end = start + pages, extent_end = e->start + e->pages;
	bool dirty = e->dirty;

	if (end == extent_end) {
		e->pages -= pages;
	} else if (start == e->start) {
		e->start += pages;
		e->pages -= pages;
	} else {
		e->pages = start - e->start;
		account(-(int64_t)(extent_end - start));
		insert(end, extent_end - end, dirty);
		return clean(start, pages, dirty);
	}
	account(-(int64_t)pages);
	if (!e->pages)
		extent_drop(e);
	return clean(start, pages, dirty);
}

static bool grow(uint64_t pages)
{
	uint64_t before = plugged;
	int64_t r;

	r = plugged + pages > total_pages
		? -ENOMEM
		: hypercall(DF_CALL_GROW, DF_REGION_ARENA, pages << DF_PAGE_SHIFT, 0, 0);
	if (r < 0) {
		/* If the program ends badly now, this is why. */
		request_page->out.stopped = DF_STOP_MEMORY;
		return false;
	}
	/* First, so that insert() counts them as free and not as freed. */
	plugged = (uint64_t)r >> DF_PAGE_SHIFT;
	insert(before, plugged - before, false);
	return true;
}

void arena_plug(uint64_t bytes)
{
	uint64_t pages = min(bytes >> DF_PAGE_SHIFT, total_pages);

	if (pages > plugged)
		(void)grow(pages - plugged);
}

/* The highest extent that fits, used memory before fresh where both do: it is already there. */
static struct extent *find(uint64_t pages, uint64_t align)
{
	struct extent *e, *best = NULL;

	list_for_each(e, &free_list, node) {
		uint64_t last = (e->start + e->pages - pages) & ~(align - 1);

		if (e->pages >= pages && last >= e->start && (!best || e->dirty >= best->dirty))
			best = e;
	}
	return best;
}

void *arena_alloc(uint64_t pages, uint64_t align_pages)
{
	struct extent *e = find(pages, align_pages);

	if (!e && grow(pages + align_pages - 1))
		e = find(pages, align_pages);
	if (!e)
		return NULL;
	return carve(e, (e->start + e->pages - pages) & ~(align_pages - 1), pages);
}

void *frames_alloc(uint64_t pages)
{
	return arena_alloc(pages, 1);
}

static struct extent *extent_at(uint64_t page)
{
	struct extent *e;

	list_for_each(e, &free_list, node)
		if (page >= e->start && page < e->start + e->pages)
			return e;
	return NULL;
}

int arena_take(gva_t va, uint64_t pages)
{
	uint64_t start = (va - DF_VA_ARENA) >> DF_PAGE_SHIFT, got = 0;
	struct extent *e;

	/* All of it must be free, perhaps in several extents (used and fresh ones). */
	while (got < pages && (e = extent_at(start + got)))
		got = e->start + e->pages - start;
	if (got < pages)
		return -ENOMEM;
	while (pages) {
		uint64_t part;

		e = extent_at(start);
		part = min(pages, e->start + e->pages - start);
		carve(e, start, part);
		start += part;
		pages -= part;
	}
	return 0;
}

void frames_free(void *va, uint64_t pages)
{
	uint64_t start = ((gva_t)va - DF_VA_ARENA) >> DF_PAGE_SHIFT;
	bool dirty = true;

	kassert(start < plugged && pages <= plugged - start);
	/* What an event leaves is put back whatever it gave up. */
	if (pages >= DISCARD_PAGES && !boot_info->event.number)
		dirty = hypercall(DF_CALL_DISCARD, arena_gpa(va), pages << DF_PAGE_SHIFT, 0, 0) !=
			0;
	insert(start, pages, dirty);
}

void frames_touch(const void *buf, size_t bytes)
{
	static gva_t done_start,
		done_end; /* where this was done last: buffers are used again and again */
	gva_t start = df_page_down((gva_t)buf), end = df_page_up((gva_t)buf + bytes);
	gpa_t gpa;

	if (bytes < TOUCH_BYTES || !user_ok(buf, bytes) || (start >= done_start && end <= done_end))
		return;
	gpa = mm_linear_gpa(start, end - start, true);
	if (!gpa)
		return;
	done_start = start;
	done_end = end;
	hypercall(DF_CALL_TOUCH, gpa, end - start, 0, 0);
}

uint64_t mm_free_bytes(void)
{
	return (free_pages + total_pages - plugged) << DF_PAGE_SHIFT;
}

uint64_t mm_total_bytes(void)
{
	return total_pages << DF_PAGE_SHIFT;
}

gva_t arena_end(void)
{
	return DF_VA_ARENA + (plugged << DF_PAGE_SHIFT);
}
