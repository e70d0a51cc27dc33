/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads in parts: see objects.h. The parts' files stay where they are when the upload is complete: the rows say in which order they are
 * the object, so completing one costs no copying, however large it is.
 */
#include "daemon/clock.h"
#include "daemon/object/objects_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct upload_op {
	struct objects_op op; /* first */
	const char *bucket, *key;
	uint64_t id;
	struct objects_upload *upload;
	const struct objects_body *body;
	const struct objects_piece *part;
};

/* --- beginning --- */

static int run_begin(struct objects *objects, struct objects_op *op)
{
	struct upload_op *this = (struct upload_op *)op;
	const struct objects_upload *upload = this->upload;
	sqlite3_stmt *statement = objects_statement(objects, WRITE_BEGIN_UPLOAD);
	int64_t bucket, count = 0;
	int result = objects_bucket_id(objects, this->bucket, &bucket);

	if (result)
		return result;
	result = objects_ask(objects, WRITE_COUNT_UPLOADS, &count);
	if (result < 0)
		return result;
	if (count >= OBJECTS_UPLOADS_MAX)
		return OBJECTS_TOO_MANY;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)upload->id);
	sqlite3_bind_int64(statement, 2, bucket);
	objects_bind_key(statement, 3, upload->key);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)upload->begun_ms);
	sqlite3_bind_int64(statement, 5, upload->checksum.kind);
	sqlite3_bind_int64(statement, 6, upload->checksum.whole);
	objects_bind_bytes(statement, 7, upload->headers, upload->header_bytes);
	objects_bind_bytes(statement, 8, upload->tags, upload->tag_bytes);
	return objects_step(objects, WRITE_BEGIN_UPLOAD);
}

int objects_begin_upload(struct objects *objects, const char *bucket, struct objects_upload *upload)
{
	struct upload_op this = {.op.run = run_begin, .bucket = bucket, .upload = upload};
	int error = objects_random(&upload->id);

	upload->begun_ms = clock_wall_ms();
	return error ? error : objects_run(objects, &this.op);
}

/* --- parts --- */

/* 0 and the upload (if it is asked for), OBJECTS_NO_BUCKET, OBJECTS_NO_UPLOAD or -errno. */
static int find_upload(struct objects *objects, const struct upload_op *this, int64_t *bucket,
	struct objects_upload *upload)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_FIND_UPLOAD);
	int code, result = objects_bucket_id(objects, this->bucket, bucket);

	if (result)
		return result;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)this->id);
	sqlite3_bind_int64(statement, 2, *bucket);
	objects_bind_key(statement, 3, this->key);
	code = sqlite3_step(statement);
	if (code == SQLITE_DONE)
		result = OBJECTS_NO_UPLOAD;
	else if (code != SQLITE_ROW)
		result = database_errno(code);
	else if (upload)
		result = objects_read_upload(statement, upload);
	sqlite3_reset(statement);
	return result;
}

/* 1 with the part, 0 or -errno. */
static int find_part(struct objects *objects, uint64_t upload, unsigned int number,
	struct objects_piece *part)
{
	sqlite3_stmt *statement = objects_statement(objects, WRITE_FIND_PART);
	int code;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)upload);
	sqlite3_bind_int64(statement, 2, number);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		objects_read_part(statement, part);
	sqlite3_reset(statement);
	return code == SQLITE_ROW ? 1 : database_errno(code);
}

static int run_put_part(struct objects *objects, struct objects_op *op)
{
	struct upload_op *this = (struct upload_op *)op;
	const struct objects_piece *part = this->part;
	sqlite3_stmt *statement = objects_statement(objects, WRITE_PUT_PART);
	struct objects_piece current;
	int64_t bucket;
	int found, result = find_upload(objects, this, &bucket, NULL);

	if (result)
		return result;
	found = find_part(objects, this->id, part->number, &current);
	if (found < 0)
		return found;
	if (found)
		result = objects_note_file(op, current.file, current.bytes);
	if (result)
		return result;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)this->id);
	sqlite3_bind_int64(statement, 2, part->number);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)this->body->file);
	sqlite3_bind_int64(statement, 4, OBJECTS_NO_OFFSET);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)this->body->bytes);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)clock_wall_ms());
	objects_bind_text(statement, 7, part->etag);
	sqlite3_bind_int64(statement, 8, part->checksum.kind);
	objects_bind_text(statement, 9, part->checksum.kind ? part->checksum.text : NULL);
	return objects_step(objects, WRITE_PUT_PART);
}

int objects_put_part(struct objects *objects, const char *bucket, const char *key, uint64_t id,
	struct objects_body *body, const struct objects_piece *part)
{
	struct upload_op this = {
		.op.run = run_put_part,
		.bucket = bucket,
		.key = key,
		.id = id,
		.body = body,
		.part = part,
	};
	int result = objects_run(objects, &this.op);

	if (result == 0 || result == -EIO)
		body->objects = NULL;
	return result;
}

/* --- completing --- */

struct complete_op {
	struct upload_op upload; /* first */
	const struct objects_complete *complete;
	struct objects_info *info;
	struct objects_told *told;
	uint64_t *offsets; /* of the parts; room for all of them */
	unsigned char *values; /* of the parts' ETags, then of their checksums; room for both */
};

static bool from_hex(const char *text, unsigned char *value)
{
	for (size_t i = 0; i < 16; i++) {
		if (sscanf(text + 2 * i, "%2hhx", &value[i]) != 1)
			return false;
	}
	return true;
}

/* Looks at one part, and takes its ETag and checksum along. */
static int look_at_part(struct complete_op *this, size_t at, const struct objects_piece *want,
	const struct objects_piece *part)
{
	struct objects_info *info = this->info;
	enum checksum_kind kind = info->checksum.kind;
	bool last = at + 1 == this->complete->count;
	unsigned char *etags = this->values;
	unsigned char *values = etags + this->complete->count * 16;

	if (strcmp(part->etag, want->etag) != 0 || !from_hex(part->etag, etags + at * 16))
		return OBJECTS_NO_PART;
	if (*want->checksum.text && strcmp(part->checksum.text, want->checksum.text) != 0)
		return OBJECTS_NO_PART;
	if (!last && part->bytes < OBJECTS_PART_MIN)
		return OBJECTS_PART_SMALL;
	if (kind != CHECKSUM_NONE) {
		unsigned char *value = values + at * CHECKSUM_BYTES_MAX;

		if (part->checksum.kind != kind ||
			!checksum_parse(part->checksum.text, checksum_bytes(kind), value))
			return OBJECTS_NO_PART;
		if (info->checksum.whole && at > 0)
			checksum_combine(kind, value - CHECKSUM_BYTES_MAX, value, part->bytes);
	}
	this->offsets[at] = info->bytes;
	info->bytes += part->bytes;
	return info->bytes > OBJECTS_BYTES_MAX ? OBJECTS_TOO_LARGE : 0;
}

static int look_at_parts(struct objects *objects, struct complete_op *this)
{
	const struct objects_complete *complete = this->complete;
	int result = 0;

	for (size_t i = 0; i < complete->count && result == 0; i++) {
		struct objects_piece part;
		int found = find_part(objects, complete->id, complete->parts[i].number, &part);

		if (found < 0)
			return found;
		result =
			found ? look_at_part(this, i, &complete->parts[i], &part) : OBJECTS_NO_PART;
	}
	return result;
}

static void to_hex(const unsigned char *value, char text[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", value[i]);
}

/* ETag and checksum of the whole. */
static int sum_up(struct complete_op *this)
{
	struct objects_info *info = this->info;
	enum checksum_kind kind = info->checksum.kind;
	size_t count = this->complete->count, bytes = checksum_bytes(kind);
	unsigned char *values = this->values + count * 16;
	unsigned char value[CHECKSUM_BYTES_MAX];
	int error = checksum_of(CHECKSUM_MD5, this->values, count * 16, value);
	size_t length;

	if (error)
		return error;
	to_hex(value, info->etag);
	snprintf(info->etag + 32, sizeof(info->etag) - 32, "-%zu", count);
	if (kind == CHECKSUM_NONE)
		return 0;
	if (info->checksum.whole) {
		checksum_text(values + (count - 1) * CHECKSUM_BYTES_MAX, bytes,
			info->checksum.text);
	} else {
		for (size_t i = 0; i < count; i++)
			memmove(values + i * bytes, values + i * CHECKSUM_BYTES_MAX, bytes);
		error = checksum_of(kind, values, count * bytes, value);
		checksum_text(value, bytes, info->checksum.text);
		length = strlen(info->checksum.text);
		snprintf(info->checksum.text + length, sizeof(info->checksum.text) - length, "-%zu",
			count);
	}
	if (error == 0 && this->complete->checksum &&
		strncmp(this->complete->checksum, info->checksum.text,
			strcspn(info->checksum.text, "-")) != 0)
		return OBJECTS_CHECKSUM;
	return error;
}

static int write_offsets(struct objects *objects, struct complete_op *this)
{
	const struct objects_complete *complete = this->complete;
	sqlite3_stmt *statement = objects_statement(objects, WRITE_SET_OFFSET);
	int error = 0;

	for (size_t i = 0; i < complete->count && error == 0; i++) {
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)complete->id);
		sqlite3_bind_int64(statement, 2, complete->parts[i].number);
		sqlite3_bind_int64(statement, 3, (sqlite3_int64)this->offsets[i]);
		error = objects_step(objects, WRITE_SET_OFFSET);
	}
	if (error)
		return error;
	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_SPARE_PARTS), 1,
		(sqlite3_int64)complete->id);
	error = objects_note_files(objects, &this->upload.op, WRITE_REMOVE_SPARE_PARTS);
	if (error)
		return error;
	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_UPLOAD), 1,
		(sqlite3_int64)complete->id);
	return objects_step(objects, WRITE_REMOVE_UPLOAD);
}

/* Conditions first, then all the writing. */
static int write_complete(struct objects *objects, struct complete_op *this, int64_t bucket)
{
	const struct objects_complete *complete = this->complete;
	struct objects_op *op = &this->upload.op;
	struct objects_info current = {0};
	int found = objects_current(objects, bucket, complete->key, &current), result;

	if (found < 0)
		return found;
	result = objects_condition(found ? &current : NULL, complete->if_match, complete->if_none);
	if (result == 0)
		result = objects_outbox_room(objects, &complete->teller);
	if (result == 0 && found)
		result = objects_note_object(objects, op, &current);
	if (result == 0)
		result = write_offsets(objects, this);
	if (result == 0)
		result = objects_replace(objects, bucket, complete->key, this->info);
	if (result == 0)
		result = objects_tell(objects, op, &complete->teller, this->info, this->told);
	op->object_count = !found;
	objects_info_free(&current);
	return result;
}

static int run_complete(struct objects *objects, struct objects_op *op)
{
	struct complete_op *this = (struct complete_op *)op;
	struct objects_info *info = this->info;
	struct objects_upload upload = {0};
	int64_t bucket;
	int result = find_upload(objects, &this->upload, &bucket, &upload);

	if (result)
		return result;
	*info = (struct objects_info){
		.file = this->complete->id,
		.modified_ms = clock_wall_ms(),
		.parts = (unsigned int)this->complete->count,
		.checksum = upload.checksum,
		.headers = upload.headers,
		.header_bytes = upload.header_bytes,
		.tags = upload.tags,
		.tag_bytes = upload.tag_bytes,
	};
	upload.headers = upload.tags = NULL;
	objects_upload_free(&upload);
	result = look_at_parts(objects, this);
	if (result == 0)
		result = sum_up(this);
	return result ? result : write_complete(objects, this, bucket);
}

int objects_complete(struct objects *objects, const struct objects_complete *complete,
	struct objects_info *info, struct objects_told *told)
{
	struct complete_op this = {
		.upload = {.op.run = run_complete,
			.bucket = complete->bucket,
			.key = complete->key,
			.id = complete->id},
		.complete = complete,
		.info = info,
		.told = told,
	};
	int result = -ENOMEM;

	told->count = 0;
	*info = (struct objects_info){0};
	if (complete->count == 0 || complete->count > OBJECTS_PARTS_MAX)
		return OBJECTS_NO_PART;
	this.offsets = calloc(complete->count, sizeof(this.offsets[0]));
	this.values = calloc(complete->count, 16 + CHECKSUM_BYTES_MAX);
	if (this.offsets && this.values)
		result = objects_run(objects, &this.upload.op);
	free(this.offsets);
	free(this.values);
	if (result) {
		objects_info_free(info);
		objects_told_free(told);
	}
	return result;
}

/* --- aborting --- */

static int abort_upload(struct objects *objects, struct objects_op *op, uint64_t id)
{
	int error;

	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_PARTS), 1, (sqlite3_int64)id);
	error = objects_note_files(objects, op, WRITE_REMOVE_PARTS);
	sqlite3_bind_int64(objects_statement(objects, WRITE_REMOVE_UPLOAD), 1, (sqlite3_int64)id);
	return error ? error : objects_step(objects, WRITE_REMOVE_UPLOAD);
}

static int run_abort(struct objects *objects, struct objects_op *op)
{
	struct upload_op *this = (struct upload_op *)op;
	int64_t bucket;
	int result = find_upload(objects, this, &bucket, NULL);

	return result ? result : abort_upload(objects, op, this->id);
}

int objects_abort(struct objects *objects, const char *bucket, const char *key, uint64_t id)
{
	struct upload_op this = {.op.run = run_abort, .bucket = bucket, .key = key, .id = id};

	return objects_run(objects, &this.op);
}

/* One at a time, so that nobody waits long for this. */
static int run_abort_old(struct objects *objects, struct objects_op *op)
{
	uint64_t now = clock_wall_ms(), age = objects->upload_age_ms;
	int64_t id = 0;
	int found;

	sqlite3_bind_int64(objects_statement(objects, WRITE_OLD_UPLOADS), 1,
		(sqlite3_int64)(now > age ? now - age : 0));
	found = objects_ask(objects, WRITE_OLD_UPLOADS, &id);
	if (found != 1)
		return found < 0 ? found : OBJECTS_NO_UPLOAD;
	return abort_upload(objects, op, (uint64_t)id);
}

int objects_sweep(struct objects *objects)
{
	int result;

	do {
		struct objects_op op = {.run = run_abort_old};

		result = objects_run(objects, &op);
	} while (result == 0);
	return result < 0 ? result : 0;
}
