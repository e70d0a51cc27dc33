/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of flags.c, and of the flags and the environment that guests are made with. */
#include "cli/program.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct program_options options;
static bool switched;
static struct df_err err;
static int next;

static int set_switch(void *into, const char *value, struct df_err *e)
{
	(void)e;
	*(bool *)into = value == NULL;
	return 0;
}

static const struct flag more_flags[] = {{"--switch", NULL, "", set_switch}, {0}};

/* Parses a NULL-ended command line that begins with the command's name. */
static int parse(char *const *words)
{
	const struct flag_set sets[] = {{program_flags, &options}, {more_flags, &switched}, {0}};
	int count = 0;

	switched = false;
	while (words[count])
		count++;
	err = (struct df_err){0};
	program_options_init(&options);
	return flags_parse(sets, count, (char **)words, &next, &err);
}

#define WORDS(...) ((char *const[]){"run", __VA_ARGS__, NULL})

static void test_sizes(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_int_equal(parse_size("4096", &bytes), 0);
	assert_int_equal(bytes, 4096);
	assert_int_equal(parse_size("64K", &bytes), 0);
	assert_int_equal(bytes, 65536);
	assert_int_equal(parse_size("2GiB", &bytes), 0);
	assert_true(bytes == 2ull << 30);
	assert_int_equal(parse_size("", &bytes), -EINVAL);
	assert_int_equal(parse_size("0", &bytes), -EINVAL);
	assert_int_equal(parse_size("-1M", &bytes), -EINVAL);
	assert_int_equal(parse_size("1X", &bytes), -EINVAL);
	assert_int_equal(parse_size("18446744073709551616", &bytes), -EINVAL);
	assert_int_equal(parse_size("17179869184G", &bytes), -EINVAL);
}

static void test_durations(void **state)
{
	uint64_t ms;

	(void)state;
	assert_int_equal(parse_duration_ms("500ms", &ms), 0);
	assert_int_equal(ms, 500);
	assert_int_equal(parse_duration_ms("1.5s", &ms), 0);
	assert_int_equal(ms, 1500);
	assert_int_equal(parse_duration_ms("2m", &ms), 0);
	assert_int_equal(ms, 120000);
	assert_int_equal(parse_duration_ms("1h", &ms), 0);
	assert_int_equal(ms, 3600000);
	assert_int_equal(parse_duration_ms("10", &ms), -EINVAL);
	assert_int_equal(parse_duration_ms("0s", &ms), -EINVAL);
	assert_int_equal(parse_duration_ms(".5s", &ms), -EINVAL);
	assert_int_equal(parse_duration_ms("99999999999h", &ms), -EINVAL);
}

static void test_values_and_order(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--memory", "64M", "--workdir=/data", "prog", "--switch")), 0);
	assert_true(options.memory_bytes == 64 << 20);
	assert_string_equal(options.workdir, "/data");
	free((char *)options.workdir);
	/* Flags behind the program are the program's. */
	assert_false(switched);
	assert_int_equal(next, 4);
	assert_int_equal(parse(WORDS("--switch", "--", "--prog")), 0);
	assert_true(switched);
	assert_int_equal(next, 3);
	assert_int_equal(parse(WORDS("--help")), FLAGS_HELP);
}

static void test_mistakes(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--memroy", "64M", "x")), -EINVAL);
	assert_string_equal(err.text, "there is no flag --memroy; did you mean --memory?");
	assert_int_equal(parse(WORDS("--xyzzy", "x")), -EINVAL);
	assert_string_equal(err.text, "there is no flag --xyzzy; --help lists those there are");
	assert_int_equal(parse(WORDS("--memory")), -EINVAL);
	assert_string_equal(err.text, "--memory needs a value: --memory SIZE");
	assert_int_equal(parse(WORDS("--switch=1", "x")), -EINVAL);
	assert_string_equal(err.text, "--switch takes no value");
	assert_int_equal(parse(WORDS("--workdir", "data", "x")), -EINVAL);
	assert_int_equal(parse(WORDS("--file", "/etc/passwd:x", "x")), -EINVAL);
	assert_int_equal(parse(WORDS("--env", "=x", "x")), -EINVAL);
}

static void test_features(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--no-feature", "tmp", "--no-feature", "files", "x")), 0);
	assert_false(options.features[FEATURE_TMP]);
	assert_false(options.features[FEATURE_FILES]);
	assert_true(options.features[FEATURE_SIGNALS]);
	assert_int_equal(parse(WORDS("--no-feature", "tmp", "--feature", "tmp", "x")), 0);
	assert_true(options.features[FEATURE_TMP]);
	/* tmp needs files: they come and go together. */
	assert_int_equal(parse(WORDS("--no-feature", "files", "x")), 0);
	assert_false(options.features[FEATURE_TMP]);
	assert_int_equal(parse(WORDS("--no-feature", "files", "--feature", "tmp", "x")), 0);
	assert_true(options.features[FEATURE_FILES]);
	assert_int_equal(parse(WORDS("--feature", "core", "x")), 0);
	assert_int_equal(parse(WORDS("--no-feature", "core", "x")), -EINVAL);
	assert_int_equal(parse(WORDS("--no-feature", "signal", "x")), -EINVAL);
	assert_string_equal(err.text, "there is no feature signal; did you mean signals?");
}

static void test_environment(void **state)
{
	(void)state;
	setenv("LANG", "C.UTF-8", 1);
	setenv("SECRET", "1", 1);
	setenv("WANTED", "2", 1);
	unsetenv("TZ");
	unsetenv("MISSING");
	assert_int_equal(parse(WORDS("--env", "A=1", "--env", "A=2", "--env", "WANTED", "--env",
				 "MISSING", "--env", "HOME=/x", "p")),
		0);
	assert_string_equal(program_env(&options, "PATH"), GUEST_PATH);
	assert_string_equal(program_env(&options, "HOME"), "/x");
	assert_string_equal(program_env(&options, "LANG"), "C.UTF-8");
	assert_string_equal(program_env(&options, "A"), "2");
	assert_string_equal(program_env(&options, "WANTED"), "2");
	assert_null(program_env(&options, "SECRET"));
	assert_null(program_env(&options, "MISSING"));
	assert_null(program_env(&options, "TZ"));
}

static void test_files(void **state)
{
	(void)state;
	assert_int_equal(parse(WORDS("--file", "/etc//hosts", "--file=/a:b:/c/", "x")), 0);
	assert_int_equal(options.file_count, 2);
	assert_string_equal(options.files[0].host, "/etc/hosts");
	assert_string_equal(options.files[0].guest, "/etc/hosts");
	assert_string_equal(options.files[1].host, "/a:b");
	assert_string_equal(options.files[1].guest, "/c");
	for (size_t i = 0; i < options.file_count; i++) {
		free((char *)options.files[i].host);
		free((char *)options.files[i].guest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_values_and_order),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
