/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue on disk: see queue_store.h. Here what changes it; queue_open.c opens it, queue_read.c reads it.
 *
 * Any statement that fails undoes the whole batch: rows are made so that only the machine can fail them (disk, memory), not their content.
 */
#include "daemon/event/queue_store_private.h"

#include "host/array.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the statements of `enum store_statement` are. RETURNING says what was removed. */
#define REMOVED " RETURNING id, attribute_bytes + body_bytes, external, dead"
const char *const store_sql[STORE_STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_RESERVE] = "UPDATE store SET next_id = ?1",
	[STATEMENT_PUT] =
		"INSERT INTO event (id, kind, dead, due_ms, put_ms, expires_ms, age_max_ms, attempts,"
		" throttles, attempts_max, external, attribute_bytes, body_bytes, reason, dead_ms,"
		" status, function, request_id, target, attributes, body)"
		" VALUES (?1, ?2, 0, ?3, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8, ?9, 0, 0, 0, ?10, ?11, ?12,"
		" ?13, ?14)",
	[STATEMENT_DONE] = "DELETE FROM event WHERE id = ?1" REMOVED,
	[STATEMENT_RETRY] =
		"UPDATE event SET due_ms = ?2, attempts = ?3, throttles = ?4 WHERE id = ?1 AND dead = 0",
	[STATEMENT_DEAD] =
		"UPDATE event SET dead = 1, dead_ms = ?2, attempts = ?3, reason = ?4, status = ?5,"
		" error = ?6, reply = ?7 WHERE id = ?1 AND dead = 0",
	[STATEMENT_REPLAY] =
		"UPDATE event SET dead = 0, due_ms = ?2, expires_ms = ?2 + age_max_ms, attempts = 0,"
		" throttles = 0, reason = 0, dead_ms = 0, status = 0, error = NULL, reply = NULL"
		" WHERE id = ?1 AND dead = 1 RETURNING kind, function",
	[STATEMENT_DELETE] = "DELETE FROM event WHERE id = ?1 AND dead = 1" REMOVED,
	[STATEMENT_PURGE] = "DELETE FROM event WHERE " STORE_OF_FUNCTION("?1") REMOVED,
	[STATEMENT_SWEEP] = "DELETE FROM event WHERE dead = 1 AND dead_ms < ?1" REMOVED,
	[STATEMENT_MARK] = "INSERT INTO mark VALUES (?1, ?2, ?3)"
			   " ON CONFLICT DO UPDATE SET value = excluded.value"
			   " WHERE value <> excluded.value",
	[STATEMENT_UNMARK] = "DELETE FROM mark WHERE owner = ?1 AND key = ?2",
	[STATEMENT_FORGET] = "DELETE FROM mark WHERE owner = ?1",
};

static sqlite3_stmt *statement(struct store *store, enum store_statement which)
{
	return store->statements[which];
}

/* Runs a statement that returns no rows. */
static int run(struct store *store, enum store_statement which)
{
	sqlite3_stmt *prepared = statement(store, which);
	int code = sqlite3_step(prepared);

	sqlite3_reset(prepared);
	return database_errno(code);
}

static void bind_number(sqlite3_stmt *prepared, int at, uint64_t value)
{
	/* A bind of a number cannot fail but for a wrong index. */
	(void)sqlite3_bind_int64(prepared, at, (sqlite3_int64)value);
}

static void bind_text(sqlite3_stmt *prepared, int at, const char *text)
{
	if (text)
		(void)sqlite3_bind_text(prepared, at, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(prepared, at);
}

static void bind_bytes(sqlite3_stmt *prepared, int at, const void *bytes, size_t length)
{
	if (bytes && length > 0)
		(void)sqlite3_bind_blob64(prepared, at, bytes, length, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(prepared, at);
}

/* Numbers are reserved on disk in blocks, so that none is used twice whatever happens. */
static int reserve_ids(struct store *store, uint64_t id)
{
	int error;

	if (id < store->reserving_id)
		return 0;
	bind_number(statement(store, STATEMENT_RESERVE), 1, id + STORE_ID_BLOCK);
	error = run(store, STATEMENT_RESERVE);
	if (error == 0)
		store->reserving_id = id + STORE_ID_BLOCK;
	return error;
}

static int put(struct store *store, const struct store_new *next)
{
	const struct queue_event_new *event = next->event;
	sqlite3_stmt *prepared = statement(store, STATEMENT_PUT);
	bool external = event->body_bytes > QUEUE_INLINE_MAX;
	int error = reserve_ids(store, next->id);

	if (error < 0)
		return error;
	bind_number(prepared, 1, next->id);
	bind_number(prepared, 2, (uint64_t)event->kind);
	bind_number(prepared, 3, next->now_ms);
	bind_number(prepared, 4, next->now_ms + next->age_max_ms);
	bind_number(prepared, 5, next->age_max_ms);
	bind_number(prepared, 6, next->attempts_max);
	bind_number(prepared, 7, external);
	bind_number(prepared, 8, event->attribute_bytes);
	bind_number(prepared, 9, event->body_bytes);
	bind_text(prepared, 10, event->function);
	bind_text(prepared, 11, event->request_id);
	bind_text(prepared, 12, event->target);
	bind_bytes(prepared, 13, event->attributes, event->attribute_bytes);
	bind_bytes(prepared, 14, external ? NULL : event->body, event->body_bytes);
	return run(store, STATEMENT_PUT);
}

/* Remembers that the body of a removed row is a file. */
static int note_file(struct store_op *op, uint64_t id)
{
	if (df_array_reserve(&op->files, &op->file_capacity, op->file_count + 1,
		    sizeof(op->files[0])) < 0)
		return -ENOMEM;
	op->files[op->file_count++] = id;
	return 0;
}

/* Runs a statement that ends in REMOVED, with one number or text bound. */
static int remove_rows(struct store *store, enum store_statement which, struct store_op *op)
{
	sqlite3_stmt *prepared = statement(store, which);
	int code, error = 0;

	while (error == 0 && (code = sqlite3_step(prepared)) == SQLITE_ROW) {
		op->changed++;
		op->bytes += (uint64_t)sqlite3_column_int64(prepared, 1);
		op->changed_dead += sqlite3_column_int(prepared, 3) != 0;
		if (sqlite3_column_int(prepared, 2))
			error = note_file(op, (uint64_t)sqlite3_column_int64(prepared, 0));
	}
	sqlite3_reset(prepared);
	return error ? error : database_errno(code);
}

static int retry(struct store *store, struct store_op *op)
{
	sqlite3_stmt *prepared = statement(store, STATEMENT_RETRY);
	int error;

	bind_number(prepared, 1, op->id);
	bind_number(prepared, 2, op->due_ms);
	bind_number(prepared, 3, op->attempts);
	bind_number(prepared, 4, op->throttles);
	error = run(store, STATEMENT_RETRY);
	op->changed = (uint64_t)sqlite3_changes64(store->writer);
	return error;
}

static int dead(struct store *store, struct store_op *op)
{
	sqlite3_stmt *prepared = statement(store, STATEMENT_DEAD);
	const struct queue_end *end = op->end;
	int error;

	bind_number(prepared, 1, op->id);
	bind_number(prepared, 2, op->now_ms);
	bind_number(prepared, 3, op->attempts);
	bind_number(prepared, 4, (uint64_t)end->reason);
	bind_number(prepared, 5, end->status);
	bind_text(prepared, 6, end->error);
	bind_bytes(prepared, 7, end->reply, end->reply_bytes);
	error = run(store, STATEMENT_DEAD);
	op->changed = (uint64_t)sqlite3_changes64(store->writer);
	return error;
}

static int replay(struct store *store, struct store_op *op)
{
	sqlite3_stmt *prepared = statement(store, STATEMENT_REPLAY);
	int code;

	bind_number(prepared, 1, op->id);
	bind_number(prepared, 2, op->now_ms);
	while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
		const char *function = (const char *)sqlite3_column_text(prepared, 1);

		op->changed++;
		op->replayed_kind = sqlite3_column_int(prepared, 0) ? QUEUE_DELIVERY : QUEUE_EVENT;
		snprintf(op->replayed, sizeof(op->replayed), "%s", function ? function : "");
	}
	sqlite3_reset(prepared);
	return database_errno(code);
}

/* Sets a mark, or removes it. Counts in op->changed. */
static int mark(struct store *store, struct store_op *op, const struct queue_mark *mark)
{
	enum store_statement which = mark->value ? STATEMENT_MARK : STATEMENT_UNMARK;
	sqlite3_stmt *prepared = statement(store, which);
	int error;

	bind_text(prepared, 1, mark->owner);
	bind_text(prepared, 2, mark->key);
	if (mark->value)
		bind_text(prepared, 3, mark->value);
	error = run(store, which);
	op->changed += (uint64_t)sqlite3_changes64(store->writer);
	return error;
}

/* The event that comes with an op. One whose mark is there already is none. */
static int put_next(struct store *store, struct store_op *op)
{
	const struct queue_mark *with = op->next->event->mark;
	int error = with ? mark(store, op, with) : 0;

	op->repeated = error == 0 && with && op->changed == 0;
	return error < 0 || op->repeated ? error : put(store, op->next);
}

static int mark_all(struct store *store, struct store_op *op)
{
	int error = 0;

	for (size_t i = 0; i < op->mark_count && error == 0; i++)
		error = mark(store, op, &op->marks[i]);
	return error;
}

static int run_op(struct store *store, struct store_op *op)
{
	int error = op->next ? put_next(store, op) : 0;

	if (error < 0)
		return error;
	switch (op->kind) {
	case STORE_PUT:
		return 0;
	case STORE_RETRY:
		return retry(store, op);
	case STORE_DEAD:
		return dead(store, op);
	case STORE_REPLAY:
		return replay(store, op);
	case STORE_DONE:
		bind_number(statement(store, STATEMENT_DONE), 1, op->id);
		return remove_rows(store, STATEMENT_DONE, op);
	case STORE_DELETE:
		bind_number(statement(store, STATEMENT_DELETE), 1, op->id);
		return remove_rows(store, STATEMENT_DELETE, op);
	case STORE_PURGE:
		bind_text(statement(store, STATEMENT_PURGE), 1, op->function);
		return remove_rows(store, STATEMENT_PURGE, op);
	case STORE_MARK:
		return mark_all(store, op);
	case STORE_FORGET:
		bind_text(statement(store, STATEMENT_FORGET), 1, op->owner);
		return run(store, STATEMENT_FORGET);
	case STORE_SWEEP:
		bind_number(statement(store, STATEMENT_SWEEP), 1, op->now_ms);
		return remove_rows(store, STATEMENT_SWEEP, op);
	default:
		return -EINVAL;
	}
}

/* In one transaction; its first error. */
static int write_batch(struct store *store, struct commit_op *batch)
{
	int error = run(store, STATEMENT_BEGIN);

	store->reserving_id = store->reserved_id;
	/* The member is the struct's first, so the one is the other. */
	for (; batch && error == 0; batch = batch->next)
		error = run_op(store, (struct store_op *)batch);
	if (error == 0)
		error = run(store, STATEMENT_COMMIT);
	if (error == 0)
		store->reserved_id = store->reserving_id;
	else if (!sqlite3_get_autocommit(store->writer))
		(void)run(store, STATEMENT_ROLLBACK);
	return error;
}

void store_write(struct store *store, struct commit_op *batch)
{
	int error = write_batch(store, batch);

	for (; batch; batch = batch->next)
		batch->result = error;
}
