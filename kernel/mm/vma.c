// SPDX-License-Identifier: Apache-2.0
/*
 * The list of the program's mappings, and the pages behind them: see map.h and mm.h.
 *
 * Invariant: a linear mapping (VMA_LINEAR) is shown by the page tables exactly with its vma->prot;
 * free arena is shown read-write. Other mappings are shown as far as they have page entries.
 */
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/map.h>
#include <kernel/mm/user.h>

#define PROT_RW (DF_PROT_READ | DF_PROT_WRITE)
#define FRESH_BYTES (1ULL << 30)

struct list vma_list = LIST_INIT(vma_list);

struct vma *vma_find(gva_t va, bool next)
{
	struct vma *v;

	list_for_each(v, &vma_list, node) {
		if (va < v->start)
			return next ? v : NULL;
		if (va < v->end)
			return v;
	}
	return NULL;
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
		a->file == b->file && (!a->file || a->offset + (a->end - a->start) == b->offset);
}

static void vma_drop(struct vma *v)
{
	list_del(&v->node);
	if (v->file)
		file_unref(v->file);
	kfree(v);
}

struct vma *vma_add(gva_t start, gva_t end, unsigned prot, unsigned flags, struct file *file,
	uint64_t offset)
{
	struct vma *v = kzalloc(sizeof(*v)), *at, *prev;

	if (!v)
		return NULL;
	*v = (struct vma){.start = start,
		.end = end,
		.prot = prot,
		.flags = flags,
		.file = file,
		.offset = offset};
	if (file)
		file_ref(file);
	list_for_each(at, &vma_list, node)
		if (at->start >= end)
			break;
	list_add_before(&at->node, &v->node);
	prev = list_entry(v->node.prev, struct vma, node);
	if (&prev->node != &vma_list && !file && mergeable(prev, v)) {
		prev->end = end;
		vma_drop(v);
		return prev;
	}
	return v;
}

int vma_split(gva_t at)
{
	struct vma *v = vma_find(at, false), *n;

	if (!v || v->start == at)
		return 0;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = *v;
	n->start = at;
	n->offset += at - v->start;
	v->end = at;
	if (n->file)
		file_ref(n->file);
	list_add_head(&v->node, &n->node);
	return 0;
}

/* Pages of a non-linear mapping: entries and owned frames go. Runs of frames are freed together. */
static void release_pages(gva_t start, gva_t end)
{
	char *run = NULL;
	uint64_t pages = 0;

	for (gva_t va = start; va < end; va += DF_PAGE_SIZE) {
		uint32_t e = page_get(va);
		char *frame;

		if (!e)
			continue;
		if (page_prot(e))
			map_add(va, 1, 0, 0);
		kassert(!page_set(va, 0));
		if (!(e & PAGE_OWNED))
			continue;
		frame = arena_va(page_gpa(e));
		if (pages && frame == run + (pages << DF_PAGE_SHIFT)) {
			pages++;
			continue;
		}
		/* The page tables must let go before the frames serve someone else. */
		map_flush();
		if (pages)
			frames_free(run, pages);
		run = frame;
		pages = 1;
	}
	map_flush();
	if (pages)
		frames_free(run, pages);
}

static void vma_release(struct vma *v)
{
	if (!(v->flags & VMA_LINEAR)) {
		release_pages(v->start, v->end);
		/* A file shown inside the arena's own window: the arena is shown again there. */
		if (in_arena(v->start))
			map_add(v->start, (v->end - v->start) >> DF_PAGE_SHIFT,
				arena_gpa((void *)v->start), PROT_RW);
	} else if (v->prot != PROT_RW) {
		map_add(v->start, (v->end - v->start) >> DF_PAGE_SHIFT, arena_gpa((void *)v->start),
			PROT_RW);
	}
	map_flush();
	if (in_arena(v->start) && !(v->flags & VMA_STACK))
		frames_free((void *)v->start, (v->end - v->start) >> DF_PAGE_SHIFT);
	vma_drop(v);
}

int vma_unmap(gva_t start, gva_t end)
{
	struct vma *v, *tmp;
	int r = vma_split(start);

	if (!r)
		r = vma_split(end);
	if (r)
		return r;
	list_for_each_safe(v, tmp, &vma_list, node)
		if (v->start >= start && v->end <= end && !(v->flags & VMA_WINDOW))
			vma_release(v);
	return 0;
}

gva_t vma_gap(gva_t from, gva_t to, uint64_t bytes)
{
	struct vma *v;

	list_for_each(v, &vma_list, node) {
		if (v->end <= from)
			continue;
		if (v->start >= from + bytes)
			break;
		from = v->end;
	}
	return from + bytes <= to && from + bytes > from ? from : 0;
}

/* Highest free range of the mapping window. */
static gva_t highest_gap(uint64_t bytes, uint64_t align)
{
	gva_t upper = DF_VA_MAP_END, at;

	for (struct list *l = vma_list.prev; l != &vma_list; l = l->prev) {
		struct vma *v = list_entry(l, struct vma, node);

		if (v->start >= DF_VA_MAP_END)
			continue;
		at = (upper - bytes) & ~(align - 1);
		if (bytes <= upper - v->end && at >= v->end)
			return at;
		upper = v->start;
		if (upper <= DF_VA_MAP)
			return 0;
	}
	at = (upper - bytes) & ~(align - 1);
	return bytes <= upper - DF_VA_MAP && at >= DF_VA_MAP ? at : 0;
}

gva_t vma_place(uint64_t bytes, uint64_t align)
{
	static gva_t next = DF_VA_MAP_END;
	gva_t at;

	/* Downwards, as Linux does; libraries end up close to each other. The first gigabyte is not used
	 * twice: addresses that were never mapped need no flush. Behind it every address may have a table
	 * already, and gaps are as good. */
	while (next > DF_VA_MAP_END - FRESH_BYTES && bytes < FRESH_BYTES) {
		struct vma *v;

		at = (next - bytes) & ~(align - 1);
		/* Someone may have asked for an address down here. */
		v = vma_find(at, true);
		if (!v || v->start >= at + bytes) {
			next = at;
			return at;
		}
		next = v->start;
	}
	return highest_gap(bytes, align);
}

int64_t vma_anonymous(uint64_t bytes, unsigned prot, unsigned flags)
{
	/* Large mappings start on 2 MiB: the monitor can then back them by large pages. */
	uint64_t align = bytes >= DF_LARGE_SIZE ? DF_LARGE_SIZE : DF_PAGE_SIZE;
	void *p = NULL;
	gva_t va;

	/* What can be read and written at once is linear. A reservation takes addresses only, and so does
	 * what would take more than half of the memory that is left: it is often not all used. */
	if ((prot & PROT_RW) == PROT_RW && bytes <= mm_free_bytes() / 2)
		p = arena_alloc(bytes >> DF_PAGE_SHIFT, align >> DF_PAGE_SHIFT);
	if (p) {
		va = (gva_t)p;
		flags |= VMA_LINEAR;
	} else {
		va = vma_place(bytes, align);
	}
	if (!va || !vma_add(va, va + bytes, prot, flags, NULL, 0)) {
		if (p)
			frames_free(p, bytes >> DF_PAGE_SHIFT);
		return -ENOMEM;
	}
	if (p && prot != PROT_RW) {
		map_add(va, bytes >> DF_PAGE_SHIFT, arena_gpa(p), prot);
		map_flush();
	}
	return (int64_t)va;
}

gpa_t mm_linear_gpa(gva_t va, uint64_t n, bool write)
{
	unsigned need = write ? PROT_RW : DF_PROT_READ;
	struct vma *v = vma_find(va, false);
	uint32_t first;

	if (!v || n > v->end - va || (v->prot & need) != need)
		return 0;
	if (v->flags & VMA_LINEAR)
		return arena_gpa((void *)va);
	/* Frames of its own, one behind the other (a bss, for example). */
	first = page_get(va);
	if (!(first & PAGE_OWNED) || page_prot(first) != v->prot)
		return 0;
	for (gva_t at = df_page_down(va) + DF_PAGE_SIZE; at < va + n; at += DF_PAGE_SIZE)
		if (page_get(at) != first + ((at - df_page_down(va)) >> DF_PAGE_SHIFT))
			return 0;
	return page_gpa(first) + (va & DF_PAGE_MASK);
}
