/*
 * syscall.trap: nanoseconds for one system call at a site that can not be rewritten. The instruction is reached
 * by a jump alone, so nothing before it can be replaced, and no padding lies within reach of a short jump.
 */
#include <stdio.h>

#include "clock.h"

#define WARM 10
#define CALLS 2000

/* void getppid_loop(long times): in its own text, between instructions that are never run. */
extern void getppid_loop(long times);

__asm__(".pushsection .text\n"
	".rept 40\n"
	"	add $0x11, %r10\n"
	".endr\n"
	"getppid_loop:\n"
	"	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"1:	push $110\n" /* getppid */
	"	pop %rax\n"
	"	jmp 2f\n"
	"	add $0x11, %r10\n"
	"2:	syscall\n"
	"	dec %rbx\n"
	"	jnz 1b\n"
	"	pop %rbx\n"
	"	ret\n"
	".rept 40\n"
	"	add $0x11, %r10\n"
	".endr\n"
	".popsection\n");

int main(void)
{
	getppid_loop(WARM);
	uint64_t start = now_ns();
	getppid_loop(CALLS);
	printf("%.1f\n", (double)(now_ns() - start) / CALLS);
	return 0;
}
