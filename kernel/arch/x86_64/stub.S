// SPDX-License-Identifier: Apache-2.0
/*
 * All code of ring 0. It lies on one page that everyone may read and execute and no one may write.
 * It does three things: pass system calls to the ring-3 kernel, pass exceptions and interrupts to it,
 * and write the page-table entries that the monitor queued (`int $4`).
 *
 * Whatever sysretq and iretq consume is a constant on this page: a program that runs in the same ring
 * as the kernel must not be able to choose it. Where ring 0 is interpreted (paravirtual KVM) each
 * instruction here costs about a microsecond, so there are as few as possible.
 */
#include "offsets.h"


	.section .stub, "ax", @progbits
	.balign 4096
/* For the monitor (monitor/kernel_image.c), and the last one for the vDSO (time/vdso.c). */
	.quad stub_syscall, stub_vectors, stub_tick, stub_frames, stub_frames_end, syscall_fast

	.balign 16
	.globl stub_syscall
/*
 * LSTAR. VMX and SVM arrive in CPL 0, paravirtual KVM in CPL 3: both leave through the same door.
 * Interrupts stay on, since nothing on the paravirtual path could turn them on again. A tick that hits
 * ring 0 here is resumed in ring 3: up to the second mov that makes no difference, behind it
 * trap_tick goes on at syscall_entry.
 */
stub_syscall:
	mov %rcx, save_rcx(%rip)
	mov %r11, save_r11(%rip)
	.globl stub_saved, stub_syscall_end
stub_saved:
	mov %cs, %ecx
	test $3, %cl
	jnz syscall_entry
	lea syscall_entry(%rip), %rcx
	mov frame_sysret+16(%rip), %r11
	sysretq
stub_syscall_end:

	.macro frame entry
	.quad \entry, USER_CS, FLAGS_CLEAN, 0, USER_SS
	.endm
	.balign 16
stub_frames:
frame_sysret:	frame 0 /* its flags only */
frame_plain:	frame trap_plain
frame_error:	frame trap_error
frame_page:	frame trap_page
frame_tick:	frame trap_tick
frame_gate:	frame gate_return
stub_frames_end:

/* One entry per exception, 16 bytes apart. The CPU's frame stays where it is, on a page that ring 3
 * can read; the vector number goes below it. */
	.balign 16
	.globl stub_vectors
stub_vectors:
	.set i, 0
	.rept 32
	.balign 16
	.if i == 4
	jmp gate
	.elseif i == 14
	push %rax
	mov %cr2, %rax
	lea frame_page(%rip), %rsp
	iretq
	.elseif i == 8 || i == 10 || i == 11 || i == 12 || i == 13 || i == 17 || i == 21 || i == 29 || i == 30
	pushq $i
	lea frame_error(%rip), %rsp
	iretq
	.else
	pushq $i
	lea frame_plain(%rip), %rsp
	iretq
	.endif
	.set i, i + 1
	.endr
	.balign 16
	.globl stub_tick
stub_tick:
	lea frame_tick(%rip), %rsp
	iretq

/*
 * rax, rcx, rdx are the caller's to lose. The list is on a supervisor page, written by the monitor. Where an
 * entry of a whole table is among them, CR3 is reloaded, for what invlpg leaves.
 */
gate:
	mov apply(%rip), %rcx
	jrcxz 2f
	lea apply+16(%rip), %rdx
1:	mov (%rdx), %rax
	push 8(%rdx)
	pop (%rax)
	mov 16(%rdx), %rax
	invlpg (%rax)
	add $24, %rdx
	dec %ecx
	jnz 1b
	mov %rcx, apply(%rip)
	cmp %ecx, apply+8(%rip)
	je 2f
	mov %cr3, %rax
	mov %rax, %cr3
2:	lea frame_gate(%rip), %rsp
	iretq
	.globl stub_end
stub_end:
	.section .note.GNU-stack, "", @progbits
