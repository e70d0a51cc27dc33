/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the object store: batches, and what all ops use. See objects_private.h. */
#include "daemon/object/objects_private.h"

#include "daemon/clock.h"
#include "host/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const objects_write_sql[OBJECTS_WRITES] = {
	[WRITE_BEGIN] = "BEGIN IMMEDIATE",
	[WRITE_COMMIT] = "COMMIT",
	[WRITE_ROLLBACK] = "ROLLBACK",
	[WRITE_FIND_BUCKET] = "SELECT id FROM bucket WHERE name = ?1",
	[WRITE_MAKE_BUCKET] = "INSERT INTO bucket (name, made_ms) VALUES (?1, ?2)",
	[WRITE_COUNT_BUCKETS] = "SELECT count(*) FROM bucket",
	[WRITE_REMOVE_BUCKET] = "DELETE FROM bucket WHERE id = ?1",
	[WRITE_HAS_OBJECTS] = "SELECT 1 FROM object WHERE bucket = ?1 LIMIT 1",
	[WRITE_HAS_UPLOADS] = "SELECT 1 FROM upload WHERE bucket = ?1 LIMIT 1",
	[WRITE_NOTIFICATION] = "UPDATE bucket SET notification = ?2 WHERE id = ?1",
	[WRITE_BUCKET_TAGS] = "UPDATE bucket SET tags = ?2 WHERE id = ?1",
	[WRITE_FIND_OBJECT] =
		"SELECT " OBJECTS_INFO_COLUMNS " FROM object o WHERE bucket = ?1 AND key = ?2",
	[WRITE_PUT_OBJECT] = "INSERT OR REPLACE INTO object (bucket, key, file, bytes, modified_ms,"
			     " parts, etag, checksum_kind, checksum_whole, checksum, headers, tags)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[WRITE_REMOVE_OBJECT] = "DELETE FROM object WHERE bucket = ?1 AND key = ?2",
	[WRITE_OBJECT_TAGS] = "UPDATE object SET tags = ?3 WHERE bucket = ?1 AND key = ?2",
	[WRITE_COUNT_UPLOADS] = "SELECT count(*) FROM upload",
	[WRITE_BEGIN_UPLOAD] =
		"INSERT INTO upload (id, bucket, key, begun_ms, checksum_kind, checksum_whole,"
		" headers, tags) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[WRITE_FIND_UPLOAD] =
		"SELECT id, begun_ms, key, checksum_kind, checksum_whole, headers, tags"
		" FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3",
	[WRITE_REMOVE_UPLOAD] = "DELETE FROM upload WHERE id = ?1",
	[WRITE_OLD_UPLOADS] = "SELECT id FROM upload WHERE begun_ms < ?1 LIMIT 1",
	[WRITE_FIND_PART] =
		"SELECT " OBJECTS_PART_COLUMNS " FROM part WHERE upload = ?1 AND number = ?2",
	[WRITE_PUT_PART] = "INSERT OR REPLACE INTO part (upload, number, file, offset, bytes,"
			   " modified_ms, etag, checksum_kind, checksum)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[WRITE_SET_OFFSET] = "UPDATE part SET offset = ?3 WHERE upload = ?1 AND number = ?2",
	[WRITE_REMOVE_PARTS] = "DELETE FROM part WHERE upload = ?1 RETURNING file, bytes",
	[WRITE_REMOVE_SPARE_PARTS] =
		"DELETE FROM part WHERE upload = ?1 AND offset < 0 RETURNING file, bytes",
	[WRITE_PUT_EVENT] = "INSERT INTO outbox (function, request_id, target, attributes, body)"
			    " VALUES (?1, ?2, ?3, ?4, ?5)",
	[WRITE_REMOVE_EVENT] = "DELETE FROM outbox WHERE id = ?1",
};

sqlite3_stmt *objects_statement(struct objects *objects, enum objects_write which)
{
	return objects->statements[which];
}

int objects_step(struct objects *objects, enum objects_write which)
{
	sqlite3_stmt *statement = objects->statements[which];
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return database_errno(code);
}

int objects_ask(struct objects *objects, enum objects_write which, int64_t *number)
{
	sqlite3_stmt *statement = objects->statements[which];
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		*number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return code == SQLITE_ROW ? 1 : database_errno(code);
}

void objects_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	if (text)
		(void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, at);
}

void objects_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t length)
{
	if (bytes && length > 0)
		(void)sqlite3_bind_blob64(statement, at, bytes, length, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, at);
}

void objects_bind_key(sqlite3_stmt *statement, int at, const char *key)
{
	(void)sqlite3_bind_blob64(statement, at, key, strlen(key), SQLITE_STATIC);
}

int objects_bucket_id(struct objects *objects, const char *bucket, int64_t *id)
{
	int found;

	objects_bind_text(objects_statement(objects, WRITE_FIND_BUCKET), 1, bucket);
	found = objects_ask(objects, WRITE_FIND_BUCKET, id);
	return found == 1 ? 0 : found == 0 ? OBJECTS_NO_BUCKET : found;
}

/* --- files that go --- */

int objects_note_file(struct objects_op *op, uint64_t file, uint64_t bytes)
{
	if (df_array_reserve(&op->files, &op->file_capacity, op->file_count + 1,
		    sizeof(op->files[0])) < 0)
		return -ENOMEM;
	op->files[op->file_count++] = file;
	op->bytes += bytes;
	return 0;
}

int objects_note_files(struct objects *objects, struct objects_op *op, enum objects_write which)
{
	sqlite3_stmt *statement = objects->statements[which];
	int code, error = 0;

	while (error == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		error = objects_note_file(op, (uint64_t)sqlite3_column_int64(statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1));
	sqlite3_reset(statement);
	return error ? error : database_errno(code);
}

int objects_note_object(struct objects *objects, struct objects_op *op,
	const struct objects_info *info)
{
	if (info->parts == 0)
		return objects_note_file(op, info->file, info->bytes);
	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_PARTS), 1,
		(sqlite3_int64)info->file);
	return objects_note_files(objects, op, WRITE_REMOVE_PARTS);
}

/* --- objects --- */

int objects_current(struct objects *objects, int64_t bucket, const char *key,
	struct objects_info *info)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_FIND_OBJECT);
	int code, error = 0;

	sqlite3_bind_int64(statement, 1, bucket);
	objects_bind_key(statement, 2, key);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		error = objects_read_info(statement, 0, info);
	sqlite3_reset(statement);
	if (error)
		return error;
	return code == SQLITE_ROW ? 1 : database_errno(code);
}

int objects_condition(const struct objects_info *current, const char *if_match, bool if_none)
{
	if (if_none && current)
		return OBJECTS_CONDITION;
	if (!if_match)
		return 0;
	if (!current)
		return OBJECTS_NO_KEY;
	return strcmp(if_match, "*") == 0 || strcmp(if_match, current->etag) == 0
		? 0
		: OBJECTS_CONDITION;
}

int objects_replace(struct objects *objects, int64_t bucket, const char *key,
	const struct objects_info *info)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_PUT_OBJECT);

	sqlite3_bind_int64(statement, 1, bucket);
	objects_bind_key(statement, 2, key);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)info->file);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)info->bytes);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)info->modified_ms);
	sqlite3_bind_int64(statement, 6, info->parts);
	objects_bind_text(statement, 7, info->etag);
	sqlite3_bind_int64(statement, 8, info->checksum.kind);
	sqlite3_bind_int64(statement, 9, info->checksum.whole);
	objects_bind_text(statement, 10, info->checksum.kind ? info->checksum.text : NULL);
	objects_bind_bytes(statement, 11, info->headers, info->header_bytes);
	objects_bind_bytes(statement, 12, info->tags, info->tag_bytes);
	return objects_step(objects, WRITE_PUT_OBJECT);
}

/* --- the outbox --- */

int objects_outbox_room(struct objects *objects, const struct objects_teller *teller)
{
	bool full;

	if (teller->count == 0)
		return 0;
	pthread_mutex_lock(&objects->lock);
	full = objects->totals.outbox >= OBJECTS_OUTBOX_MAX;
	pthread_mutex_unlock(&objects->lock);
	return full ? OBJECTS_OUTBOX : 0;
}

static int put_event(struct objects *objects, struct objects_event *event)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_PUT_EVENT);
	int error;

	if (event->attributes.failed || event->body.failed || !event->function ||
		!event->request_id)
		return -ENOMEM;
	objects_bind_text(statement, 1, event->function);
	objects_bind_text(statement, 2, event->request_id);
	objects_bind_text(statement, 3, event->target);
	objects_bind_bytes(statement, 4, event->attributes.data, event->attributes.length);
	objects_bind_bytes(statement, 5, event->body.data, event->body.length);
	error = objects_step(objects, WRITE_PUT_EVENT);
	event->id = (uint64_t)sqlite3_last_insert_rowid(objects->writer);
	return error;
}

/* Ascends with every change, also over a restart and a clock that was put back a little. */
static uint64_t next_sequence(struct objects *objects)
{
	uint64_t now = clock_wall_ms() << 20;

	objects->sequence = now > objects->sequence ? now : objects->sequence + 1;
	return objects->sequence;
}

int objects_tell(struct objects *objects, struct objects_op *op,
	const struct objects_teller *teller, const struct objects_info *info,
	struct objects_told *told)
{
	int count, error = 0;

	told->count = 0;
	if (teller->count == 0)
		return 0;
	memset(told->events, 0, sizeof(told->events));
	count = teller->tell(teller->user, next_sequence(objects), info, told->events,
		OBJECTS_EVENTS_MAX);
	if (count < 0)
		return count;
	told->count = (unsigned int)count;
	for (int i = 0; i < count && error == 0; i++)
		error = put_event(objects, &told->events[i]);
	op->event_count += count;
	return error;
}

/* --- batches --- */

/* Removes what was told: the numbers stay on the list until the transaction is committed. */
static int remove_told(struct objects *objects, size_t *count)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_REMOVE_EVENT);
	int error = 0;

	pthread_mutex_lock(&objects->lock);
	*count = objects->told_count;
	for (size_t i = 0; i < *count && error == 0; i++) {
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)objects->told[i]);
		error = objects_step(objects, WRITE_REMOVE_EVENT);
	}
	pthread_mutex_unlock(&objects->lock);
	return error;
}

static void forget_told(struct objects *objects, size_t count)
{
	pthread_mutex_lock(&objects->lock);
	if (count) {
		objects->told_count -= count;
		objects->totals.outbox -= count;
		memmove(objects->told, objects->told + count,
			objects->told_count * sizeof(objects->told[0]));
	}
	objects->totals.commits++;
	pthread_mutex_unlock(&objects->lock);
}

/* In one transaction; its first error. */
static int write_all(struct objects *objects, struct commit_op *batch)
{
	int error = objects_step(objects, WRITE_BEGIN);
	size_t told = 0;

	/* The member is the struct's first, so the one is the other. */
	for (; batch && error == 0; batch = batch->next) {
		struct objects_op *op = (struct objects_op *)batch;

		batch->result = op->run(objects, op);
		error = batch->result < 0 ? batch->result : 0;
	}
	if (error == 0)
		error = remove_told(objects, &told);
	if (error == 0)
		error = objects_step(objects, WRITE_COMMIT);
	if (error == 0)
		forget_told(objects, told);
	else if (!sqlite3_get_autocommit(objects->writer))
		(void)!objects_step(objects, WRITE_ROLLBACK);
	return error;
}

void objects_write_batch(void *user, struct commit_op *batch)
{
	int error = write_all(user, batch);

	for (; error && batch; batch = batch->next)
		batch->result = error;
}

int objects_run(struct objects *objects, struct objects_op *op)
{
	int result = commit_run(&objects->commit, &op->commit);

	if (result == 0) {
		pthread_mutex_lock(&objects->lock);
		objects->totals.bytes -= op->bytes;
		objects->totals.objects += (uint64_t)op->object_count;
		objects->totals.outbox += (uint64_t)op->event_count;
		pthread_mutex_unlock(&objects->lock);
		for (size_t i = 0; i < op->file_count; i++)
			objects_remove_file(objects, op->files[i]);
	}
	free(op->files);
	op->files = NULL;
	return result;
}

void objects_told(struct objects *objects, const uint64_t *ids, unsigned int count)
{
	pthread_mutex_lock(&objects->lock);
	if (df_array_reserve(&objects->told, &objects->told_capacity, objects->told_count + count,
		    sizeof(ids[0])) == 0) {
		memcpy(objects->told + objects->told_count, ids, count * sizeof(ids[0]));
		objects->told_count += count;
	}
	/* Without memory they are told once more after the next start. */
	pthread_mutex_unlock(&objects->lock);
}

void objects_gauges(struct objects *objects, struct objects_gauges *gauges)
{
	pthread_mutex_lock(&objects->lock);
	*gauges = objects->totals;
	pthread_mutex_unlock(&objects->lock);
}
