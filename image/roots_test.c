/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of roots.c and roots_clean.c: what is packed again, and what is not. */
#include "image/roots.h"

#include "host/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/test_files.h"

/* A prepared root, and a cache of its own, so that the tests need nothing of the system. */
static char *directory;
static char *root;
static struct root_request request;

static void make_old(const char *top, const char *name)
{
	const struct timespec times[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
	DF_FREE char *path = df_path_join(top, name);

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int set_up(void **state)
{
	DF_FREE char *file = NULL, *cache = NULL;

	(void)state;
	directory = make_directory();
	root = df_path_join(directory, "root");
	cache = df_path_join(directory, "cache");
	file = put_file(root, "etc/motd", "hello", 0644);
	setenv("XDG_CACHE_HOME", cache, 1);
	request = (struct root_request){.shown_name = "shown", .root = root, .guest_path = "/bin"};
	/* Directories made just now look as if they were being changed. */
	make_old(root, "");
	make_old(root, "etc");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(root);
	remove_directory(directory);
	return 0;
}

static char *get_image(struct stat *now)
{
	struct df_err err = {0};
	char *image = NULL;

	if (roots_image(&request, &image, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(stat(image, now), 0);
	return image;
}

/* How many files of the cache end like this. */
static int count_files(const char *suffix)
{
	DF_FREE char *path = roots_directory();
	DF_CLOSEDIR DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += df_ends_with(entry->d_name, suffix);
	return count;
}

static void test_second_run_packs_nothing(void **state)
{
	struct stat first_stat, second_stat;
	DF_FREE char *first = get_image(&first_stat), *second = get_image(&second_stat);

	(void)state;
	assert_string_equal(first, second);
	assert_int_equal(first_stat.st_ino, second_stat.st_ino);
	assert_int_equal(count_files(".index"), 1);
	assert_int_equal(count_files(".erofs"), 1);
}

static void test_changes_pack_again(void **state)
{
	struct stat now;
	DF_FREE char *first = get_image(&now), *second = NULL, *third = NULL, *file = NULL;
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	DF_FREE char *motd = df_path_join(root, "etc/motd");

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, motd, times, 0), 0);
	second = get_image(&now);
	assert_string_not_equal(first, second);
	/* A file that comes changes its directory. */
	file = put_file(root, "etc/new", "x", 0644);
	third = get_image(&now);
	assert_string_not_equal(second, third);
}

static void test_other_requests_have_other_images(void **state)
{
	struct stat now;
	DF_FREE char *first = get_image(&now), *second = NULL;
	DF_FREE char *host = put_file(directory, "extra", "x", 0644);
	static struct root_file files[1];

	(void)state;
	files[0] = (struct root_file){host, "/extra"};
	request.files = files;
	request.file_count = 1;
	second = get_image(&now);
	assert_string_not_equal(first, second);
}

static void damage(const char *suffix, const char *bytes, off_t offset, off_t cut)
{
	DF_FREE char *path = roots_directory();
	DF_CLOSEDIR DIR *dir = opendir(path);
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		DF_FREE char *file = df_path_join(path, entry->d_name);
		DF_CLOSE int fd = -1;

		if (!df_ends_with(entry->d_name, suffix))
			continue;
		fd = open(file, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, bytes, strlen(bytes), offset), strlen(bytes));
		if (cut)
			assert_int_equal(ftruncate(fd, cut), 0);
	}
}

static void test_damage_packs_again(void **state)
{
	struct stat before, after;
	DF_FREE char *first = get_image(&before), *second = NULL, *third = NULL, *fourth = NULL;

	(void)state;
	damage(".index", "garbage", 0, 0);
	second = get_image(&after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	before = after;
	damage(".erofs", "garbage", 1024, 0);
	third = get_image(&after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	before = after;
	damage(".erofs", "x", 0, 4096);
	fourth = get_image(&after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_not_equal(after.st_size, 4096);
}

static void test_fresh_files_are_not_remembered(void **state)
{
	DF_FREE char *motd = df_path_join(root, "etc/motd"), *image = NULL;
	struct stat now;

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, motd, NULL, 0), 0);
	image = get_image(&now);
	assert_int_equal(count_files(".index"), 0);
}

static void test_many_at_once(void **state)
{
	DF_FREE char *image = NULL;
	struct stat now;

	(void)state;
	for (int i = 0; i < 8; i++) {
		if (fork() == 0) {
			struct df_err err;
			char *child_image = NULL;
			int bad = roots_image(&request, &child_image, &err);

			_exit(bad || access(child_image, R_OK) < 0);
		}
	}
	for (int i = 0; i < 8; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	image = get_image(&now);
	assert_int_equal(count_files(".erofs"), 1);
	assert_int_equal(count_files(".index"), 1);
}

static void test_open_cache_is_refused(void **state)
{
	DF_FREE char *path = roots_directory(), *image = NULL;
	struct df_err err = {0};
	struct stat now;

	(void)state;
	image = get_image(&now);
	assert_int_equal(chmod(path, 0777), 0);
	free(image);
	image = NULL;
	assert_int_equal(roots_image(&request, &image, &err), -EPERM);
	assert_non_null(strstr(err.text, "may be written by others"));
}

static void test_clean(void **state)
{
	DF_FREE char *path = roots_directory();
	char key_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	     key_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	/* put_file() sets times an hour back: all of these count as unused for long. */
	DF_FREE char *old = df_format("%s-1.erofs", key_a), *new = df_format("%s-2.erofs", key_a);
	DF_FREE char *other = df_format("%s-1.erofs", key_b), *index = df_format("%s.index", key_b);
	DF_FREE char *p1 = put_file(path, old, "x", 0600), *p2 = put_file(path, new, "x", 0600);
	DF_FREE char *p3 = put_file(path, other, "x", 0600), *p4 = put_file(path, index, "x", 0600);
	DF_FREE char *p5 = put_file(path, ".new-abc", "x", 0600);
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	DF_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, p1, times, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, p5, times, 0), 0);
	/* Far below the bound: only what was replaced or abandoned goes. */
	roots_clean(fd, 1 << 20);
	assert_int_equal(access(p1, F_OK), -1);
	assert_int_equal(access(p5, F_OK), -1);
	assert_int_equal(access(p2, F_OK), 0);
	assert_int_equal(access(p3, F_OK), 0);
	/* Room for one block: the one used longest ago goes, with its index. */
	assert_int_equal(utimensat(AT_FDCWD, p3, times, 0), 0);
	roots_clean(fd, 4096);
	assert_int_equal(access(p3, F_OK), -1);
	assert_int_equal(access(p4, F_OK), -1);
	assert_int_equal(access(p2, F_OK), 0);
	/* What was used just now stays, whatever the bound. */
	assert_int_equal(utimensat(AT_FDCWD, p2, NULL, 0), 0);
	roots_clean(fd, 0);
	assert_int_equal(access(p2, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_second_run_packs_nothing),
		TEST(test_changes_pack_again),
		TEST(test_other_requests_have_other_images),
		TEST(test_damage_packs_again),
		TEST(test_fresh_files_are_not_remembered),
		TEST(test_many_at_once),
		TEST(test_open_cache_is_refused),
		TEST(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
