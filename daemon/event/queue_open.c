/* SPDX-License-Identifier: Apache-2.0 */
/* The queue on disk, opening it: see queue_store.h. */
#include "daemon/durable.h"
#include "daemon/event/queue_store_private.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define CREATE_MARK                                                  \
	"CREATE TABLE mark (owner TEXT NOT NULL, key TEXT NOT NULL," \
	" value TEXT NOT NULL, PRIMARY KEY (owner, key)) STRICT, WITHOUT ROWID;"

/* Small columns first: what store_load and retries look at lies before the long ones. */
static const char schema[] = "CREATE TABLE store (next_id INTEGER NOT NULL) STRICT;"
			     "INSERT INTO store VALUES (1);"
			     "CREATE TABLE event ("
			     " id INTEGER PRIMARY KEY,"
			     " kind INTEGER NOT NULL," /* enum queue_kind */
			     " dead INTEGER NOT NULL,"
			     " due_ms INTEGER NOT NULL,"
			     " put_ms INTEGER NOT NULL,"
			     " expires_ms INTEGER NOT NULL,"
			     " age_max_ms INTEGER NOT NULL,"
			     " attempts INTEGER NOT NULL,"
			     " throttles INTEGER NOT NULL,"
			     " attempts_max INTEGER NOT NULL,"
			     " external INTEGER NOT NULL," /* the body is a file */
			     " attribute_bytes INTEGER NOT NULL,"
			     " body_bytes INTEGER NOT NULL,"
			     " reason INTEGER NOT NULL," /* enum queue_reason */
			     " dead_ms INTEGER NOT NULL,"
			     " status INTEGER NOT NULL,"
			     " function TEXT NOT NULL,"
			     " request_id TEXT NOT NULL,"
			     " target TEXT,"
			     " error TEXT,"
			     " attributes BLOB,"
			     " reply BLOB,"
			     " body BLOB"
			     ") STRICT;"
			     "CREATE INDEX event_dead ON event (id) WHERE dead = 1;" CREATE_MARK;

/* Version 1 had no marks. */
static const struct database_format format = {.what = "the queue",
	.file = "queue.db",
	.application = 0x64667175, /* "dfqu" */
	.version = QUEUE_SCHEMA,
	.schema = schema,
	.migrate = CREATE_MARK};

static int open_database(struct store *store, const char *path, struct df_err *err)
{
	int error = database_open(path, &format, &store->writer, err);

	if (error == 0)
		error = database_connect(path, &format, &store->reader, err);
	for (int i = 0; i < STORE_STATEMENTS && error == 0; i++)
		error = database_prepare(store->writer, &format, store_sql[i],
			&store->statements[i], err);
	if (error == 0)
		error = database_prepare(store->reader, &format, store_read_sql, &store->read_one,
			err);
	if (error == 0)
		error = database_prepare(store->reader, &format, store_dead_sql, &store->read_dead,
			err);
	if (error == 0)
		error = database_prepare(store->reader, &format, store_marks_sql,
			&store->read_marks, err);
	return error;
}

static int open_files(struct store *store, const char *directory, struct df_err *err)
{
	DF_FREE char *lock = df_path_join(directory, "lock");
	DF_FREE char *bodies = df_path_join(directory, "bodies");
	int error;

	if (!lock || !bodies)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = df_make_dirs(bodies, 0700);
	if (error == 0) {
		store->bodies_fd = open(bodies, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		store->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (store->bodies_fd < 0 || store->lock_fd < 0)
			error = -errno;
	}
	if (error < 0)
		return df_err_set(err, error, "cannot use the queue's directory %s: %s", directory,
			df_errno_text(error));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return df_err_set(err, -EBUSY, "the queue in %s is used by another process",
			directory);
	return 0;
}

int store_open(const char *directory, struct store **store, struct df_err *err)
{
	DF_FREE char *path = df_path_join(directory, "queue.db");
	struct store *made = path ? calloc(1, sizeof(*made)) : NULL;
	int error;

	if (!made)
		return df_err_set(err, -ENOMEM, "out of memory");
	made->lock_fd = made->bodies_fd = -1;
	pthread_mutex_init(&made->read_lock, NULL);
	error = open_files(made, directory, err);
	if (error == 0)
		error = open_database(made, path, err);
	if (error < 0) {
		store_close(made);
		return error;
	}
	*store = made;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_finalize(store->read_one);
	sqlite3_finalize(store->read_dead);
	sqlite3_finalize(store->read_marks);
	sqlite3_close(store->reader);
	sqlite3_close(store->writer);
	pthread_mutex_destroy(&store->read_lock);
	if (store->bodies_fd >= 0)
		close(store->bodies_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}

uint64_t store_next_id(struct store *store)
{
	return atomic_fetch_add(&store->next_id, 1);
}

static int load_events(struct store *store,
	int (*each)(void *user, enum queue_kind kind, const char *function, uint64_t id,
		uint64_t due_ms),
	void *user, struct store_totals *totals, struct df_err *err)
{
	sqlite3_stmt *prepared = NULL;
	int code,
		error = database_prepare(store->writer, &format,
			"SELECT id, kind, dead, due_ms, attribute_bytes + body_bytes, function FROM event",
			&prepared, err);

	if (error < 0)
		return error;
	while (error == 0 && (code = sqlite3_step(prepared)) == SQLITE_ROW) {
		const char *function = (const char *)sqlite3_column_text(prepared, 5);
		bool is_dead = sqlite3_column_int(prepared, 2) != 0;

		totals->events++;
		totals->dead += is_dead;
		totals->bytes += (uint64_t)sqlite3_column_int64(prepared, 4);
		if (!is_dead)
			error = each(user,
				sqlite3_column_int(prepared, 1) ? QUEUE_DELIVERY : QUEUE_EVENT,
				function ? function : "",
				(uint64_t)sqlite3_column_int64(prepared, 0),
				(uint64_t)sqlite3_column_int64(prepared, 3));
	}
	sqlite3_finalize(prepared);
	if (error)
		return df_err_set(err, error, "cannot load the queue: %s", df_errno_text(error));
	return code == SQLITE_DONE ? 0 : database_error(store->writer, &format, err);
}

/* Does an event have this file as its body? On doubt it does. */
static bool file_is_used(sqlite3_stmt *prepared, const char *name)
{
	char again[STORE_NAME_BYTES];
	uint64_t id = strtoull(name, NULL, 16);
	int code;

	store_body_name(id, again);
	if (strcmp(name, again) != 0)
		return false;
	(void)sqlite3_bind_int64(prepared, 1, (sqlite3_int64)id);
	code = sqlite3_step(prepared);
	sqlite3_reset(prepared);
	return code != SQLITE_DONE;
}

/* Removes bodies whose events were never stored or are over. */
static int remove_strays(struct store *store, struct df_err *err)
{
	DF_CLOSE int fd = openat(store->bodies_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DF_CLOSEDIR DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	sqlite3_stmt *prepared = NULL;
	int error;

	if (!dir)
		return df_err_set(err, -errno, "cannot read the queue's bodies: %s",
			df_errno_text(errno));
	(void)df_take_fd(&fd);
	error = database_prepare(store->writer, &format,
		"SELECT 1 FROM event WHERE id = ?1 AND external", &prepared, err);
	for (struct dirent *entry; error == 0 && (entry = readdir(dir));) {
		if (entry->d_type == DT_REG && !file_is_used(prepared, entry->d_name))
			unlinkat(store->bodies_fd, entry->d_name, 0);
	}
	sqlite3_finalize(prepared);
	return error;
}

/* The first number that no event can have had: a new block is begun with every open. */
static int load_next_id(struct store *store, struct df_err *err)
{
	int64_t next = 0, highest = 0;
	int error =
		database_ask(store->writer, &format, "SELECT next_id FROM store", &next, NULL, err);

	if (error == 0)
		error = database_ask(store->writer, &format, "SELECT ifnull(max(id), 0) FROM event",
			&highest, NULL, err);
	if (error < 0)
		return error;
	if (next < 1 || next > INT64_MAX / 2 || highest >= next)
		return df_err_set(err, -EINVAL,
			"the queue's database is damaged: its numbers are wrong");
	/* Nothing is written before the first event is: that one finds that its number is not reserved. */
	store->reserved_id = (uint64_t)next;
	atomic_store(&store->next_id, (uint64_t)next);
	return 0;
}

int store_load(struct store *store,
	int (*each)(void *user, enum queue_kind kind, const char *function, uint64_t id,
		uint64_t due_ms),
	void *user, struct store_totals *totals, struct df_err *err)
{
	int error;

	*totals = (struct store_totals){0};
	error = load_next_id(store, err);
	if (error == 0)
		error = load_events(store, each, user, totals, err);
	if (error == 0)
		error = remove_strays(store, err);
	return error;
}
