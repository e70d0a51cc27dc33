// SPDX-License-Identifier: Apache-2.0
/*
 * Page faults: which pages of a mapping to show, and how many at once.
 *
 * Showing pages costs one exit whatever their number, so a fault shows a window around the address,
 * and neighbours that map the same file (the segments of a library) go along.
 */
#include <kernel/core/errno.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>
#include <kernel/mm/arena.h>
#include <kernel/mm/map.h>
#include <kernel/mm/user.h>
#include <asm/signal.h>
#include <asm-generic/siginfo.h>

#define FILE_WINDOW 1024 /* pages shown around a fault in a file */
#define COPY_WINDOW 16 /* pages copied around a write to a private file mapping */
#define ANON_WINDOW 16 /* the same for anonymous memory, growing while faults are sequential */
#define ANON_WINDOW_MAX 512

struct window {
	gva_t start, end;
};

static struct window window_around(const struct vma *v, gva_t va, uint64_t pages)
{
	uint64_t bytes = pages << DF_PAGE_SHIFT;
	struct window w = {va & ~(bytes - 1), (va & ~(bytes - 1)) + bytes};

	w.start = max(w.start, v->start);
	w.end = min(w.end, v->end);
	return w;
}

int vma_populate_run(struct vma *v, gva_t start, gva_t end)
{
	uint64_t pages = (end - start) >> DF_PAGE_SHIFT;
	char *frames = arena_alloc(pages, pages == ANON_WINDOW_MAX ? pages : 1);
	int r = frames ? 0 : -ENOMEM;

	for (gva_t p = start; p < end && !r; p += DF_PAGE_SIZE)
		r = page_set(p, page_entry(arena_gpa(frames + (p - start)), v->prot, true));
	if (!r)
		map_add(start, pages, arena_gpa(frames), v->prot);
	return r;
}

/* Anonymous: fresh zero frames, as few extents as possible. */
static int populate_anonymous(struct vma *v, gva_t va)
{
	static gva_t last_end;
	static uint64_t pages = ANON_WINDOW;
	struct window w;
	gva_t at, end;
	int r;

	/* Sequential faults double the window. */
	pages = va == last_end ? min(pages * 2, (uint64_t)ANON_WINDOW_MAX) : ANON_WINDOW;
	w = window_around(v, va, pages);
	/* Only the hole around va. */
	for (at = va; at > w.start && !page_get(at - DF_PAGE_SIZE); at -= DF_PAGE_SIZE)
		;
	for (end = va + DF_PAGE_SIZE; end < w.end && !page_get(end); end += DF_PAGE_SIZE)
		;
	if (vma_populate_run(v, at, end)) {
		at = va;
		end = va + DF_PAGE_SIZE;
		r = vma_populate_run(v, at, end);
		if (r)
			return r;
	}
	last_end = end;
	return 0;
}

static uint64_t file_index(const struct vma *v, gva_t va)
{
	return (v->offset + (va - v->start)) >> DF_PAGE_SHIFT;
}

static int frame_of(const struct vma *v, gva_t va, gpa_t *gpa)
{
	bool shared_write = (v->flags & VMA_SHARED) && (v->prot & DF_PROT_WRITE);

	if (!v->file->ops->frame)
		return -ENODATA;
	return v->file->ops->frame(v->file, file_index(v, va), shared_write, gpa);
}

int vma_copy_page(struct vma *v, gva_t va, unsigned bytes)
{
	uint32_t e = page_get(va);
	void *frame;
	gpa_t gpa;
	int r;

	if (e & PAGE_OWNED) {
		map_add(va, 1, page_gpa(e), v->prot);
		return page_set(va, (e & ~PAGE_PROT) | v->prot << PAGE_PROT_SHIFT);
	}
	r = frame_of(v, va, &gpa);
	if (r)
		return r;
	frame = frames_alloc(1);
	if (!frame)
		return -ENOMEM;
	r = page_set(va, page_entry(arena_gpa(frame), v->prot, true));
	if (!r)
		map_add_copy(va, arena_gpa(frame), v->prot, gpa, bytes);
	return r;
}

static int copy_page(struct vma *v, gva_t va)
{
	return vma_copy_page(v, va, DF_PAGE_SIZE);
}

/* Copies a run of pages into frames that lie together: one range for the monitor. */
static int copy_run(struct vma *v, gva_t start, gva_t end)
{
	uint64_t pages = (end - start) >> DF_PAGE_SHIFT;
	char *frames = frames_alloc(pages);

	for (uint64_t i = 0; i < pages; i++) {
		gva_t va = start + (i << DF_PAGE_SHIFT);
		void *frame = frames ? frames + (i << DF_PAGE_SHIFT) : frames_alloc(1);
		gpa_t gpa;
		int r = frame ? frame_of(v, va, &gpa) : -ENOMEM;

		if (!r)
			r = page_set(va, page_entry(arena_gpa(frame), v->prot, true));
		if (r) {
			if (frame)
				frames_free(frame, frames ? pages - i : 1);
			return r == -ENODATA && i ? 0 : r;
		}
		map_add_copy(va, arena_gpa(frame), v->prot, gpa, DF_PAGE_SIZE);
	}
	return 0;
}

/* Shows the file's own frames. Private mappings are shown without write: the first write copies. */
static int show_file(struct vma *v, struct window w, gva_t va)
{
	unsigned prot = v->flags & VMA_SHARED ? v->prot : v->prot & ~DF_PROT_WRITE;
	int r;

	for (gva_t p = w.start; p < w.end; p += DF_PAGE_SIZE) {
		uint32_t e = page_get(p);
		gpa_t gpa;

		if (page_prot(e))
			continue;
		if (e & PAGE_OWNED) {
			r = copy_page(v, p);
		} else {
			r = frame_of(v, p, &gpa);
			if (!r)
				r = page_set(p, page_entry(gpa, prot, false));
			if (!r)
				map_add(p, 1, gpa, prot);
		}
		if (r && (p == va || r != -ENODATA))
			return r;
		if (r && p > va)
			break;
	}
	return 0;
}

static int populate_file(struct vma *v, gva_t va, bool write)
{
	bool private_write = !(v->flags & VMA_SHARED) && (v->prot & DF_PROT_WRITE);
	struct window w = window_around(v, va, private_write ? COPY_WINDOW : FILE_WINDOW);
	int r;

	if (!private_write)
		return show_file(v, w, va);
	/* Small writable segments are copied at the first touch; in large ones only what is written. */
	if (v->end - v->start > COPY_WINDOW << DF_PAGE_SHIFT) {
		if (!write)
			return show_file(v, w, va);
		w.start = va;
		w.end = va + DF_PAGE_SIZE;
	} else {
		w = (struct window){v->start, v->end};
	}
	/* What is copied already stays; the others go in runs. */
	for (gva_t p = w.start; p < w.end;) {
		gva_t end = p;

		while (end < w.end && !(page_get(end) & PAGE_OWNED))
			end += DF_PAGE_SIZE;
		r = end > p                                 ? copy_run(v, p, end)
			: page_prot(page_get(p)) == v->prot ? 0
							    : copy_page(v, p);
		if (r && (p == va || r != -ENODATA))
			return r;
		p = max(end, p + DF_PAGE_SIZE);
	}
	return 0;
}

int vma_populate(struct vma *v, gva_t va, bool write)
{
	uint32_t e = page_get(va);

	/* The frame is there, but with other rights (mprotect changed the mapping lazily). */
	if (e && page_prot(e) != v->prot &&
		((e & PAGE_OWNED) || (v->flags & VMA_SHARED) || !write)) {
		unsigned prot = (e & PAGE_OWNED) || (v->flags & VMA_SHARED)
			? v->prot
			: v->prot & ~DF_PROT_WRITE;

		if (page_prot(e) != prot) {
			map_add(va, 1, page_gpa(e), prot);
			return page_set(va, (e & ~PAGE_PROT) | prot << PAGE_PROT_SHIFT);
		}
	}
	if (e && page_prot(e) && !write)
		return 0;
	return v->file ? populate_file(v, va, write) : populate_anonymous(v, va);
}

/* The other segments of the same library will be touched next. */
static void populate_neighbours(struct vma *v)
{
	for (int forward = 0; forward < 2; forward++) {
		struct vma *n = v;

		for (int i = 0; i < 4; i++) {
			n = list_entry(forward ? n->node.next : n->node.prev, struct vma, node);
			if (&n->node == &vma_list || n->file != v->file || !n->prot)
				break;
			if (!page_get(n->start) && vma_populate(n, n->start, false))
				break;
		}
	}
}

int mm_fault(gva_t va, bool write, bool exec, int *code)
{
	struct vma *v = vma_find(va, false);
	int r;

	if (!v) {
		*code = SEGV_MAPERR;
		return SIGSEGV;
	}
	*code = SEGV_ACCERR;
	if (!v->prot || (write && !(v->prot & DF_PROT_WRITE)) ||
		(exec && !(v->prot & DF_PROT_EXEC)))
		return SIGSEGV;
	va = df_page_down(va);
	if (v->flags & VMA_LINEAR) {
		/* Shown already, or a stale translation: say it once more. */
		map_add(va, 1, arena_gpa((void *)va), v->prot);
		map_flush();
		return 0;
	}
	r = vma_populate(v, va, write);
	if (!r && freeze_hooks.fault)
		freeze_hooks.fault(va, write);
	if (!r && v->file)
		populate_neighbours(v);
	map_flush();
	if (r == -ENODATA) {
		*code = BUS_ADRERR;
		return SIGBUS;
	}
	if (r)
		note("out of memory: the program needs more than %lu MiB; give it more with --memory",
			(unsigned long)(mm_total_bytes() >> 20));
	return r ? SIGKILL : 0;
}
