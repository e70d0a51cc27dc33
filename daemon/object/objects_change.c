/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of buckets and objects, as ops: see objects_private.h. */
#include "daemon/clock.h"
#include "daemon/object/objects_private.h"

#include <errno.h>

/* --- buckets --- */

struct bucket_op {
	struct objects_op op; /* first */
	const char *name, *text;
	enum objects_setting setting;
};

static int run_make_bucket(struct objects *objects, struct objects_op *op)
{
	struct bucket_op *bucket = (struct bucket_op *)op;
	sqlite3_stmt *statement = objects_statement(objects, WRITE_MAKE_BUCKET);
	int64_t id, count = 0;
	int result = objects_bucket_id(objects, bucket->name, &id);

	if (result != OBJECTS_NO_BUCKET)
		return result == 0 ? OBJECTS_EXISTS : result;
	result = objects_ask(objects, WRITE_COUNT_BUCKETS, &count);
	if (result < 0)
		return result;
	if (count >= OBJECTS_BUCKETS_MAX)
		return OBJECTS_TOO_MANY;
	objects_bind_text(statement, 1, bucket->name);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)clock_wall_ms());
	return objects_step(objects, WRITE_MAKE_BUCKET);
}

int objects_make_bucket(struct objects *objects, const char *name)
{
	struct bucket_op bucket = {.op.run = run_make_bucket, .name = name};

	return objects_run(objects, &bucket.op);
}

/* Uploads that are under way go with their bucket only when they are aborted, as S3 has it. */
static int run_remove_bucket(struct objects *objects, struct objects_op *op)
{
	struct bucket_op *bucket = (struct bucket_op *)op;
	int64_t id, any;
	int result = objects_bucket_id(objects, bucket->name, &id);

	if (result)
		return result;
	sqlite3_bind_int64(objects_statement(objects, WRITE_HAS_OBJECTS), 1, id);
	result = objects_ask(objects, WRITE_HAS_OBJECTS, &any);
	if (result == 0) {
		sqlite3_bind_int64(objects_statement(objects, WRITE_HAS_UPLOADS), 1, id);
		result = objects_ask(objects, WRITE_HAS_UPLOADS, &any);
	}
	if (result)
		return result < 0 ? result : OBJECTS_NOT_EMPTY;
	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_BUCKET), 1, id);
	return objects_step(objects, WRITE_REMOVE_BUCKET);
}

int objects_remove_bucket(struct objects *objects, const char *name)
{
	struct bucket_op bucket = {.op.run = run_remove_bucket, .name = name};

	return objects_run(objects, &bucket.op);
}

static int run_put_setting(struct objects *objects, struct objects_op *op)
{
	struct bucket_op *bucket = (struct bucket_op *)op;
	enum objects_write which =
		bucket->setting == OBJECTS_NOTIFICATION ? WRITE_NOTIFICATION : WRITE_BUCKET_TAGS;
	sqlite3_stmt *statement = objects_statement(objects, which);
	int64_t id;
	int result = objects_bucket_id(objects, bucket->name, &id);

	if (result)
		return result;
	sqlite3_bind_int64(statement, 1, id);
	objects_bind_text(statement, 2, bucket->text);
	return objects_step(objects, which);
}

int objects_put_setting(struct objects *objects, const char *bucket, enum objects_setting setting,
	const char *text)
{
	struct bucket_op op = {
		.op.run = run_put_setting, .name = bucket, .text = text, .setting = setting};

	return objects_run(objects, &op.op);
}

/* --- objects --- */

struct put_op {
	struct objects_op op; /* first */
	const struct objects_put *put;
	struct objects_info info;
	struct objects_told *told;
};

static int run_put(struct objects *objects, struct objects_op *op)
{
	struct put_op *this = (struct put_op *)op;
	const struct objects_put *put = this->put;
	struct objects_info current = {0};
	int64_t bucket;
	int found, result = objects_bucket_id(objects, put->bucket, &bucket);

	if (result)
		return result;
	found = objects_current(objects, bucket, put->key, &current);
	if (found < 0)
		return found;
	result = objects_condition(found ? &current : NULL, put->if_match, put->if_none);
	if (result == 0)
		result = objects_outbox_room(objects, &put->teller);
	this->info.modified_ms = clock_wall_ms();
	if (result == 0 && found)
		result = objects_note_object(objects, op, &current);
	if (result == 0)
		result = objects_replace(objects, bucket, put->key, &this->info);
	if (result == 0)
		result = objects_tell(objects, op, &put->teller, &this->info, this->told);
	op->object_count = !found;
	objects_info_free(&current);
	return result;
}

int objects_put(struct objects *objects, const struct objects_put *put, uint64_t *modified_ms,
	struct objects_told *told)
{
	struct put_op this = {
		.op.run = run_put,
		.put = put,
		.info = *put->info,
		.told = told,
	};
	int result;

	told->count = 0;
	this.info.file = put->body->file;
	this.info.bytes = put->body->bytes;
	this.info.parts = 0;
	result = objects_run(objects, &this.op);
	/* After an input/output error the row may be there all the same: the file stays until the next start. */
	if (result == 0 || result == -EIO)
		put->body->objects = NULL;
	if (result == 0)
		*modified_ms = this.info.modified_ms;
	else
		objects_told_free(told);
	return result;
}

struct key_op {
	struct objects_op op; /* first */
	const char *bucket, *key, *if_match;
	const struct objects_teller *teller;
	struct objects_told *told;
	const char *tags;
	size_t tag_bytes;
};

static int remove_object(struct objects *objects, struct key_op *this, int64_t bucket,
	const struct objects_info *current)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_REMOVE_OBJECT);
	int result = objects_condition(current, this->if_match, false);

	if (result == 0)
		result = objects_outbox_room(objects, this->teller);
	if (result == 0)
		result = objects_note_object(objects, &this->op, current);
	if (result)
		return result;
	sqlite3_bind_int64(statement, 1, bucket);
	objects_bind_key(statement, 2, this->key);
	result = objects_step(objects, WRITE_REMOVE_OBJECT);
	if (result == 0)
		result = objects_tell(objects, &this->op, this->teller, current, this->told);
	this->op.object_count = -1;
	return result;
}

static int run_remove(struct objects *objects, struct objects_op *op)
{
	struct key_op *this = (struct key_op *)op;
	struct objects_info current = {0};
	int64_t bucket;
	int result = objects_bucket_id(objects, this->bucket, &bucket);

	if (result)
		return result;
	result = objects_current(objects, bucket, this->key, &current);
	if (result != 1)
		return result == 0 ? OBJECTS_NO_KEY : result;
	result = remove_object(objects, this, bucket, &current);
	objects_info_free(&current);
	return result;
}

int objects_remove(struct objects *objects, const char *bucket, const char *key,
	const char *if_match, const struct objects_teller *teller, struct objects_told *told)
{
	struct key_op this = {
		.op.run = run_remove,
		.bucket = bucket,
		.key = key,
		.if_match = if_match,
		.teller = teller,
		.told = told,
	};
	int result;

	told->count = 0;
	result = objects_run(objects, &this.op);
	if (result)
		objects_told_free(told);
	return result;
}

static int run_put_tags(struct objects *objects, struct objects_op *op)
{
	struct key_op *this = (struct key_op *)op;
	sqlite3_stmt *statement = objects_statement(objects, WRITE_OBJECT_TAGS);
	int64_t bucket;
	int result = objects_bucket_id(objects, this->bucket, &bucket);

	if (result)
		return result;
	sqlite3_bind_int64(statement, 1, bucket);
	objects_bind_key(statement, 2, this->key);
	objects_bind_bytes(statement, 3, this->tags, this->tag_bytes);
	result = objects_step(objects, WRITE_OBJECT_TAGS);
	if (result == 0 && sqlite3_changes(objects->writer) == 0)
		return OBJECTS_NO_KEY;
	return result;
}

int objects_put_tags(struct objects *objects, const char *bucket, const char *key, const char *tags,
	size_t tag_bytes)
{
	struct key_op this = {
		.op.run = run_put_tags,
		.bucket = bucket,
		.key = key,
		.tags = tags,
		.tag_bytes = tag_bytes,
	};

	return objects_run(objects, &this.op);
}
