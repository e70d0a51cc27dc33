/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets by name: see cpu_names.h. Bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E. */
#include "cli/cpu_names.h"

#include <cpuid.h>
#include <stdbool.h>

/* Words of df_snapshot.cpu (monitor/guest_cpuid.c). */
enum { LEAF_1_ECX, LEAF_1_EDX, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX, EXTENDED_ECX, EXTENDED_EDX };

#define BEYOND 0 /* belongs to no level */

/* What a program in ring 3 can use. */
static const struct {
	uint8_t word, bit;
	uint8_t level; /* of x86-64 that asks for it */
	const char *name;
} names[] = {
	{LEAF_1_ECX, 0, 2, "pni"},
	{LEAF_1_ECX, 1, BEYOND, "pclmulqdq"},
	{LEAF_1_ECX, 9, 2, "ssse3"},
	{LEAF_1_ECX, 12, 3, "fma"},
	{LEAF_1_ECX, 13, 2, "cx16"},
	{LEAF_1_ECX, 19, 2, "sse4_1"},
	{LEAF_1_ECX, 20, 2, "sse4_2"},
	{LEAF_1_ECX, 22, 3, "movbe"},
	{LEAF_1_ECX, 23, 2, "popcnt"},
	{LEAF_1_ECX, 25, BEYOND, "aes"},
	{LEAF_1_ECX, 26, BEYOND, "xsave"},
	{LEAF_1_ECX, 27, 3, "osxsave"},
	{LEAF_1_ECX, 28, 3, "avx"},
	{LEAF_1_ECX, 29, 3, "f16c"},
	{LEAF_1_ECX, 30, BEYOND, "rdrand"},
	{LEAF_7_EBX, 0, BEYOND, "fsgsbase"},
	{LEAF_7_EBX, 3, 3, "bmi1"},
	{LEAF_7_EBX, 5, 3, "avx2"},
	{LEAF_7_EBX, 8, 3, "bmi2"},
	{LEAF_7_EBX, 9, BEYOND, "erms"},
	{LEAF_7_EBX, 16, 4, "avx512f"},
	{LEAF_7_EBX, 17, 4, "avx512dq"},
	{LEAF_7_EBX, 18, BEYOND, "rdseed"},
	{LEAF_7_EBX, 19, BEYOND, "adx"},
	{LEAF_7_EBX, 21, BEYOND, "avx512ifma"},
	{LEAF_7_EBX, 23, BEYOND, "clflushopt"},
	{LEAF_7_EBX, 24, BEYOND, "clwb"},
	{LEAF_7_EBX, 28, 4, "avx512cd"},
	{LEAF_7_EBX, 29, BEYOND, "sha_ni"},
	{LEAF_7_EBX, 30, 4, "avx512bw"},
	{LEAF_7_EBX, 31, 4, "avx512vl"},
	{LEAF_7_ECX, 1, BEYOND, "avx512_vbmi"},
	{LEAF_7_ECX, 6, BEYOND, "avx512_vbmi2"},
	{LEAF_7_ECX, 8, BEYOND, "gfni"},
	{LEAF_7_ECX, 9, BEYOND, "vaes"},
	{LEAF_7_ECX, 10, BEYOND, "vpclmulqdq"},
	{LEAF_7_ECX, 11, BEYOND, "avx512_vnni"},
	{LEAF_7_ECX, 12, BEYOND, "avx512_bitalg"},
	{LEAF_7_ECX, 14, BEYOND, "avx512_vpopcntdq"},
	{LEAF_7_ECX, 27, BEYOND, "movdiri"},
	{LEAF_7_ECX, 28, BEYOND, "movdir64b"},
	{LEAF_7_EDX, 4, BEYOND, "fsrm"},
	{LEAF_7_EDX, 8, BEYOND, "avx512_vp2intersect"},
	{LEAF_7_EDX, 14, BEYOND, "serialize"},
	{LEAF_7_EDX, 23, BEYOND, "avx512_fp16"},
	{EXTENDED_ECX, 0, 2, "lahf_lm"},
	{EXTENDED_ECX, 5, 3, "abm"},
	{EXTENDED_ECX, 6, BEYOND, "sse4a"},
	{EXTENDED_ECX, 8, BEYOND, "3dnowprefetch"},
	{EXTENDED_ECX, 11, BEYOND, "xop"},
	{EXTENDED_ECX, 16, BEYOND, "fma4"},
	{EXTENDED_ECX, 21, BEYOND, "tbm"},
	{EXTENDED_EDX, 27, BEYOND, "rdtscp"},
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static bool has(const uint32_t words[DF_CPU_LEAVES], size_t name)
{
	return words[names[name].word] >> names[name].bit & 1;
}

static unsigned int level_of(const uint32_t words[DF_CPU_LEAVES])
{
	unsigned int level = 4;

	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (names[i].level && names[i].level <= level && !has(words, i))
			level = names[i].level - 1u;
	}
	return level;
}

void cpu_names_add(struct df_str *text, const uint32_t words[DF_CPU_LEAVES])
{
	unsigned int level = level_of(words);

	df_str_add(text, "x86-64");
	if (level > 1)
		df_str_addf(text, "-v%u", level);
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (has(words, i) && (names[i].level == BEYOND || names[i].level > level))
			df_str_addf(text, " %s", names[i].name);
	}
}

void cpu_names_add_missing(struct df_str *text, const uint32_t words[DF_CPU_LEAVES])
{
	uint32_t here[DF_CPU_LEAVES] = {0}, unused;

	__get_cpuid(1, &unused, &unused, &here[LEAF_1_ECX], &here[LEAF_1_EDX]);
	__get_cpuid_count(7, 0, &unused, &here[LEAF_7_EBX], &here[LEAF_7_ECX], &here[LEAF_7_EDX]);
	__get_cpuid(0x80000001, &unused, &unused, &here[EXTENDED_ECX], &here[EXTENDED_EDX]);
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (has(words, i) && !has(here, i))
			df_str_addf(text, "%s%s", text->length ? " " : "", names[i].name);
	}
}
