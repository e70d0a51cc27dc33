// SPDX-License-Identifier: Apache-2.0
/* Instructions that ring 3 must not execute, one by one. Most must end as SIGSEGV or SIGILL. */
#include "attack.h"

#include <stddef.h>

static uint64_t table[2]; /* a limit of 0 and an address of 0 */
static char bytes[4096];

#define INSTRUCTION(name, ...)                 \
	static void name(void)                 \
	{                                      \
		__asm__ volatile(__VA_ARGS__); \
	}

INSTRUCTION(hlt, "hlt")
INSTRUCTION(cli, "cli")
INSTRUCTION(sti, "sti")
INSTRUCTION(clts, "clts")
INSTRUCTION(invd, "invd")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(swapgs, "swapgs")
INSTRUCTION(sysretq, "sysretq" : : "c"(bytes), "a"(0))
INSTRUCTION(sysexit, ".byte 0x0f, 0x35" : : "c"(bytes), "d"(bytes))
INSTRUCTION(mov_cr0, "mov %0, %%cr0" : : "r"(0x80010033UL))
INSTRUCTION(mov_cr3, "mov %0, %%cr3" : : "r"(DF_GPA_ARENA))
INSTRUCTION(mov_cr4, "mov %0, %%cr4" : : "r"(0UL))
INSTRUCTION(mov_cr8, "mov %0, %%cr8" : : "r"(0UL))
INSTRUCTION(read_cr3, "mov %%cr3, %%rax" : : : "rax")
INSTRUCTION(mov_dr7, "mov %0, %%dr7" : : "r"(0x400UL))
INSTRUCTION(lgdt, "lgdt %0" : : "m"(table))
INSTRUCTION(lidt, "lidt %0" : : "m"(table))
INSTRUCTION(lldt, "lldt %w0" : : "r"(0))
INSTRUCTION(ltr, "ltr %w0" : : "r"(DF_TSS_SELECTOR))
INSTRUCTION(lmsw, "lmsw %w0" : : "r"(0))
INSTRUCTION(sgdt, "sgdt %0" : "=m"(bytes))
INSTRUCTION(wrmsr_lstar, "wrmsr" : : "c"(0xc0000082), "a"(bytes), "d"(0))
INSTRUCTION(wrmsr_efer, "wrmsr" : : "c"(0xc0000080), "a"(0), "d"(0))
INSTRUCTION(rdmsr, "rdmsr" : : "c"(0xc0000082) : "rax", "rdx")
INSTRUCTION(rdpmc, "rdpmc" : : "c"(0) : "rax", "rdx")
INSTRUCTION(xsetbv, "xsetbv" : : "c"(0), "a"(1), "d"(0))
INSTRUCTION(invlpg, "invlpg %0" : : "m"(bytes))
INSTRUCTION(invpcid, "invpcid %0, %1" : : "m"(table), "r"(2UL))
INSTRUCTION(monitor, "monitor" : : "a"(bytes), "c"(0), "d"(0))
INSTRUCTION(mwait, "mwait" : : "a"(0), "c"(0))
INSTRUCTION(vmcall, "vmcall" : : "a"(0))
INSTRUCTION(vmmcall, "vmmcall" : : "a"(0))
INSTRUCTION(vmrun, "vmrun" : : "a"(0))
INSTRUCTION(vmxon, "vmxon %0" : : "m"(table))
INSTRUCTION(in_port, "in %%dx, %%al" : : "d"(0x60) : "rax")
INSTRUCTION(in_hypercall_port, "in %%dx, %%al" : : "d"(DF_PORT) : "rax")
INSTRUCTION(out_port, "out %%al, %%dx" : : "d"(0x64), "a"(0xfe))
INSTRUCTION(out_pci, "outl %%eax, %%dx" : : "d"(0xcf8), "a"(0x80000000))
INSTRUCTION(out_next_port, "out %%al, %%dx" : : "d"(DF_PORT + 1), "a"(0))
INSTRUCTION(out_word, "outw %%ax, %%dx" : : "d"(DF_PORT), "a"(0))
INSTRUCTION(out_long, "outl %%eax, %%dx" : : "d"(DF_PORT), "a"(0))
INSTRUCTION(insb, "insb" : : "d"(DF_PORT), "D"(bytes) : "memory")
INSTRUCTION(rep_insb, "rep insb" : : "d"(DF_PORT), "D"(bytes), "c"(4096) : "memory")
INSTRUCTION(outsb, "outsb" : : "d"(DF_PORT), "S"(bytes))
INSTRUCTION(rep_outsb, "rep outsb" : : "d"(DF_PORT), "S"(bytes), "c"(4096))
INSTRUCTION(outsb_kernel, "rep outsb" : : "d"(0x3f8), "S"(DF_VA_BOOT), "c"(64))
INSTRUCTION(int_80, "int $0x80" : : "a"(20) : "memory")
INSTRUCTION(int_8, "int $8")
INSTRUCTION(int_14, "int $14")
INSTRUCTION(int_tick, "int $32")
INSTRUCTION(int_33, "int $33")
INSTRUCTION(int_255, "int $255")
INSTRUCTION(icebp, ".byte 0xf1")
INSTRUCTION(load_ds, "mov %w0, %%ds" : : "r"(DF_SS_KERNEL))
INSTRUCTION(load_ss, "mov %w0, %%ss" : : "r"(0))
INSTRUCTION(load_selectors, "mov %w0, %%ds; mov %w0, %%es; mov %w1, %%ds; mov %w1, %%es"
	    :
	    : "r"(DF_SS_USER), "r"(0))
INSTRUCTION(far_return, "pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"
	    :
	    : "i"(DF_CS_KERNEL)
	    : "rax")
INSTRUCTION(
	iret_ring0,
	"mov %%rsp, %%rcx; pushq %0; pushq %%rcx; pushfq; pushq %1; lea 1f(%%rip), %%rax; push %%rax;"
	"iretq; 1:"
	:
	: "i"(DF_SS_KERNEL), "i"(DF_CS_KERNEL)
	: "rax", "rcx")
INSTRUCTION(
	iret_compat,
	"mov %%rsp, %%rcx; pushq %0; pushq %%rcx; pushfq; pushq $0x23; lea 1f(%%rip), %%rax; push %%rax;"
	"iretq; 1:"
	:
	: "i"(DF_SS_USER)
	: "rax", "rcx")

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_instructions[] = {ROW(hlt), ROW(cli), ROW(sti), ROW(clts), ROW(invd),
	ROW(wbinvd), ROW(swapgs), ROW(sysretq), ROW(sysexit), ROW(mov_cr0), ROW(mov_cr3),
	ROW(mov_cr4), ROW(mov_cr8), ROW(read_cr3), ROW(mov_dr7), ROW(lgdt), ROW(lidt), ROW(lldt),
	ROW(ltr), ROW(lmsw), ROW(sgdt), ROW(wrmsr_lstar), ROW(wrmsr_efer), ROW(rdmsr), ROW(rdpmc),
	ROW(xsetbv), ROW(invlpg), ROW(invpcid), ROW(monitor), ROW(mwait), ROW(vmcall), ROW(vmmcall),
	ROW(vmrun), ROW(vmxon), ROW(in_port), ROW(in_hypercall_port), ROW(out_port), ROW(out_pci),
	ROW(out_next_port), ROW(out_word), ROW(out_long), ROW(insb), ROW(rep_insb), ROW(outsb),
	ROW(rep_outsb), ROW(outsb_kernel), ROW(int_80), ROW(int_8), ROW(int_14), ROW(int_tick),
	ROW(int_33), ROW(int_255), ROW(icebp), ROW(load_ds), ROW(load_ss), ROW(load_selectors),
	ROW(far_return), ROW(iret_ring0), ROW(iret_compat), {NULL, NULL}};
