/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the object store, and putting in order what a crash left: see objects.h. */
#include "daemon/object/objects_private.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define UPLOAD_AGE_MS (7ull * 24 * 3600 * 1000)

/* Keys are blobs: they are compared as S3 orders them, by their bytes. A part belongs to an upload, and once that is complete to the object whose `file` is the upload's number. */
static const char schema[] =
	"CREATE TABLE bucket ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" made_ms INTEGER NOT NULL,"
	" notification TEXT,"
	" tags TEXT"
	") STRICT;"
	"CREATE TABLE object ("
	" bucket INTEGER NOT NULL,"
	" key BLOB NOT NULL,"
	" file INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" modified_ms INTEGER NOT NULL,"
	" parts INTEGER NOT NULL,"
	" etag TEXT NOT NULL,"
	" checksum_kind INTEGER NOT NULL," /* enum checksum_kind */
	" checksum_whole INTEGER NOT NULL,"
	" checksum TEXT,"
	" headers BLOB,"
	" tags BLOB,"
	" PRIMARY KEY (bucket, key)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE upload ("
	" id INTEGER PRIMARY KEY,"
	" bucket INTEGER NOT NULL,"
	" key BLOB NOT NULL,"
	" begun_ms INTEGER NOT NULL,"
	" checksum_kind INTEGER NOT NULL,"
	" checksum_whole INTEGER NOT NULL,"
	" headers BLOB,"
	" tags BLOB"
	") STRICT;"
	"CREATE INDEX upload_key ON upload (bucket, key, id);"
	"CREATE TABLE part ("
	" upload INTEGER NOT NULL,"
	" number INTEGER NOT NULL,"
	" file INTEGER NOT NULL,"
	" offset INTEGER NOT NULL," /* in the object; OBJECTS_NO_OFFSET while it is an upload */
	" bytes INTEGER NOT NULL,"
	" modified_ms INTEGER NOT NULL,"
	" etag TEXT NOT NULL,"
	" checksum_kind INTEGER NOT NULL,"
	" checksum TEXT,"
	" PRIMARY KEY (upload, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE outbox ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" function TEXT NOT NULL,"
	" request_id TEXT NOT NULL,"
	" target TEXT,"
	" attributes BLOB,"
	" body BLOB"
	") STRICT;";

static const struct database_format format = {.what = "the object store",
	.file = "objects.db",
	.application = 0x64666f62, /* "dfob" */
	.version = OBJECTS_SCHEMA,
	.schema = schema};

static int prepare(sqlite3 *database, const char *const *sql, int count, sqlite3_stmt **prepared,
	struct df_err *err)
{
	int error = 0;

	for (int i = 0; i < count && error == 0; i++)
		error = database_prepare(database, &format, sql[i], &prepared[i], err);
	return error;
}

static int open_database(struct objects *objects, const char *path, struct df_err *err)
{
	int error = database_open(path, &format, &objects->writer, err);

	if (error == 0)
		error = prepare(objects->writer, objects_write_sql, OBJECTS_WRITES,
			objects->statements, err);
	for (int i = 0; i < OBJECTS_READERS && error == 0; i++) {
		struct objects_reader *reader = &objects->readers[i];

		error = database_connect(path, &format, &reader->database, err);
		if (error == 0)
			error = prepare(reader->database, objects_read_sql, OBJECTS_READS,
				reader->statements, err);
	}
	return error;
}

static int open_files(struct objects *objects, const char *directory, struct df_err *err)
{
	DF_FREE char *lock = df_path_join(directory, "lock");
	DF_FREE char *files = df_path_join(directory, "files");
	int error;

	if (!lock || !files)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = df_make_dirs(files, 0700);
	if (error == 0) {
		objects->files_fd = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		objects->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (objects->files_fd < 0 || objects->lock_fd < 0)
			error = -errno;
	}
	if (error < 0)
		return df_err_set(err, error, "cannot use the object store's directory %s: %s",
			directory, df_errno_text(error));
	if (flock(objects->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return df_err_set(err, -EBUSY, "the object store in %s is used by another process",
			directory);
	return 0;
}

/* --- what a crash left --- */

struct numbers {
	uint64_t *items;
	size_t count, capacity;
};

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* The files that rows name, ascending. */
static int named_files(struct objects *objects, struct numbers *numbers, struct df_err *err)
{
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(objects->writer,
		"SELECT file FROM object WHERE parts = 0 UNION ALL SELECT file FROM part", -1, &row,
		NULL);

	while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
		code = df_array_reserve(&numbers->items, &numbers->capacity, numbers->count + 1,
			       sizeof(uint64_t)) < 0
			? SQLITE_NOMEM
			: SQLITE_OK;
		if (code == SQLITE_OK)
			numbers->items[numbers->count++] = (uint64_t)sqlite3_column_int64(row, 0);
	}
	sqlite3_finalize(row);
	if (code == SQLITE_NOMEM)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (code != SQLITE_DONE)
		return database_error(objects->writer, &format, err);
	if (numbers->count)
		qsort(numbers->items, numbers->count, sizeof(uint64_t), compare);
	return 0;
}

static bool is_named(const struct numbers *numbers, const char *name)
{
	char again[OBJECTS_FILE_NAME_BYTES];
	uint64_t file = strtoull(name, NULL, 16);

	objects_file_name(file, again);
	return strcmp(name, again) == 0 && numbers->count > 0 &&
		bsearch(&file, numbers->items, numbers->count, sizeof(file), compare);
}

/* Removes bodies that were being written, and those whose objects went. */
static int remove_strays(struct objects *objects, struct df_err *err)
{
	DF_CLOSE int fd = openat(objects->files_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DF_CLOSEDIR DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct numbers numbers = {0};
	int error;

	if (!dir)
		return df_err_set(err, -errno, "cannot read the objects' files: %s",
			df_errno_text(errno));
	(void)df_take_fd(&fd);
	error = named_files(objects, &numbers, err);
	for (struct dirent *entry; error == 0 && (entry = readdir(dir));) {
		if (entry->d_type == DT_REG && !is_named(&numbers, entry->d_name))
			(void)unlinkat(objects->files_fd, entry->d_name, 0);
	}
	free(numbers.items);
	return error;
}

static int load_totals(struct objects *objects, struct df_err *err)
{
	int64_t count = 0, bytes = 0, part_bytes = 0, outbox = 0;
	int error = database_ask(objects->writer, &format,
		"SELECT count(*), ifnull(sum(bytes) FILTER (WHERE parts = 0), 0) FROM object",
		&count, &bytes, err);

	if (error == 0)
		error = database_ask(objects->writer, &format,
			"SELECT ifnull(sum(bytes), 0) FROM part", &part_bytes, NULL, err);
	if (error == 0)
		error = database_ask(objects->writer, &format, "SELECT count(*) FROM outbox",
			&outbox, NULL, err);
	objects->totals.objects = (uint64_t)count;
	objects->totals.bytes = (uint64_t)(bytes + part_bytes);
	objects->totals.outbox = (uint64_t)outbox;
	return error;
}

static struct objects *make(const struct objects_options *options)
{
	struct objects *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	made->lock_fd = made->files_fd = -1;
	made->bytes_max = options->bytes_max;
	made->upload_age_ms = options->upload_age_ms ? options->upload_age_ms : UPLOAD_AGE_MS;
	pthread_mutex_init(&made->lock, NULL);
	pthread_mutex_init(&made->spare_lock, NULL);
	for (int i = 0; i < OBJECTS_READERS; i++)
		pthread_mutex_init(&made->readers[i].lock, NULL);
	commit_init(&made->commit, objects_write_batch, made);
	return made;
}

int objects_open(const struct objects_options *options, struct objects **objects,
	struct df_err *err)
{
	DF_FREE char *path = df_path_join(options->directory, "objects.db");
	struct objects *made = path ? make(options) : NULL;
	int error;

	if (!made)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = open_files(made, options->directory, err);
	if (error == 0)
		error = open_database(made, path, err);
	if (error == 0)
		error = remove_strays(made, err);
	if (error == 0)
		error = load_totals(made, err);
	if (error < 0) {
		objects_close(made);
		return error;
	}
	*objects = made;
	return 0;
}

void objects_close(struct objects *objects)
{
	if (!objects)
		return;
	for (int i = 0; i < OBJECTS_WRITES; i++)
		sqlite3_finalize(objects->statements[i]);
	for (int i = 0; i < OBJECTS_READERS; i++) {
		struct objects_reader *reader = &objects->readers[i];

		for (int j = 0; j < OBJECTS_READS; j++)
			sqlite3_finalize(reader->statements[j]);
		sqlite3_close(reader->database);
		pthread_mutex_destroy(&reader->lock);
	}
	sqlite3_close(objects->writer);
	objects_remove_spares(objects);
	commit_deinit(&objects->commit);
	pthread_mutex_destroy(&objects->lock);
	pthread_mutex_destroy(&objects->spare_lock);
	df_cleanup_fd(&objects->files_fd);
	df_cleanup_fd(&objects->lock_fd);
	free(objects->told);
	free(objects);
}
