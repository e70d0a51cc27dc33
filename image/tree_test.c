/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of tree.c. */
#include "image/tree.h"

#include "host/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct stat plain_dir = {.st_mode = S_IFDIR | 0755};
static const struct stat plain_file = {.st_mode = S_IFREG | 0640, .st_size = 5};

static void test_add_and_find(void **state)
{
	struct tree tree;
	struct tree_node *node;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	assert_int_equal(tree_add_file(&tree, "/a/b", &plain_file, "/host"), -ENOTDIR);
	assert_int_equal(tree_add_parents(&tree, "/a/b"), 0);
	assert_int_equal(tree_add_file(&tree, "/a/b", &plain_file, "/host"), 0);
	node = tree_find(&tree, "/a/b");
	assert_non_null(node);
	assert_string_equal(node->name, "b");
	assert_string_equal(node->source, "/host");
	assert_int_equal(node->mode, 0640);
	assert_ptr_equal(node->parent, tree_find(&tree, "/a"));
	assert_ptr_equal(node->parent->parent, tree_find(&tree, "/"));
	assert_int_equal(tree_add_file(&tree, "/a/b/c", &plain_file, "/host"), -ENOTDIR);
	tree_deinit(&tree);
}

static void test_replacing(void **state)
{
	struct tree tree;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	assert_int_equal(tree_add_text(&tree, "/etc/x", "one"), 0);
	assert_int_equal(tree_add_text(&tree, "/etc/x", "three"), 0);
	assert_int_equal(tree.count, 3);
	assert_int_equal(tree_find(&tree, "/etc/x")->size, 5);
	assert_int_equal(tree_add_dir(&tree, "/etc/x", &plain_dir), -EEXIST);
	assert_int_equal(tree_add_text(&tree, "/etc", "x"), -EISDIR);
	assert_int_equal(tree_add_dir(&tree, "/etc", &plain_dir), 0);
	assert_non_null(tree_find(&tree, "/etc/x"));
	tree_deinit(&tree);
}

static void resolves_to(const struct tree *tree, const char *path, const char *wanted)
{
	DF_FREE char *real = tree_resolve(tree, path);

	assert_non_null(real);
	assert_string_equal(real, wanted);
}

static void test_resolve(void **state)
{
	const struct stat link = {.st_mode = S_IFLNK | 0777};
	struct tree tree;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	assert_int_equal(tree_ensure_dir(&tree, "/usr/lib", 0755), 0);
	assert_int_equal(tree_add_link(&tree, "/lib", &link, "usr/lib"), 0);
	assert_int_equal(tree_add_link(&tree, "/usr/lib/up", &link, "../share"), 0);
	assert_int_equal(tree_add_link(&tree, "/abs", &link, "/lib/x"), 0);
	assert_int_equal(tree_add_link(&tree, "/loop", &link, "loop"), 0);
	resolves_to(&tree, "/", "/");
	resolves_to(&tree, "/lib/x", "/usr/lib/x");
	resolves_to(&tree, "/abs/y", "/usr/lib/x/y");
	resolves_to(&tree, "/lib/up/z", "/usr/share/z");
	resolves_to(&tree, "/nothing/here", "/nothing/here");
	resolves_to(&tree, "/../../lib", "/usr/lib");
	assert_null(tree_resolve(&tree, "/loop/x"));
	assert_int_equal(errno, ELOOP);
	/* A directory is made where the link leads. */
	assert_int_equal(tree_ensure_dir(&tree, "/lib/new", 0700), 0);
	assert_int_equal(tree_find(&tree, "/usr/lib/new")->mode, 0700);
	tree_deinit(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_find),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_resolve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
