// SPDX-License-Identifier: Apache-2.0
/*
 * Reading an ELF executable's headers. Pure: works on a copy of the first bytes of the file, trusts
 * nothing in them, touches nothing else; also compiled for the host and fuzzed.
 * Source: System V ABI, gABI chapter 4 and 5.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 16
#define ELF_INTERP_MAX 256

struct elf_segment {
	uint64_t va, memory_bytes, file_bytes, offset; /* va and offset agree modulo 4096 */
	unsigned prot; /* PROT_* */
};

struct elf_info {
	bool relocatable; /* ET_DYN: may be loaded anywhere */
	uint64_t entry;
	uint64_t start, end; /* page-aligned span of all segments */
	uint64_t phdr_va; /* address of the program headers, 0 when no segment shows them */
	uint16_t phdr_bytes, phdr_count;
	unsigned segment_count; /* sorted by address, not overlapping */
	struct elf_segment segment[ELF_SEGMENTS_MAX];
	uint64_t interp_offset; /* in the head; zero-ended string */
	uint64_t interp_bytes; /* with its end; 0: static */
};

/* head: the first `bytes` of the file. 0, or -ENOEXEC when dayfly can not run it. */
int elf_parse(const void *head, size_t bytes, struct elf_info *out);

#endif
