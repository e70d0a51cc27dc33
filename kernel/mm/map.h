// SPDX-License-Identifier: Apache-2.0
/*
 * Inside mm/: which frame each page of a non-linear mapping shows, and changes to the page tables.
 *
 * The page tables themselves belong to the monitor. This software copy of them (struct leaf, found by
 * address) says for each page which frame it shows, with what protection, and whether the frame is
 * the mapping's own. Pages of linear mappings have no entry: they show the arena at its own address
 * with the protection of their VMA.
 */
#ifndef KERNEL_MAP_H
#define KERNEL_MAP_H

#include <kernel/mm/mm.h>

/* An entry: frame number in the arena or the root image, and flags. 0: nothing. */
#define PAGE_NUMBER 0x03ffffffu
#define PAGE_IMAGE (1u << 26) /* a page of the root image, else of the arena */
#define PAGE_OWNED (1u << 27) /* freed with the mapping */
#define PAGE_PROT_SHIFT 28
#define PAGE_PROT (7u << PAGE_PROT_SHIFT) /* as mapped now; 0: the frame is kept, access is not */

uint32_t page_get(gva_t va);
/* -ENOMEM when the leaf can not be made. */
int page_set(gva_t va, uint32_t entry) must_check;

static inline uint32_t page_entry(gpa_t gpa, unsigned prot, bool owned)
{
	uint32_t e = gpa >= DF_GPA_FILES
		? PAGE_IMAGE | (uint32_t)((gpa - DF_GPA_FILES) >> DF_PAGE_SHIFT)
		: (uint32_t)((gpa - DF_GPA_ARENA) >> DF_PAGE_SHIFT);

	return e | prot << PAGE_PROT_SHIFT | (owned ? PAGE_OWNED : 0);
}

static inline gpa_t page_gpa(uint32_t e)
{
	return ((e & PAGE_IMAGE) ? DF_GPA_FILES : DF_GPA_ARENA) +
		((uint64_t)(e & PAGE_NUMBER) << DF_PAGE_SHIFT);
}

static inline unsigned page_prot(uint32_t e)
{
	return e >> PAGE_PROT_SHIFT & 7;
}

/* Queues a change of the page tables; neighbours are joined. Takes effect with map_flush. */
void map_add(gva_t va, uint64_t pages, gpa_t gpa, unsigned prot);
/* As map_add for one page whose arena frame is first filled with the first `bytes` of `source` (gpa of
 * the arena or the root image). The monitor copies: it need not fault on either page. */
void map_add_copy(gva_t va, gpa_t gpa, unsigned prot, gpa_t source, unsigned bytes);
void map_flush(void);

/* --- mappings (vma.c) --- */

/* Adds a mapping where nothing is mapped. file: a reference is taken. NULL: out of memory. */
struct vma *vma_add(gva_t start, gva_t end, unsigned prot, unsigned flags, struct file *file,
	uint64_t offset);
/* Makes `at` a boundary between mappings. */
int vma_split(gva_t at) must_check;
/* Takes away whatever is mapped in [start, end), page tables and frames included (not yet flushed). */
int vma_unmap(gva_t start, gva_t end) must_check;
/* Free address range in the mapping window, `align` bytes aligned. 0: none. */
gva_t vma_place(uint64_t bytes, uint64_t align);
/* Lowest free range of these addresses. 0: none. */
gva_t vma_gap(gva_t from, gva_t to, uint64_t bytes);
/* Shows pages of a mapping around va. write: va itself must become writable. 0, -ENOMEM, -ENODATA. */
int vma_populate(struct vma *v, gva_t va, bool write);
/* Makes the page at va of a private file mapping a copy of the file's page, up to `bytes` of it. */
int vma_copy_page(struct vma *v, gva_t va, unsigned bytes) must_check;
/* MADV_DONTNEED: anonymous memory that can be written reads as zero, private file pages as the file again. */
int vma_forget(struct vma *v, gva_t start, gva_t end) must_check;
/* Anonymous pages [start, end), none of them shown yet, with frames that lie together if possible. */
int vma_populate_run(struct vma *v, gva_t start, gva_t end);
/* Anonymous private memory: linear when the arena has room, else a mapping filled on demand.
 * Address or -errno. */
int64_t vma_anonymous(uint64_t bytes, unsigned prot, unsigned flags);

#endif
