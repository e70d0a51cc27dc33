// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of the guest kernel's ELF reader (kernel/core/elf.c). What it accepts must keep what
 * elf.h promises, because the loader maps memory by it.
 */
#include <kernel/core/elf.h>

#include <stdlib.h>
#include <string.h>

#define TOP 0x800000000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

static void check_segments(const struct elf_info *e)
{
	uint64_t end = 0;

	check(e->segment_count > 0 && e->segment_count <= ELF_SEGMENTS_MAX);
	check(e->start % 4096 == 0 && e->end % 4096 == 0 && e->start < e->end && e->end <= TOP);
	for (unsigned i = 0; i < e->segment_count; i++) {
		const struct elf_segment *s = &e->segment[i];

		check(s->memory_bytes > 0 && s->file_bytes <= s->memory_bytes && s->prot < 8);
		check(s->va / 4096 * 4096 >= end && s->va % 4096 == s->offset % 4096);
		check(s->va < TOP && s->memory_bytes < TOP - s->va);
		check(s->offset < TOP && s->file_bytes < TOP - s->offset);
		end = s->va + s->memory_bytes;
		check(s->va >= e->start && end <= e->end);
		end = (end + 4095) / 4096 * 4096;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_info e;
	char *head = malloc(size ? size : 1);

	memcpy(head, data, size);
	if (!elf_parse(head, size, &e)) {
		check_segments(&e);
		if (e.interp_bytes) {
			check(e.interp_bytes <= ELF_INTERP_MAX && e.interp_offset < size &&
				e.interp_bytes <= size - e.interp_offset);
			check(strlen(head + e.interp_offset) < e.interp_bytes);
		}
	}
	free(head);
	return 0;
}
