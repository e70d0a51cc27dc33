/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of erofs.c. The judge is fsck.erofs: it checks the image and unpacks it, and what comes out is compared. */
#include "image/erofs.h"

#include "host/child.h"
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

#define FSCK "/usr/bin/fsck.erofs"
#define MANY_FILES 700

static char *directory;

static int set_up(void **state)
{
	(void)state;
	directory = make_directory();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_directory(directory);
	return 0;
}

static void add_host_file(struct tree *tree, const char *guest, const char *host)
{
	struct stat now;

	assert_int_equal(stat(host, &now), 0);
	assert_int_equal(tree_add_parents(tree, guest), 0);
	assert_int_equal(tree_add_file(tree, guest, &now, host), 0);
}

static uint64_t write_tree(const struct tree *tree, const char *path)
{
	DF_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct df_err err = {0};
	uint64_t bytes = 0;
	struct stat now;

	assert_true(fd >= 0);
	if (erofs_write(tree, fd, &bytes, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(fstat(fd, &now), 0);
	assert_int_equal(now.st_size, bytes);
	assert_int_equal(bytes % EROFS_BLOCK_BYTES, 0);
	assert_int_equal(erofs_check(fd, bytes), 0);
	return bytes;
}

static void unpack(const char *image, const char *into)
{
	DF_FREE char *extract = df_format("--extract=%s", into);
	char *const arguments[] = {"fsck.erofs", extract, (char *)image, NULL};
	const struct df_child child = {
		.path = FSCK, .arguments = arguments, .output_cap_bytes = 65536};
	struct df_child_result result;
	struct df_err err = {0};

	if (access(FSCK, X_OK) < 0)
		skip();
	assert_int_equal(df_child_run(&child, &result, &err), 0);
	if (result.exit_status != 0)
		fail_msg("fsck.erofs: %s", df_str_text(&result.errors));
	df_child_result_deinit(&result);
}

static void same_text(const char *top, const char *name, const char *text)
{
	DF_FREE char *path = df_path_join(top, name);
	DF_FCLOSE FILE *file = fopen(path, "r");
	DF_FREE char *found = NULL;
	size_t capacity = 0;
	ssize_t length;

	assert_non_null(file);
	length = getdelim(&found, &capacity, -1, file);
	assert_int_equal(length < 0 ? 0 : length, strlen(text));
	if (length > 0)
		assert_memory_equal(found, text, strlen(text));
}

static void fill_tree(struct tree *tree, const char *big)
{
	DF_FREE char *host = put_file(directory, "host", "contents", 0741);
	DF_FREE char *empty = put_file(directory, "empty", "", 0644);
	DF_FREE char *large = put_file(directory, "large", big, 0644);
	DF_FREE char *second = df_path_join(directory, "second");
	const struct stat link_stat = {.st_mode = S_IFLNK | 0777, .st_mtim.tv_sec = 5};

	assert_int_equal(link(host, second), 0);
	assert_int_equal(tree_init(tree), 0);
	add_host_file(tree, "/usr/bin/program", host);
	add_host_file(tree, "/usr/bin/twin", second);
	add_host_file(tree, "/empty", empty);
	add_host_file(tree, "/large", large);
	assert_int_equal(tree_add_text(tree, "/etc/passwd", "root"), 0);
	assert_int_equal(tree_add_link(tree, "/bin", &link_stat, "usr/bin"), 0);
	assert_int_equal(tree_ensure_dir(tree, "/tmp", 01777), 0);
	for (int i = 0; i < MANY_FILES; i++) {
		DF_FREE char *name = df_format("/many/%d-a-rather-long-name-to-fill-blocks",
			i * 7919 % MANY_FILES);
		DF_FREE char *text = df_format("%d", i);

		assert_int_equal(tree_add_text(tree, name, text), 0);
	}
}

static void compare_unpacked(const char *out, const char *big)
{
	DF_FREE char *program = df_path_join(out, "usr/bin/program"),
		     *tmp = df_path_join(out, "tmp");
	DF_FREE char *link_path = df_path_join(out, "bin"), *host = df_path_join(directory, "host");
	struct stat now, original;
	char target[32] = {0};

	same_text(out, "usr/bin/program", "contents");
	same_text(out, "usr/bin/twin", "contents");
	same_text(out, "empty", "");
	same_text(out, "large", big);
	same_text(out, "etc/passwd", "root");
	for (int i = 0; i < MANY_FILES; i++) {
		DF_FREE char *name = df_format("many/%d-a-rather-long-name-to-fill-blocks",
			i * 7919 % MANY_FILES);
		DF_FREE char *text = df_format("%d", i);

		same_text(out, name, text);
	}
	assert_int_equal(stat(program, &now), 0);
	assert_int_equal(stat(host, &original), 0);
	assert_int_equal(now.st_mode, S_IFREG | 0741);
	assert_int_equal(now.st_mtim.tv_sec, original.st_mtim.tv_sec);
	assert_int_equal(stat(tmp, &now), 0);
	assert_int_equal(now.st_mode, S_IFDIR | 01777);
	assert_int_equal(readlink(link_path, target, sizeof(target) - 1), 7);
	assert_string_equal(target, "usr/bin");
}

static void test_round_trip(void **state)
{
	DF_FREE char *image = df_path_join(directory, "image"),
		     *out = df_path_join(directory, "out");
	char big[3 * EROFS_BLOCK_BYTES + 2];
	struct tree tree;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	big[EROFS_BLOCK_BYTES] = 'y';
	fill_tree(&tree, big);
	write_tree(&tree, image);
	unpack(image, out);
	compare_unpacked(out, big);
	tree_deinit(&tree);
}

static void test_hard_links_share_data(void **state)
{
	DF_FREE char *image = df_path_join(directory, "links"), *text = malloc(100000);
	DF_FREE char *one = NULL, *two = df_path_join(directory, "link-two");
	uint64_t alone, both;
	struct tree tree;

	(void)state;
	memset(text, 'z', 99999);
	text[99999] = '\0';
	one = put_file(directory, "link-one", text, 0644);
	assert_int_equal(link(one, two), 0);
	assert_int_equal(tree_init(&tree), 0);
	add_host_file(&tree, "/one", one);
	alone = write_tree(&tree, image);
	add_host_file(&tree, "/two", two);
	both = write_tree(&tree, image);
	assert_int_equal(alone, both);
	tree_deinit(&tree);
}

static void test_changed_file_is_noticed(void **state)
{
	DF_FREE char *image = df_path_join(directory, "changed"), *longer = NULL;
	DF_FREE char *host = put_file(directory, "changing", "short", 0644);
	DF_CLOSE int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct df_err err = {0};
	uint64_t bytes;
	struct tree tree;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	add_host_file(&tree, "/file", host);
	longer = put_file(directory, "changing", "longer than before", 0644);
	assert_int_equal(erofs_write(&tree, fd, &bytes, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "changed while"));
	tree_deinit(&tree);
}

static void test_check(void **state)
{
	DF_FREE char *path = df_path_join(directory, "checked");
	DF_CLOSE int fd = -1;
	struct tree tree;
	uint64_t bytes;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	bytes = write_tree(&tree, path);
	tree_deinit(&tree);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(erofs_check(fd, bytes - 1), -EIO);
	assert_int_equal(pwrite(fd, "\x01", 1, EROFS_SUPER_OFFSET + 80), 1);
	assert_int_equal(erofs_check(fd, bytes), -ENOTSUP);
	assert_int_equal(pwrite(fd, "x", 1, EROFS_SUPER_OFFSET), 1);
	assert_int_equal(erofs_check(fd, bytes), -EINVAL);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(erofs_check(fd, 100), -EINVAL);
}

static void test_find_program(void **state)
{
	DF_FREE char *path = df_path_join(directory, "found"), *found = NULL;
	DF_CLOSE int fd = -1;
	struct tree tree;
	uint64_t bytes;

	(void)state;
	assert_int_equal(tree_init(&tree), 0);
	assert_int_equal(tree_add_text(&tree, "/usr/bin/sh", "x"), 0);
	assert_int_equal(tree_ensure_dir(&tree, "/bin/dir", 0755), 0);
	bytes = write_tree(&tree, path);
	tree_deinit(&tree);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(erofs_find_program(fd, bytes, "/sbin:/bin:/usr//bin:", "sh", &found), 0);
	assert_string_equal(found, "/usr/bin/sh");
	assert_int_equal(erofs_find_program(fd, bytes, "/bin:/usr/bin/sh", "dir", &found), -ENOENT);
	assert_int_equal(erofs_find_program(fd, bytes, "", "sh", &found), -ENOENT);
	/* The root inode's mode is garbage. */
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff", 6, 1152), 6);
	assert_int_not_equal(erofs_find_program(fd, bytes, "/usr/bin", "sh", &found), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hard_links_share_data),
		cmocka_unit_test(test_changed_file_is_noticed),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_find_program),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
