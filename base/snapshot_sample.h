// SPDX-License-Identifier: Apache-2.0
/* A small true snapshot, for the unit test and for the fuzzer to start from. */
#ifndef BASE_SNAPSHOT_SAMPLE_H
#define BASE_SNAPSHOT_SAMPLE_H

#include <base/snapshot.h>

#include <dayfly/layout.h>
#include <string.h>

#define SAMPLE_PAGES 7
#define SAMPLE_LEARNED 3

struct sample {
	struct df_snapshot header;
	uint8_t pad[DF_PAGE_SIZE - sizeof(struct df_snapshot)];
	struct df_extent extent[4];
	struct df_page_run learned[SAMPLE_LEARNED];
	uint8_t pad2[DF_PAGE_SIZE - 4 * sizeof(struct df_extent) -
		SAMPLE_LEARNED * sizeof(struct df_page_run)];
	uint8_t page[SAMPLE_PAGES][DF_PAGE_SIZE];
};

static inline void sample_make(struct sample *s)
{
	static const struct df_extent extents[] = {{DF_SNAPSHOT_ARENA, 2, 0},
		{DF_SNAPSHOT_ARENA, 1, 4095}, {DF_SNAPSHOT_KHEAP, 1, 3},
		{DF_SNAPSHOT_SYSTEM, 3, 9}};
	static const struct df_page_run learned[] = {{DF_SNAPSHOT_ARENA, 1, 1},
		{DF_SNAPSHOT_ARENA, 2, 100}, {DF_SNAPSHOT_SYSTEM, 1, 11}};
	struct df_snapshot *h = &s->header;

	memset(s, 0, sizeof(*s));
	memcpy(s->extent, extents, sizeof(extents));
	memcpy(s->learned, learned, sizeof(learned));
	for (unsigned p = 0; p < SAMPLE_PAGES; p++)
		memset(s->page[p], (int)p + 1, DF_PAGE_SIZE);
	*h = (struct df_snapshot){
		.magic = DF_SNAPSHOT_MAGIC,
		.version = DF_SNAPSHOT_VERSION,
		.header_bytes = sizeof(*h),
		.memory_checksum = df_crc32c(0, s->page, sizeof(s->page)),
		.file_bytes = sizeof(*s),
		.abi_version = DF_ABI_VERSION,
		.kernel_build = 1,
		.xcr0 = 7,
		.xsave_bytes = 832,
		.extent_count = 4,
		.learned_count = SAMPLE_LEARNED,
		.extents_offset = offsetof(struct sample, extent),
		.learned_offset = offsetof(struct sample, learned),
		.data_offset = offsetof(struct sample, page),
		.data_bytes = sizeof(s->page),
		.region =
			{
				[DF_SNAPSHOT_ARENA] = {16ULL << 20, 64ULL << 20},
				[DF_SNAPSHOT_KHEAP] = {256ULL << 10, 24ULL << 20},
				[DF_SNAPSHOT_KSTACK] = {DF_KSTACK_SIZE, 32ULL << 20},
				[DF_SNAPSHOT_SYSTEM] = {48 * DF_PAGE_SIZE, 48 * DF_PAGE_SIZE},
				[DF_SNAPSHOT_TABLES] = {2ULL << 20, 2ULL << 20},
				[DF_SNAPSHOT_OUT] = {2ULL << 20, 2ULL << 20},
			},
		.tables_used = 20,
		.boot_page = 30 * DF_PAGE_SIZE,
		.request_page = 31 * DF_PAGE_SIZE,
		.apply_page = 35 * DF_PAGE_SIZE,
		.stub_syscall = DF_VA_STUB + 0x300,
		.rip = DF_VA_KERNEL + 0x1234,
		.rsp = DF_VA_KSTACK + 0x7f00,
		.rflags = 0x246,
		.root_bytes = 100,
		.wait_point = DF_WAIT_POINT_STDIO,
		.pid = 1000,
		.monotonic_ns = 1000000000,
		.boot_ns = 2900000,
		.memory_bytes = 64ULL << 20,
		.in_bytes = 4ULL << 20,
		.out_bytes = 2ULL << 20,
		.out = {.reply_bytes = 6},
		.program = "/usr/bin/wc",
		.features = "core,files,tmp",
	};
	df_snapshot_seal(h, s->extent, s->learned);
}

#endif
