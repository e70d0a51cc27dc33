// SPDX-License-Identifier: Apache-2.0
/*
 * The snapshot: a program frozen at its wait point, as a file (or a memfd) that is mapped, not read.
 *
 *   0                 struct df_snapshot, one page
 *   extents_offset    struct df_extent[extent_count]: which pages of which region are in the file
 *   learned_offset    struct df_page_run[learned_count]: pages that an event writes
 *   data_offset       the pages, page aligned, in the order of the extents. What no extent names is zero.
 *   root_offset       the root image, 2 MiB aligned (0: the image is a file of its own)
 *
 * Little-endian, no pointers. A reader checks everything before it uses anything
 * (base/snapshot.h); `checksum` covers header, extents and learned set, `memory_checksum` the pages.
 */
#ifndef DAYFLY_SNAPSHOT_H
#define DAYFLY_SNAPSHOT_H

#include <dayfly/event.h>
#include <dayfly/hypercall.h>

#define DF_SNAPSHOT_MAGIC 0x3170616e73796664ULL /* "dfysnap1" */
#define DF_SNAPSHOT_VERSION 2

/* Regions of guest memory that a snapshot holds, in this order in `region`. */
enum df_snapshot_region {
	DF_SNAPSHOT_ARENA,
	DF_SNAPSHOT_KHEAP,
	DF_SNAPSHOT_KSTACK,
	DF_SNAPSHOT_SYSTEM,
	DF_SNAPSHOT_TABLES,
	DF_SNAPSHOT_OUT, /* output that was written before the freeze */
	DF_SNAPSHOT_REGIONS
};

struct df_extent {
	uint32_t region;
	uint32_t pages; /* > 0 */
	uint64_t
		first_page; /* in its region; extents are in order and do not touch each other's pages */
};

struct df_page_run {
	uint32_t region;
	uint32_t pages;
	uint64_t first_page;
};

#define DF_CPU_LEAVES 8

struct df_snapshot {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct df_snapshot) of the writer */
	uint64_t checksum; /* CRC-32C of header (with this field 0), extents and learned set */
	uint64_t memory_checksum; /* CRC-32C of all pages */
	uint64_t file_bytes; /* without the root image behind it */

	/* What must fit the host and the monitor. */
	uint32_t abi_version; /* DF_ABI_VERSION */
	uint32_t kernel_build; /* CRC-32C of the kernel image */
	uint32_t cpu
		[DF_CPU_LEAVES]; /* feature bits that the program could see (monitor/guest_cpuid.h) */
	uint64_t xcr0;
	uint32_t xsave_bytes;

	/* Memory. */
	uint32_t extent_count, learned_count;
	uint32_t reserved;
	uint64_t extents_offset, learned_offset, data_offset, data_bytes;
	struct {
		uint64_t bytes; /* plugged at the freeze */
		uint64_t max_bytes;
	} region[DF_SNAPSHOT_REGIONS];
	uint64_t tables_used; /* pages of the table region that are linked */
	uint64_t boot_page, request_page, apply_page; /* offsets in the system region, bytes */
	uint64_t stub_syscall; /* address of the system-call entry */
	uint64_t root_offset, root_bytes;
	uint32_t root_checksum; /* CRC-32C of its first 64 KiB: is it the same image? */

	/* The CPU: general registers behind the hypercall. The rest is the same for every guest. */
	uint32_t flags; /* DF_SNAPSHOT_* */
	uint64_t rip, rsp, rflags;
	uint64_t general[15]; /* rax rbx rcx rdx rsi rdi rbp r8-r15 */

	/* The program. */
	uint32_t wait_point; /* enum df_wait_point */
	uint32_t pid; /* that getpid() answered before the freeze */
	uint64_t monotonic_ns; /* guest clock at the freeze */
	uint64_t boot_ns; /* how long it took to get there */
	uint64_t memory_bytes; /* --memory */
	uint64_t in_bytes, out_bytes; /* windows that the tables map */
	struct df_out out; /* what was written before the freeze */
	uint64_t event_pages; /* pages that the rehearsal wrote */
	char program[256]; /* its path, for messages */
	char features[128];
};
_Static_assert(sizeof(struct df_snapshot) <= 4096, "one page");

#define DF_SNAPSHOT_IOPL3 1u /* frozen with --test-iopl3 */
#define DF_SNAPSHOT_NET 2u /* there is a network device, and its window in the page tables */

#endif
