// SPDX-License-Identifier: Apache-2.0
/*
 * Where x86-64 instructions end: enough to walk over the code of functions from one known instruction on.
 */
#ifndef KERNEL_DECODE_H
#define KERNEL_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define INSTRUCTION_MAX 15

/* Length of the instruction at p, of which INSTRUCTION_MAX bytes can be read. 0: none that compilers emit for
 * integer or SSE code (VEX and EVEX are not known). */
unsigned instruction_length(const uint8_t *p);
/* Does execution never go on behind the instruction at p (ret, jmp, hlt, ud2)? */
bool instruction_ends_flow(const uint8_t *p);
/* Length of the no-operation at p (also int3, which compilers pad with). 0: another instruction. */
unsigned nop_length(const uint8_t *p);

#endif
