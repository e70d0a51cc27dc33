// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel heap: runs of pages, and slabs of small objects on single pages.
 *
 * runs[] has a word for each page of the heap; the one of a run's first page holds its length and
 * whether it is in use, so the heap can be walked run by run. A block that starts on a page boundary
 * is a run; any other belongs to the slab page around it, which starts with a struct slab.
 * Blocks of 4 KiB and more are page aligned.
 */
#include <kernel/core/hypercall.h>
#include <kernel/core/list.h>
#include <kernel/mm/mm.h>

#define USED 1u
#define CLASSES 7
#define GROW_PAGES 64

static const uint16_t class_bytes[CLASSES] = {32, 64, 128, 256, 512, 1008, 2016};

struct slab {
	struct list node; /* on partial[class] while it has a free object */
	void *free; /* objects, linked through their first word */
	uint16_t used, class;
	uint32_t reserved[5];
};
_Static_assert(sizeof(struct slab) % 16 == 0 && sizeof(struct slab) + 2 * 2016 <= 4096, "slab");

static struct list partial[CLASSES];
static uint32_t first_runs[64];
static uint32_t *runs = first_runs;
static uint64_t page_count, lowest; /* no free run starts below `lowest` */

static void *page_at(uint64_t i)
{
	return (void *)(DF_VA_KHEAP + (i << DF_PAGE_SHIFT));
}

static uint64_t index_of(const void *p)
{
	return ((gva_t)p - DF_VA_KHEAP) >> DF_PAGE_SHIFT;
}

static void run_set(uint64_t i, uint64_t pages, unsigned used)
{
	runs[i] = (uint32_t)(pages << 1) | used;
}

static uint64_t run_pages(uint64_t i)
{
	return runs[i] >> 1;
}

static void heap_init(void)
{
	page_count = boot_info->kheap_bytes >> DF_PAGE_SHIFT;
	kassert(page_count <= array_size(first_runs));
	run_set(0, page_count, 0);
	for (unsigned i = 0; i < CLASSES; i++)
		list_init(&partial[i]);
}

/* First fit; merges free neighbours on the way. Index or -1. */
static int64_t find_run(uint64_t pages)
{
	bool before_free = true;

	for (uint64_t i = lowest; i < page_count; i += run_pages(i)) {
		uint64_t next = i + run_pages(i);

		if (runs[i] & USED) {
			if (before_free)
				lowest = next;
			continue;
		}
		before_free = false;
		while (next < page_count && !(runs[next] & USED)) {
			run_set(i, next + run_pages(next) - i, 0);
			next = i + run_pages(i);
		}
		if (run_pages(i) >= pages)
			return (int64_t)i;
	}
	return -1;
}

/* Adds memory, and moves runs[] to the start of it when it has become too small. */
static bool heap_grow(uint64_t pages)
{
	static uint64_t capacity = array_size(first_runs);
	uint64_t old = page_count, table = 0, total;
	int64_t r;

	pages += GROW_PAGES + (page_count + pages) / 512;
	r = hypercall(DF_CALL_GROW, DF_REGION_KHEAP, pages << DF_PAGE_SHIFT, 0, 0);
	if (r < 0)
		return false;
	total = (uint64_t)r >> DF_PAGE_SHIFT;
	if (total > capacity) {
		uint32_t *larger = page_at(old);

		table = (total * sizeof(*runs) + DF_PAGE_MASK) >> DF_PAGE_SHIFT;
		memcpy(larger, runs, old * sizeof(*runs));
		if (runs != first_runs)
			kfree(runs);
		runs = larger;
		capacity = total;
		run_set(old, table, USED);
	}
	page_count = total;
	run_set(old + table, total - old - table, 0);
	return true;
}

static void *run_alloc(uint64_t pages)
{
	int64_t i;
	uint64_t rest;

	if (!page_count)
		heap_init();
	i = find_run(pages);
	if (i < 0 && heap_grow(pages))
		i = find_run(pages);
	if (i < 0)
		return NULL;
	rest = run_pages((uint64_t)i) - pages;
	run_set((uint64_t)i, pages, USED);
	if (rest)
		run_set((uint64_t)i + pages, rest, 0);
	return page_at((uint64_t)i);
}

static void run_free(void *p)
{
	uint64_t i = index_of(p);

	kassert(i < page_count && (runs[i] & USED));
	runs[i] &= ~USED;
	lowest = min(lowest, i);
}

static struct slab *slab_new(unsigned class)
{
	struct slab *s = run_alloc(1);
	char *p, *end;

	if (!s)
		return NULL;
	end = (char *)s + DF_PAGE_SIZE;
	*s = (struct slab){.class = (uint16_t) class};
	for (p = (char *)(s + 1); p + class_bytes[class] <= end; p += class_bytes[class]) {
		*(void **)p = s->free;
		s->free = p;
	}
	list_add_head(&partial[class], &s->node);
	return s;
}

void *kmalloc(size_t bytes)
{
	unsigned class = 0;
	struct slab *s;
	void *p;

	while (class < CLASSES && class_bytes[class] < bytes)
		class ++;
	if (class == CLASSES)
		return run_alloc((bytes + DF_PAGE_MASK) >> DF_PAGE_SHIFT);
	if (!page_count)
		heap_init();
	if (list_empty(&partial[class])) {
		s = slab_new(class);
		if (!s)
			return NULL;
	} else {
		s = list_entry(partial[class].next, struct slab, node);
	}
	p = s->free;
	s->free = *(void **)p;
	s->used++;
	if (!s->free)
		list_del(&s->node);
	return p;
}

void *kzalloc(size_t bytes)
{
	void *p = kmalloc(bytes);

	return p ? memset(p, 0, bytes) : NULL;
}

size_t kmalloc_bytes(const void *p)
{
	const struct slab *s = (const struct slab *)df_page_down((gva_t)p);

	return (const void *)s == p ? run_pages(index_of(p)) << DF_PAGE_SHIFT
				    : class_bytes[s->class];
}

void kfree(void *p)
{
	struct slab *s = (struct slab *)df_page_down((gva_t)p);

	if (!p)
		return;
	if ((void *)s == p) {
		run_free(p);
		return;
	}
	kassert(s->used);
	if (!s->free)
		list_add_head(&partial[s->class], &s->node);
	*(void **)p = s->free;
	s->free = p;
	/* The last page of a class stays, so that one object made and freed again costs little. */
	if (!--s->used && s->node.next != s->node.prev) {
		list_del(&s->node);
		run_free(s);
	}
}
