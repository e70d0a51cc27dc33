// SPDX-License-Identifier: Apache-2.0
/* What is mapped where, with which protection: by system calls, and by hypercalls past the kernel. */
#include "leave.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 64u

/* Page-aligned, and of the program's own data segment. */
static uint64_t table[PAGES][PAGE / 8] __attribute__((aligned(4096)));
static char *mapped; /* prepared: anonymous pages with a pattern */
static char *of_file; /* prepared: private pages of our own file, one of them written to */
static uint64_t table_hash, mapped_hash, file_hash;

static void pattern(void *at, uint64_t bytes)
{
	uint64_t *p = at;

	for (uint64_t i = 0; i < bytes / 8; i++)
		p[i] = i * 0x10001 + 1;
}

static void prepare(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	pattern(table, sizeof(table));
	mapped = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	of_file = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED || of_file == MAP_FAILED)
		broken("mmap");
	close(fd);
	pattern(mapped, PAGES * PAGE);
	pattern(of_file + 3 * PAGE, PAGE);
	table_hash = hash(table, sizeof(table));
	mapped_hash = hash(mapped, PAGES * PAGE);
	file_hash = hash(of_file, PAGES * PAGE);
}

static void hash_caught(void *arg)
{
	uint64_t *h = arg;

	h[0] = hash(table, sizeof(table));
	h[1] = hash(mapped, PAGES * PAGE);
	h[2] = hash(of_file, PAGES * PAGE);
}

static void write_caught(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < PAGES; i++) {
		table[i][0]++;
		mapped[i * PAGE]++;
		of_file[i * PAGE]++;
	}
}

/* Everything that was prepared is there, as it was, and can be written. */
static void look_prepared(void)
{
	uint64_t h[3];

	if (caught(hash_caught, h)) {
		leak("prepared memory can not be read");
		return;
	}
	if (h[0] != table_hash)
		leak("static data is not as at the freeze");
	if (h[1] != mapped_hash)
		leak("anonymous memory is not as at the freeze");
	if (h[2] != file_hash)
		leak("private file memory is not as at the freeze");
	if (caught(write_caught, NULL))
		leak("prepared memory can not be written");
}

/* --- protections --- */

static void protect_dirty(void)
{
	for (unsigned i = 0; i < PAGES; i += 3) {
		mprotect(table[i], PAGE, i % 2 ? PROT_NONE : PROT_READ);
		mprotect(mapped + i * PAGE, PAGE, i % 2 ? PROT_READ : PROT_NONE);
		mprotect(of_file + i * PAGE, PAGE, i % 2 ? PROT_NONE : PROT_READ | PROT_EXEC);
	}
	mapped[1 * PAGE] = 5;
}

/* --- text --- */

static int __attribute__((noinline, aligned(64))) answer(void)
{
	__asm__ volatile("nop; nop; nop; nop");
	return 41;
}

static void text_dirty(void)
{
	static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3};
	char *page = (char *)((uintptr_t)answer & ~(uintptr_t)(PAGE - 1));

	if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC))
		broken("mprotect of text");
	memcpy((void *)(uintptr_t)answer, code, sizeof(code));
	if (answer() != 42)
		broken("text that was changed");
}

static void text_look(void)
{
	int (*volatile f)(void) = answer;

	if (f() != 41)
		leak("a function answers %d", f());
	if (writable((uint64_t)(uintptr_t)answer))
		leak("text can be written");
}

/* --- unmapping and moving --- */

static void unmap_dirty(void)
{
	munmap(mapped, PAGES * PAGE / 2);
	munmap(of_file + 8 * PAGE, 8 * PAGE);
	mremap(mapped + PAGES / 2 * PAGE, 8 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
	munmap(table[5], PAGE);
	fill_secret(mmap(mapped, PAGES * PAGE / 4, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		PAGES * PAGE / 4);
}

/* --- new mappings of every kind --- */

static const uint64_t places[] = {
	0x40000000, 0x123456789000, 0x5ffffffff000, 0x7dfffffff000, 0x7fff00000000};
#define PLACES (sizeof(places) / sizeof(places[0]))

static void forms_dirty(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC};

	for (unsigned i = 0; i < PLACES; i++) {
		char *p = mmap((void *)places[i], PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (p == MAP_FAILED)
			broken("mmap at a fixed address");
		fill_secret(p, PAGE);
	}
	for (unsigned i = 0; i < 100; i++) {
		int prot = prots[i % 5];
		char *p = mmap(NULL, (1 + i % 7) * PAGE, prot,
			MAP_PRIVATE | (i % 3 ? MAP_ANONYMOUS : 0), i % 3 ? -1 : fd, 0);

		if (p == MAP_FAILED)
			continue;
		if (prot & PROT_READ)
			(void)*(volatile char *)p;
		if (prot & PROT_WRITE)
			fill_secret(p, PAGE);
		if (i % 4 == 0)
			munmap(p, PAGE);
		if (i % 4 == 1)
			mprotect(p, PAGE, PROT_READ);
	}
	/* Reserved, then used here and there. */
	{
		char *p = mmap(NULL, 1ULL << 32, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		for (unsigned i = 0; p != MAP_FAILED && i < 20; i++) {
			mprotect(p + i * (100ULL << 20), PAGE, PROT_READ | PROT_WRITE);
			fill_secret(p + i * (100ULL << 20), PAGE);
		}
	}
	close(fd);
}

static void forms_look(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < PLACES; i++)
		if (readable(places[i]))
			leak("something is mapped at %lx", places[i]);
	say("same place of a mapping: %p", (void *)p);
	look_prepared();
}

/* --- the same past the kernel --- */

#define ALIAS 0x300000000ULL /* nothing is there */

static int64_t map_range(struct df_map_range range)
{
	memcpy(request_page()->data, &range, sizeof(range));
	return request(DF_CALL_MAP, 1, 0, 0, 0);
}

/* The hypercall to end with: the kernel must not run any more. */
static void leave(void)
{
	request(DF_CALL_EXIT, 0, 0, 0, 0);
}

/* The arena shows its frames in order. */
static gpa_t frame_of(uint64_t va)
{
	return va - DF_VA_ARENA + DF_GPA_ARENA;
}

/* A free frame of the arena, far up. */
static uint64_t spare(void)
{
	uint64_t va = DF_VA_ARENA + (12ULL << 20);

	if (!readable(va))
		broken("no spare frame");
	return va;
}

static uint64_t spare_hash;

/* The kernel's windows grow; a rehearsal may have made them larger already, but events do not. */
static const struct {
	uint64_t from, step;
} windows[] = {{DF_VA_ARENA, DF_LARGE_SIZE}, {DF_VA_KHEAP, DF_LARGE_SIZE / 2},
	{DF_VA_KSTACK + DF_KSTACK_SIZE, DF_KSTACK_STRIDE}};
#define WINDOWS (sizeof(windows) / sizeof(windows[0]))

static void raw_prepare(void)
{
	prepare();
	spare_hash = hash((void *)spare(), 16 * PAGE);
}

static void raw_map(bool apply, bool end)
{
	fill_secret((void *)spare(), 16 * PAGE);
	for (unsigned i = 0; i < 8; i++) {
		/* Frames of the arena at new addresses, and over pages that were there. */
		map_range((struct df_map_range){.va = ALIAS + i * 0x40001000,
			.pages = 2,
			.gpa = frame_of(spare()),
			.prot = DF_PROT_READ | DF_PROT_WRITE | DF_PROT_EXEC});
		map_range((struct df_map_range){.va = (uint64_t)table[i * 2],
			.pages = 1,
			.gpa = frame_of(spare()) + i * PAGE,
			.prot = DF_PROT_READ | (i % 2 ? DF_PROT_WRITE : 0)});
		map_range((struct df_map_range){.va = DF_VA_ARENA + (13ULL << 20) + i * 3 * PAGE,
			.pages = 1,
			.gpa = frame_of(spare()),
			.prot = i % 2 ? DF_PROT_READ : 0});
	}
	map_range((struct df_map_range){.va = (uint64_t)table[20], .pages = 4});
	map_range((struct df_map_range){.va = (uint64_t)answer & ~(PAGE - 1ULL),
		.pages = 1,
		.gpa = frame_of(spare()),
		.prot = DF_PROT_READ});
	if (apply)
		__asm__ volatile("int $4" : : : "memory", "rax", "rcx", "rdx");
	if (end)
		leave();
}

static void raw_map_dirty(void)
{
	raw_map(false, true);
}

static void raw_map_apply_dirty(void)
{
	/* The gate comes back to the kernel, not to us: what the kernel makes of it ends the event. */
	raw_map(true, true);
}

/* So many edits that their list does not hold them. */
static void raw_map_many_dirty(void)
{
	for (unsigned round = 0; round < 40; round++)
		for (unsigned i = 0; i < 8; i++)
			map_range((struct df_map_range){
				.va = DF_VA_ARENA + (14ULL << 20) + i * 2 * PAGE,
				.pages = 1,
				.gpa = frame_of(spare()) + (round % 16) * PAGE,
				.prot = round % 2 ? DF_PROT_READ : DF_PROT_READ | DF_PROT_WRITE});
	leave();
}

/* Tables until there are none left. */
static void raw_map_tables_dirty(void)
{
	for (unsigned i = 0; i < 5000; i++)
		if (map_range((struct df_map_range){.va = ALIAS + i * 0x40000000ULL,
			    .pages = 1,
			    .gpa = frame_of(spare()),
			    .prot = DF_PROT_READ}) < 0)
			break;
	leave();
}

/* The monitor writes for us: pages of the root image over ours. */
static void raw_copy_dirty(void)
{
	for (unsigned i = 0; i < 16; i++)
		map_range((struct df_map_range){.va = DF_VA_ARENA + (12ULL << 20) + i * PAGE,
			.pages = 1,
			.gpa = frame_of(spare()) + i * PAGE,
			.prot = DF_PROT_READ | DF_PROT_WRITE,
			.copy_bytes = PAGE,
			.source = DF_GPA_FILES});
	if (hash((void *)spare(), 16 * PAGE) == spare_hash)
		broken("nothing was copied");
	leave();
}

static int64_t discard_range(uint64_t va, uint64_t bytes)
{
	return request(DF_CALL_DISCARD, frame_of(va), bytes, 0, 0);
}

/* The monitor takes pages away: those of the heap, and free ones that were written to. */
static void raw_discard_dirty(void)
{
	fill_secret((void *)spare(), 16 * PAGE);
	discard_range(spare(), 8 * PAGE);
	if ((uint64_t)mapped >= DF_VA_ARENA)
		discard_range((uint64_t)mapped, PAGES * PAGE);
	leave();
}

/* Also the stack that we run on, and what the program is made of. */
static void raw_discard_all_dirty(void)
{
	discard_range(DF_VA_ARENA, 16ULL << 20);
	leave();
}

static void raw_grow_dirty(void)
{
	static const uint64_t window[] = {DF_VA_ARENA, DF_VA_KHEAP, DF_VA_KSTACK};

	for (unsigned region = 0; region < DF_REGION_COUNT; region++)
		for (unsigned i = 0; i < 3; i++) {
			int64_t bytes = request(DF_CALL_GROW, region,
				region == DF_REGION_KSTACK ? DF_KSTACK_SIZE : DF_LARGE_SIZE, 0, 0);

			if (bytes < 0)
				continue;
			fill_secret(region == DF_REGION_KSTACK
					? (void *)(window[region] +
						  (uint64_t)bytes / DF_KSTACK_SIZE *
							  DF_KSTACK_STRIDE -
						  DF_KSTACK_SIZE)
					: (void *)(window[region] + (uint64_t)bytes - 65536),
				DF_KSTACK_SIZE);
		}
	leave();
}

static void look_spare(void *arg)
{
	(void)arg;
	if (hash((void *)spare(), 16 * PAGE) != spare_hash)
		leak("free frames are not as at the freeze");
	if (count_secret((void *)(DF_VA_ARENA + (12ULL << 20)), 4 << 20))
		leak("the secret lies in free frames");
}

static void raw_look(void)
{
	for (unsigned i = 0; i < 8; i++)
		if (readable(ALIAS + i * 0x40001000))
			leak("a page is mapped at %llx", ALIAS + i * 0x40001000);
	for (unsigned i = 0; i < WINDOWS; i++) {
		unsigned n = 0;

		while (readable(windows[i].from + n * windows[i].step))
			n++;
		say("same size of window %u: %u", i, n);
	}
	if (caught(look_spare, NULL))
		leak("the arena's end can not be read");
	look_prepared();
	text_look();
}

#define ROW(name, prepare, look, flags)                   \
	{                                                 \
#name, prepare, name##_dirty, look, flags \
	}
#define RAW(name)                                                                      \
	{                                                                              \
#name, raw_prepare, name##_dirty, raw_look, HAZARD_GUEST | HAZARD_ENDS \
	}
const struct hazard hazards_tables[] = {ROW(protect, prepare, look_prepared, 0),
	ROW(text, prepare, text_look, 0), ROW(unmap, prepare, look_prepared, 0),
	ROW(forms, prepare, forms_look, 0), RAW(raw_map), RAW(raw_map_apply), RAW(raw_map_many),
	RAW(raw_map_tables), RAW(raw_copy), RAW(raw_discard), RAW(raw_discard_all), RAW(raw_grow),
	{0}};
