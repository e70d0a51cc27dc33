// SPDX-License-Identifier: Apache-2.0
/*
 * The ring-3 kernel's doors: system calls (trapped or rewritten), exceptions, ticks, and the way back.
 *
 * The program's stack is never written (red zone): each entry switches to the kernel stack of the
 * current thread and builds a struct frame at its top. Vector registers stay the program's.
 * A tick may arrive at any instruction here; in kernel code it only sets a flag (trap_tick).
 */
#include "offsets.h"

	.cfi_sections .debug_frame

	.text
	.macro push_registers rax
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push \rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	.endm

/* From the stub: rcx and r11 as the syscall instruction left them are in the save area. */
	.globl syscall_entry
	.balign 64
syscall_entry:
	mov %rsp, user_rsp(%rip)
	mov kernel_stack_top(%rip), %rsp
	mov save_rcx(%rip), %rcx
	incq trap_count(%rip)
	pushq $USER_SS
	pushq user_rsp(%rip)
	pushq save_r11(%rip)
	pushq $USER_CS
	push %rcx
	sub $16, %rsp
	push %rax
	push_registers $-38
	cld
	mov %rcx, %rdi
	mov %eax, %esi
	call rewrite_site
	mov FRAME_ORIG_RAX(%rsp), %rax
	mov FRAME_RDI(%rsp), %rdi
	mov FRAME_RSI(%rsp), %rsi
	mov FRAME_RDX(%rsp), %rdx
	mov FRAME_R10(%rsp), %r10
	mov FRAME_R8(%rsp), %r8
	mov FRAME_R9(%rsp), %r9
	jmp syscall_framed

/* From a trampoline (mm/rewrite.c): rcx is the address behind the syscall instruction. */
	.globl syscall_fast
	.balign 64
syscall_fast:
	mov %rsp, user_rsp(%rip)
	mov kernel_stack_top(%rip), %rsp
	pushq $USER_SS
	pushq user_rsp(%rip)
	pushfq
	pushq $USER_CS
	push %rcx
	sub $16, %rsp
	push %rax
	push_registers $-38
syscall_framed:
	testl $FLAGS_ODD, FRAME_RFLAGS(%rsp)
	jnz odd_flags
flags_clean:
	/* As on Linux the upper half of the number does not count. */
	mov %eax, %eax
	cmp $CALL_LIMIT, %eax
	jae no_call
	mov call_table(%rip), %r11
	lea call_count(%rip), %rbx
	incl (%rbx,%rax,4)
	mov %r10, %rcx
	call *(%r11,%rax,8)
	mov %rax, FRAME_RAX(%rsp)
	mov current(%rip), %rbx
fast_window:
	cmpl $0, THREAD_WORK(%rbx)
	jne slow_return
	/* The callee has kept rbp and r12-r15; rbx is ours to restore. */
	mov 40(%rsp), %rbx
	mov FRAME_RDI(%rsp), %rdi
	mov FRAME_RSI(%rsp), %rsi
	mov FRAME_RDX(%rsp), %rdx
	mov FRAME_R10(%rsp), %r10
	mov FRAME_R8(%rsp), %r8
	mov FRAME_R9(%rsp), %r9
	/* Arithmetic flags as they were, but for overflow: popf would cost more than all of this. */
	mov FRAME_RFLAGS(%rsp), %r11
	mov %r11d, %eax
	shl $8, %eax
	sahf
	mov FRAME_RAX(%rsp), %rax
	mov FRAME_RIP(%rsp), %rcx
	mov FRAME_RSP(%rsp), %rsp
	jmp *%rcx
fast_window_end:

/* A flag is set that must not be while the kernel runs: clear it here, restore it on return. */
odd_flags:
	pushq $FLAGS_CLEAN
	popfq
	mov current(%rip), %rbx
	orl $8, THREAD_WORK(%rbx)
	jmp flags_clean

no_call:
	movq $-38, FRAME_RAX(%rsp)
slow_return:
	call return_work
	/* To the program: a tick from here on must not get lost (see trap_tick). */
return_to_program:
slow_window:
	mov current(%rip), %rbx
	cmpl $0, THREAD_WORK(%rbx)
	jne slow_return
leave:
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	add $24, %rsp
	iretq
slow_window_end:

/*
 * Exceptions. rsp is 0 here (constant frame of the stub); everything else is the interrupted code's.
 * The CPU's frame ends at trap_frame: ss -8, rsp -16, rflags -24, cs -32, rip -40, then either the
 * vector (-48) or the error code (-48) and the vector or, for page faults, rax (-56).
 */
	.macro trap_registers error, vector
	pushq trap_frame-8(%rip)
	pushq trap_frame-16(%rip)
	pushq trap_frame-24(%rip)
	pushq trap_frame-32(%rip)
	pushq trap_frame-40(%rip)
	pushq \error
	pushq \vector
	pushq $-1
	.endm

/*
 * Chooses the stack: that of the kernel code which faulted, or the thread's. Loses rax (kept in
 * trap_rax). Kernel code that faults elsewhere than on the thread's kernel stack has lost its way (or
 * overflowed it): the emergency stack serves to say so.
 */
	.macro trap_stack
	mov %rbx, trap_rbx(%rip)
	movabs $VA_KERNEL, %rbx
	mov trap_frame-40(%rip), %rax
	sub %rbx, %rax
	mov trap_rbx(%rip), %rbx
	mov kernel_stack_top(%rip), %rsp
	cmp $VA_KERNEL_BYTES, %rax
	jae 1f
	mov trap_frame-16(%rip), %rsp
	mov kernel_stack_top(%rip), %rax
	sub %rsp, %rax
	cmp $KERNEL_STACK_USABLE, %rax
	jbe 2f
	lea emergency_stack_end+8(%rip), %rsp
2:	sub $256, %rsp
	and $-16, %rsp
	sub $8, %rsp
1:
	.endm

	.globl trap_plain, trap_error, trap_page
	.balign 16
trap_page:
	mov %rax, trap_cr2(%rip)
	mov trap_frame-56(%rip), %rax
	mov %rax, trap_rax(%rip)
	trap_stack
	trap_registers trap_frame-48(%rip), $14
	jmp trap_common
trap_error:
	mov %rax, trap_rax(%rip)
	trap_stack
	trap_registers trap_frame-48(%rip), trap_frame-56(%rip)
	jmp trap_common
trap_plain:
	mov %rax, trap_rax(%rip)
	cmpl $1, trap_frame-48(%rip)
	je trap_debug
trap_plain_go:
	trap_stack
	trap_registers $0, trap_frame-48(%rip)
trap_common:
	push_registers trap_rax(%rip)
	/* For backtraces of the kernel: the caller of what follows is the interrupted code. */
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 0
	.cfi_offset %rip, FRAME_RIP
	.cfi_offset %rsp, FRAME_RSP
	.cfi_offset %r15, 0
	.cfi_offset %r14, 8
	.cfi_offset %r13, 16
	.cfi_offset %r12, 24
	.cfi_offset %rbp, 32
	.cfi_offset %rbx, 40
	mov %rsp, %rdi
	mov trap_cr2(%rip), %rsi
	call exception
	.cfi_endproc
	/* Interrupted kernel code has its frame elsewhere than at the top of the stack. */
	lea FRAME_BYTES(%rsp), %rax
	cmp %rax, kernel_stack_top(%rip)
	je return_to_program
	jmp leave

/* A single-step trap inside the kernel: the program had TF set when it called. Go on without TF; the
 * program's own flags are in its frame. No stack can be relied on here. */
trap_debug:
	mov %rbx, trap_rbx(%rip)
	movabs $VA_KERNEL, %rbx
	mov trap_frame-40(%rip), %rax
	sub %rbx, %rax
	mov trap_rbx(%rip), %rbx
	cmp $VA_KERNEL_BYTES, %rax
	jae trap_plain_go
	mov trap_frame-40(%rip), %rax
	mov %rax, resume_frame(%rip)
	movq $USER_CS, resume_frame+8(%rip)
	mov trap_frame-24(%rip), %rax
	and $~FLAGS_ODD, %eax
	mov %rax, resume_frame+16(%rip)
	mov trap_frame-16(%rip), %rax
	mov %rax, resume_frame+24(%rip)
	movq $USER_SS, resume_frame+32(%rip)
	mov trap_rax(%rip), %rax
	lea resume_frame(%rip), %rsp
	iretq

/*
 * A tick. In the program: as an exception with vector 32. In kernel code: set WORK_RESCHED and go on;
 * the monitor sends no further tick until return_work has seen this one (tick_pending). Between the
 * last look at `work` and the program's first instruction nobody would look again, so a tick that
 * hits there goes back to slow_return: the frame at the top of the kernel stack is still whole.
 */
	.macro in_window from, to
	lea \from(%rip), %rbx
	cmp %rbx, %rax
	jb 2f
	lea \to(%rip), %rbx
	cmp %rbx, %rax
	.endm

	.globl trap_tick
	.balign 16
trap_tick:
	mov %rax, tick_rax(%rip)
	mov %rbx, tick_rbx(%rip)
	movabs $VA_KERNEL, %rbx
	mov tick_frame-40(%rip), %rax
	sub %rbx, %rax
	cmp $VA_KERNEL_BYTES, %rax
	jb 1f
	mov tick_rax(%rip), %rax
	mov tick_rbx(%rip), %rbx
	mov kernel_stack_top(%rip), %rsp
	pushq tick_frame-8(%rip)
	pushq tick_frame-16(%rip)
	pushq tick_frame-24(%rip)
	pushq tick_frame-32(%rip)
	pushq tick_frame-40(%rip)
	movq $0, request+72(%rip)
	pushq $0
	pushq $32
	pushq $-1
	push_registers %rax
	cld
	mov %rsp, %rdi
	xor %esi, %esi
	call exception
	jmp return_to_program
1:	movl $1, tick_seen(%rip)
	mov current(%rip), %rax
	orl $2, THREAD_WORK(%rax)
	mov tick_frame-40(%rip), %rax
	mov %rax, tick_resume(%rip)
	movq $USER_CS, tick_resume+8(%rip)
	mov tick_frame-24(%rip), %rbx
	mov %rbx, tick_resume+16(%rip)
	mov tick_frame-16(%rip), %rbx
	mov %rbx, tick_resume+24(%rip)
	movq $USER_SS, tick_resume+32(%rip)
	in_window stub_saved, stub_syscall_end
	jae 2f
	lea syscall_entry(%rip), %rax
	mov %rax, tick_resume(%rip)
	jmp 4f
2:	in_window fast_window, fast_window_end
	jb 3f
2:	in_window slow_window, slow_window_end
	jae 2f
	/* Returning to the program, or from an exception of kernel code (whose frame lies deeper)? */
	mov kernel_stack_top(%rip), %rbx
	sub $FRAME_BYTES, %rbx
	cmp %rbx, tick_resume+24(%rip)
	jb 2f
3:	lea slow_return(%rip), %rax
	mov %rax, tick_resume(%rip)
	mov kernel_stack_top(%rip), %rax
	sub $FRAME_BYTES, %rax
	mov %rax, tick_resume+24(%rip)
2:
4:	mov tick_rax(%rip), %rax
	mov tick_rbx(%rip), %rbx
	lea tick_resume(%rip), %rsp
	iretq

/* void arch_apply(void): `int $4`; the stub comes back at gate_return without a stack. */
	.globl arch_apply, gate_return
arch_apply:
	mov %rsp, gate_rsp(%rip)
	int $4
gate_return:
	mov gate_rsp(%rip), %rsp
	ret

	.globl arch_hypercall
arch_hypercall:
	.cfi_startproc
	mov $0x100, %edx
	out %al, (%dx)
	ret
	.cfi_endproc

/* void arch_switch(struct thread *from, struct thread *to) */
	.globl arch_switch
arch_switch:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, THREAD_KERNEL_RSP(%rdi)
	mov THREAD_KERNEL_RSP(%rsi), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* A new thread's first arch_switch returns here. */
	.globl arch_thread_start
arch_thread_start:
	call thread_first_return
	/* fall through */

/* void arch_start(void) */
	.globl arch_start
arch_start:
	mov kernel_stack_top(%rip), %rsp
	sub $FRAME_BYTES, %rsp
	jmp slow_return

/*
 * int copy_any(void *dst, const void *src, size_t n); int zero_any(void *dst, size_t n);
 * A fault between copy_start and copy_end that can not be resolved continues at copy_fault.
 * They use no stack.
 */
	.globl copy_any, zero_any, copy_start, copy_end, copy_fault
	.balign 64
copy_start:
copy_any:
	cmp $16, %rdx
	ja 2f
	cmp $8, %rdx
	jb 1f
	mov (%rsi), %rax
	mov -8(%rsi,%rdx), %rcx
	mov %rax, (%rdi)
	mov %rcx, -8(%rdi,%rdx)
	xor %eax, %eax
	ret
1:	cmp $4, %rdx
	jne 2f
	mov (%rsi), %eax
	mov %eax, (%rdi)
	xor %eax, %eax
	ret
2:	mov %rdx, %rcx
	rep movsb
	xor %eax, %eax
	ret
zero_any:
	mov %rsi, %rcx
	xor %eax, %eax
	rep stosb
	ret
	.globl load_byte
/* int load_byte(const void *p): the byte or -EFAULT */
load_byte:
	movzbl (%rdi), %eax
	ret
copy_end:
copy_fault:
	mov $-14, %eax
	ret

	.bss
	.balign 64
	.globl kernel_stack_top, trap_count, tick_seen
kernel_stack_top:	.quad 0
user_rsp:	.quad 0
trap_count:	.quad 0
trap_rax:	.quad 0
trap_rbx:	.quad 0
trap_cr2:	.quad 0
tick_rax:	.quad 0
tick_rbx:	.quad 0
gate_rsp:	.quad 0
resume_frame:	.skip 40
tick_resume:	.skip 40
tick_seen:	.long 0
	.balign 16
	.skip 1536
emergency_stack_end:
	.skip 16
	.section .note.GNU-stack, "", @progbits
