/* SPDX-License-Identifier: Apache-2.0 */
/* Logs on disk: segments, reading by position, tails, quotas and ages, half lines. */
#include "daemon/log_files.h"
#include "host/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64], directory[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/dayfly-log-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(directory, sizeof(directory), "%s/f", top);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	log_files_remove(directory);
	return rmdir(top);
}

/* Lines "N......\n" of 100 bytes. */
static void append(struct log_files *files, unsigned int from, unsigned int count)
{
	for (unsigned int i = from; i < from + count; i++) {
		char line[102];

		snprintf(line, sizeof(line), "%-99u\n", i);
		assert_int_equal(log_files_append(files, line, 100), 0);
	}
}

static unsigned int first_of(const struct df_str *lines)
{
	return (unsigned int)strtoul(df_str_text(lines), NULL, 10);
}

static void test_reading(void **state)
{
	struct log_files files = {
		.directory = directory, .quota_bytes = 4 << 20, .age_ms = 1000000};
	DF_STR struct df_str lines = DF_STR_EMPTY;
	uint64_t after = 0;
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(log_files_open(&files), 0);
	assert_int_equal(log_files_end(&files), 0);
	append(&files, 0, 30000);
	assert_int_equal(log_files_end(&files), 3000000);
	while (after < log_files_end(&files)) {
		df_str_clear(&lines);
		log_files_read(directory, &after, log_files_end(&files), &lines);
		assert_true(lines.length > 0 && lines.length <= LOG_READ_MAX);
		assert_int_equal(first_of(&lines), seen);
		seen += (unsigned int)(lines.length / 100);
	}
	assert_int_equal(seen, 30000);
	/* Not beyond the end that was asked for, and no half line. */
	after = 2999800;
	df_str_clear(&lines);
	log_files_read(directory, &after, 2999950, &lines);
	assert_int_equal(lines.length, 100);
	assert_int_equal(after, 2999900);
	/* A position that was never there. */
	after = 99999999;
	df_str_clear(&lines);
	log_files_read(directory, &after, 3000000, &lines);
	assert_int_equal(first_of(&lines), 0);
}

static void test_tail(void **state)
{
	struct log_files files = {.directory = directory, .quota_bytes = 400000, .age_ms = 1000000};

	(void)state;
	assert_int_equal(log_files_tail(directory, 5, 0), 0);
	append(&files, 0, 2500);
	assert_int_equal(log_files_tail(directory, 0, 250000), 250000);
	for (unsigned int count = 1; count <= 2500; count += 249)
		assert_int_equal(log_files_tail(directory, count, 250000), 250000 - 100 * count);
	assert_int_equal(log_files_tail(directory, 2500, 250000), 0);
	assert_int_equal(log_files_tail(directory, 9999, 250000), 0);
}

static void test_quota(void **state)
{
	struct log_files files = {.directory = directory, .quota_bytes = 40000, .age_ms = 1000000};
	DF_STR struct df_str lines = DF_STR_EMPTY;
	uint64_t after = 0;

	(void)state;
	append(&files, 0, 5000);
	log_files_read(directory, &after, log_files_end(&files), &lines);
	assert_int_equal(after, 500000);
	assert_in_range(lines.length, 30000, 40000);
	assert_int_equal(first_of(&lines), 5000 - lines.length / 100);
	/* One line that is larger than the quota stays until the next. */
	df_str_clear(&lines);
	for (int i = 0; i < 50000; i++)
		df_str_add(&lines, "x");
	df_str_add(&lines, "\n");
	assert_int_equal(log_files_append(&files, lines.data, lines.length), 0);
	assert_int_equal(log_files_end(&files), 550001);
	log_files_sweep(top, 0, UINT64_MAX);
	df_str_clear(&lines);
	after = 0;
	log_files_read(directory, &after, 550001, &lines);
	assert_int_equal(after, 550001);
	assert_true(lines.length >= 50001);
}

static void test_age(void **state)
{
	struct log_files files = {.directory = directory, .quota_bytes = 1 << 20, .age_ms = 1};
	DF_STR struct df_str lines = DF_STR_EMPTY;
	uint64_t after = 0;

	(void)state;
	append(&files, 0, 10);
	usleep(20000);
	log_files_prune(&files);
	log_files_read(directory, &after, log_files_end(&files), &lines);
	assert_int_equal(lines.length, 0);
	assert_int_equal(log_files_end(&files), 1000);
	files.age_ms = 1000000;
	append(&files, 10, 1);
	log_files_read(directory, &after, log_files_end(&files), &lines);
	assert_int_equal(first_of(&lines), 10);
	assert_int_equal(after, 1100);
}

static void test_again(void **state)
{
	struct log_files files = {
		.directory = directory, .quota_bytes = 1 << 20, .age_ms = 1000000};
	struct log_files again = files;
	char path[256];
	int fd;

	(void)state;
	append(&files, 0, 10);
	snprintf(path, sizeof(path), "%s/%020d-%013llu.jsonl", directory, 0,
		(unsigned long long)files.begun_ms);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{\"half", 6), 6);
	close(fd);
	assert_int_equal(log_files_open(&again), 0);
	assert_int_equal(log_files_end(&again), 1000);
	append(&again, 10, 1);
	assert_int_equal(log_files_tail(directory, 1, 1100), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reading, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tail, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quota, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_age, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
