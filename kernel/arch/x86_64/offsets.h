// SPDX-License-Identifier: Apache-2.0
/* Numbers that assembly shares with C; arch.c asserts that they agree with the structures. */
#ifndef KERNEL_OFFSETS_H
#define KERNEL_OFFSETS_H

#define THREAD_KERNEL_RSP 0
#define THREAD_WORK 48

#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_ORIG_RAX 120
#define FRAME_VECTOR 128
#define FRAME_RIP 144
#define FRAME_RFLAGS 160
#define FRAME_RSP 168
#define FRAME_BYTES 184

/* Addresses of layout.h, without the C suffix. kernel.lds names them for assembly. */
#define VA_KERNEL 0x600000000000
#define VA_KERNEL_BYTES 0x300000
#define VA_TRAP_FRAME_END 0x600000202000
#define VA_TICK_FRAME_END 0x600000201800
#define VA_REQUEST 0x600000203000
#define VA_SAVE 0x600000203e00
#define VA_APPLY 0x60000020b000

#define USER_SS 0x2b
#define USER_CS 0x33
#define FLAGS_CLEAN 0x202
/* AC, NT, DF, TF: flags that must not be set while the kernel runs. */
#define FLAGS_ODD 0x44500
#define CALL_LIMIT 464
#define KERNEL_STACK_USABLE 0x3c00 /* a fault deeper than this has no room for its own frame */

#endif
