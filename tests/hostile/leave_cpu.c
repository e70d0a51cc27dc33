// SPDX-License-Identifier: Apache-2.0
/*
 * Registers. The program is frozen with a pattern in every register that a system call preserves, in the middle
 * of the read that asks for its event; what it finds behind the read must be that pattern, in every event. So
 * this does not only see what an event has left, but also what a thaw forgot to restore.
 */
#include "leave.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AREA 4096u /* bytes of an XSAVE area that we look at */
#define COMPONENTS 0x2e7ULL /* x87, SSE, AVX, AVX-512, protection keys */

enum { RBX, RBP, R8, R9, R10, R12, R13, R14, R15, RDI, RSI, RDX, GENERAL };

struct cpu {
	uint8_t area[AREA] __attribute__((aligned(64)));
	uint64_t general[GENERAL];
	uint64_t rflags, fs_base, gs_base;
	uint16_t ds, es, fs, gs;
};

/* Reached from assembly by name. */
struct cpu cpu_before, cpu_after, cpu_pattern;
uint32_t cpu_mask;
long cpu_read(long fd, void *buf, long bytes);

/* clang-format off */
#define SAVE(to) \
	"mov %rax, cpu_result(%rip); mov %rdx, " to "+4096+8*11(%rip);" \
	"mov cpu_mask(%rip), %eax; xor %edx, %edx; xsave64 " to "(%rip);" \
	"mov %rbx, " to "+4096+8*0(%rip); mov %rbp, " to "+4096+8*1(%rip);" \
	"mov %r8,  " to "+4096+8*2(%rip); mov %r9,  " to "+4096+8*3(%rip);" \
	"mov %r10, " to "+4096+8*4(%rip); mov %r12, " to "+4096+8*5(%rip);" \
	"mov %r13, " to "+4096+8*6(%rip); mov %r14, " to "+4096+8*7(%rip);" \
	"mov %r15, " to "+4096+8*8(%rip); mov %rdi, " to "+4096+8*9(%rip);" \
	"mov %rsi, " to "+4096+8*10(%rip);" \
	"pushfq; popq " to "+4096+8*12(%rip);" \
	"rdfsbase %rax; mov %rax, " to "+4096+8*13(%rip);" \
	"rdgsbase %rax; mov %rax, " to "+4096+8*14(%rip);" \
	"mov %ds, %eax; mov %ax, " to "+4096+8*15(%rip);" \
	"mov %es, %eax; mov %ax, " to "+4096+8*15+2(%rip);" \
	"mov %fs, %eax; mov %ax, " to "+4096+8*15+4(%rip);" \
	"mov %gs, %eax; mov %ax, " to "+4096+8*15+6(%rip);"

__asm__(
	".globl cpu_read\n"
	"cpu_read:"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15;"
	"mov %rdx, %r11;"
	"mov cpu_mask(%rip), %eax; xor %edx, %edx; xrstor64 cpu_pattern(%rip);"
	"mov %r11, %rdx;"
	"mov $0x1111111111111111, %rbx; mov $0x2222222222222222, %rbp;"
	"mov $0x3333333333333333, %r8;  mov $0x4444444444444444, %r9;"
	"mov $0x5555555555555555, %r10; mov $0x6666666666666666, %r12;"
	"mov $0x7777777777777777, %r13; mov $0x8888888888888888, %r14;"
	"mov $0x9999999999999999, %r15;"
	SAVE("cpu_before")
	"mov cpu_before+4096+8*11(%rip), %rdx;"
	"xor %eax, %eax;"
	"syscall;"
	SAVE("cpu_after")
	/* As the C library expects it. */
	"fninit; vzeroupper; ldmxcsr cpu_mxcsr(%rip);"
	"mov cpu_result(%rip), %rax;"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
	".data; .balign 8; cpu_result: .quad 0; cpu_mxcsr: .long 0x1f80, 0; .text\n");
/* clang-format on */
_Static_assert(offsetof(struct cpu, general) == AREA && offsetof(struct cpu, ds) == AREA + 8 * 15,
	"as the assembly has it");

static long take_all(void *buf, unsigned long bytes)
{
	return cpu_read(0, buf, (long)bytes);
}

/* Fills the components of an XSAVE area. x87: all eight registers valid, rounding up; MXCSR: flush to zero. */
static void fill_area(struct cpu *c, uint8_t with)
{
	uint64_t *header = (uint64_t *)(c->area + 512);

	memset(c->area, 0, AREA);
	for (unsigned i = 0; i < AREA; i++)
		c->area[i] = (uint8_t)(with + i * 3);
	memset(c->area, 0, 32);
	memcpy(c->area, &(uint16_t){0x0b7f}, 2); /* FCW */
	c->area[4] = 0xff; /* FTW */
	memcpy(c->area + 24, &(uint32_t){with & 1 ? 0x9fc0 : 0x7f80}, 4); /* MXCSR */
	for (unsigned i = 0; i < 8; i++) /* the upper six bytes of each x87 register are reserved */
		memset(c->area + 32 + i * 16 + 10, 0, 6);
	memset(header, 0, 64);
	header[0] = cpu_mask & ~0x200u;
}

static void prepare(void)
{
	uint32_t a, d, b, c, size;

	__cpuid_count(0xd, 0, a, size, c, d);
	(void)a, (void)b, (void)c, (void)d;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	cpu_mask = a & (uint32_t)COMPONENTS;
	if (size > AREA && cpu_mask & 0x200)
		cpu_mask &= ~0x200u;
	fill_area(&cpu_pattern, 0x51);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, (uint64_t)&cpu_pattern))
		broken("ARCH_SET_GS");
	take = take_all;
}

/* Offset and size of a component, standard format. */
static void place(unsigned component, uint32_t *at, uint32_t *bytes)
{
	uint32_t c, d;

	__cpuid_count(0xd, component, *bytes, *at, c, d);
	(void)c, (void)d;
}

static bool has(const struct cpu *c, unsigned component)
{
	return *(const uint64_t *)(c->area + 512) >> component & 1;
}

static void compare_vectors(void)
{
	static const char *const name[] = {"x87", "SSE", "AVX upper halves", "", "", "mask",
		"ZMM upper halves", "ZMM 16 to 31", "", "protection keys"};

	/* Control and status words, tags (not the last instruction's address), MXCSR. */
	if (memcmp(cpu_before.area, cpu_after.area, 6))
		leak("x87 control is %02x%02x, status %02x%02x, tags %02x", cpu_after.area[1],
			cpu_after.area[0], cpu_after.area[3], cpu_after.area[2], cpu_after.area[4]);
	if (memcmp(cpu_before.area + 24, cpu_after.area + 24, 4))
		leak("MXCSR is %02x%02x", cpu_after.area[25], cpu_after.area[24]);
	for (unsigned i = 0; i < 10; i++) {
		uint32_t at = i == 0 ? 32 : 160, bytes = i == 0 ? 128 : 256;

		if (!(cpu_mask >> i & 1))
			continue;
		if (i > 1)
			place(i, &at, &bytes);
		if (at + bytes > AREA)
			continue;
		if (has(&cpu_before, i) != has(&cpu_after, i) ||
			(has(&cpu_before, i) &&
				memcmp(cpu_before.area + at, cpu_after.area + at, bytes)))
			leak("%s registers are not as at the freeze: %016lx", name[i],
				*(uint64_t *)(cpu_after.area + at));
	}
}

static void look(void)
{
	static const char *const name[] = {
		"rbx", "rbp", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "rdi", "rsi", "rdx"};

	compare_vectors();
	for (unsigned i = 0; i < GENERAL; i++)
		if (cpu_before.general[i] != cpu_after.general[i])
			leak("%s is %lx", name[i], cpu_after.general[i]);
	if ((cpu_before.rflags ^ cpu_after.rflags) & ~0x8d5ULL)
		leak("rflags is %lx", cpu_after.rflags);
	if (cpu_before.fs_base != cpu_after.fs_base || cpu_before.gs_base != cpu_after.gs_base)
		leak("the base of fs is %lx, of gs %lx", cpu_after.fs_base, cpu_after.gs_base);
	if (memcmp(&cpu_before.ds, &cpu_after.ds, 8))
		leak("ds es fs gs are %x %x %x %x", cpu_after.ds, cpu_after.es, cpu_after.fs,
			cpu_after.gs);
}

/* --- what events do to them --- */

static void load_area(void)
{
	__asm__ volatile("xrstor64 %0" : : "m"(cpu_pattern), "a"(cpu_mask), "d"(0) : "memory");
}

static void save_area(void)
{
	__asm__ volatile("xsave64 %0" : "+m"(cpu_after) : "a"(cpu_mask), "d"(0) : "memory");
}

/* Ends the event with the registers as they are. */
static void __attribute__((noreturn)) leave(void)
{
	volatile struct df_request *q = &request_page()->request;

	q->call = DF_CALL_EXIT;
	q->arg[0] = q->arg[1] = 0;
	__asm__ volatile("out %%al, (%%dx)" : : "a"(0), "d"(DF_PORT) : "memory");
	__builtin_unreachable();
}

static void vectors_dirty(void)
{
	fill_area(&cpu_pattern, 0xa4);
	load_area();
	save_area();
	/* The reply is written with the standard rounding. */
	__asm__ volatile("ldmxcsr %0; fninit" : : "m"(*&(uint32_t){0x1f80}));
}

static void vectors_raw_dirty(void)
{
	fill_area(&cpu_pattern, 0xa4);
	request_page()->request.call = DF_CALL_EXIT;
	load_area();
	leave();
}

/* All in their initial state, which is stored in another way. */
static void vectors_init_dirty(void)
{
	memset(cpu_pattern.area + 512, 0, 64);
	load_area();
	leave();
}

static void bases_dirty(void)
{
	__asm__ volatile("wrgsbase %0" : : "r"(secret() >> 20));
	__asm__ volatile("rdgsbase %0" : "=r"(cpu_after.gs_base));
}

static void bases_raw_dirty(void)
{
	uint64_t value = DF_VA_ARENA + 12345;

	__asm__ volatile("wrgsbase %0; wrfsbase %0" : : "r"(value));
	leave();
}

static void selectors_dirty(void)
{
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs"
			 :
			 : "r"(DF_SS_USER));
	leave();
}

/* Selectors of null that are not 0. */
static void selectors_null_dirty(void)
{
	__asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%gs" : : "r"(1), "r"(2), "r"(3));
	leave();
}

static void flags_raw(uint64_t bits)
{
	volatile struct df_request *q = &request_page()->request;

	q->call = DF_CALL_EXIT;
	q->arg[0] = q->arg[1] = 0;
	__asm__ volatile("sub $128, %%rsp; pushfq; or %0, (%%rsp); popfq; out %%al, (%%dx)"
			 :
			 : "r"(bits), "a"(0), "d"(DF_PORT)
			 : "memory", "cc");
	__builtin_unreachable();
}

static void flags_dirty(void)
{
	/* AC, ID, NT, DF */
	flags_raw(0x40000 | 0x200000 | 0x4000 | 0x400);
}

/* A trap after each instruction: what DR6 remembers of it ring 3 can not see, but a comparison from outside. */
static void flags_trap_dirty(void)
{
	flags_raw(0x100);
}

static void on_trap(int signal)
{
	(void)signal;
}

static void single_step_dirty(void)
{
	struct sigaction act = {.sa_handler = on_trap};

	sigaction(SIGTRAP, &act, NULL);
	for (unsigned i = 0; i < 5; i++)
		__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; nop; nop;"
				 "pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp"
				 :
				 :
				 : "memory", "cc");
	__asm__ volatile("int3");
}

/* Where the processor has them and they are switched on; else this is an invalid instruction. */
static void protection_keys(void *arg)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(0x55555554), "c"(0), "d"(0));
	(void)arg;
}

static void protection_keys_dirty(void)
{
	caught(protection_keys, NULL);
	leave();
}

/* Every register, and the instruction pointer where nobody looks. */
static void general_dirty(void)
{
	volatile struct df_request *q = &request_page()->request;

	q->call = DF_CALL_EXIT;
	q->arg[0] = q->arg[1] = 0;
	__asm__ volatile(
		"mov %0, %%rbx; mov %%rbx, %%rbp; mov %%rbx, %%rcx; mov %%rbx, %%rsi; mov %%rbx, %%rdi;"
		"mov %%rbx, %%r8; mov %%rbx, %%r9; mov %%rbx, %%r10; mov %%rbx, %%r11;"
		"mov %%rbx, %%r12; mov %%rbx, %%r13; mov %%rbx, %%r14; mov %%rbx, %%r15;"
		"mov %%rbx, %%rsp; out %%al, (%%dx)"
		:
		: "r"(secret()), "a"(secret()), "d"(DF_PORT)
		: "memory");
	__builtin_unreachable();
}

/* --- events that end in an exception --- */

static void fault_read_dirty(void)
{
	(void)*(volatile int *)0x123450;
}

static void fault_divide_dirty(void)
{
	__asm__ volatile("div %%cl" : : "a"(1), "c"(0));
}

static void fault_instruction_dirty(void)
{
	__asm__ volatile("ud2");
}

static void fault_breakpoint_dirty(void)
{
	__asm__ volatile("int3");
}

static void fault_privilege_dirty(void)
{
	__asm__ volatile("hlt");
}

static void fault_noncanonical_dirty(void)
{
	(void)*(volatile int *)0x8000000000000000;
}

/* An unmasked floating-point exception waits until the next x87 instruction. */
static void fault_float_dirty(void)
{
	__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp" : : "m"(*&(uint16_t){0x0300}));
	leave();
}

#define ROW(name, flags)                                  \
	{                                                 \
#name, prepare, name##_dirty, look, flags \
	}
#define RAW(name) ROW(name, HAZARD_GUEST | HAZARD_ENDS)
const struct hazard hazards_cpu[] = {ROW(vectors, 0), RAW(vectors_raw), RAW(vectors_init),
	ROW(bases, 0), RAW(bases_raw), RAW(selectors), RAW(selectors_null), RAW(flags),
	RAW(flags_trap), ROW(single_step, HAZARD_BLIND), RAW(protection_keys), RAW(general),
	ROW(fault_read, HAZARD_ENDS), ROW(fault_divide, HAZARD_ENDS),
	ROW(fault_instruction, HAZARD_ENDS), ROW(fault_breakpoint, HAZARD_ENDS),
	ROW(fault_privilege, HAZARD_ENDS), ROW(fault_noncanonical, HAZARD_ENDS), RAW(fault_float),
	{0}};
