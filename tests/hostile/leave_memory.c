// SPDX-License-Identifier: Apache-2.0
/* What lies in the program's own memory, and memory that it gets anew. */
#include "leave.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 65536u
#define STACK (256u << 10)
#define FRESH (4u << 20)
#define HEAP (1u << 20)

static char *block; /* prepared, with a pattern */
static uint64_t before; /* its hash */

static char *map(void *at, uint64_t bytes, int flags)
{
	char *p =
		mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		broken("mmap");
	return p;
}

static void pattern(char *at, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		at[i] = (char)(i * 7 + i / 251 + 1);
}

/* --- heap --- */

static void heap_prepare(void)
{
	block = malloc(BLOCK);
	pattern(block, BLOCK);
	before = hash(block, BLOCK);
	/* Free lists of several sizes. */
	for (unsigned i = 0; i < 200; i++)
		free(malloc(16 + i * 40));
}

static void heap_dirty(void)
{
	fill_secret(block, BLOCK);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t bytes = 16 + i * 40;
		char *p = malloc(bytes);

		fill_secret(p, bytes);
		if (i % 2)
			free(p);
	}
	fill_secret(malloc(3 << 20), 3 << 20);
}

static void heap_look(void)
{
	if (hash(block, BLOCK) != before)
		leak("a heap block has other bytes than at the freeze");
	for (unsigned i = 0; i < 300; i++) {
		uint64_t bytes = 16 + i * 40;
		void *p = malloc(bytes);

		/* The compiler must not know that nothing was written. */
		__asm__ volatile("" : "+r"(p));
		if (count_secret(p, bytes))
			leak("a new block of %lu bytes holds the secret", bytes);
	}
}

/* --- stack --- */

static void __attribute__((noinline)) stack_dirty(void)
{
	uint64_t deep[STACK / 8];

	fill_secret(deep, sizeof(deep));
	__asm__ volatile("" : : "r"(deep) : "memory");
}

static void __attribute__((noinline)) stack_look(void)
{
	uint64_t deep[STACK / 8];
	uint64_t n;

	__asm__ volatile("" : : "r"(deep) : "memory");
	n = count_secret(deep, sizeof(deep));
	if (n)
		leak("the stack holds the secret %lu times", n);
}

static void stack_prepare(void)
{
	char *low = (char *)__builtin_frame_address(0) - STACK;

	/* So that the pages are there at the freeze. */
	for (unsigned i = 0; i < STACK; i += 4096)
		((volatile char *)low)[i] = 0;
}

/* --- static data --- */

static uint64_t in_bss[8192];
static uint64_t in_data[1024] = {5, 4, 3};
static unsigned counter = 17;

static void data_dirty(void)
{
	fill_secret(in_bss, sizeof(in_bss));
	fill_secret(in_data, sizeof(in_data));
	counter++;
	errno = 99;
}

static void data_look(void)
{
	if (!is_zero(in_bss, sizeof(in_bss)))
		leak("bss is not zero");
	if (in_data[0] != 5 || in_data[1] != 4 || in_data[2] != 3 || !is_zero(in_data + 3, 8000))
		leak("initialised data changed");
	if (counter != 17)
		leak("the counter is %u", counter);
}

/* --- memory that is new --- */

static void fresh_dirty(void)
{
	for (unsigned i = 0; i < 4; i++) {
		char *p = map(NULL, FRESH, 0);

		fill_secret(p, FRESH);
		/* Half of it goes back at once. */
		if (i % 2)
			munmap(p, FRESH);
	}
	fill_secret(map((void *)0x200000000, 65536, MAP_FIXED), 65536);
}

static void fresh_look(void)
{
	for (unsigned i = 0; i < 4; i++)
		if (!is_zero(map(NULL, FRESH, 0), FRESH))
			leak("new memory is not zero");
	if (readable(0x200000000))
		leak("a mapping at a fixed address is there");
}

static char *program_break;

static void brk_prepare(void)
{
	program_break = sbrk(0);
}

static void brk_dirty(void)
{
	fill_secret(sbrk(HEAP), HEAP);
}

static void brk_look(void)
{
	char *p = sbrk(HEAP);

	if (p != program_break)
		leak("the break moved by %ld", p - program_break);
	if (!is_zero(p, HEAP))
		leak("memory behind the break is not zero");
}

/* More memory than was there at the freeze: the arena grows. */
#define LARGE (24u << 20)

static void grow_dirty(void)
{
	fill_secret(map(NULL, LARGE, 0), LARGE);
}

/* A rehearsal has grown it already, so there is nothing to see but that events do not. */
static void grow_look(void)
{
	uint64_t end = DF_VA_ARENA;

	while (readable(end))
		end += DF_LARGE_SIZE;
	say("same size of the arena: %llu", end - DF_VA_ARENA);
	if (!is_zero(map(NULL, LARGE, 0), LARGE))
		leak("memory that the guest grew by is not zero");
}

/* --- advice --- */

#define ADVISED (8u << 20)

static void advice_prepare(void)
{
	block = map(NULL, ADVISED, 0);
	pattern(block, ADVISED);
	before = hash(block, ADVISED);
}

/* Large and small pieces: they are given back in different ways. What was given back reads as zero. */
static void advice_dirty(void)
{
	if (madvise(block, ADVISED / 2, MADV_DONTNEED) ||
		madvise(block + ADVISED / 2, BLOCK, MADV_DONTNEED))
		broken("MADV_DONTNEED");
	if (!is_zero(block, ADVISED / 2 + BLOCK))
		broken("MADV_DONTNEED left bytes");
	madvise(block + ADVISED / 4 * 3, BLOCK, MADV_FREE);
	madvise(block + ADVISED / 4 * 3, BLOCK, MADV_WIPEONFORK);
}

static void advice_look(void)
{
	if (hash(block, ADVISED) != before)
		leak("memory that was given back is not as at the freeze");
}

/*
 * Memory marked MADV_WIPEONFORK is zero after each thaw, whatever was in it at the freeze. Linux wipes nothing
 * here: without a thaw this looks for zeros that were never anything else.
 */
static void wipe_prepare(void)
{
	block = map(NULL, BLOCK, 0);
	if (madvise(block, BLOCK, MADV_WIPEONFORK))
		broken("MADV_WIPEONFORK");
	if (readable(DF_VA_BOOT))
		fill_secret(block, BLOCK);
}

static void wipe_dirty(void)
{
	fill_secret(block, BLOCK);
	madvise(block, BLOCK, MADV_KEEPONFORK);
}

static void wipe_look(void)
{
	if (!is_zero(block, BLOCK))
		leak("memory marked MADV_WIPEONFORK was not wiped");
}

#define ROW(name, prepare, flags)                                \
	{                                                        \
#name, prepare, name##_dirty, name##_look, flags \
	}
const struct hazard hazards_memory[] = {ROW(heap, heap_prepare, 0), ROW(stack, stack_prepare, 0),
	ROW(data, NULL, 0), ROW(fresh, NULL, 0), ROW(brk, brk_prepare, 0),
	ROW(grow, NULL, HAZARD_GUEST | HAZARD_BLIND), ROW(advice, advice_prepare, 0),
	ROW(wipe, wipe_prepare, 0), {0}};
