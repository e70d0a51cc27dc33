/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of index.c. */
#include "image/index.h"

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

static struct watch watch_path(const char *path)
{
	struct watch watch;
	struct stat now;

	assert_int_equal(lstat(path, &now), 0);
	watch = watch_of(&now);
	watch.path = (char *)path;
	return watch;
}

static void make(const struct watch *watches, size_t count, char **bytes, size_t *length)
{
	assert_int_equal(index_make(watches, count, "key", 3, "image.erofs", 8192, bytes, length),
		0);
}

static void test_round_trip(void **state)
{
	struct watch watches[2] = {watch_path("/"), {.path = (char *)"/nonexistent/x"}};
	DF_FREE char *bytes = NULL;
	struct index_view view;
	size_t length;

	(void)state;
	make(watches, 2, &bytes, &length);
	assert_int_equal(index_parse(bytes, length, "key", 3, &view), 0);
	assert_string_equal(view.header->image, "image.erofs");
	assert_int_equal(view.header->image_bytes, 8192);
	assert_int_equal(view.header->record_count, 2);
	assert_string_equal(view.paths + view.records[0].path, "/");
	assert_string_equal(view.paths + view.records[1].path, "/nonexistent/x");
	assert_int_equal(index_parse(bytes, length, "kez", 3, &view), -EINVAL);
	assert_int_equal(index_parse(bytes, length, "ke", 2, &view), -EINVAL);
}

static void test_bad_image_names(void **state)
{
	static const char *const names[] = {"", "../x", "a/b", ".new"};
	struct index_view view;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		DF_FREE char *bytes = NULL;
		size_t length;

		assert_int_equal(index_make(NULL, 0, "k", 1, names[i], 1, &bytes, &length), 0);
		assert_int_equal(index_parse(bytes, length, "k", 1, &view), -EINVAL);
	}
}

static void test_damage(void **state)
{
	struct watch watches[1] = {watch_path("/")};
	DF_FREE char *bytes = NULL;
	struct index_view view;
	size_t length;

	(void)state;
	make(watches, 1, &bytes, &length);
	for (size_t cut = 0; cut < length; cut++) {
		DF_FREE char *copy = malloc(cut + 1);

		memcpy(copy, bytes, cut);
		assert_int_equal(index_parse(copy, cut, "key", 3, &view), -EINVAL);
	}
	for (size_t i = 0; i < length; i++) {
		DF_FREE char *copy = malloc(length);

		/* Whatever is damaged, it is refused or can be used without a crash. */
		memcpy(copy, bytes, length);
		copy[i] = (char)(copy[i] ^ 0xff);
		if (index_parse(copy, length, "key", 3, &view) == 0)
			(void)index_is_current(&view);
	}
}

static bool current(const struct watch *watches, size_t count)
{
	DF_FREE char *bytes = NULL;
	struct index_view view;
	size_t length;

	make(watches, count, &bytes, &length);
	assert_int_equal(index_parse(bytes, length, "key", 3, &view), 0);
	return index_is_current(&view);
}

static void test_changes_are_seen(void **state)
{
	char *directory = make_directory();
	DF_FREE char *file = put_file(directory, "file", "one", 0644);
	DF_FREE char *absent = df_path_join(directory, "absent"), *again = NULL;
	struct watch watches[2] = {watch_path(file), {.path = absent}};
	const struct timespec later[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	(void)state;
	assert_true(current(watches, 2));
	assert_int_equal(chmod(file, 0600), 0);
	assert_false(current(watches, 2));
	watches[0] = watch_path(file);
	assert_true(current(watches, 2));
	assert_int_equal(utimensat(AT_FDCWD, file, later, 0), 0);
	assert_false(current(watches, 2));
	watches[0] = watch_path(file);
	again = put_file(directory, "absent", "", 0644);
	assert_false(current(watches, 2));
	assert_int_equal(unlink(absent), 0);
	assert_true(current(watches, 2));
	assert_int_equal(unlink(file), 0);
	assert_false(current(watches, 2));
	remove_directory(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_image_names),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_changes_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
