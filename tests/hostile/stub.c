// SPDX-License-Identifier: Apache-2.0
/*
 * The stub (all of ring 0's code) and the kernel's doors, entered by a program in ways that no
 * correct one takes: the page-table gate, every instruction of the stub, kernel code anywhere.
 */
#include "attack.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- the gate --- */

/* The list is empty: the stub returns to gate_return, which takes the kernel's last stack. */
static void gate(void)
{
	__asm__ volatile("int $4" : : : "memory");
}

static void gate_registers(void)
{
	__asm__ volatile("mov %0, %%rsp; int $4"
			 :
			 : "r"(DF_VA_TABLES), "a"(~0UL), "c"(~0UL), "d"(DF_VA_TABLES)
			 : "memory");
}

/* The monitor's list is filled by a true request, then the gate is taken by the program. */
static void gate_after_map(void)
{
	struct df_map_range *r = (struct df_map_range *)request_page()->data;

	for (unsigned i = 0; i < 60; i++)
		r[i] = (struct df_map_range){.va = DF_VA_ARENA + 0x800000 + i * 8192,
			.pages = 1,
			.gpa = DF_GPA_ARENA + 0x800000 + i * 4096,
			.prot = DF_PROT_READ};
	request(DF_CALL_MAP, 60, 0, 0, 0);
	gate();
}

/* Requests that change the same entries to and fro, without the gate, and then the gate. */
static void gate_stale(void)
{
	for (unsigned round = 0; round < 100; round++) {
		struct df_map_range *r = (struct df_map_range *)request_page()->data;
		uint32_t prot = (uint32_t)(random_next() & 7);

		*r = (struct df_map_range){
			.va = DF_VA_ARENA + 0x800000 + (random_next() & 0x3ff000),
			.pages = 1 + random_next() % 600,
			.prot = prot,
			.gpa = prot ? DF_GPA_ARENA + (random_next() & 0x3ff000) : 0};
		if (request(DF_CALL_MAP, 1, 0, 0, 0) < 0)
			break;
	}
	gate();
}

/* --- jumps --- */

static void jump_to(void *target)
{
	((void (*)(void))target)();
}

static void jump_wild(void *target)
{
	/* Every register a kernel address; the stack is the kernel's. */
	__asm__ volatile(
		"mov %1, %%rsp; mov %2, %%rax; mov %%rax, %%rbx; mov %%rax, %%rcx; mov %%rax, %%rdx;"
		"mov %%rax, %%rsi; mov %%rax, %%rdi; mov %%rax, %%rbp; mov %%rax, %%r12; jmp *%0"
		:
		: "r"(target), "r"(DF_VA_KSTACK + 0x7f00), "r"(DF_VA_REQUEST + 256)
		: "memory");
}

/* One offset in the stub's page: the seed. */
static void stub_jump(void)
{
	jump_to((void *)(DF_VA_STUB + seed));
}

static void stub_jump_wild(void)
{
	jump_wild((void *)(DF_VA_STUB + seed));
}

/* Many offsets in one life, as long as the kernel stands it. */
static void stub_jumps(void)
{
	for (uint64_t i = 0; i < 1024; i++)
		caught(jump_to, (void *)(DF_VA_STUB + i));
}

static uint64_t kernel_text(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	uint64_t end = b->feature[0];

	while (end < DF_VA_KERNEL + DF_KERNEL_MAX && readable(end))
		end += DF_PAGE_SIZE;
	return b->feature[0] + random_next() % (end - b->feature[0]);
}

static void kernel_jump(void)
{
	jump_to((void *)kernel_text());
}

static void kernel_jump_wild(void)
{
	jump_wild((void *)kernel_text());
}

static void kernel_jumps(void)
{
	for (int i = 0; i < 200; i++)
		caught(jump_to, (void *)kernel_text());
}

static void data_jump(void)
{
	jump_to((void *)DF_VA_REQUEST);
}

static void heap_jump(void)
{
	jump_to((void *)DF_VA_KHEAP);
}

static void tables_jump(void)
{
	jump_to((void *)DF_VA_TABLES);
}

/* --- program mappings over the kernel --- */

static void map_over_kernel(void)
{
	static const uint64_t places[] = {DF_VA_KERNEL, DF_VA_SYSTEM, DF_VA_TABLES, DF_VA_FILES,
		DF_VA_KSTACK, 0x60ffffffe000};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (unsigned way = 0; way < 3; way++) {
			long r = way == 0
				? syscall(SYS_mmap, places[i], 8192, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
				: way == 1
				? syscall(SYS_mprotect, places[i], 8192, PROT_READ | PROT_WRITE)
				: syscall(SYS_munmap, places[i], 8192);

			if (r >= 0 && way < 2) {
				syscall(SYS_exit_group, 98);
			}
		}
}

/* System calls whose buffers are the kernel's own memory. */
static void buffers_in_kernel(void)
{
	static const uint64_t places[] = {DF_VA_KERNEL, DF_VA_SYSTEM, DF_VA_REQUEST, DF_VA_BOOT,
		DF_VA_TABLES, DF_VA_GDT, DF_VA_KSTACK + 0x4000, DF_VA_KHEAP, DF_VA_KSTACK + 0x7000,
		DF_VA_FILES};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		syscall(SYS_clock_gettime, 1, places[i]);
		syscall(SYS_getrandom, places[i], 4096, 0);
		syscall(SYS_read, 0, places[i], 64);
		syscall(SYS_write, 1, places[i], 4096);
		syscall(SYS_uname, places[i]);
		syscall(SYS_rt_sigprocmask, 0, places[i], places[i], 8);
		syscall(SYS_futex, places[i], 1, 1, 0, 0, 0);
	}
}

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_stub[] = {ROW(gate), ROW(gate_registers), ROW(gate_after_map),
	ROW(gate_stale), ROW(stub_jump), ROW(stub_jump_wild), ROW(stub_jumps), ROW(kernel_jump),
	ROW(kernel_jump_wild), ROW(kernel_jumps), ROW(data_jump), ROW(heap_jump), ROW(tables_jump),
	ROW(map_over_kernel), ROW(buffers_in_kernel), {NULL, NULL}};
