/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of elf.c. */
#include "image/elf.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A small program: header, three program headers, an interpreter's name, a dynamic section. */
struct sample {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	char interpreter[16];
	Elf64_Dyn dynamic[2];
};

static struct sample make_sample(void)
{
	struct sample s = {
		.ehdr = {.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_phoff = offsetof(struct sample, phdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3},
		.interpreter = "/lib/ld.so",
	};

	memcpy(s.ehdr.e_ident, ELFMAG, SELFMAG);
	s.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	s.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	s.phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_filesz = sizeof(s)};
	s.phdr[1] = (Elf64_Phdr){.p_type = PT_INTERP,
		.p_offset = offsetof(struct sample, interpreter),
		.p_filesz = 11};
	s.phdr[2] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
		.p_offset = offsetof(struct sample, dynamic),
		.p_filesz = sizeof(s.dynamic)};
	return s;
}

static enum elf_kind inspect(const struct sample *s)
{
	struct elf_info info;

	return elf_inspect(s, sizeof(*s), &info);
}

static void test_dynamic_program(void **state)
{
	struct sample s = make_sample();
	struct elf_info info;

	(void)state;
	assert_int_equal(elf_inspect(&s, sizeof(s), &info), ELF_PROGRAM);
	assert_true(info.position_independent);
	assert_int_equal(info.interpreter_length, 10);
	assert_memory_equal(info.interpreter, "/lib/ld.so", 10);
}

static void test_static_programs(void **state)
{
	struct sample s = make_sample();
	struct elf_info info;

	(void)state;
	s.phdr[1].p_type = PT_NULL;
	/* ET_DYN with neither an interpreter nor the mark of a PIE is a library. */
	assert_int_equal(inspect(&s), ELF_NOT_PROGRAM);
	s.dynamic[0] = (Elf64_Dyn){.d_tag = DT_FLAGS_1, .d_un.d_val = DF_1_PIE};
	assert_int_equal(inspect(&s), ELF_PROGRAM);
	s.ehdr.e_type = ET_EXEC;
	assert_int_equal(elf_inspect(&s, sizeof(s), &info), ELF_PROGRAM);
	assert_null(info.interpreter);
	assert_false(info.position_independent);
}

static void test_other_files(void **state)
{
	struct elf_info info;

	(void)state;
	assert_int_equal(elf_inspect("", 0, &info), ELF_EMPTY);
	assert_int_equal(elf_inspect("#!/bin/sh\n", 10, &info), ELF_SCRIPT);
	assert_int_equal(elf_inspect("hello", 5, &info), ELF_NOT_ELF);
	assert_int_equal(elf_inspect("#", 1, &info), ELF_NOT_ELF);
	assert_int_equal(elf_inspect(ELFMAG, 4, &info), ELF_DAMAGED);
}

static void test_other_machines(void **state)
{
	struct sample s = make_sample();
	struct elf_info info;

	(void)state;
	s.ehdr.e_machine = EM_AARCH64;
	assert_int_equal(inspect(&s), ELF_WRONG_MACHINE);
	s = make_sample();
	s.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(inspect(&s), ELF_32BIT);
	s = make_sample();
	s.ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	s.ehdr.e_machine = (uint16_t)(EM_S390 << 8);
	assert_int_equal(elf_inspect(&s, sizeof(s), &info), ELF_WRONG_MACHINE);
	assert_int_equal(info.machine, EM_S390);
	s = make_sample();
	s.ehdr.e_ident[EI_OSABI] = ELFOSABI_FREEBSD;
	assert_int_equal(inspect(&s), ELF_WRONG_SYSTEM);
	s = make_sample();
	s.ehdr.e_type = ET_REL;
	assert_int_equal(inspect(&s), ELF_NOT_PROGRAM);
}

static void test_damage(void **state)
{
	struct sample s = make_sample();
	struct elf_info info;

	(void)state;
	s.ehdr.e_phoff = UINT64_MAX - 8;
	assert_int_equal(inspect(&s), ELF_DAMAGED);
	s = make_sample();
	s.ehdr.e_phnum = 0;
	assert_int_equal(inspect(&s), ELF_DAMAGED);
	s = make_sample();
	s.phdr[0].p_filesz++;
	assert_int_equal(inspect(&s), ELF_DAMAGED);
	s = make_sample();
	s.phdr[1].p_offset = UINT64_MAX;
	assert_int_equal(inspect(&s), ELF_DAMAGED);
	s = make_sample();
	s.phdr[0].p_type = PT_NULL;
	assert_int_equal(inspect(&s), ELF_DAMAGED);
	/* A cut at any place is seen and nothing beyond it is read (the sanitizer looks at that). */
	s = make_sample();
	for (size_t length = 20; length < sizeof(s); length++) {
		void *cut = malloc(length);

		memcpy(cut, &s, length);
		assert_int_equal(elf_inspect(cut, length, &info), ELF_DAMAGED);
		free(cut);
	}
}

static void test_messages(void **state)
{
	static const struct {
		enum elf_kind kind;
		uint16_t machine;
		const char *text;
	} cases[] = {
		{ELF_32BIT, EM_386, "./x is a 32-bit program; dayfly runs 64-bit x86 programs"},
		{ELF_WRONG_MACHINE, EM_AARCH64,
			"./x is a program for 64-bit ARM (aarch64); dayfly runs 64-bit x86 programs"},
		{ELF_WRONG_MACHINE, 9999,
			"./x is a program for another processor (ELF machine 9999); dayfly runs 64-bit x86 programs"},
		{ELF_EMPTY, 0, "./x is empty"},
		{ELF_NOT_ELF, 0,
			"./x is not a program: it is neither an ELF file nor a script that begins with #!"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct elf_info info = {.machine = cases[i].machine};
		struct df_err err = {0};

		assert_int_equal(elf_explain(cases[i].kind, &info, "./x", &err), -ENOEXEC);
		assert_string_equal(err.text, cases[i].text);
	}
}

static void test_script_lines(void **state)
{
	static const char *const cases[][3] = {
		{"#!/bin/sh\n", "/bin/sh", ""},
		{"#! /usr/bin/env  python3 -u \nx", "/usr/bin/env", "python3 -u"},
		{"#!/bin/sh", "/bin/sh", ""},
		{"#!\t/bin/sh -e\r\n", "/bin/sh", "-e"},
	};
	struct script_line line;
	char big[300];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(script_parse(cases[i][0], strlen(cases[i][0]), &line), 0);
		assert_string_equal(line.interpreter, cases[i][1]);
		assert_string_equal(line.argument, cases[i][2]);
	}
	assert_int_equal(script_parse("#!\n/bin/sh", 10, &line), -ENOEXEC);
	assert_int_equal(script_parse("#!   ", 5, &line), -ENOEXEC);
	memset(big, 'a', sizeof(big));
	big[0] = '#';
	big[1] = '!';
	big[2] = '/';
	assert_int_equal(script_parse(big, sizeof(big), &line), -ENOEXEC);
	big[255] = '\n';
	assert_int_equal(script_parse(big, sizeof(big), &line), 0);
	assert_int_equal(strlen(line.interpreter), 253);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dynamic_program),
		cmocka_unit_test(test_static_programs),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_script_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
