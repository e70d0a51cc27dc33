// SPDX-License-Identifier: Apache-2.0
/* What the portable kernel needs of the machine. */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <kernel/core/thread.h>

static inline uint64_t arch_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t arch_fs_base(void)
{
	uint64_t v;

	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static inline void arch_set_fs_base(uint64_t v)
{
	__asm__ volatile("wrfsbase %0" : : "r"(v) : "memory");
}

static inline uint64_t arch_gs_base(void)
{
	uint64_t v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

static inline void arch_set_gs_base(uint64_t v)
{
	__asm__ volatile("wrgsbase %0" : : "r"(v) : "memory");
}

/* Saves or loads all vector state (xcr0) of the CPU; area: boot_info->xsave_bytes, 64-byte aligned. */
void arch_xsave(void *area);
void arch_xrstor(const void *area);
/* As arch_xrstor for an area that came from the program: the header is checked, reserved MXCSR bits
 * cleared, so that it can not fault. -EINVAL when the header is not acceptable. */
int arch_xrstor_user(void *area);
/* Puts vector state to what a new program finds. */
void arch_xreset(void);

/* Saves the callee-saved registers of `from` on its kernel stack and continues `to`. */
void arch_switch(struct thread *from, struct thread *to);
/* First instruction of a new thread: continues at current->frame. */
void arch_thread_start(void);
/*
 * Leaves the kernel for the program through current->frame, which is at the top of its kernel stack; abandons what else is there. Does
 * the thread's work first: a tick may have come at any time until then.
 */
void arch_start(void) __attribute__((noreturn));

/* One `out` to the hypercall port. */
void arch_hypercall(void);
/* `int $4`: lets the stub apply the page-table edits that the monitor queued. */
void arch_apply(void);

uint64_t arch_cs(void), arch_ss(void);

#endif
