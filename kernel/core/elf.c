// SPDX-License-Identifier: Apache-2.0
/* ELF headers: see elf.h. Every number from the file is checked before it is used. */
#include <asm/errno.h>
#include <kernel/core/elf.h>
#include <linux/elf-em.h>
#include <linux/elf.h>

#define PAGE_BYTES 4096ULL
#define ADDRESS_MAX 0x800000000000ULL

static uint64_t page_down(uint64_t x)
{
	return x & ~(PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t x)
{
	return page_down(x + PAGE_BYTES - 1);
}

static bool header_ok(const Elf64_Ehdr *h)
{
	return h->e_ident[0] == 0x7f && h->e_ident[1] == 'E' && h->e_ident[2] == 'L' &&
		h->e_ident[3] == 'F' && h->e_ident[EI_CLASS] == ELFCLASS64 &&
		h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == EM_X86_64 &&
		(h->e_type == ET_EXEC || h->e_type == ET_DYN) &&
		h->e_phentsize == sizeof(Elf64_Phdr);
}

static int add_load(struct elf_info *out, const Elf64_Phdr *p)
{
	struct elf_segment *s = &out->segment[out->segment_count];
	uint64_t previous_end = out->segment_count ? out->end : 0;

	if (!p->p_memsz)
		return 0;
	if (out->segment_count == ELF_SEGMENTS_MAX || p->p_filesz > p->p_memsz ||
		p->p_vaddr >= ADDRESS_MAX || p->p_memsz >= ADDRESS_MAX - p->p_vaddr ||
		p->p_offset >= ADDRESS_MAX || p->p_filesz >= ADDRESS_MAX - p->p_offset ||
		(p->p_vaddr ^ p->p_offset) % PAGE_BYTES || page_down(p->p_vaddr) < previous_end)
		return -ENOEXEC;
	*s = (struct elf_segment){
		.va = p->p_vaddr,
		.memory_bytes = p->p_memsz,
		.file_bytes = p->p_filesz,
		.offset = p->p_offset,
		.prot = (p->p_flags & PF_R ? 1u : 0) | (p->p_flags & PF_W ? 2u : 0) |
			(p->p_flags & PF_X ? 4u : 0),
	};
	if (!out->segment_count++)
		out->start = page_down(s->va);
	out->end = page_up(s->va + s->memory_bytes);
	return 0;
}

static int take_interp(struct elf_info *out, const char *head, size_t bytes, const Elf64_Phdr *p)
{
	if (!p->p_filesz || p->p_filesz > ELF_INTERP_MAX || p->p_offset >= bytes ||
		p->p_filesz > bytes - p->p_offset || head[p->p_offset + p->p_filesz - 1])
		return -ENOEXEC;
	out->interp_offset = p->p_offset;
	out->interp_bytes = p->p_filesz;
	return 0;
}

/* Where the program headers are once loaded. */
static uint64_t phdr_address(const struct elf_info *out, uint64_t offset)
{
	for (unsigned i = 0; i < out->segment_count; i++) {
		const struct elf_segment *s = &out->segment[i];

		if (offset >= s->offset && offset - s->offset < s->file_bytes)
			return s->va + (offset - s->offset);
	}
	return 0;
}

int elf_parse(const void *head, size_t bytes, struct elf_info *out)
{
	Elf64_Ehdr h;
	int r = 0;

	*out = (struct elf_info){0};
	if (bytes < sizeof(h))
		return -ENOEXEC;
	__builtin_memcpy(&h, head, sizeof(h));
	if (!header_ok(&h) || h.e_phoff > bytes ||
		h.e_phnum > (bytes - h.e_phoff) / sizeof(Elf64_Phdr))
		return -ENOEXEC;
	for (unsigned i = 0; i < h.e_phnum && !r; i++) {
		Elf64_Phdr p;

		__builtin_memcpy(&p, (const char *)head + h.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD)
			r = add_load(out, &p);
		else if (p.p_type == PT_INTERP)
			r = take_interp(out, head, bytes, &p);
	}
	if (r || !out->segment_count)
		return -ENOEXEC;
	out->relocatable = h.e_type == ET_DYN;
	out->entry = h.e_entry;
	out->phdr_va = phdr_address(out, h.e_phoff);
	out->phdr_bytes = sizeof(Elf64_Phdr);
	out->phdr_count = h.e_phnum;
	return 0;
}
