/* SPDX-License-Identifier: Apache-2.0 */
/* The object store on disk: names, what is found again, what is refused, uploads, the outbox, and what a crash leaves. */
#include "daemon/object/objects.h"

#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/dayfly-objects-test-XXXXXX";
static struct objects *objects;

static void reopen(uint64_t bytes_max)
{
	const struct objects_options options = {.directory = directory, .bytes_max = bytes_max};
	struct df_err err = {0};

	objects_close(objects);
	objects = NULL;
	if (objects_open(&options, &objects, &err) != 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	reopen(0);
	assert_int_equal(objects_make_bucket(objects, "bucket"), 0);
	return 0;
}

static int teardown(void **state)
{
	DF_FREE char *command = df_format("rm -rf '%s'", directory);

	(void)state;
	objects_close(objects);
	objects = NULL;
	return system(command) == 0 ? 0 : 1;
}

static struct objects_body write_body(const char *text)
{
	struct objects_body body;

	assert_int_equal(objects_body_begin(objects, strlen(text), &body), 0);
	assert_int_equal(objects_body_write(&body, text, strlen(text)), 0);
	assert_int_equal(objects_body_sync(&body), 0);
	return body;
}

static int put_told(const char *key, const char *text, struct objects_teller teller,
	struct objects_told *told)
{
	struct objects_body body = write_body(text);
	struct objects_info info = {.headers = (char *)"content-type\0text/plain",
		.header_bytes = sizeof("content-type\0text/plain")};
	const struct objects_put put = {
		.bucket = "bucket", .key = key, .body = &body, .info = &info, .teller = teller};
	uint64_t modified_ms;
	int result;

	snprintf(info.etag, sizeof(info.etag), "%.30s", text);
	result = objects_put(objects, &put, &modified_ms, told);
	objects_body_abandon(&body);
	return result;
}

static int put(const char *key, const char *text)
{
	struct objects_told told;

	return put_told(key, text, (struct objects_teller){.count = 0}, &told);
}

/* What an object's files hold one behind the other, or NULL. */
static const char *read_object(const char *key)
{
	static char text[4096];
	struct objects_info info;
	struct objects_piece *pieces;
	size_t count, length = 0;

	if (objects_find(objects, "bucket", key, &info) != 0)
		return NULL;
	assert_int_equal(objects_pieces(objects, &info, &pieces, &count), 0);
	for (size_t i = 0; i < count; i++) {
		DF_CLOSE int fd = objects_open_file(objects, pieces[i].file);

		assert_true(fd >= 0);
		assert_int_equal(pieces[i].offset, length);
		length += (size_t)read(fd, text + length, sizeof(text) - 1 - length);
	}
	assert_int_equal(length, info.bytes);
	text[length] = '\0';
	free(pieces);
	objects_info_free(&info);
	return text;
}

static unsigned int count_files(void)
{
	DF_FREE char *path = df_format("%s/files", directory);
	DF_CLOSEDIR DIR *dir = opendir(path);
	unsigned int count = 0;
	struct stat file;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type == DT_REG && fstatat(dirfd(dir), entry->d_name, &file, 0) == 0)
			count += file.st_size > 0;
	}
	return count;
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"", "ab", "Abc", "a_b", "-ab", "ab-", "a..b", "a.-b", "127.0.0.1", "a/b", "..."};
	char key[OBJECTS_KEY_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(objects_bucket_ok(bad[i]));
	assert_true(objects_bucket_ok("my.bucket-1"));
	memset(key, 'k', sizeof(key));
	assert_true(objects_key_ok(key, OBJECTS_KEY_MAX));
	assert_false(objects_key_ok(key, OBJECTS_KEY_MAX + 1));
	assert_false(objects_key_ok("", 0));
	assert_false(objects_key_ok("a\0b", 3));
	assert_false(objects_key_ok("\xc0\xaf", 2));
	assert_false(objects_key_ok("\xed\xa0\x80", 3));
	assert_false(objects_key_ok("\xf4\x90\x80\x80", 4));
	assert_false(objects_key_ok("\xe2\x82", 2));
	assert_true(objects_key_ok("../\xe2\x82\xac", 6));
}

static void test_buckets(void **state)
{
	struct objects_bucket *list, bucket;
	size_t count;
	char *text = NULL;

	(void)state;
	assert_int_equal(objects_make_bucket(objects, "bucket"), OBJECTS_EXISTS);
	assert_int_equal(objects_make_bucket(objects, "another"), 0);
	assert_int_equal(objects_buckets(objects, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].name, "another");
	free(list);
	assert_int_equal(put("a", "text"), 0);
	assert_int_equal(objects_remove_bucket(objects, "bucket"), OBJECTS_NOT_EMPTY);
	assert_int_equal(objects_remove_bucket(objects, "another"), 0);
	assert_int_equal(objects_find_bucket(objects, "another", &bucket), OBJECTS_NO_BUCKET);
	assert_int_equal(objects_put_setting(objects, "bucket", OBJECTS_NOTIFICATION, "[]"), 0);
	assert_int_equal(objects_get_setting(objects, "bucket", OBJECTS_NOTIFICATION, &text), 0);
	assert_string_equal(text, "[]");
	free(text);
	assert_int_equal(objects_get_setting(objects, "none", OBJECTS_NOTIFICATION, &text),
		OBJECTS_NO_BUCKET);
}

static void test_objects(void **state)
{
	struct objects_teller nobody = {.count = 0};
	struct objects_gauges gauges;
	struct objects_told told;
	struct objects_info info;

	(void)state;
	assert_int_equal(put("key", "first"), 0);
	assert_string_equal(read_object("key"), "first");
	assert_int_equal(put("key", "second one"), 0);
	assert_string_equal(read_object("key"), "second one");
	assert_int_equal(count_files(), 1);
	reopen(0);
	assert_string_equal(read_object("key"), "second one");
	assert_int_equal(objects_find(objects, "bucket", "key", &info), 0);
	assert_string_equal(info.headers, "content-type");
	objects_info_free(&info);
	objects_gauges(objects, &gauges);
	assert_int_equal(gauges.objects, 1);
	assert_int_equal(gauges.bytes, 10);
	assert_int_equal(objects_find(objects, "bucket", "none", &info), OBJECTS_NO_KEY);
	assert_int_equal(objects_find(objects, "none", "key", &info), OBJECTS_NO_BUCKET);
	assert_int_equal(objects_put_tags(objects, "bucket", "none", NULL, 0), OBJECTS_NO_KEY);
	assert_int_equal(objects_remove(objects, "bucket", "key", "other", &nobody, &told),
		OBJECTS_CONDITION);
	assert_int_equal(objects_remove(objects, "bucket", "key", NULL, &nobody, &told), 0);
	assert_int_equal(objects_remove(objects, "bucket", "key", NULL, &nobody, &told),
		OBJECTS_NO_KEY);
	assert_int_equal(count_files(), 0);
	objects_gauges(objects, &gauges);
	assert_int_equal(gauges.objects, 0);
	assert_int_equal(gauges.bytes, 0);
}

static void test_quota(void **state)
{
	struct objects_body body;

	(void)state;
	reopen(10);
	assert_int_equal(put("a", "12345678"), 0);
	assert_int_equal(objects_body_begin(objects, 3, &body), OBJECTS_QUOTA);
	assert_int_equal(objects_body_begin(objects, 2, &body), 0);
	assert_int_equal(objects_body_write(&body, "123", 3), OBJECTS_QUOTA);
	objects_body_abandon(&body);
	objects_body_abandon(&body);
	assert_int_equal(put("b", "12"), 0);
	assert_int_equal(objects_body_begin(objects, OBJECTS_PUT_MAX + 1, &body),
		OBJECTS_TOO_LARGE);
}

/* --- uploads --- */

static uint64_t begin_upload(enum checksum_kind kind, bool whole)
{
	struct objects_upload upload = {
		.key = (char *)"parts", .checksum = {.kind = kind, .whole = whole}};

	assert_int_equal(objects_begin_upload(objects, "bucket", &upload), 0);
	return upload.id;
}

static struct objects_piece part(unsigned int number, const char *text, enum checksum_kind kind)
{
	struct objects_piece made = {.number = number, .checksum.kind = kind};
	unsigned char value[CHECKSUM_BYTES_MAX];

	assert_int_equal(checksum_of(CHECKSUM_MD5, text, strlen(text), value), 0);
	for (size_t i = 0; i < 16; i++)
		snprintf(made.etag + 2 * i, 3, "%02x", value[i]);
	if (kind) {
		assert_int_equal(checksum_of(kind, text, strlen(text), value), 0);
		checksum_text(value, checksum_bytes(kind), made.checksum.text);
	}
	return made;
}

static int put_part(uint64_t id, unsigned int number, const char *text, enum checksum_kind kind)
{
	struct objects_body body = write_body(text);
	struct objects_piece made = part(number, text, kind);
	int result = objects_put_part(objects, "bucket", "parts", id, &body, &made);

	objects_body_abandon(&body);
	return result;
}

static int complete(uint64_t id, const struct objects_piece *parts, size_t count,
	const char *checksum, struct objects_info *info)
{
	const struct objects_complete how = {.bucket = "bucket",
		.key = "parts",
		.id = id,
		.parts = parts,
		.count = count,
		.checksum = checksum};
	struct objects_told told;

	return objects_complete(objects, &how, info, &told);
}

static void test_uploads(void **state)
{
	uint64_t id = begin_upload(CHECKSUM_CRC32, true);
	struct objects_piece one = part(7, "only", CHECKSUM_CRC32), wrong = one;
	struct objects_info info;

	(void)state;
	assert_int_equal(put("parts", "before"), 0);
	assert_int_equal(put_part(id, 7, "old", CHECKSUM_CRC32), 0);
	assert_int_equal(put_part(id, 7, "only", CHECKSUM_CRC32), 0);
	assert_int_equal(put_part(id, 8, "spare", CHECKSUM_CRC32), 0);
	assert_int_equal(put_part(id + 1, 1, "x", CHECKSUM_NONE), OBJECTS_NO_UPLOAD);
	wrong.number = 9;
	assert_int_equal(complete(id, &wrong, 1, NULL, &info), OBJECTS_NO_PART);
	assert_int_equal(complete(id, &one, 0, NULL, &info), OBJECTS_NO_PART);
	assert_int_equal(complete(id, &one, 1, "AAAAAA==", &info), OBJECTS_CHECKSUM);
	assert_string_equal(read_object("parts"), "before");
	reopen(0);
	assert_int_equal(complete(id, &one, 1, one.checksum.text, &info), 0);
	assert_string_equal(info.checksum.text, one.checksum.text);
	assert_string_equal(info.etag + 32, "-1");
	objects_info_free(&info);
	assert_string_equal(read_object("parts"), "only");
	assert_int_equal(count_files(), 1);
	assert_int_equal(complete(id, &one, 1, NULL, &info), OBJECTS_NO_UPLOAD);
	reopen(0);
	assert_string_equal(read_object("parts"), "only");
	assert_int_equal(put("parts", "after"), 0);
	assert_int_equal(count_files(), 1);
}

static void test_part_sizes(void **state)
{
	uint64_t id = begin_upload(CHECKSUM_SHA1, false);
	struct objects_piece two[2] = {part(1, "a", CHECKSUM_SHA1), part(2, "b", CHECKSUM_SHA1)};
	struct objects_upload *uploads;
	struct objects_info info;
	size_t count;

	(void)state;
	assert_int_equal(put_part(id, 1, "a", CHECKSUM_SHA1), 0);
	assert_int_equal(put_part(id, 2, "b", CHECKSUM_SHA1), 0);
	assert_int_equal(complete(id, two, 2, NULL, &info), OBJECTS_PART_SMALL);
	assert_int_equal(complete(id, two + 1, 1, NULL, &info), 0);
	/* The checksum of a checksum. */
	assert_non_null(strstr(info.checksum.text, "=-1"));
	objects_info_free(&info);
	id = begin_upload(CHECKSUM_NONE, false);
	assert_int_equal(put_part(id, 1, "a", CHECKSUM_NONE), 0);
	assert_int_equal(objects_remove_bucket(objects, "bucket"), OBJECTS_NOT_EMPTY);
	assert_int_equal(objects_uploads(objects, "bucket", "", "", INT64_MAX, 9, &uploads, &count),
		0);
	assert_int_equal(count, 1);
	assert_int_equal(uploads[0].id, id);
	objects_upload_free(&uploads[0]);
	free(uploads);
	assert_int_equal(objects_sweep(objects), 0);
	assert_int_equal(objects_abort(objects, "bucket", "parts", id), 0);
	assert_int_equal(objects_abort(objects, "bucket", "parts", id), OBJECTS_NO_UPLOAD);
	assert_int_equal(count_files(), 1);
}

/* --- the outbox --- */

static int tell(void *user, uint64_t sequence, const struct objects_info *info,
	struct objects_event *events, unsigned int room)
{
	uint64_t *last = user;

	assert_true(sequence > *last);
	assert_true(room > 1 && info->bytes > 0);
	*last = sequence;
	events[0].function = strdup("f");
	events[0].request_id = strdup("id");
	df_str_add(&events[0].body, "body");
	return 1;
}

static void test_outbox(void **state)
{
	struct objects_event events[4];
	struct objects_told told;
	struct objects_gauges gauges;
	unsigned int count;
	uint64_t last = 0;
	const struct objects_teller teller = {.tell = tell, .user = &last, .count = 1};

	(void)state;
	assert_int_equal(put_told("a", "text", teller, &told), 0);
	objects_told_free(&told);
	assert_int_equal(put_told("b", "text", teller, &told), 0);
	objects_told(objects, &told.events[0].id, 1);
	objects_told_free(&told);
	reopen(0);
	/* What was told was not yet written down as such: it is there again. */
	assert_int_equal(objects_outbox(objects, 0, events, 4, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(df_str_text(&events[0].body), "body");
	objects_told(objects, &events[0].id, 1);
	objects_told(objects, &events[1].id, 1);
	objects_event_free(&events[0]);
	objects_event_free(&events[1]);
	assert_int_equal(objects_sweep(objects), 0);
	objects_gauges(objects, &gauges);
	assert_int_equal(gauges.outbox, 0);
	assert_int_equal(objects_outbox(objects, 0, events, 4, &count), 0);
	assert_int_equal(count, 0);
}

/* --- many at once --- */

#define THREADS 8
#define ROUNDS 40

static int count_listed(void *user, const char *key, size_t length, const struct objects_info *info)
{
	unsigned int *count = user;

	assert_true(length > 0 && *key);
	*count += info != NULL;
	return 0;
}

static void *work_many(void *user)
{
	const struct objects_teller nobody = {.count = 0};
	struct objects_told told;
	struct objects_info info;
	char key[32], text[32];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int seen = 0;
		bool more;
		const struct objects_list list = {.prefix = "",
			.delimiter = "",
			.after = "",
			.room = 1000,
			.each = count_listed,
			.user = &seen};

		snprintf(key, sizeof(key), "%zu-%d", (size_t)user, i);
		snprintf(text, sizeof(text), "text of %zu", (size_t)user);
		assert_int_equal(put(key, text), 0);
		assert_int_equal(put("shared", text), 0);
		if (i % 2)
			assert_int_equal(objects_remove(objects, "bucket", key, NULL, &nobody,
						 &told),
				0);
		assert_int_equal(objects_find(objects, "bucket", "shared", &info), 0);
		assert_int_equal(info.bytes, strlen(text));
		objects_info_free(&info);
		assert_int_equal(objects_list(objects, "bucket", &list, &more), 0);
		assert_true(seen > 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct objects_gauges gauges;
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work_many, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	objects_gauges(objects, &gauges);
	assert_int_equal(gauges.objects, THREADS * ROUNDS / 2 + 1);
	assert_int_equal(gauges.bytes, gauges.objects * strlen("text of 0"));
	assert_int_equal(count_files(), gauges.objects);
}

/* --- opening --- */

static void test_strays(void **state)
{
	DF_FREE char *stray = df_format("%s/files/00000000000000aa", directory);
	DF_FREE char *odd = df_format("%s/files/odd", directory);

	(void)state;
	assert_int_equal(put("a", "text"), 0);
	/* As after a crash: nobody names it. */
	(void)write_body("half");
	assert_int_equal(close(open(stray, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(close(open(odd, O_CREAT | O_WRONLY, 0600)), 0);
	reopen(0);
	assert_int_equal(count_files(), 1);
	assert_int_not_equal(access(stray, F_OK), 0);
	assert_string_equal(read_object("a"), "text");
}

static void database(const char *sql)
{
	DF_FREE char *path = df_format("%s/objects.db", directory);
	sqlite3 *opened;

	assert_int_equal(sqlite3_open(path, &opened), SQLITE_OK);
	assert_int_equal(sqlite3_exec(opened, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(opened);
}

static void test_refused(void **state)
{
	const struct objects_options options = {.directory = directory};
	DF_FREE char *path = df_format("%s/objects.db", directory);
	struct objects *other;
	struct df_err err;

	(void)state;
	assert_int_equal(objects_open(&options, &other, &err), -EBUSY);
	objects_close(objects);
	objects = NULL;
	database("PRAGMA user_version = 2");
	assert_int_equal(objects_open(&options, &other, &err), -EPROTONOSUPPORT);
	database("PRAGMA user_version = 1; PRAGMA application_id = 1");
	assert_int_equal(objects_open(&options, &other, &err), -EINVAL);
	assert_int_equal(truncate(path, 100), 0);
	assert_true(objects_open(&options, &other, &err) < 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_names),
		CASE(test_buckets),
		CASE(test_objects),
		CASE(test_quota),
		CASE(test_uploads),
		CASE(test_part_sizes),
		CASE(test_outbox),
		CASE(test_threads),
		CASE(test_strays),
		CASE(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
