// SPDX-License-Identifier: Apache-2.0
/*
 * Reading and writing what belongs to the kernel. It lies in the same ring, so its data can be
 * destroyed; tables, stub and descriptors can not even be read. What counts is how the instance ends.
 */
#include "attack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void poke(uint64_t va)
{
	*(volatile uint64_t *)va = 0x4141414141414141;
}

static void write_kernel_text(void)
{
	poke(DF_VA_KERNEL + 0x1000);
}

static void write_stub(void)
{
	poke(DF_VA_STUB + 64);
}

static void write_boot(void)
{
	poke(DF_VA_BOOT);
}

static void write_trap_frame(void)
{
	poke(DF_VA_TRAP_FRAME + DF_TRAP_TOP - 32);
}

static void write_vdso(void)
{
	poke(DF_VA_VDSO + 0x200);
}

static void write_files(void)
{
	poke(DF_VA_FILES);
}

static void write_gdt(void)
{
	poke(DF_VA_GDT + DF_CS_USER);
}

static void write_idt(void)
{
	poke(DF_VA_IDT + 14 * 16);
}

static void write_trap_stack(void)
{
	poke(DF_VA_TRAP_STACK + 0xfe0);
}

static void write_apply(void)
{
	poke(DF_VA_APPLY);
}

static void write_tables(void)
{
	poke(DF_VA_TABLES);
}

static void read_tables(void)
{
	(void)*(volatile uint64_t *)DF_VA_TABLES;
}

/* Nothing that is meant for ring 0 may be readable, and nothing behind the regions either. */
static void read_supervisor(void)
{
	static const uint64_t places[] = {DF_VA_GDT, DF_VA_TSS, DF_VA_IDT, DF_VA_TRAP_STACK,
		DF_VA_APPLY, DF_VA_TABLES, DF_VA_TABLES + 0x1000, DF_VA_TABLES + 0x100000,
		DF_VA_TABLES + 0x200000, DF_VA_SYSTEM + DF_SYSTEM_PAGES * DF_PAGE_SIZE,
		DF_VA_KSTACK, DF_VA_KHEAP + 0x3f000000};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (readable(places[i])) {
			printf("%lx can be read\n", places[i]);
			exit(98);
		}
}

/* The last 2 MiB entry of the root image reaches past its memory slot: no memory is there. */
static void read_behind_files(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	uint64_t end = (b->files_bytes + DF_PAGE_MASK) & ~DF_PAGE_MASK;

	(void)*(volatile char *)(DF_VA_FILES + end);
}

static void write_behind_files(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	poke(DF_VA_FILES + ((b->files_bytes + DF_PAGE_MASK) & ~DF_PAGE_MASK));
}

/* The same place as an instruction, and as the target of string moves (emulated, where MMIO is). */
static void run_behind_files(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;

	((void (*)(void))(DF_VA_FILES + ((b->files_bytes + DF_PAGE_MASK) & ~DF_PAGE_MASK)))();
}

static void move_behind_files(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	static char to[4096];

	memcpy(to, (char *)(DF_VA_FILES + ((b->files_bytes + DF_PAGE_MASK) & ~DF_PAGE_MASK)),
		sizeof(to));
	__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(DF_VA_FILES + 0x1ff000) : "memory");
}

/* --- the whole kernel --- */

#define PAGES_MAX 4096
static uint64_t pages[PAGES_MAX];
static unsigned page_count;

static void collect(uint64_t from, uint64_t to)
{
	for (uint64_t va = from; va < to && page_count < PAGES_MAX; va += DF_PAGE_SIZE)
		if (writable(va))
			pages[page_count++] = va;
}

static void collect_kernel(void)
{
	collect(DF_VA_KERNEL, DF_VA_KERNEL + DF_KERNEL_MAX);
	collect(DF_VA_SYSTEM, DF_VA_SYSTEM + DF_SYSTEM_PAGES * DF_PAGE_SIZE);
	collect(DF_VA_KHEAP, DF_VA_KHEAP + 0x40000);
	collect(DF_VA_KSTACK, DF_VA_KSTACK + DF_KSTACK_STRIDE);
}

/* From here on no system call and no fault may be needed. */
static void overwrite(int byte)
{
	for (unsigned i = 0; i < page_count; i++) {
		volatile uint64_t *p = (volatile uint64_t *)pages[i];

		for (unsigned w = 0; w < DF_PAGE_SIZE / 8; w++)
			p[w] = byte < 0 ? random_next() : 0x0101010101010101ULL * (uint64_t)byte;
	}
}

static void call(void)
{
	syscall(SYS_getpid);
}

static void smash_zero_call(void)
{
	collect_kernel();
	overwrite(0);
	call();
}

static void smash_zero_fault(void)
{
	collect_kernel();
	overwrite(0);
	poke(8);
}

static void smash_ones_call(void)
{
	collect_kernel();
	overwrite(0xff);
	call();
}

static void smash_ones_fault(void)
{
	collect_kernel();
	overwrite(0xff);
	poke(8);
}

static void smash_random_call(void)
{
	collect_kernel();
	overwrite(-1);
	call();
}

static void smash_random_fault(void)
{
	collect_kernel();
	overwrite(-1);
	poke(8);
}

/* Waits for a tick in a kernel that is not there any more. */
static void smash_random_spin(void)
{
	collect_kernel();
	overwrite(-1);
	for (;;)
		;
}

/* A few words at a time, with system calls between: damage that the kernel meets later. */
static void rot(void)
{
	collect_kernel();
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 3; i++)
			*(volatile uint64_t *)(pages[random_next() % page_count] +
				random_next() % 512 * 8) = random_next() % 4 ? random_next() : 0;
		syscall(SYS_getpid);
		syscall(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		syscall(SYS_write, 1, "", 0);
		syscall(SYS_sched_yield);
	}
}

static void smash_stack(void)
{
	collect(DF_VA_KSTACK, DF_VA_KSTACK + DF_KSTACK_STRIDE);
	overwrite(-1);
	call();
	poke(8);
}

static void smash_heap(void)
{
	collect(DF_VA_KHEAP, DF_VA_KHEAP + 0x40000);
	overwrite(-1);
	for (int i = 0; i < 100; i++)
		syscall(SYS_mmap, 0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	poke(8);
}

/* The page of the hypercalls, statistics included; the monitor prints those with --stats. */
static void smash_request_page(void)
{
	volatile uint8_t *p = (volatile uint8_t *)DF_VA_REQUEST;

	for (unsigned i = 0; i < DF_PAGE_SIZE; i++)
		p[i] = (uint8_t)random_next();
	call();
}

/* All of the program's own memory, the running stack and this code's page spared. */
static void smash_arena(void)
{
	const volatile struct df_boot_info *b = (const volatile void *)DF_VA_BOOT;
	uint64_t here = (uint64_t)__builtin_frame_address(0), end = DF_VA_ARENA + b->arena_bytes;

	for (uint64_t va = DF_VA_ARENA; va < end; va += 8)
		if (va + 65536 < here || va > here + 65536)
			*(volatile uint64_t *)va = random_next();
	call();
	poke(8);
}

static void everything(void)
{
	collect_kernel();
	overwrite(-1);
	smash_arena();
}

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_memory[] = {ROW(write_kernel_text), ROW(write_stub), ROW(write_boot),
	ROW(write_trap_frame), ROW(write_vdso), ROW(write_files), ROW(write_gdt), ROW(write_idt),
	ROW(write_trap_stack), ROW(write_apply), ROW(write_tables), ROW(read_tables),
	ROW(read_supervisor), ROW(read_behind_files), ROW(write_behind_files),
	ROW(run_behind_files), ROW(move_behind_files), ROW(smash_zero_call), ROW(smash_zero_fault),
	ROW(smash_ones_call), ROW(smash_ones_fault), ROW(smash_random_call),
	ROW(smash_random_fault), ROW(smash_random_spin), ROW(rot), ROW(smash_stack),
	ROW(smash_heap), ROW(smash_request_page), ROW(smash_arena), ROW(everything), {NULL, NULL}};
