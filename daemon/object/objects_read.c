/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the object store: see objects.h. Readers have connections of their own, which never wait for the writer. */
#include "daemon/object/objects_private.h"

#include "host/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const objects_read_sql[OBJECTS_READS] = {
	[READ_BUCKET] = "SELECT id, made_ms, notification, tags FROM bucket WHERE name = ?1",
	[READ_BUCKETS] = "SELECT name, made_ms FROM bucket ORDER BY name",
	[READ_OBJECT] =
		"SELECT " OBJECTS_INFO_COLUMNS
		" FROM bucket b JOIN object o ON o.bucket = b.id WHERE b.name = ?1 AND o.key = ?2",
	[READ_OBJECTS] = "SELECT o.key, " OBJECTS_INFO_COLUMNS
			 " FROM object o WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
	[READ_PARTS] = "SELECT " OBJECTS_PART_COLUMNS
		       " FROM part WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
	[READ_PIECES] = "SELECT " OBJECTS_PART_COLUMNS
			" FROM part WHERE upload = ?1 AND offset >= 0 ORDER BY number",
	[READ_UPLOAD] =
		"SELECT u.id, u.begun_ms, u.key, u.checksum_kind, u.checksum_whole, u.headers, u.tags"
		" FROM bucket b JOIN upload u ON u.bucket = b.id"
		" WHERE b.name = ?1 AND u.key = ?2 AND u.id = ?3",
	[READ_UPLOADS] =
		"SELECT id, begun_ms, key, checksum_kind, checksum_whole, headers, tags"
		" FROM upload WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND key >= ?4 AND key < ?5"
		" ORDER BY key, id LIMIT ?6",
	[READ_OUTBOX] = ("SELECT id, function, request_id, target, attributes, body FROM outbox"
			 " WHERE id > ?1 ORDER BY id LIMIT ?2"),
};

/* A reader that is free; waits for one. */
static struct objects_reader *take_reader(struct objects *objects)
{
	unsigned int first = __atomic_fetch_add(&objects->next_reader, 1, __ATOMIC_RELAXED);
	struct objects_reader *reader = &objects->readers[first % OBJECTS_READERS];

	for (unsigned int i = 0; i < OBJECTS_READERS; i++) {
		struct objects_reader *free = &objects->readers[(first + i) % OBJECTS_READERS];

		if (pthread_mutex_trylock(&free->lock) == 0)
			return free;
	}
	pthread_mutex_lock(&reader->lock);
	return reader;
}

static void give_reader(struct objects_reader *reader)
{
	pthread_mutex_unlock(&reader->lock);
}

/* --- buckets --- */

/* 0 with the row's columns 0 and 1 (and a text, if `column` is not 0), OBJECTS_NO_BUCKET or -errno. */
static int read_bucket(struct objects_reader *reader, const char *name, int64_t *id,
	uint64_t *made_ms, int column, char **text)
{
	sqlite3_stmt *row = reader->statements[READ_BUCKET];
	bool failed = false;
	int code;

	objects_bind_text(row, 1, name);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		*id = sqlite3_column_int64(row, 0);
		*made_ms = (uint64_t)sqlite3_column_int64(row, 1);
		if (text)
			*text = objects_column(row, column, NULL, &failed);
	}
	sqlite3_reset(row);
	if (failed)
		return -ENOMEM;
	return code == SQLITE_ROW     ? 0
		: code == SQLITE_DONE ? OBJECTS_NO_BUCKET
				      : database_errno(code);
}

int objects_find_bucket(struct objects *objects, const char *name, struct objects_bucket *bucket)
{
	struct objects_reader *reader = take_reader(objects);
	struct objects_bucket found = {.made_ms = 0};
	int64_t id;
	int result = read_bucket(reader, name, &id, &found.made_ms, 0, NULL);

	give_reader(reader);
	if (result)
		return result;
	memccpy(found.name, name, '\0', OBJECTS_BUCKET_MAX);
	*bucket = found;
	return 0;
}

int objects_get_setting(struct objects *objects, const char *bucket, enum objects_setting setting,
	char **text)
{
	struct objects_reader *reader = take_reader(objects);
	uint64_t made_ms;
	int64_t id;
	int result = read_bucket(reader, bucket, &id, &made_ms,
		setting == OBJECTS_NOTIFICATION ? 2 : 3, text);

	give_reader(reader);
	return result;
}

int objects_buckets(struct objects *objects, struct objects_bucket **buckets, size_t *count)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_BUCKETS];
	struct objects_bucket *list = NULL;
	size_t found = 0, capacity = 0;
	int code, error = 0;

	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		error = df_array_reserve(&list, &capacity, found + 1, sizeof(*list));
		if (error)
			break;
		list[found] =
			(struct objects_bucket){.made_ms = (uint64_t)sqlite3_column_int64(row, 1)};
		memccpy(list[found++].name, sqlite3_column_text(row, 0), '\0', OBJECTS_BUCKET_MAX);
	}
	sqlite3_reset(row);
	give_reader(reader);
	if (error == 0)
		error = database_errno(code);
	if (error) {
		free(list);
		return error;
	}
	*buckets = list;
	*count = found;
	return 0;
}

/* --- objects --- */

int objects_find(struct objects *objects, const char *bucket, const char *key,
	struct objects_info *info)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_OBJECT];
	uint64_t made_ms;
	int64_t id;
	int code, result = OBJECTS_NO_KEY;

	objects_bind_text(row, 1, bucket);
	objects_bind_key(row, 2, key);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		result = objects_read_info(row, 0, info);
	sqlite3_reset(row);
	if (code == SQLITE_DONE)
		result = read_bucket(reader, bucket, &id, &made_ms, 0, NULL);
	give_reader(reader);
	if (code == SQLITE_DONE)
		return result ? result : OBJECTS_NO_KEY;
	return code == SQLITE_ROW ? result : database_errno(code);
}

/* All parts that a statement finds, whose values are bound. Gives the reader back. */
static int read_parts(struct objects_reader *reader, sqlite3_stmt *row,
	struct objects_piece **parts, size_t *count)
{
	struct objects_piece *list = NULL;
	size_t found = 0, capacity = 0;
	int code, error = 0;

	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		error = df_array_reserve(&list, &capacity, found + 1, sizeof(*list));
		if (error == 0)
			objects_read_part(row, &list[found++]);
	}
	sqlite3_reset(row);
	give_reader(reader);
	if (error == 0)
		error = database_errno(code);
	if (error) {
		free(list);
		return error;
	}
	*parts = list;
	*count = found;
	return 0;
}

int objects_pieces(struct objects *objects, const struct objects_info *info,
	struct objects_piece **pieces, size_t *count)
{
	struct objects_reader *reader;
	sqlite3_stmt *row;

	if (info->parts == 0) {
		*pieces = calloc(1, sizeof(**pieces));
		if (!*pieces)
			return -ENOMEM;
		**pieces = (struct objects_piece){.file = info->file, .bytes = info->bytes};
		*count = 1;
		return 0;
	}
	reader = take_reader(objects);
	row = reader->statements[READ_PIECES];
	sqlite3_bind_int64(row, 1, (sqlite3_int64)info->file);
	return read_parts(reader, row, pieces, count);
}

int objects_parts(struct objects *objects, uint64_t id, unsigned int after, size_t room,
	struct objects_piece **parts, size_t *count)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_PARTS];

	sqlite3_bind_int64(row, 1, (sqlite3_int64)id);
	sqlite3_bind_int64(row, 2, after);
	sqlite3_bind_int64(row, 3, (sqlite3_int64)room);
	return read_parts(reader, row, parts, count);
}

/* --- uploads --- */

int objects_find_upload(struct objects *objects, const char *bucket, const char *key, uint64_t id,
	struct objects_upload *upload)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_UPLOAD];
	int code, result = OBJECTS_NO_UPLOAD;

	objects_bind_text(row, 1, bucket);
	objects_bind_key(row, 2, key);
	sqlite3_bind_int64(row, 3, (sqlite3_int64)id);
	code = sqlite3_step(row);
	if (code == SQLITE_ROW)
		result = objects_read_upload(row, upload);
	else if (code != SQLITE_DONE)
		result = database_errno(code);
	sqlite3_reset(row);
	give_reader(reader);
	return result;
}

/* The first key that is behind all keys with this prefix: they end where its last byte is one larger. Keys have no byte 0xff. */
static void prefix_end(struct df_str *end, const char *prefix, size_t length)
{
	if (length == 0) {
		df_str_add(end, "\xff");
		return;
	}
	df_str_add_bytes(end, prefix, length);
	if (!end->failed)
		end->data[length - 1]++;
}

static int collect_uploads(sqlite3_stmt *row, struct objects_upload **uploads, size_t *count)
{
	struct objects_upload *list = NULL;
	size_t found = 0, capacity = 0;
	int code, error = 0;

	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		error = df_array_reserve(&list, &capacity, found + 1, sizeof(*list));
		if (error == 0)
			error = objects_read_upload(row, &list[found]);
		found += error == 0;
	}
	sqlite3_reset(row);
	if (error == 0)
		error = database_errno(code);
	if (error) {
		while (found > 0)
			objects_upload_free(&list[--found]);
		free(list);
		return error;
	}
	*uploads = list;
	*count = found;
	return 0;
}

int objects_uploads(struct objects *objects, const char *bucket, const char *prefix,
	const char *key, uint64_t id, size_t room, struct objects_upload **uploads, size_t *count)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_UPLOADS];
	DF_STR struct df_str end = DF_STR_EMPTY;
	uint64_t made_ms;
	int64_t bucket_id = 0;
	int result = read_bucket(reader, bucket, &bucket_id, &made_ms, 0, NULL);

	prefix_end(&end, prefix, strlen(prefix));
	if (result == 0 && end.failed)
		result = -ENOMEM;
	if (result == 0) {
		sqlite3_bind_int64(row, 1, bucket_id);
		objects_bind_key(row, 2, key);
		sqlite3_bind_int64(row, 3, (sqlite3_int64)id);
		objects_bind_key(row, 4, prefix);
		sqlite3_bind_blob64(row, 5, end.data, end.length, SQLITE_STATIC);
		sqlite3_bind_int64(row, 6, (sqlite3_int64)room);
		result = collect_uploads(row, uploads, count);
	}
	give_reader(reader);
	return result;
}

/* --- listing --- */

struct listing {
	const struct objects_list *list;
	sqlite3_stmt *row;
	struct df_str from, end; /* keys from here, up to there */
	unsigned int count;
};

static const char *find_bytes(const char *text, size_t length, const char *what)
{
	return *what ? memmem(text, length, what, strlen(what)) : NULL;
}

/* The length of the common prefix that stands for a key; 0: the key stands for itself. */
static size_t common_prefix(const struct objects_list *list, const char *key, size_t length)
{
	size_t prefix = strlen(list->prefix);
	const char *found = find_bytes(key + prefix, length - prefix, list->delimiter);

	return found ? (size_t)(found - key) + strlen(list->delimiter) : 0;
}

/* Where listing begins: at the prefix, or behind what was listed already. */
static void begin_listing(struct listing *listing)
{
	const struct objects_list *list = listing->list;
	size_t after = strlen(list->after), prefix = strlen(list->prefix);

	prefix_end(&listing->end, list->prefix, prefix);
	if (after == 0 || strcmp(list->after, list->prefix) < 0)
		df_str_add(&listing->from, list->prefix);
	else if (after > prefix && strncmp(list->after, list->prefix, prefix) == 0 &&
		common_prefix(list, list->after, after) == after)
		prefix_end(&listing->from, list->after, after);
	else
		df_str_add_bytes(&listing->from, list->after, after + 1);
}

static void bind_range(struct listing *listing)
{
	sqlite3_reset(listing->row);
	sqlite3_bind_blob64(listing->row, 2, df_str_text(&listing->from), listing->from.length,
		SQLITE_STATIC);
	sqlite3_bind_blob64(listing->row, 3, listing->end.data, listing->end.length, SQLITE_STATIC);
}

/* One row. A common prefix is told once; the next row is behind all that it stands for. */
static int list_row(struct listing *listing)
{
	const struct objects_list *list = listing->list;
	const char *key = sqlite3_column_blob(listing->row, 0);
	size_t length = (size_t)sqlite3_column_bytes(listing->row, 0);
	size_t common = common_prefix(list, key, length);
	struct objects_info info = {0};
	int error;

	if (common) {
		df_str_clear(&listing->from);
		prefix_end(&listing->from, key, common);
		error = list->each(list->user, key, common, NULL);
		bind_range(listing);
		return listing->from.failed ? -ENOMEM : error;
	}
	error = objects_read_info(listing->row, 1, &info);
	if (error == 0)
		error = list->each(list->user, key, length, &info);
	objects_info_free(&info);
	return error;
}

static int list_rows(struct listing *listing, bool *more)
{
	int code = SQLITE_DONE, error = 0;

	bind_range(listing);
	while (error == 0 && (code = sqlite3_step(listing->row)) == SQLITE_ROW) {
		*more = listing->count++ == listing->list->room;
		if (*more)
			break;
		error = list_row(listing);
	}
	sqlite3_reset(listing->row);
	return error ? error : database_errno(code);
}

int objects_list(struct objects *objects, const char *bucket, const struct objects_list *list,
	bool *more)
{
	struct objects_reader *reader = take_reader(objects);
	struct listing listing = {.list = list, .row = reader->statements[READ_OBJECTS]};
	uint64_t made_ms;
	int64_t id = 0;
	int result = read_bucket(reader, bucket, &id, &made_ms, 0, NULL);

	*more = false;
	begin_listing(&listing);
	if (result == 0 && (listing.from.failed || listing.end.failed))
		result = -ENOMEM;
	if (result == 0 && list->room > 0) {
		sqlite3_bind_int64(listing.row, 1, id);
		result = list_rows(&listing, more);
	}
	give_reader(reader);
	df_str_deinit(&listing.from);
	df_str_deinit(&listing.end);
	return result;
}

/* --- the outbox --- */

static int read_event(sqlite3_stmt *row, struct objects_event *event)
{
	bool failed = false;

	*event = (struct objects_event){.id = (uint64_t)sqlite3_column_int64(row, 0)};
	event->function = objects_column(row, 1, NULL, &failed);
	event->request_id = objects_column(row, 2, NULL, &failed);
	event->target = objects_column(row, 3, NULL, &failed);
	df_str_add_bytes(&event->attributes, sqlite3_column_blob(row, 4),
		(size_t)sqlite3_column_bytes(row, 4));
	df_str_add_bytes(&event->body, sqlite3_column_blob(row, 5),
		(size_t)sqlite3_column_bytes(row, 5));
	if (!failed && !event->attributes.failed && !event->body.failed)
		return 0;
	objects_event_free(event);
	return -ENOMEM;
}

int objects_outbox(struct objects *objects, uint64_t after, struct objects_event *events,
	unsigned int room, unsigned int *count)
{
	struct objects_reader *reader = take_reader(objects);
	sqlite3_stmt *row = reader->statements[READ_OUTBOX];
	int code = SQLITE_DONE, error = 0;

	*count = 0;
	sqlite3_bind_int64(row, 1, (sqlite3_int64)after);
	sqlite3_bind_int64(row, 2, room);
	while (error == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
		error = read_event(row, &events[*count]);
		*count += error == 0;
	}
	sqlite3_reset(row);
	give_reader(reader);
	if (error == 0)
		error = database_errno(code);
	while (error && *count > 0)
		objects_event_free(&events[--*count]);
	return error;
}
