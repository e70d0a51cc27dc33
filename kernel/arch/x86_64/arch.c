// SPDX-License-Identifier: Apache-2.0
/*
 * Exceptions as they come from the stub, and vector state. Faults of the program become page
 * mappings or signals; faults of the copy routines become -EFAULT; anything else in kernel code is
 * our fault and ends the instance.
 */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/arch/x86_64/offsets.h>
#include <kernel/core/errno.h>
#include <kernel/core/hypercall.h>
#include <kernel/core/program.h>
#include <kernel/mm/mm.h>
#include <kernel/mm/user.h>
#include <asm/signal.h>
#include <asm-generic/siginfo.h>

_Static_assert(offsetof(struct thread, kernel_rsp) == THREAD_KERNEL_RSP, "offset");
_Static_assert(offsetof(struct thread, work) == THREAD_WORK, "offset");
_Static_assert(offsetof(struct frame, r10) == FRAME_R10, "offset");
_Static_assert(offsetof(struct frame, rax) == FRAME_RAX, "offset");
_Static_assert(offsetof(struct frame, rdi) == FRAME_RDI, "offset");
_Static_assert(offsetof(struct frame, rip) == FRAME_RIP, "offset");
_Static_assert(offsetof(struct frame, rflags) == FRAME_RFLAGS, "offset");
_Static_assert(offsetof(struct frame, rsp) == FRAME_RSP, "offset");
_Static_assert(sizeof(struct frame) == FRAME_BYTES, "size");
_Static_assert(DF_VA_SAVE == VA_SAVE && DF_VA_APPLY == VA_APPLY, "layout");
_Static_assert(DF_VA_TRAP_FRAME + DF_TRAP_TOP == VA_TRAP_FRAME_END, "layout");
_Static_assert(DF_VA_TRAP_FRAME + DF_TICK_TOP == VA_TICK_FRAME_END, "layout");
_Static_assert(DF_VA_KHEAP - DF_VA_KERNEL == VA_KERNEL_BYTES, "layout");
_Static_assert(DF_PORT == 0x100, "entry.S");
_Static_assert(offsetof(struct df_request_page, tick_pending) == 72, "entry.S");

extern const char copy_start[], copy_end[], copy_fault[];

void exception(struct frame *f, gva_t address);

#define VECTOR_DIVIDE 0
#define VECTOR_DEBUG 1
#define VECTOR_BREAKPOINT 3
#define VECTOR_OVERFLOW 4
#define VECTOR_BOUND 5
#define VECTOR_INVALID 6
#define VECTOR_STACK 12
#define VECTOR_PROTECTION 13
#define VECTOR_PAGE 14
#define VECTOR_X87 16
#define VECTOR_ALIGNMENT 17
#define VECTOR_SIMD 19
#define OPCODE_INT 0xcd
#define ERROR_WRITE 2
#define ERROR_FETCH 16

static bool in_kernel(gva_t rip)
{
	return rip - DF_VA_KERNEL < VA_KERNEL_BYTES;
}

/* Signal for an exception other than a page fault. */
static int signal_of(const struct frame *f, int *code)
{
	*code = SI_KERNEL;
	switch (f->vector) {
	case VECTOR_DIVIDE:
		*code = FPE_INTDIV;
		return SIGFPE;
	case VECTOR_X87:
	case VECTOR_SIMD:
		*code = FPE_FLTINV;
		return SIGFPE;
	case VECTOR_DEBUG:
		*code = TRAP_TRACE;
		return SIGTRAP;
	case VECTOR_BREAKPOINT:
		return SIGTRAP;
	case VECTOR_INVALID:
		*code = ILL_ILLOPN;
		return SIGILL;
	case VECTOR_ALIGNMENT:
		*code = BUS_ADRALN;
		return SIGBUS;
	default:
		return SIGSEGV;
	}
}

static void program_fault(int signal, int code, gva_t address)
{
	if (!signal_hooks.fault || !signal_hooks.fault(signal, code, address))
		program_die(signal, code, address);
	current->work |= WORK_SIGNAL;
}

static void kernel_fault(struct frame *f, gva_t address)
{
	int code;

	if (f->rip >= (gva_t)copy_start && f->rip < (gva_t)copy_end) {
		if (f->vector == VECTOR_PAGE &&
			!mm_fault(address, f->error & ERROR_WRITE, false, &code))
			return;
		f->rip = (gva_t)copy_fault;
		f->rflags &= ~(uint64_t)FLAGS_ODD;
		return;
	}
	panic("exception %lu (error %lx) at %lx, address %lx, stack %lx", f->vector, f->error,
		f->rip, address, f->rsp);
}

void exception(struct frame *f, gva_t address)
{
	int signal, code;
	uint8_t opcode;

	if (f->vector == DF_VECTOR_TICK) {
		current->work |= WORK_RESCHED;
		return;
	}
	if (in_kernel(f->rip)) {
		kernel_fault(f, address);
		return;
	}
	if (f->vector == VECTOR_PAGE) {
		signal = mm_fault(address, f->error & ERROR_WRITE, f->error & ERROR_FETCH, &code);
		if (signal)
			program_fault(signal, code, address);
		else
			request_page->stats.faults++;
		return;
	}
	/* `int n` is an invalid opcode on paravirtual KVM, a protection fault elsewhere and on Linux. */
	if (f->vector == VECTOR_INVALID && !user_get(&opcode, f->rip) && opcode == OPCODE_INT)
		f->vector = VECTOR_PROTECTION;
	signal = signal_of(f, &code);
	program_fault(signal, code, signal == SIGFPE || signal == SIGILL ? f->rip : 0);
}

void arch_xsave(void *area)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

void arch_xrstor(const void *area)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

struct xsave_header {
	uint8_t legacy[512];
	uint64_t xstate_bv, xcomp_bv, reserved[6];
};

int arch_xrstor_user(void *area)
{
	struct xsave_header *h = area;
	uint32_t *mxcsr = (uint32_t *)((char *)area + 24), mask = *(uint32_t *)((char *)area + 28);

	if (h->xcomp_bv || (h->xstate_bv & ~boot_info->xcr0))
		return -EINVAL;
	for (unsigned i = 0; i < array_size(h->reserved); i++)
		if (h->reserved[i])
			return -EINVAL;
	*mxcsr &= mask ? mask & 0xffff : 0xffbf;
	arch_xrstor(area);
	return 0;
}

void arch_xreset(void)
{
	static struct xsave_header zero __attribute__((aligned(64)));

	zero.legacy[24] = 0x80; /* MXCSR 0x1f80, x87 control word 0x37f */
	zero.legacy[25] = 0x1f;
	zero.legacy[0] = 0x7f;
	zero.legacy[1] = 3;
	arch_xrstor(&zero);
}

uint64_t arch_cs(void)
{
	return USER_CS;
}

uint64_t arch_ss(void)
{
	return USER_SS;
}
