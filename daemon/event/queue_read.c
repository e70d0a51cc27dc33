/* SPDX-License-Identifier: Apache-2.0 */
/* The queue on disk, reading it, and the files of large bodies: see queue_store.h. */
#include "daemon/durable.h"
#include "daemon/event/queue_store_private.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COLUMNS                                                                                     \
	"SELECT id, kind, due_ms, put_ms, expires_ms, attempts, throttles, attempts_max, external," \
	" attribute_bytes, body_bytes, reason, dead_ms, status, function, request_id, target,"      \
	" error, attributes, reply, body FROM event "

enum column {
	COLUMN_ID,
	COLUMN_KIND,
	COLUMN_DUE,
	COLUMN_PUT,
	COLUMN_EXPIRES,
	COLUMN_ATTEMPTS,
	COLUMN_THROTTLES,
	COLUMN_ATTEMPTS_MAX,
	COLUMN_EXTERNAL,
	COLUMN_ATTRIBUTE_BYTES,
	COLUMN_BODY_BYTES,
	COLUMN_REASON,
	COLUMN_DEAD,
	COLUMN_STATUS,
	COLUMN_FUNCTION,
	COLUMN_REQUEST_ID,
	COLUMN_TARGET,
	COLUMN_ERROR,
	COLUMN_ATTRIBUTES,
	COLUMN_REPLY,
	COLUMN_BODY,
};

const char store_read_sql[] = COLUMNS "WHERE id = ?1";
const char store_dead_sql[] =
	COLUMNS "WHERE dead = 1 AND id > ?1 AND (?2 IS NULL OR " STORE_OF_FUNCTION(
		"?2") ") ORDER BY id LIMIT ?3";

/* The owners that begin with a text are a range of the primary key. */
const char store_marks_sql[] =
	"SELECT owner, key, value FROM mark WHERE owner >= ?1 AND owner < ?1 || char(1114111)"
	" ORDER BY owner, key";

void store_body_name(uint64_t id, char name[STORE_NAME_BYTES])
{
	snprintf(name, STORE_NAME_BYTES, "%016" PRIx64, id);
}

int store_body_write(struct store *store, uint64_t id, const void *body, size_t length)
{
	char name[STORE_NAME_BYTES];

	store_body_name(id, name);
	return durable_write(store->bodies_fd, name, body, length);
}

void store_body_remove(struct store *store, uint64_t id)
{
	char name[STORE_NAME_BYTES];

	/* One that stays is removed by the next store_load. */
	store_body_name(id, name);
	unlinkat(store->bodies_fd, name, 0);
}

static int read_body(const struct store *store, uint64_t id, char *into, size_t length)
{
	char name[STORE_NAME_BYTES];
	DF_CLOSE int fd = -1;
	ssize_t got;

	store_body_name(id, name);
	fd = openat(store->bodies_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -EIO;
	while (length > 0) {
		got = read(fd, into, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		into += got;
		length -= (size_t)got;
	}
	return 0;
}

static uint64_t number(sqlite3_stmt *row, enum column column)
{
	return (uint64_t)sqlite3_column_int64(row, (int)column);
}

static size_t width(sqlite3_stmt *row, enum column column)
{
	return (size_t)sqlite3_column_bytes(row, (int)column);
}

/* Copies a column to *at, with a zero behind it, and moves *at on. NULL stays NULL. */
static const void *carve(sqlite3_stmt *row, enum column column, char **at)
{
	const void *value = sqlite3_column_blob(row, (int)column);
	size_t length = width(row, column);
	char *copy = *at;

	if (sqlite3_column_type(row, (int)column) == SQLITE_NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, value, length);
	copy[length] = '\0';
	*at += length + 1;
	return copy;
}

static void fill_numbers(sqlite3_stmt *row, struct queue_event *event)
{
	*event = (struct queue_event){
		.id = number(row, COLUMN_ID),
		.kind = number(row, COLUMN_KIND) ? QUEUE_DELIVERY : QUEUE_EVENT,
		.attribute_bytes = width(row, COLUMN_ATTRIBUTES),
		.body_bytes = number(row, COLUMN_BODY_BYTES),
		.put_ms = number(row, COLUMN_PUT),
		.due_ms = number(row, COLUMN_DUE),
		.expires_ms = number(row, COLUMN_EXPIRES),
		.attempts = (unsigned int)number(row, COLUMN_ATTEMPTS),
		.throttles = (unsigned int)number(row, COLUMN_THROTTLES),
		.attempts_max = (unsigned int)number(row, COLUMN_ATTEMPTS_MAX),
		.reason = (enum queue_reason)number(row, COLUMN_REASON),
		.dead_ms = number(row, COLUMN_DEAD),
		.status = (unsigned int)number(row, COLUMN_STATUS),
		.reply_bytes = width(row, COLUMN_REPLY),
	};
}

/* The body, which begins at `at`. */
static int fill_body(const struct store *store, sqlite3_stmt *row, struct queue_event *event,
	char *at)
{
	if (!number(row, COLUMN_EXTERNAL)) {
		event->body = carve(row, COLUMN_BODY, &at);
		return width(row, COLUMN_BODY) == event->body_bytes ? 0 : -EIO;
	}
	event->body = at;
	return read_body(store, event->id, at, event->body_bytes);
}

/* Makes an event of a row. All its texts and bytes lie in one piece of memory. */
static int read_row(const struct store *store, sqlite3_stmt *row, bool body,
	struct queue_event *event)
{
	static const enum column parts[] = {COLUMN_FUNCTION, COLUMN_REQUEST_ID, COLUMN_TARGET,
		COLUMN_ERROR, COLUMN_ATTRIBUTES, COLUMN_REPLY};
	size_t bytes = 1;
	char *at;
	int error = 0;

	fill_numbers(row, event);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		bytes += width(row, parts[i]) + 1;
	if (event->body_bytes > QUEUE_BODY_MAX)
		return -EIO;
	if (body)
		bytes += event->body_bytes + width(row, COLUMN_BODY);
	event->memory = at = malloc(bytes);
	if (!at)
		return -ENOMEM;
	event->function = carve(row, COLUMN_FUNCTION, &at);
	event->request_id = carve(row, COLUMN_REQUEST_ID, &at);
	event->target = carve(row, COLUMN_TARGET, &at);
	event->error = carve(row, COLUMN_ERROR, &at);
	event->attributes = carve(row, COLUMN_ATTRIBUTES, &at);
	event->reply = carve(row, COLUMN_REPLY, &at);
	if (!event->function || !event->request_id)
		error = -EIO;
	else if (body && event->body_bytes > 0)
		error = fill_body(store, row, event, at);
	if (error < 0)
		event->body = NULL;
	return error;
}

int store_read(struct store *store, uint64_t id, bool body, struct queue_event *event)
{
	sqlite3_stmt *row = store->read_one;
	int code, error;

	*event = (struct queue_event){0};
	pthread_mutex_lock(&store->read_lock);
	(void)sqlite3_bind_int64(row, 1, (sqlite3_int64)id);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		error = read_row(store, row, body, event);
	else
		error = code == SQLITE_DONE ? -ENOENT : database_errno(code);
	sqlite3_reset(row);
	pthread_mutex_unlock(&store->read_lock);
	return error;
}

int store_list_dead(struct store *store, const char *function, uint64_t after,
	struct queue_event *events, unsigned int count)
{
	sqlite3_stmt *row = store->read_dead;
	int code = SQLITE_DONE, found = 0, error = 0;

	pthread_mutex_lock(&store->read_lock);
	(void)sqlite3_bind_int64(row, 1, (sqlite3_int64)after);
	(void)sqlite3_bind_text(row, 2, function, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(row, 3, count);
	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		error = read_row(store, row, false, &events[found]);
		found++;
	}
	sqlite3_reset(row);
	pthread_mutex_unlock(&store->read_lock);
	if (error == 0)
		error = database_errno(code);
	while (error < 0 && found > 0)
		queue_event_free(&events[--found]);
	return error < 0 ? error : found;
}

int store_each_mark(struct store *store, const char *owner,
	int (*each)(void *user, const struct queue_mark *mark), void *user)
{
	sqlite3_stmt *row = store->read_marks;
	int code = SQLITE_DONE, error = 0;

	pthread_mutex_lock(&store->read_lock);
	(void)sqlite3_bind_text(row, 1, owner, -1, SQLITE_STATIC);
	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		const struct queue_mark mark = {
			.owner = (const char *)sqlite3_column_text(row, 0),
			.key = (const char *)sqlite3_column_text(row, 1),
			.value = (const char *)sqlite3_column_text(row, 2),
		};

		error = mark.owner && mark.key && mark.value ? each(user, &mark) : -ENOMEM;
	}
	sqlite3_reset(row);
	pthread_mutex_unlock(&store->read_lock);
	return error ? error : database_errno(code);
}
