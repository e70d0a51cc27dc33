// SPDX-License-Identifier: Apache-2.0
/*
 * Memory: kernel heap, arena frames, and the program's mappings (VMAs).
 *
 * The arena is the program's memory. All of it is mapped linearly at DF_VA_ARENA, so an anonymous
 * read-write mapping is a free extent of the arena and touches no page table. Everything else
 * (files, reservations, fixed addresses, other protections) is a VMA whose pages are mapped through
 * the monitor (DF_CALL_MAP), in batches, when first needed.
 */
#ifndef KERNEL_MM_H
#define KERNEL_MM_H

#include <dayfly/layout.h>
#include <kernel/core/file.h>

/* --- kernel heap; every object is 16-byte aligned, pages are page aligned --- */
void *kmalloc(size_t bytes) __attribute__((malloc)); /* NULL: out of memory */
void *kzalloc(size_t bytes) __attribute__((malloc));
void kfree(void *p); /* NULL-safe */
size_t kmalloc_bytes(const void *p); /* what a block takes from the heap */

/* --- arena frames --- */
/* Contiguous zeroed frames, as their address in the linear window. NULL: out of memory. */
void *frames_alloc(uint64_t pages);
void frames_free(void *va, uint64_t pages);
static inline gpa_t arena_gpa(const void *va)
{
	return (gpa_t)va - DF_VA_ARENA + DF_GPA_ARENA;
}
static inline void *arena_va(gpa_t gpa)
{
	return (void *)(gpa - DF_GPA_ARENA + DF_VA_ARENA);
}
/* Address at which the kernel reads byte `offset` of the root image. */
static inline const void *files_va(uint64_t offset)
{
	return (const void *)(DF_VA_FILES + offset);
}
/* The program's buffer is about to be filled: lets the host allocate the pages of the arena below a large
 * one in one go, instead of at each first access. */
void frames_touch(const void *buf, size_t bytes);
uint64_t mm_free_bytes(void); /* arena bytes not handed out, growth included */
uint64_t mm_total_bytes(void); /* --memory */

/* --- the program's mappings --- */
#define VMA_SHARED 1u
#define VMA_STACK 2u
#define VMA_HEAP 4u
#define VMA_LINEAR 8u /* shows the arena at its own addresses */
#define VMA_WIPE 16u /* MADV_WIPEONFORK */
#define VMA_WINDOW 32u /* of the event (feature freeze): shown by the monitor, stays */

struct vma {
	gva_t start, end;
	unsigned
		prot; /* PROT_READ 1 | PROT_WRITE 2 | PROT_EXEC 4: DF_PROT_* have the same values */
	unsigned flags;
	struct file *file; /* or NULL: anonymous */
	uint64_t offset; /* in file, bytes */
	struct list node; /* sorted by address */
};

/* Mapping that holds va, or the next one above it when `next`. NULL: none. */
struct vma *vma_find(gva_t va, bool next);
extern struct list vma_list;

/* Guest address of [va, va + n) when it is one mapping and its frames lie one behind the other, else 0. */
gpa_t mm_linear_gpa(gva_t va, uint64_t n, bool write);

/* Resolves a fault of the program or of a copy routine. 0, or the signal (SIGSEGV, SIGBUS) with *code. */
int mm_fault(gva_t va, bool write, bool exec, int *code);

#endif
