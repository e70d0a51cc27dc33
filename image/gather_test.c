/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of gather.c, program.c and base.c, on a temporary directory and on this system's own programs. */
#include "image/gather.h"

#include "host/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

static char *directory;
static struct gather g;
static struct df_err err;

static int set_up(void **state)
{
	const struct gather_options options = {
		.shown_name = "shown", .guest_path = "/usr/bin:/bin"};

	(void)state;
	directory = make_directory();
	err = (struct df_err){0};
	return gather_init(&g, &options, &err);
}

static int tear_down(void **state)
{
	(void)state;
	gather_deinit(&g);
	remove_directory(directory);
	return 0;
}

static const struct tree_node *node_at(const char *name)
{
	DF_FREE char *path = df_path_join(directory, name);

	return tree_find(&g.tree, path);
}

static void is_watched(const char *name, bool wanted)
{
	DF_FREE char *path = df_path_join(directory, name);

	assert_int_equal(df_map_get(&g.watched, path) != NULL, wanted);
}

static void test_links_are_kept(void **state)
{
	DF_FREE char *file = put_file(directory, "real/bin/program", "x", 0755);
	DF_FREE char *start = df_path_join(directory, "short/program"), *found = NULL;
	struct stat now;

	(void)state;
	put_link(directory, "short", "real/bin");
	put_link(directory, "real/bin/alias", "../bin/program");
	free(start);
	start = df_path_join(directory, "short/alias");
	assert_int_equal(gather_host_path(&g, start, WATCH_ALL, &found, &now), 0);
	assert_string_equal(found, file);
	assert_true(S_ISREG(now.st_mode));
	assert_int_equal(node_at("short")->type, TREE_LINK);
	assert_string_equal(node_at("short")->source, "real/bin");
	assert_int_equal(node_at("real/bin")->type, TREE_DIR);
	assert_string_equal(node_at("real/bin/alias")->source, "../bin/program");
	assert_int_equal(node_at("real/bin/program")->type, TREE_FILE);
	is_watched("short", true);
	is_watched("real/bin/alias", true);
	is_watched("real/bin/program", true);
	is_watched("real/bin", false);
}

static void test_bad_paths(void **state)
{
	DF_FREE char *loop = df_path_join(directory, "loop"), *below = NULL;
	DF_FREE char *file = put_file(directory, "file", "x", 0644);

	(void)state;
	put_link(directory, "loop", "loop");
	below = df_path_join(file, "x");
	assert_int_equal(gather_host_path(&g, loop, WATCH_ALL, NULL, NULL), -ELOOP);
	assert_int_equal(gather_host_path(&g, below, WATCH_ALL, NULL, NULL), -ENOTDIR);
	assert_int_equal(gather_host_path(&g, "/nonexistent", WATCH_ALL, NULL, NULL), -ENOENT);
	assert_int_equal(gather_host_path(&g, "/dev/null", WATCH_ALL, NULL, NULL), -EINVAL);
	assert_int_equal(gather_host_path(&g, "/", WATCH_ALL, NULL, NULL), 0);
}

static void test_contents(void **state)
{
	DF_FREE char *one = put_file(directory, "t/a", "x", 0644);
	DF_FREE char *two = put_file(directory, "t/test/b", "x", 0644);
	DF_FREE char *three = put_file(directory, "t/sub/only-top", "x", 0644);
	DF_FREE char *four = put_file(directory, "t/only-top", "x", 0644);
	DF_FREE char *top = df_path_join(directory, "t");
	const char *const skip[] = {"test", "/only-top", NULL};
	const struct gather_tree_options options = {.skip = skip, .level = WATCH_DIRS};

	(void)state;
	assert_int_equal(tree_ensure_dir(&g.tree, "/g", 0755), 0);
	assert_int_equal(gather_contents(&g, top, "/g", &options), 0);
	assert_non_null(tree_find(&g.tree, "/g/a"));
	assert_non_null(tree_find(&g.tree, "/g/sub/only-top"));
	assert_null(tree_find(&g.tree, "/g/test"));
	assert_null(tree_find(&g.tree, "/g/only-top"));
	is_watched("t", true);
	is_watched("t/sub", true);
	is_watched("t/a", false);
	is_watched("t/test", false);
}

static void test_added_files(void **state)
{
	DF_FREE char *file = put_file(directory, "data/file", "x", 0644);
	DF_FREE char *data = df_path_join(directory, "data"),
		     *link = df_path_join(directory, "link");

	(void)state;
	put_link(directory, "link", "data");
	assert_int_equal(gather_file(&g, file, "/etc/one"), 0);
	assert_string_equal(tree_find(&g.tree, "/etc/one")->source, file);
	assert_int_equal(gather_file(&g, link, "/data"), 0);
	assert_int_equal(tree_find(&g.tree, "/data")->type, TREE_DIR);
	assert_int_equal(tree_find(&g.tree, "/data/file")->type, TREE_FILE);
	is_watched("data", true);
	is_watched("data/file", true);
	is_watched("link", true);
	assert_int_equal(gather_file(&g, data, "/etc/one"), -EEXIST);
	assert_int_equal(gather_file(&g, "/nonexistent", "/x"), -ENOENT);
	assert_string_equal(err.text, "--file /nonexistent: no such file or directory");
	assert_int_equal(gather_file(&g, "/dev/null", "/x"), -EINVAL);
}

static void test_root(void **state)
{
	DF_FREE char *file = put_file(directory, "etc/motd", "x", 0644);

	(void)state;
	assert_int_equal(gather_root(&g, directory), 0);
	assert_non_null(tree_find(&g.tree, "/etc/motd"));
	assert_non_null(tree_find(&g.tree, "/proc"));
	assert_int_equal(tree_find(&g.tree, "/tmp")->mode, 01777);
	assert_null(tree_find(&g.tree, "/etc/passwd"));
}

static void test_base(void **state)
{
	(void)state;
	assert_int_equal(gather_base(&g), 0);
	assert_int_equal(gather_finish(&g), 0);
	assert_int_equal(tree_find(&g.tree, "/etc/passwd")->type, TREE_TEXT);
	assert_non_null(strstr(tree_find(&g.tree, "/etc/passwd")->source, "root:x:0:0:"));
	assert_non_null(tree_find(&g.tree, "/dev"));
}

static void test_script_brings_its_interpreter(void **state)
{
	DF_FREE char *script = put_file(directory, "script", "#!/usr/bin/env -S sh -e\n", 0755);
	DF_FREE char *shell = realpath("/bin/sh", NULL);

	(void)state;
	assert_int_equal(gather_program(&g, script), 0);
	assert_int_equal(node_at("script")->type, TREE_FILE);
	assert_non_null(tree_find(&g.tree, "/usr/bin/env"));
	assert_non_null(tree_find(&g.tree, shell));
	/* A dynamic program brought its linker and the C library. */
	assert_non_null(g.interpreter);
	assert_true(g.library_count > 0);
	assert_int_equal(gather_finish(&g), 0);
}

static void fails(const char *text, int result, const char *message)
{
	DF_FREE char *path = put_file(directory, "bad", text, 0755);

	assert_int_equal(gather_program(&g, path), result);
	assert_string_equal(err.text, message);
}

static void test_bad_programs(void **state)
{
	(void)state;
	fails("", IMAGE_CANNOT_RUN, "shown is empty");
	fails("text", IMAGE_CANNOT_RUN,
		"shown is not a program: it is neither an ELF file nor a script that begins with #!");
	fails("#!/nonexistent/x\n", IMAGE_NOT_FOUND,
		"/nonexistent/x, which shown asks for in its first line, was not found; install it");
	fails("#!x\n", IMAGE_CANNOT_RUN,
		"shown is a script whose interpreter, x, is not an absolute path");
	fails("#!/usr/bin/env no-such-program\n", IMAGE_NOT_FOUND,
		"no-such-program, which shown asks for in its first line, was not found on the guest's PATH "
		"(/usr/bin:/bin)");
	assert_int_equal(gather_program(&g, directory), IMAGE_CANNOT_RUN);
	assert_string_equal(err.text, "shown cannot be run: it is a directory");
}

static void test_script_loop(void **state)
{
	DF_FREE char *self = df_path_join(directory, "bad");
	DF_FREE char *text = df_format("#!%s\n", self);
	DF_FREE char *path = put_file(directory, "bad", text, 0755);

	(void)state;
	assert_int_equal(gather_program(&g, path), IMAGE_CANNOT_RUN);
	assert_non_null(strstr(err.text, "too deep"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_links_are_kept),
		TEST(test_bad_paths),
		TEST(test_contents),
		TEST(test_added_files),
		TEST(test_root),
		TEST(test_base),
		TEST(test_script_brings_its_interpreter),
		TEST(test_bad_programs),
		TEST(test_script_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
