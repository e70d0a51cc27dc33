// SPDX-License-Identifier: Apache-2.0
/* Tests of the instruction lengths. The bytes are what GCC, Clang and the C libraries' assembly emit. */
#include <kernel/mm/decode.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct sample {
	uint8_t bytes[INSTRUCTION_MAX];
	unsigned length;
};

static void lengths(void **state)
{
	static const struct sample samples[] = {
		{{0xc3}, 1}, /* ret */
		{{0x0f, 0x05}, 2}, /* syscall */
		{{0x31, 0xc0}, 2}, /* xor %eax, %eax */
		{{0x48, 0x89, 0xf8}, 3}, /* mov %rdi, %rax */
		{{0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff}, 6}, /* cmp $-4096, %rax */
		{{0x66, 0x3d, 0x00, 0x10}, 4}, /* cmp $4096, %ax */
		{{0x77, 0x10}, 2}, /* ja */
		{{0x0f, 0x87, 1, 2, 3, 4}, 6}, /* ja, far */
		{{0xb8, 1, 0, 0, 0}, 5}, /* mov $1, %eax */
		{{0x66, 0xb8, 1, 0}, 4}, /* mov $1, %ax */
		{{0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, 10}, /* movabs */
		{{0x48, 0xc7, 0xc0, 1, 0, 0, 0}, 7}, /* mov $1, %rax */
		{{0x66, 0xc7, 0x44, 0x24, 8, 1, 0}, 7}, /* movw $1, 8(%rsp) */
		{{0xc6, 0x05, 1, 2, 3, 4, 9}, 7}, /* movb $9, x(%rip) */
		{{0x8b, 0x04, 0x25, 1, 2, 3, 4}, 7}, /* mov 0x4030201, %eax */
		{{0x8b, 0x04, 0x85, 1, 2, 3, 4}, 7}, /* mov x(, %rax, 4), %eax */
		{{0x8b, 0x44, 0x85, 0}, 4}, /* mov (%rbp, %rax, 4), %eax */
		{{0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 9}, /* mov %fs:0x28, %rax */
		{{0x64, 0x89, 0x01}, 3}, /* mov %eax, %fs:(%rcx) */
		{{0xe8, 1, 2, 3, 4}, 5}, /* call */
		{{0x66, 0x66, 0x48, 0xe8, 1, 2, 3, 4}, 8}, /* call, as in TLS sequences */
		{{0xff, 0x15, 1, 2, 3, 4}, 6}, /* call *x(%rip) */
		{{0xf6, 0x80, 1, 2, 3, 4, 0x40}, 7}, /* testb $0x40, x(%rax) */
		{{0xf7, 0xd8}, 2}, /* neg %eax */
		{{0xf7, 0xc0, 1, 2, 3, 4}, 6}, /* test $x, %eax */
		{{0xf0, 0x0f, 0xb1, 0x17}, 4}, /* lock cmpxchg %edx, (%rdi) */
		{{0x0f, 0xb6, 0x00}, 3}, /* movzbl (%rax), %eax */
		{{0x0f, 0xba, 0xe0, 7}, 4}, /* bt $7, %eax */
		{{0x66, 0x0f, 0x38, 0x17, 0xc0}, 5}, /* ptest */
		{{0x66, 0x0f, 0x3a, 0x0f, 0xc1, 8}, 6}, /* palignr */
		{{0x66, 0x0f, 0x70, 0xc0, 0}, 5}, /* pshufd */
		{{0xf3, 0x0f, 0x1e, 0xfa}, 4}, /* endbr64 */
		{{0xf3, 0x48, 0xa5}, 3}, /* rep movsq */
		{{0xd9, 0x7c, 0x24, 8}, 4}, /* fnstcw 8(%rsp) */
		{{0x41, 0x0f, 0xc8}, 3}, /* bswap %r8d */
		{{0xc5, 0xf8, 0x77}, 0}, /* vzeroupper: not known */
		{{0x62, 0xf1}, 0}, /* EVEX: not known */
		{{0x06}, 0}, /* not in 64-bit mode */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		if (instruction_length(samples[i].bytes) != samples[i].length)
			print_error("sample %u\n", i);
		assert_int_equal(instruction_length(samples[i].bytes), samples[i].length);
	}
}

static void ends_of_flow(void **state)
{
	static const uint8_t ends[][INSTRUCTION_MAX] = {{0xc3}, {0xf3, 0xc3}, {0xc2, 8, 0},
		{0xeb, 0xf8}, {0xe9, 1, 2, 3, 4}, {0xff, 0xe0}, {0x41, 0xff, 0xe3},
		{0x3e, 0xff, 0xe0}, {0xff, 0x25, 1, 2, 3, 4}, {0xf4}, {0x0f, 0x0b}};
	static const uint8_t goes_on[][INSTRUCTION_MAX] = {{0x74, 2}, {0xe8, 1, 2, 3, 4},
		{0xff, 0xd0}, {0xff, 0xc0}, {0x0f, 0x05}, {0x89, 0xc3}, {0x90}, {0xcc}};

	(void)state;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		assert_true(instruction_ends_flow(ends[i]));
	for (unsigned i = 0; i < sizeof(goes_on) / sizeof(goes_on[0]); i++)
		assert_false(instruction_ends_flow(goes_on[i]));
}

static void no_operations(void **state)
{
	static const struct sample samples[] = {
		{{0x90}, 1},
		{{0xcc}, 1},
		{{0x66, 0x90}, 2},
		{{0x0f, 0x1f, 0x00}, 3},
		{{0x0f, 0x1f, 0x40, 0}, 4},
		{{0x0f, 0x1f, 0x44, 0, 0}, 5},
		{{0x66, 0x0f, 0x1f, 0x44, 0, 0}, 6},
		{{0x0f, 0x1f, 0x80, 0, 0, 0, 0}, 7},
		{{0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, 8},
		{{0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, 10},
		{{0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, 11},
		{{0x55}, 0}, /* push %rbp */
		{{0xf3, 0x0f, 0x1e, 0xfa}, 0}, /* endbr64 starts a function */
		{{0x66, 0x89, 0xc0}, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		assert_int_equal(nop_length(samples[i].bytes), samples[i].length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(ends_of_flow),
		cmocka_unit_test(no_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
