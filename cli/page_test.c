/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of page.c: words and flags in any order, and what completion is told. */
#include "cli/page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS(...) ((const char *[]){"verb", __VA_ARGS__, NULL})

static const char *value;
static bool switched;
static struct df_err err;
static char *words[16];
static int count, next;
static char printed[4096];

static int set_value(void *into, const char *text, struct df_err *e)
{
	(void)e;
	*(const char **)into = text;
	return 0;
}

static const struct flag value_flags[] = {
	{"--file", "FILE", "a file", set_value}, {"--name", "NAME", "a name", set_value}, {0}};
static const struct flag bool_flags[] = {{"-q", NULL, "quiet", page_set_bool}, {0}};

static const struct page two = {"verb [FLAGS] A [B]", "Text.\n", 1, 2, WORDS_FUNCTIONS, "More.\n"};
static const struct page program = {
	"verb [FLAGS] PROGRAM", "Text.\n", 0, PAGE_PROGRAM, WORDS_FILES, NULL};
static const struct page needs_program = {
	"verb PROGRAM", "Text.\n", 1, PAGE_PROGRAM, WORDS_FILES, NULL};

/* Calls page_flags with standard output into `printed`. */
static int call(const struct page *page, const char *const *typed)
{
	const struct flag_set sets[] = {{value_flags, &value}, {bool_flags, &switched}, {0}};
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO), status;

	assert_non_null(file);
	value = NULL;
	switched = false;
	err = (struct df_err){0};
	for (count = 0; typed[count]; count++)
		words[count] = (char *)typed[count];
	words[count] = NULL;
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	status = page_flags(page, sets, count, words, &next, &err);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(file);
	memset(printed, 0, sizeof(printed));
	(void)!fread(printed, 1, sizeof(printed) - 1, file);
	fclose(file);
	return status;
}

static void test_around(void **state)
{
	(void)state;
	assert_int_equal(call(&two, WORDS("a", "--name", "n", "b", "-q")), 0);
	assert_int_equal(count - next, 2);
	assert_string_equal(words[next], "a");
	assert_string_equal(words[next + 1], "b");
	assert_string_equal(value, "n");
	assert_true(switched);
	/* Behind -- all is words. */
	assert_int_equal(call(&two, WORDS("a", "--", "-q")), 0);
	assert_string_equal(words[next + 1], "-q");
	assert_false(switched);
	assert_int_equal(call(&two, WORDS("--", "-q", "--")), 0);
	assert_string_equal(words[next], "-q");
	assert_string_equal(words[next + 1], "--");
	/* Those of a program are its own. */
	assert_int_equal(call(&program, WORDS("-q", "p", "--name")), 0);
	assert_string_equal(words[next], "p");
	assert_int_equal(count - next, 2);
}

static void test_count(void **state)
{
	(void)state;
	assert_int_equal(call(&two, WORDS("-q")), -EINVAL);
	assert_string_equal(err.text, "which function? usage: dayfly verb [FLAGS] A [B]");
	assert_int_equal(call(&two, WORDS("a", "b", "c")), -EINVAL);
	assert_string_equal(err.text, "c is too much; usage: dayfly verb [FLAGS] A [B]");
	assert_int_equal(call(&two, WORDS("a", "--nam", "n")), -EINVAL);
	assert_int_equal(call(&needs_program, WORDS("-q")), -EINVAL);
	assert_string_equal(err.text, "which program? usage: dayfly verb PROGRAM");
}

static void test_help(void **state)
{
	(void)state;
	assert_int_equal(call(&two, WORDS("a", "--help")), FLAGS_HELP);
	assert_string_equal(printed,
		"Usage: dayfly verb [FLAGS] A [B]\n\nText.\n\n"
		"  --file FILE              a file\n"
		"  --name NAME              a name\n"
		"  -q                       quiet\n"
		"\nMore.\n");
}

static void completes(const struct page *page, const char *const *typed, const char *expected)
{
	assert_int_equal(call(page, typed), FLAGS_HELP);
	assert_string_equal(printed, expected);
}

static void test_completion(void **state)
{
	(void)state;
	completes(&two, WORDS(PAGE_COMPLETE, ""), "=functions\n");
	completes(&two, WORDS(PAGE_COMPLETE, "a", "-q", "b"), "=functions\n");
	completes(&two, WORDS(PAGE_COMPLETE, "a", "b", ""), "");
	completes(&two, WORDS(PAGE_COMPLETE, "--f"), "--file\ta file\n");
	completes(&two, WORDS(PAGE_COMPLETE, "--file", ""), "=files\n");
	completes(&two, WORDS(PAGE_COMPLETE, "--name", ""), "");
	completes(&two, WORDS(PAGE_COMPLETE, "--name", "n", "-"),
		"--file\ta file\n--name\ta name\n-q\tquiet\n--help\texplain the command\n");
	completes(&two, WORDS(PAGE_COMPLETE, "--", "-"), "=functions\n");
	completes(&program, WORDS(PAGE_COMPLETE, "-q", "z"), "=programs\n");
	completes(&program, WORDS(PAGE_COMPLETE, "zstd", "-"), "=files\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_around),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
