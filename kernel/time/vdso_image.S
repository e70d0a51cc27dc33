// SPDX-License-Identifier: Apache-2.0
/* The linked vDSO as it is, for kernel.lds to put at DF_VA_VDSO. */
	.section .vdso, "ax", @progbits
	.balign 4096
	.incbin "vdso.bin"
	.section .note.GNU-stack, "", @progbits
