/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of file is this? Answers for messages and for gathering, from a file's bytes. It decides nothing about safety: the monitor
 * checks a program again when it loads it. Sources: System V ABI (gABI 4.1, chapters 4 and 5), elf(5).
 */
#ifndef IMAGE_ELF_H
#define IMAGE_ELF_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum elf_kind {
	ELF_PROGRAM = 0, /* a 64-bit x86 Linux program: what dayfly runs */
	ELF_SCRIPT, /* starts with "#!" */
	ELF_EMPTY, /* no bytes at all */
	ELF_NOT_ELF, /* anything else */
	ELF_32BIT, /* a 32-bit program */
	ELF_WRONG_MACHINE, /* 64 bits, but for another processor */
	ELF_WRONG_SYSTEM, /* made for another operating system */
	ELF_NOT_PROGRAM, /* a shared library, object file or core dump */
	ELF_DAMAGED, /* begins as ELF, but its tables point outside of the file */
};

struct elf_info {
	uint16_t machine; /* EM_*; set for every kind from ELF_32BIT on */
	bool position_independent; /* ET_DYN */
	/* PT_INTERP's text within the bytes that were given, not terminated; NULL for a static program */
	const char *interpreter;
	size_t interpreter_length;
};

/* Looks at `length` bytes of a whole file. *info is always filled as far as it is known. Reads nothing else. */
enum elf_kind elf_inspect(const void *bytes, size_t length, struct elf_info *info);

/*
 * Says in *err why `path` (as the user typed it) cannot be run; `kind` is not ELF_PROGRAM or ELF_SCRIPT.
 * Returns -ENOEXEC.
 */
int elf_explain(enum elf_kind kind, const struct elf_info *info, const char *path,
	struct df_err *err);

/* Script line: "#! INTERPRETER [ARGUMENT]", the argument being one piece with its blanks (execve(2)). */
struct script_line {
	char interpreter[256];
	char argument[256]; /* "" when there is none */
};

/*
 * Takes the first line of a script apart. Returns 0, or -ENOEXEC when it names no interpreter or is longer than
 * Linux allows (256 bytes).
 */
int script_parse(const void *bytes, size_t length, struct script_line *line)
	__attribute__((warn_unused_result));

#endif
