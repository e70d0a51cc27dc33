/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of path.c. */
#include "host/path.h"

#include "host/cleanup.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
	static const char *const cases[][3] = {
		{"/usr/bin/awk", "/usr/bin", "awk"},
		{"/awk", "/", "awk"},
		{"awk", ".", "awk"},
		{"a//b", "a", "b"},
		{"//b", "/", "b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DF_FREE char *dir = df_dir_name(cases[i][0]);

		assert_string_equal(dir, cases[i][1]);
		assert_string_equal(df_base_name(cases[i][0]), cases[i][2]);
	}
}

static void test_join(void **state)
{
	DF_FREE char *one = df_path_join("/a", "b"), *two = df_path_join("/", "/b");

	(void)state;
	assert_string_equal(one, "/a/b");
	assert_string_equal(two, "/b");
}

static void test_clean(void **state)
{
	static const char *const cases[][2] = {
		{"/a//./b/", "/a/b"},
		{"//", "/"},
		{"./", "."},
		{"./a/.", "a"},
		{"a/../b", "a/../b"},
		{"/./", "/"},
		{"", ""},
		{"/...", "/..."},
		{"a/.b", "a/.b"},
		{"///a", "/a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[32];

		strcpy(path, cases[i][0]);
		df_path_clean(path);
		assert_string_equal(path, cases[i][1]);
	}
}

static void test_absolute(void **state)
{
	char template[] = "/tmp/dayfly-path-XXXXXX";
	DF_FREE char *top = NULL, *here = getcwd(NULL, 0);

	(void)state;
	assert_non_null(mkdtemp(template));
	top = realpath(template, NULL);
	assert_int_equal(chdir(top), 0);
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(mkdir("real/deep", 0700), 0);
	assert_int_equal(symlink("real/deep", "link"), 0);
	{
		DF_FREE char *plain = df_path_absolute("./link/x"),
			     *want = df_path_join(top, "link/x");
		DF_FREE char *up = df_path_absolute("link/../x"),
			     *up_want = df_path_join(top, "real/x");
		DF_FREE char *kept = df_path_absolute("/a//b/./c"), *none = df_path_absolute("");

		assert_string_equal(plain, want);
		/* ".." leads out of where the link points to, not of where it stands. */
		assert_string_equal(up, up_want);
		assert_string_equal(kept, "/a/b/c");
		assert_null(none);
	}
	unlink("link");
	rmdir("real/deep");
	rmdir("real");
	assert_int_equal(chdir(here), 0);
	rmdir(top);
}

static void test_remove_tree(void **state)
{
	char directory[] = "/tmp/dayfly-path.XXXXXX";
	DF_FREE char *deep = NULL, *link = NULL;

	(void)state;
	assert_non_null(mkdtemp(directory));
	deep = df_path_join(directory, "a/b/c");
	link = df_path_join(directory, "a/link");
	assert_int_equal(df_make_dirs(deep, 0700), 0);
	assert_int_equal(symlink("/tmp", link), 0);
	df_remove_tree(directory);
	assert_int_equal(access(directory, F_OK), -1);
	assert_int_equal(access("/tmp", F_OK), 0);
	df_remove_tree(directory);
	df_remove_tree(NULL);
}

static void test_make_dirs(void **state)
{
	char template[] = "/tmp/dayfly-path-XXXXXX";
	DF_FREE char *deep = NULL, *middle = NULL, *below_file = NULL;
	struct stat stat_buffer;

	(void)state;
	assert_non_null(mkdtemp(template));
	middle = df_path_join(template, "a");
	deep = df_path_join(template, "a/b");
	below_file = df_path_join("/dev/null", "x/y");
	assert_int_equal(df_make_dirs(deep, 0700), 0);
	assert_int_equal(df_make_dirs(deep, 0700), 0);
	assert_int_equal(stat(deep, &stat_buffer), 0);
	assert_true(S_ISDIR(stat_buffer.st_mode));
	assert_int_equal(df_make_dirs(below_file, 0700), -ENOTDIR);
	rmdir(deep);
	rmdir(middle);
	rmdir(template);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_make_dirs),
		cmocka_unit_test(test_remove_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
