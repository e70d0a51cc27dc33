// SPDX-License-Identifier: Apache-2.0
/*
 * Where everything lies in a guest: virtual and physical addresses, the segment selectors and the
 * hypercall port. Compiled by the monitor, which builds it, and by the kernel, which lives in it.
 *
 * Virtual, one line per window (PML4 slot in brackets; everything else belongs to the program):
 *
 *   0x6000_0000_0000 [192]  kernel image: RX and RW pages of each feature (kernel/kernel.lds)
 *   0x6000_0020_0000        system pages (struct of fixed pages below)
 *   0x6000_0030_0000        kernel heap, grows
 *   0x6000_4000_0000        kernel stacks, 32 KiB apart, lower half of each unmapped (guard)
 *   0x6001_0000_0000        page tables, supervisor only
 *   0x6080_0000_0000 [193]  the root image, read-only, 2 MiB pages
 *   0x7e00_0000_0000 [252]  the windows of an event (dayfly/event.h): in, read-only, and out
 *   0x7e60_0000_0000        the rings of the network device (dayfly/net.h)
 *   0x7e80_0000_0000 [253]  where mappings without an address go (files, reservations)
 *   0x7f00_0000_0000 [254]  the arena: every frame of program memory, mapped linearly
 *
 * The selectors are Linux's, so that a program sees the same values.
 */
#ifndef DAYFLY_LAYOUT_H
#define DAYFLY_LAYOUT_H

#include <dayfly/types.h>

#define DF_VA_KERNEL 0x600000000000ULL
#define DF_KERNEL_MAX 0x200000ULL /* bytes of address space for the kernel image */
#define DF_FEATURES_MAX 12

#define DF_VA_SYSTEM 0x600000200000ULL
#define DF_VA_STUB (DF_VA_SYSTEM + 0x0000) /* ring-0 stub: readable and executable by all */
#define DF_VA_TRAP_FRAME (DF_VA_SYSTEM + 0x1000) /* exception stack, read-only alias for ring 3 */
#define DF_VA_BOOT (DF_VA_SYSTEM + 0x2000) /* struct df_boot_info, read-only */
#define DF_VA_REQUEST (DF_VA_SYSTEM + 0x3000) /* struct df_request_page, read-write */
#define DF_VA_SAVE (DF_VA_REQUEST + 0xe00) /* where the stub leaves rcx and r11 of the program */
#define DF_VA_VDSO (DF_VA_SYSTEM + 0x4000) /* vDSO image: readable and executable, two pages */
#define DF_VDSO_PAGES 2
#define DF_VA_GDT (DF_VA_SYSTEM + 0x8000) /* GDT and TSS with I/O bitmap, supervisor */
#define DF_VA_TSS (DF_VA_GDT + 0x100)
#define DF_VA_IDT (DF_VA_SYSTEM + 0x9000) /* supervisor */
#define DF_VA_TRAP_STACK \
	(DF_VA_SYSTEM + 0xa000) /* exception stack, supervisor, written by the CPU */
#define DF_TRAP_TOP 0x1000 /* exceptions: the CPU's frame ends at this offset of the page */
#define DF_TICK_TOP 0x800 /* DF_VECTOR_TICK has a frame of its own (IST 1) */
#define DF_VA_APPLY (DF_VA_SYSTEM + 0xb000) /* struct df_apply, supervisor: page-table edits */
#define DF_APPLY_PAGES 8
#define DF_SYSTEM_PAGES (11 + DF_APPLY_PAGES)

#define DF_VA_KHEAP 0x600000300000ULL
#define DF_KHEAP_MAX 0x3fd00000ULL
#define DF_KHEAP_FIRST 0x40000ULL /* there from the start, in the system region */
#define DF_VA_KSTACK 0x600040000000ULL
#define DF_KSTACK_STRIDE 0x8000ULL
#define DF_KSTACK_SIZE 0x4000ULL /* the first thread's is in the system region */
#define DF_KSTACK_MAX 0x40000000ULL
#define DF_VA_TABLES 0x600100000000ULL

#define DF_VA_FILES 0x608000000000ULL
#define DF_FILES_MAX 0x4000000000ULL
#define DF_VA_IN 0x7e0000000000ULL
#define DF_VA_OUT 0x7e4000000000ULL
#define DF_VA_NET 0x7e6000000000ULL /* rings of the network device (dayfly/net.h) */
#define DF_VA_MAP 0x7e8000000000ULL
#define DF_VA_MAP_END 0x7effffe00000ULL /* behind it 2 MiB that stay empty, below the main stack */
#define DF_VA_ARENA 0x7f0000000000ULL
#define DF_ARENA_MAX 0x1000000000ULL

#define DF_VA_PROGRAM_MIN 0x10000ULL
#define DF_VA_PROGRAM_MAX 0x7ffffffff000ULL

/* True when [va, va + bytes) lies wholly in addresses that a program may map: not in the kernel's and the root image's,
 * and not in the windows of an event, which it may use. */
static inline bool df_va_is_program(gva_t va, uint64_t bytes)
{
	gva_t end = va + bytes;

	return end >= va && va >= DF_VA_PROGRAM_MIN && end <= DF_VA_PROGRAM_MAX &&
		(end <= DF_VA_KERNEL || va >= DF_VA_FILES + 0x8000000000ULL) &&
		(end <= DF_VA_IN || va >= DF_VA_MAP);
}

/*
 * What every guest has lies side by side, so that one memory slot shows it: the page tables, which end where the system region
 * begins, the system region (kernel image, system pages, first pages of the heap, first kernel stack), and the arena. What the
 * heap and the stacks need beyond that has places of its own.
 */
#define DF_GPA_ARENA 0x100000000ULL
#define DF_SYSTEM_MAX 0x300000ULL
#define DF_GPA_SYSTEM (DF_GPA_ARENA - DF_SYSTEM_MAX)
#define DF_GPA_TABLES_END DF_GPA_SYSTEM
#define DF_TABLES_MAX 0x10000000ULL
#define DF_GPA_KHEAP 0x20140000ULL /* congruent with its addresses modulo 2 MiB */
#define DF_GPA_KSTACK 0x60000000ULL
#define DF_GPA_IN 0x1400000000ULL
#define DF_GPA_OUT 0x1800000000ULL
#define DF_GPA_NET 0x1c00000000ULL
#define DF_GPA_FILES 0x2000000000ULL

#define DF_CS_KERNEL 0x10 /* ring 0, the stub */
#define DF_SS_KERNEL 0x18
#define DF_SS_USER 0x2b
#define DF_CS_USER 0x33
#define DF_TSS_SELECTOR 0x40

#define DF_PORT 0x100 /* the hypercall port: `out %al, (%dx)` */

#define DF_VECTOR_GATE 4 /* `int $4`: the stub applies the edits that the monitor queued */
#define DF_VECTOR_TICK 32 /* the monitor's timer and host events */

#endif
