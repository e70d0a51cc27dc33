/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of credentials.c and durable.c. */
#include "daemon/auth/credentials.h"

#include "daemon/durable.h"
#include "host/cleanup.h"
#include "host/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char directory[] = "/tmp/dayfly-credentials-XXXXXX";

static char *in(const char *name)
{
	char *path = df_path_join(directory, name);

	assert_non_null(path);
	return path;
}

static void put(const char *path, const char *text, mode_t mode)
{
	assert_int_equal(durable_write_path(path, text, strlen(text)), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_generate(void **state)
{
	struct credentials a, b;

	(void)state;
	assert_int_equal(credentials_generate(&a), 0);
	assert_int_equal(credentials_generate(&b), 0);
	assert_int_equal(strlen(a.access_key_id), 20);
	assert_int_equal(strlen(a.secret), 40);
	assert_string_not_equal(a.access_key_id, b.access_key_id);
	assert_string_not_equal(a.secret, b.secret);
}

static void test_ensure(void **state)
{
	DF_FREE char *path = in("credentials");
	struct credentials made, again;
	struct df_err err;
	struct stat status;
	mode_t mask = umask(0);

	(void)state;
	assert_int_equal(credentials_load(path, &made, &err), -ENOENT);
	assert_int_equal(credentials_ensure(path, "eu-north-1", &made, &err), 0);
	umask(mask);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(credentials_ensure(path, "eu-north-1", &again, &err), 0);
	assert_memory_equal(&made, &again, sizeof(made));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[default]\naws_access_key_id = A\n",
		"[other]\naws_access_key_id = A\naws_secret_access_key = B\n",
		"[default]\naws_access_key_id = A/B\naws_secret_access_key = B\n",
		"[default]\naws_access_key_id = \naws_secret_access_key = B\n",
		"[default]\naws_access_key_id = A\naws_secret_access_key = B C\n",
	};
	DF_FREE char *path = in("refused");
	DF_FREE char *link = in("link");
	struct credentials found;
	struct df_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(path, bad[i], 0600);
		assert_int_equal(credentials_load(path, &found, &err), -EINVAL);
	}
	put(path,
		"; by hand\n[x]\naws_access_key_id=no\n [default] \r\n\taws_access_key_id=A_1\r\n"
		"aws_secret_access_key =  s=+/\nregion = here\n",
		0600);
	assert_int_equal(credentials_load(path, &found, &err), 0);
	assert_string_equal(found.access_key_id, "A_1");
	assert_string_equal(found.secret, "s=+/");
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(credentials_load(link, &found, &err), -ELOOP);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(credentials_load(path, &found, &err), -EPERM);
	assert_int_equal(credentials_load(directory, &found, &err), -EPERM);
}

static void test_durable_leaves_nothing(void **state)
{
	DF_FREE char *sub = in("sub");
	DF_FREE char *taken = in("sub/taken");
	DF_CLOSEDIR DIR *dir = NULL;
	unsigned int count = 0;

	(void)state;
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(mkdir(taken, 0700), 0);
	assert_int_equal(durable_write_path(taken, "x", 1), -EISDIR);
	dir = opendir(sub);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	assert_int_equal(count, 3);
	assert_int_equal(durable_write_path("/nonexistent/x", "x", 1), -ENOENT);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"sub/taken", "sub", "credentials", "refused", "link"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		DF_FREE char *path = in(names[i]);

		remove(path);
	}
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_ensure),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_durable_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
