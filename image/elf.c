/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF inspection: see elf.h. The file may be hostile: every offset is checked against the length before it is
 * used, and tables are copied out instead of being pointed at, because they may be misaligned.
 */
#include "image/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* Linux refuses more program headers than fit in a page of 4096 or so; 65535 is what the field can hold. */
#define PHDR_SCAN_MAX 1024
#ifndef EM_LOONGARCH /* not in every libc's elf.h */
#define EM_LOONGARCH 258
#endif
/* PATH_MAX, the bound that Linux has for PT_INTERP. */
#define INTERPRETER_MAX 4096

static bool inside(uint64_t offset, uint64_t bytes, size_t length)
{
	return offset <= length && bytes <= length - offset;
}

/* A PIE without an interpreter (static-pie) and a shared library are both ET_DYN: the dynamic section tells. */
static bool marked_as_pie(const unsigned char *bytes, size_t length, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn entry;

	if (!inside(dynamic->p_offset, dynamic->p_filesz, length))
		return false;
	for (uint64_t at = 0; at + sizeof(entry) <= dynamic->p_filesz; at += sizeof(entry)) {
		memcpy(&entry, bytes + dynamic->p_offset + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_FLAGS_1)
			return entry.d_un.d_val & DF_1_PIE;
	}
	return false;
}

static enum elf_kind inspect_headers(const unsigned char *bytes, size_t length,
	const Elf64_Ehdr *ehdr, struct elf_info *info)
{
	bool loads = false, pie = false;
	Elf64_Phdr phdr;

	if (ehdr->e_phentsize != sizeof(phdr) || ehdr->e_phnum == 0 ||
		ehdr->e_phnum > PHDR_SCAN_MAX)
		return ELF_DAMAGED;
	if (!inside(ehdr->e_phoff, (uint64_t)ehdr->e_phnum * sizeof(phdr), length))
		return ELF_DAMAGED;
	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		memcpy(&phdr, bytes + ehdr->e_phoff + i * sizeof(phdr), sizeof(phdr));
		if (phdr.p_type == PT_LOAD) {
			loads = true;
			if (!inside(phdr.p_offset, phdr.p_filesz, length))
				return ELF_DAMAGED;
		} else if (phdr.p_type == PT_DYNAMIC) {
			pie = marked_as_pie(bytes, length, &phdr);
		} else if (phdr.p_type == PT_INTERP && !info->interpreter) {
			if (phdr.p_filesz < 2 || phdr.p_filesz > INTERPRETER_MAX ||
				!inside(phdr.p_offset, phdr.p_filesz, length))
				return ELF_DAMAGED;
			info->interpreter = (const char *)bytes + phdr.p_offset;
			info->interpreter_length = strnlen(info->interpreter, phdr.p_filesz);
		}
	}
	if (!loads)
		return ELF_DAMAGED;
	if (ehdr->e_type == ET_DYN && !info->interpreter && !pie)
		return ELF_NOT_PROGRAM;
	return ELF_PROGRAM;
}

enum elf_kind elf_inspect(const void *bytes, size_t length, struct elf_info *info)
{
	const unsigned char *byte = bytes;
	Elf64_Ehdr ehdr;

	*info = (struct elf_info){0};
	if (length == 0)
		return ELF_EMPTY;
	if (length >= 2 && memcmp(byte, "#!", 2) == 0)
		return ELF_SCRIPT;
	if (length < SELFMAG || memcmp(byte, ELFMAG, SELFMAG) != 0)
		return ELF_NOT_ELF;
	if (length < EI_NIDENT + 4)
		return ELF_DAMAGED;
	/* e_machine lies at the same place in both classes; big-endian files have it swapped. */
	if (byte[EI_DATA] == ELFDATA2MSB)
		info->machine = (uint16_t)(byte[18] << 8 | byte[19]);
	else
		info->machine = (uint16_t)(byte[19] << 8 | byte[18]);
	if (byte[EI_CLASS] == ELFCLASS32)
		return ELF_32BIT;
	if (byte[EI_CLASS] != ELFCLASS64)
		return ELF_DAMAGED;
	if (info->machine != EM_X86_64 || byte[EI_DATA] != ELFDATA2LSB)
		return ELF_WRONG_MACHINE;
	if (byte[EI_OSABI] != ELFOSABI_SYSV && byte[EI_OSABI] != ELFOSABI_LINUX)
		return ELF_WRONG_SYSTEM;
	if (length < sizeof(ehdr))
		return ELF_DAMAGED;
	memcpy(&ehdr, byte, sizeof(ehdr));
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return ELF_NOT_PROGRAM;
	info->position_independent = ehdr.e_type == ET_DYN;
	return inspect_headers(byte, length, &ehdr, info);
}

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_AARCH64:
		return "64-bit ARM (aarch64)";
	case EM_ARM:
		return "32-bit ARM";
	case EM_386:
		return "32-bit x86 (i386)";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "64-bit PowerPC";
	case EM_S390:
		return "IBM Z (s390x)";
	case EM_MIPS:
		return "MIPS";
	case EM_LOONGARCH:
		return "LoongArch";
	case EM_SPARCV9:
		return "SPARC";
	case EM_IA_64:
		return "Itanium";
	case EM_BPF:
		return "the kernel's BPF machine";
	case EM_X86_64:
		return "x86-64";
	default:
		return NULL;
	}
}

int elf_explain(enum elf_kind kind, const struct elf_info *info, const char *path,
	struct df_err *err)
{
	const char *machine = machine_name(info->machine);

	switch (kind) {
	case ELF_32BIT:
		return df_err_set(err, -ENOEXEC,
			"%s is a 32-bit program; dayfly runs 64-bit x86 programs", path);
	case ELF_WRONG_MACHINE:
		if (!machine || info->machine == EM_X86_64)
			break;
		return df_err_set(err, -ENOEXEC,
			"%s is a program for %s; dayfly runs 64-bit x86 programs", path, machine);
	case ELF_WRONG_SYSTEM:
		return df_err_set(err, -ENOEXEC,
			"%s was made for another operating system; dayfly runs Linux programs",
			path);
	case ELF_NOT_PROGRAM:
		return df_err_set(err, -ENOEXEC,
			"%s is a shared library, object file or core dump; dayfly runs programs",
			path);
	case ELF_DAMAGED:
		return df_err_set(err, -ENOEXEC,
			"%s is damaged: it begins like an ELF program, but its headers do not fit the file; "
			"build or download it again",
			path);
	case ELF_EMPTY:
		return df_err_set(err, -ENOEXEC, "%s is empty", path);
	default:
		return df_err_set(err, -ENOEXEC,
			"%s is not a program: it is neither an ELF file nor a script that begins with #!",
			path);
	}
	return df_err_set(err, -ENOEXEC,
		"%s is a program for another processor (ELF machine %u); dayfly runs 64-bit x86 programs",
		path, info->machine);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

int script_parse(const void *bytes, size_t length, struct script_line *line)
{
	const char *at = bytes, *end, *word;

	/* Linux reads 256 bytes; a longer line is refused rather than cut, as it does since 5.0. */
	if (length > 256)
		length = 256;
	if (length < 2 || memcmp(at, "#!", 2) != 0)
		return -ENOEXEC;
	end = memchr(at, '\n', length);
	if (!end) {
		if (length == 256)
			return -ENOEXEC;
		end = at + length;
	}
	at += 2;
	while (end > at && (blank(end[-1]) || end[-1] == '\r'))
		end--;
	while (at < end && blank(*at))
		at++;
	for (word = at; at < end && !blank(*at) && *at; at++)
		;
	if (at == word)
		return -ENOEXEC;
	memcpy(line->interpreter, word, (size_t)(at - word));
	line->interpreter[at - word] = '\0';
	while (at < end && blank(*at))
		at++;
	memcpy(line->argument, at, (size_t)(end - at));
	line->argument[end - at] = '\0';
	return 0;
}
