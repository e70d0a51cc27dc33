// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls that no correct kernel makes, sent by the program itself. An invalid one ends the
 * instance; a valid one does only what the kernel might have done to itself.
 */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GPA_TABLE (DF_GPA_TABLES_END - DF_PAGE_SIZE) /* one of the page tables' pages */

static void call_zero(void)
{
	request(0, 0, 0, 0, 0);
}

static void call_unknown(void)
{
	request(DF_CALL_COUNT, 0, 0, 0, 0);
}

static void call_huge(void)
{
	request(~0u, 0, 0, 0, 0);
}

/* --- WRITE and READ --- */

static void write_stream(void)
{
	request(DF_CALL_WRITE, 3, DF_GPA_ARENA, 1, 0);
}

static void write_stream_wrapped(void)
{
	request(DF_CALL_WRITE, 1ULL << 32 | 1, DF_GPA_ARENA, 1, 0);
}

static void write_nowhere(void)
{
	request(DF_CALL_WRITE, 1, 0x1000, 16, 0);
}

static void write_behind_arena(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	request(DF_CALL_WRITE, 1, DF_GPA_ARENA + b->arena_max_bytes - 8, 16, 0);
}

static void write_not_plugged(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	request(DF_CALL_WRITE, 1, DF_GPA_ARENA + b->arena_bytes - 8, 64 << 20, 0);
}

static void write_length_wraps(void)
{
	request(DF_CALL_WRITE, 1, DF_GPA_ARENA + 4096, -4096ULL, 0);
}

static void write_length_max(void)
{
	request(DF_CALL_WRITE, 1, DF_GPA_ARENA, ~0ULL, 0);
}

static void write_address_max(void)
{
	request(DF_CALL_WRITE, 1, ~0ULL, 2, 0);
}

static void write_from_tables(void)
{
	request(DF_CALL_WRITE, 1, GPA_TABLE, 4096, 0);
}

static void write_from_files_end(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	request(DF_CALL_WRITE, 1, DF_GPA_FILES + (b->files_bytes & ~DF_PAGE_MASK), 8192, 0);
}

/* Standard input holds bytes that would become page tables, the stub, descriptors. */
static void read_into_tables(void)
{
	request(DF_CALL_READ, 0, GPA_TABLE, 4096, DF_FOREVER);
}

static void read_into_kernel(void)
{
	request(DF_CALL_READ, 0, DF_GPA_SYSTEM, 4096, DF_FOREVER);
}

static void read_into_files(void)
{
	request(DF_CALL_READ, 0, DF_GPA_FILES, 4096, DF_FOREVER);
}

static void read_across_regions(void)
{
	request(DF_CALL_READ, 0, DF_GPA_KHEAP, DF_GPA_ARENA, DF_FOREVER);
}

/* --- MAP --- */

static int64_t map(uint64_t va, uint64_t pages, uint64_t gpa, uint32_t prot)
{
	*(struct df_map_range *)request_page()->data =
		(struct df_map_range){.va = va, .pages = pages, .gpa = gpa, .prot = prot};
	return request(DF_CALL_MAP, 1, 0, 0, 0);
}

static void map_copy(uint64_t gpa, uint64_t source, uint32_t bytes)
{
	*(struct df_map_range *)request_page()->data = (struct df_map_range){.va = DF_VA_MAP,
		.pages = 1,
		.gpa = gpa,
		.prot = DF_PROT_READ,
		.copy_bytes = bytes,
		.source = source};
	request(DF_CALL_MAP, 1, 0, 0, 0);
}

static void map_count(void)
{
	request(DF_CALL_MAP, DF_MAP_RANGES_MAX + 1, 0, 0, 0);
}

static void map_count_max(void)
{
	request(DF_CALL_MAP, ~0ULL, 0, 0, 0);
}

static void map_kernel_window(void)
{
	map(DF_VA_KERNEL, 1, DF_GPA_ARENA, 3);
}

static void map_stub_window(void)
{
	map(DF_VA_STUB, 1, DF_GPA_ARENA, 7);
}

static void map_tables_window(void)
{
	map(DF_VA_TABLES, 1, DF_GPA_ARENA, 3);
}

static void map_into_kernel_window(void)
{
	map(DF_VA_KERNEL - 4096, 2, DF_GPA_ARENA, 3);
}

static void map_around_kernel_window(void)
{
	map(DF_VA_PROGRAM_MIN, (DF_VA_PROGRAM_MAX - DF_VA_PROGRAM_MIN) >> 12, 0, 0);
}

static void map_kernel_frames(void)
{
	map(DF_VA_MAP, 1, DF_GPA_SYSTEM, 3);
}

static void map_table_frames(void)
{
	map(DF_VA_MAP, 1, GPA_TABLE, 3);
}

static void map_stack_frames(void)
{
	map(DF_VA_MAP, 1, DF_GPA_KSTACK, 3);
}

static void map_files_writable(void)
{
	map(DF_VA_MAP, 1, DF_GPA_FILES, 3);
}

static void map_files_behind(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	map(DF_VA_MAP, 2, DF_GPA_FILES + (b->files_bytes & ~DF_PAGE_MASK), 1);
}

static void map_arena_behind(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	map(DF_VA_MAP, 2, DF_GPA_ARENA + b->arena_bytes - 4096, 1);
}

static void map_no_memory(void)
{
	map(DF_VA_MAP, 1, 0xfee00000, 3);
}

static void map_unaligned(void)
{
	map(DF_VA_MAP + 1, 1, DF_GPA_ARENA, 1);
}

static void map_unaligned_frame(void)
{
	map(DF_VA_MAP, 1, DF_GPA_ARENA + 1, 1);
}

static void map_no_pages(void)
{
	map(DF_VA_MAP, 0, DF_GPA_ARENA, 1);
}

static void map_pages_wrap(void)
{
	map(DF_VA_MAP, 1ULL << 52, DF_GPA_ARENA, 1);
}

static void map_pages_wrap_to_one(void)
{
	map(DF_VA_MAP, (1ULL << 52) + 1, DF_GPA_ARENA, 1);
}

static void map_noncanonical(void)
{
	map(0x800000000000, 1, DF_GPA_ARENA, 1);
}

static void map_top(void)
{
	map(0xfffffffffffff000, 1, DF_GPA_ARENA, 3);
}

static void map_protection(void)
{
	map(DF_VA_MAP, 1, DF_GPA_ARENA, 8);
}

static void map_copy_from_tables(void)
{
	map_copy(DF_GPA_ARENA + 0x900000, GPA_TABLE, 4096);
}

static void map_copy_to_tables(void)
{
	map_copy(GPA_TABLE, DF_GPA_ARENA, 4096);
}

static void map_copy_to_files(void)
{
	map_copy(DF_GPA_FILES, DF_GPA_ARENA, 4096);
}

static void map_copy_long(void)
{
	map_copy(DF_GPA_ARENA + 0x900000, DF_GPA_ARENA, 4097);
}

static void map_copy_source_end(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	map_copy(DF_GPA_ARENA + 0x900000, DF_GPA_ARENA + b->arena_bytes - 8, 4096);
}

static void map_copy_source_wraps(void)
{
	map_copy(DF_GPA_ARENA + 0x900000, -8ULL, 4096);
}

/* Lets the monitor copy the last page of the root image, once someone has written to standard input. */
static void map_copy_after_input(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	char byte;

	if (write(1, "ready\n", 6) == 6 && read(0, &byte, 1) == 1)
		map_copy(DF_GPA_ARENA + 0x900000,
			DF_GPA_FILES + ((b->files_bytes - 1) & ~DF_PAGE_MASK), 4096);
}

/* All table pages. Later requests must fail and not harm. */
static void map_exhausts_tables(void)
{
	uint64_t va = DF_VA_MAP;
	int64_t r = 0;

	for (unsigned i = 0; i < 100000 && r >= 0; i++, va += 1ULL << 30)
		r = map(va & 0x7e8fffffffff, 1, DF_GPA_ARENA, 1), va += 1ULL << 21;
	printf("%ld\n", (long)r);
}

/* The most that one request may ask for: nothing in all of a large range, many times. */
static void map_endless(void)
{
	struct df_map_range *r = (struct df_map_range *)request_page()->data;

	for (;;) {
		for (unsigned i = 0; i < DF_MAP_RANGES_MAX; i++)
			r[i] = (struct df_map_range){
				.va = 0x610000000000, .pages = (1ULL << 32) + i};
		request(DF_CALL_MAP, DF_MAP_RANGES_MAX, 0, 0, 0);
	}
}

/* --- the others --- */

static void grow_region(void)
{
	request(DF_CALL_GROW, DF_REGION_COUNT, 4096, 0, 0);
}

static void grow_region_tables(void)
{
	request(DF_CALL_GROW, DF_REGION_COUNT + 1, 4096, 0, 0);
}

static void grow_wraps(void)
{
	for (uint32_t r = 0; r < DF_REGION_COUNT; r++)
		if (request(DF_CALL_GROW, r, ~0ULL, 0, 0) >= 0 ||
			request(DF_CALL_GROW, r, -4095ULL, 0, 0) >= 0)
			exit(98);
}

/* All that can be had; the end must be an error. */
static void grow_all(void)
{
	for (uint32_t r = 0; r < DF_REGION_COUNT; r++) {
		int64_t size = 0, last = 0;

		for (unsigned i = 0; i < 100000 && size >= 0; i++) {
			last = size;
			size = request(DF_CALL_GROW, r, 1, 0, 0);
		}
		printf("region %u: %ld KiB, then %ld\n", r, (long)last >> 10, (long)size);
		if (size >= 0)
			exit(98);
	}
}

static void discard_tables(void)
{
	request(DF_CALL_DISCARD, GPA_TABLE, 4096, 0, 0);
}

static void discard_system(void)
{
	request(DF_CALL_DISCARD, DF_GPA_SYSTEM, 4096, 0, 0);
}

static void discard_files(void)
{
	request(DF_CALL_DISCARD, DF_GPA_FILES, 4096, 0, 0);
}

static void discard_wraps(void)
{
	request(DF_CALL_DISCARD, DF_GPA_ARENA + 4096, -4096ULL, 0, 0);
}

static void discard_all(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	request(DF_CALL_DISCARD, DF_GPA_ARENA, b->arena_bytes, 0, 0);
}

static void random_length(void)
{
	request(DF_CALL_RANDOM, 1ULL << 32, 0, 0, 0);
}

static void tty_requests(void)
{
	/* TIOCSTI, TIOCSCTTY, FIONBIO, FIOCLEX, TIOCSWINSZ and numbers near ours */
	static const uint64_t numbers[] = {0x5412, 0x540e, 0x5421, 0x5451, 0x5414,
		0x5401ULL | 1ULL << 32, ~0ULL, 0x5480, 0x80045430};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (request(DF_CALL_TTY, 0, numbers[i], 0, 0) >= 0)
			exit(98);
	request(DF_CALL_TTY, 3, 0x5401, 0, 0);
}

static void log_length(void)
{
	request(DF_CALL_LOG, DF_LOG_NOTE, DF_DATA_BYTES + 1, 0, 0);
}

static void log_kind(void)
{
	request(DF_CALL_LOG, DF_LOG_KIND_COUNT, 1, 0, 0);
}

/* Terminal escapes, no end, format characters. */
static void log_text(void)
{
	memset(request_page()->data, 'A', DF_DATA_BYTES);
	memcpy(request_page()->data, "%s%n\033]0;title\007\033[2J\r\x9b", 20);
	request(DF_CALL_LOG, DF_LOG_NOTE, DF_DATA_BYTES, 0, 0);
	request(DF_CALL_LOG, DF_LOG_TRACE, DF_DATA_BYTES, 0, 0);
	request(DF_CALL_LOG, DF_LOG_MISSING, DF_DATA_BYTES, 0, 0);
	request(DF_CALL_PANIC, ~0ULL, 0, 0, 0);
}

static void wait_interest(void)
{
	request(DF_CALL_WAIT, 8, 0, 0, 0);
}

static void wait_for_ever(void)
{
	request(DF_CALL_WAIT, 0, DF_FOREVER, 0, 0);
}

static void timer_odd(void)
{
	request(DF_CALL_TIMER, ~0ULL, ~0ULL, 0, 0);
	request(DF_CALL_TIMER, 1, 1, 0, 0);
	for (volatile long i = 0; i < 30000000; i++)
		;
}

static void exit_odd(void)
{
	request(DF_CALL_EXIT, ~0ULL, 0, 0, 0);
}

static void exit_signal_odd(void)
{
	request(DF_CALL_EXIT, 0, ~0ULL, 0, 0);
}

/* --- crash reports that are lies --- */

static void forge(const char *maps, uint32_t signal, uint64_t rip, uint64_t rsp)
{
	struct df_fault *f = (struct df_fault *)request_page()->data;

	memset(request_page()->data, 0, DF_DATA_BYTES);
	f->signal = signal;
	f->vector = 14;
	f->regs.rip = rip;
	f->regs.rsp = rsp;
	memcpy(f + 1, maps, strlen(maps));
	request(DF_CALL_FAULT, 0, 0, 0, 0);
}

static void fault_random(void)
{
	for (unsigned i = 0; i < DF_DATA_BYTES; i++)
		request_page()->data[i] = (uint8_t)random_next();
	request(DF_CALL_FAULT, 0, 0, 0, 0);
}

static void fault_signal(void)
{
	forge("", ~0u, 0, 0);
}

static void fault_no_end(void)
{
	memset(request_page()->data, '1', DF_DATA_BYTES);
	request(DF_CALL_FAULT, 0, 0, 0, 0);
}

static void fault_maps(void)
{
	forge("0-ffffffffffffffff 0 /prog\n401000-402000 ffffffffffffffff /prog\n"
	      "ffffffffffffffff-0 0 /\n400000-500000 0 /../../etc/passwd\nzz\n-\n1-2\n400000-\n",
		11, 0x401100, DF_VA_ARENA + 0x1000);
}

/* A stack that leads round in a circle through the frame pointers. */
static void fault_circle(void)
{
	static uint64_t circle[4] __attribute__((aligned(4096)));
	struct df_fault *f = (struct df_fault *)request_page()->data;

	circle[0] = (uint64_t)circle;
	circle[1] = 0x10;
	memset(request_page()->data, 0, DF_DATA_BYTES);
	f->signal = 6;
	f->regs.rip = 0x10;
	f->regs.rbp = f->regs.rsp = (uint64_t)circle;
	memcpy(f + 1, "0-100000 0 /prog\n", 18);
	request(DF_CALL_FAULT, 0, 0, 0, 0);
}

static void fault_tables_stack(void)
{
	forge("400000-500000 0 /prog\n", 11, 0x401000, DF_VA_TABLES);
}

/* --- anything --- */

static uint64_t odd_number(void)
{
	static const uint64_t bases[] = {0, 1, DF_GPA_SYSTEM, GPA_TABLE, DF_GPA_KHEAP,
		DF_GPA_KSTACK, DF_GPA_ARENA, DF_GPA_FILES, DF_VA_KERNEL, DF_VA_TABLES, DF_VA_MAP,
		DF_VA_ARENA, ~0ULL, 1ULL << 63, 1ULL << 32, 4096, 0x5401, DF_VA_PROGRAM_MAX};
	uint64_t base = bases[random_next() % (sizeof(bases) / sizeof(bases[0]))];

	switch (random_next() % 5) {
	case 0:
		return base;
	case 1:
		return base + random_next() % 16;
	case 2:
		return base + (random_next() & 0xfffff000);
	case 3:
		return random_next() % 300;
	default:
		return random_next() >> random_next() % 64;
	}
}

/* Requests that end nothing when they are refused politely: the chance to meet a bad one is small. */
static void odd_map(void)
{
	struct df_map_range *r = (struct df_map_range *)request_page()->data;
	unsigned n = 1 + (unsigned)random_next() % 20;

	for (unsigned i = 0; i < n; i++) {
		uint32_t prot = (uint32_t)random_next() & 7;

		r[i] = (struct df_map_range){.va = DF_VA_MAP + (random_next() & 0xfffffff000),
			.pages = 1 + random_next() % 2000,
			.prot = prot,
			.gpa = prot ? DF_GPA_ARENA + (random_next() & 0x7ff000) : 0};
	}
	request(DF_CALL_MAP, n, 0, 0, 0);
}

static void random_polite(void)
{
	for (unsigned i = 0; i < 3000; i++) {
		switch (random_next() % 7) {
		case 0:
			odd_map();
			break;
		case 1:
			request(DF_CALL_GROW, random_next() % 3, odd_number() % (1 << 20), 0, 0);
			break;
		case 2:
			request(DF_CALL_DISCARD,
				DF_GPA_ARENA + 0x900000 + (random_next() & 0xff000), 4096, 0, 0);
			break;
		case 3:
			request(DF_CALL_SEEK, random_next() % 3, odd_number(), odd_number(), 0);
			break;
		case 4:
			request(DF_CALL_TIMER, odd_number(), odd_number(), 0, 0);
			break;
		case 5:
			request(DF_CALL_TTY, random_next() % 3, odd_number(), 0, 0);
			break;
		default:
			request(DF_CALL_WAIT, random_next() % 8, 0, 0, 0);
		}
	}
}

/* Whatever comes. The first that is invalid ends it, so the suite tries many seeds. */
static void random_rude(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t call = (uint32_t)random_next() % (DF_CALL_COUNT + 1);

		if (random_next() % 4 == 0)
			for (unsigned k = 0; k < 64; k++)
				((uint64_t *)request_page()->data)[k] = odd_number();
		/* These end at once or wait for ever; seldom is enough. */
		if ((call == DF_CALL_EXIT || call >= DF_CALL_FAULT || call == DF_CALL_WAIT) &&
			random_next() % 50)
			continue;
		request(call, odd_number(), odd_number(), odd_number(),
			call == DF_CALL_READ ? 0 : odd_number() % 1000);
	}
}

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_requests[] = {ROW(call_zero), ROW(call_unknown), ROW(call_huge),
	ROW(write_stream), ROW(write_stream_wrapped), ROW(write_nowhere), ROW(write_behind_arena),
	ROW(write_not_plugged), ROW(write_length_wraps), ROW(write_length_max),
	ROW(write_address_max), ROW(write_from_tables), ROW(write_from_files_end),
	ROW(read_into_tables), ROW(read_into_kernel), ROW(read_into_files),
	ROW(read_across_regions), ROW(map_count), ROW(map_count_max), ROW(map_kernel_window),
	ROW(map_stub_window), ROW(map_tables_window), ROW(map_into_kernel_window),
	ROW(map_around_kernel_window), ROW(map_kernel_frames), ROW(map_table_frames),
	ROW(map_stack_frames), ROW(map_files_writable), ROW(map_files_behind),
	ROW(map_arena_behind), ROW(map_no_memory), ROW(map_unaligned), ROW(map_unaligned_frame),
	ROW(map_no_pages), ROW(map_pages_wrap), ROW(map_pages_wrap_to_one), ROW(map_noncanonical),
	ROW(map_top), ROW(map_protection), ROW(map_copy_from_tables), ROW(map_copy_to_tables),
	ROW(map_copy_to_files), ROW(map_copy_long), ROW(map_copy_after_input),
	ROW(map_copy_source_end), ROW(map_copy_source_wraps), ROW(map_exhausts_tables),
	ROW(map_endless), ROW(grow_region), ROW(grow_region_tables), ROW(grow_wraps), ROW(grow_all),
	ROW(discard_tables), ROW(discard_system), ROW(discard_files), ROW(discard_wraps),
	ROW(discard_all), ROW(random_length), ROW(tty_requests), ROW(log_length), ROW(log_kind),
	ROW(log_text), ROW(wait_interest), ROW(wait_for_ever), ROW(timer_odd), ROW(exit_odd),
	ROW(exit_signal_odd), ROW(fault_random), ROW(fault_signal), ROW(fault_no_end),
	ROW(fault_maps), ROW(fault_circle), ROW(fault_tables_stack), ROW(random_polite),
	ROW(random_rude), {NULL, NULL}};
