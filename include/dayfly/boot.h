// SPDX-License-Identifier: Apache-2.0
/*
 * What the monitor tells a kernel before its first instruction (page at DF_VA_BOOT, read-only to the
 * guest), and how the kernel image describes its features to the monitor.
 */
#ifndef DAYFLY_BOOT_H
#define DAYFLY_BOOT_H

#include <dayfly/hypercall.h>
#include <dayfly/layout.h>

/*
 * The RX segment of each feature in the kernel image starts with this header. The segment of "core"
 * holds the entry.
 */
#define DF_FEATURE_MAGIC 0x3174616566796664ULL /* "dfyfeat1" */
struct df_feature_header {
	uint64_t magic;
	char name[16];
	char needs[16]; /* a feature without which this one does not work, or "" */
	gva_t feature; /* the kernel's own struct feature */
	gva_t writable; /* start of its writable segment, if it has one */
};

struct df_time {
	/* ns = (((tsc - tsc_base) * mult) >> 32) + base; the vDSO reads this page, so the order stays. */
	uint64_t tsc_base;
	uint64_t mult; /* 32.32 fixed point ns per TSC tick */
	uint64_t monotonic_base_ns;
	uint64_t realtime_base_ns;
	uint64_t boottime_base_ns;
};

#define DF_BOOT_MAGIC 0x31746f6f62796664ULL /* "dfyboot1" */
#define DF_BOOT_RAW_ROOT 1u /* the root image is the program's ELF file itself */
#define DF_BOOT_EVENTS 2u /* freeze at the wait point; streams are the windows of dayfly/event.h */
#define DF_BOOT_NET 8u /* there is a network device (dayfly/net.h) at DF_VA_NET */
#define DF_BOOT_VERIFY 4u /* make DF_CALL_THAWED before each return to the program after a thaw */
struct df_boot_info {
	uint64_t magic;
	uint32_t abi_version; /* DF_ABI_VERSION */
	uint32_t flags; /* DF_BOOT_* */
	struct df_time time;
	uint64_t boot_tsc; /* when the monitor entered the guest first */
	uint64_t arena_bytes; /* mapped now */
	uint64_t arena_max_bytes; /* --memory */
	uint64_t kheap_bytes; /* mapped now; grows by DF_CALL_GROW */
	uint64_t kstack_count; /* mapped now */
	uint64_t files_bytes; /* size of the root image */
	uint64_t stack_bytes; /* of the program's main stack, at the start of the arena */
	uint32_t xsave_bytes; /* size of the XSAVE area for xcr0 */
	uint32_t feature_count;
	uint64_t xcr0;
	gva_t feature
		[DF_FEATURES_MAX]; /* struct df_feature_header of each loaded feature, core first */
	/*
	 * Program, working directory, arguments and environment: zero-ended strings, one behind the
	 * other, at the start of the arena: path, cwd, argc arguments, envc variables.
	 */
	uint32_t argc, envc;
	uint64_t strings_bytes;
	struct df_stream_stat stream[3];
	uint8_t random[64]; /* seed */
	uint32_t pid; /* what getpid() answers */
	uint32_t http_port; /* feature `http`: where the program is to listen; 0: wherever */
	char host_name[64];
	/* New on each return of DF_CALL_FREEZE: time, random, pid and this. */
	struct df_event event;
	uint64_t in_bytes, out_bytes; /* windows that are mapped, with DF_BOOT_EVENTS */
};
_Static_assert(sizeof(struct df_boot_info) <= 4096, "one page");

#endif
