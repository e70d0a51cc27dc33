/* SPDX-License-Identifier: Apache-2.0 */
/* Events and objects: see deliver.h. */
#include "daemon/object/deliver.h"

#include "daemon/event/destination.h"
#include "daemon/object/notify.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES 8

static struct objects *store;

void deliver_init(struct objects *objects)
{
	store = objects;
}

void deliver_deinit(void)
{
	store = NULL;
}

/* --- objects as bodies --- */

static int read_piece(const struct objects_piece *piece, char *into)
{
	DF_CLOSE int fd = objects_open_file(store, piece->file);
	uint64_t done = 0;

	if (fd < 0)
		return fd;
	while (done < piece->bytes) {
		ssize_t got = pread(fd, into + done, (size_t)(piece->bytes - done), (off_t)done);

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		done += (uint64_t)got;
	}
	return 0;
}

/* One that was put in parts is read together. */
static int read_parts(const struct objects_info *info, struct deliver_body *body)
{
	struct objects_piece *pieces = NULL;
	size_t count = 0;
	int error = objects_pieces(store, info, &pieces, &count);
	uint64_t bytes = 0;

	body->memory = malloc(info->bytes ? (size_t)info->bytes : 1);
	if (error == 0 && !body->memory)
		error = -ENOMEM;
	for (size_t i = 0; i < count && error == 0; i++) {
		bytes += pieces[i].bytes;
		error = bytes <= info->bytes
			? read_piece(&pieces[i], (char *)body->memory + pieces[i].offset)
			: -ENOENT;
	}
	free(pieces);
	return error == 0 && bytes != info->bytes ? -ENOENT : error;
}

static int open_once(const char *bucket, const char *key, uint64_t most, struct deliver_body *body)
{
	struct objects_info info;
	int error = objects_find(store, bucket, key, &info);

	if (error)
		return error < 0 ? error : -ENOENT;
	body->bytes = (size_t)info.bytes;
	if (info.bytes > most) {
		error = -EFBIG;
	} else if (info.parts) {
		error = read_parts(&info, body);
	} else {
		body->fd = objects_open_file(store, info.file);
		error = body->fd < 0 ? body->fd : 0;
	}
	objects_info_free(&info);
	/* It was replaced between the look and the opening. */
	return error == -ENOENT ? -EAGAIN : error;
}

int deliver_open(const char *target, uint64_t most, struct deliver_body *body)
{
	char bucket[OBJECTS_BUCKET_MAX + 1];
	const char *name = target + strlen("object:");
	size_t length = strcspn(name, "/");
	int error = -EAGAIN;

	*body = (struct deliver_body){.fd = -1};
	if (!store)
		return -EBUSY;
	if (!df_starts_with(target, "object:") || length > OBJECTS_BUCKET_MAX || !name[length])
		return -EINVAL;
	memcpy(bucket, name, length);
	bucket[length] = '\0';
	for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
		deliver_close(body);
		error = open_once(bucket, name + length + 1, most, body);
	}
	return error;
}

void deliver_close(struct deliver_body *body)
{
	df_cleanup_fd(&body->fd);
	free(body->memory);
	*body = (struct deliver_body){.fd = -1};
}

/* --- results as objects --- */

static const char *attribute(const struct queue_event *event, const char *wanted)
{
	const char *name, *value;
	size_t at = 0;

	while (df_attributes_next(event->attributes, event->attribute_bytes, &at, &name, &value) >
		0) {
		if (strcmp(name, wanted) == 0)
			return value;
	}
	return NULL;
}

static void describe(const struct queue_event *event, const unsigned char *md5,
	struct df_str *headers, struct objects_info *info)
{
	const char *type = attribute(event, DESTINATION_REPLY_TYPE);

	(void)!df_attributes_add(headers, "content-type", type ? type : "application/json");
	(void)!df_attributes_add(headers, "x-amz-meta-dayfly-function", event->function);
	(void)!df_attributes_add(headers, "x-amz-meta-dayfly-event", event->request_id);
	for (size_t i = 0; i < 16; i++)
		snprintf(info->etag + 2 * i, 3, "%02x", md5[i]);
	info->headers = headers->data;
	info->header_bytes = headers->length;
}

static int say(int result, const char *bucket, struct df_err *err)
{
	static const char *const texts[] = {
		[OBJECTS_NO_BUCKET] = "there is no such bucket",
		[OBJECTS_TOO_LARGE] = "it is too large",
		[OBJECTS_QUOTA] = "the object store is full",
		[OBJECTS_OUTBOX] = "too many events wait",
	};

	if (result < 0)
		return df_err_set(err, result, "the bucket %s: %s", bucket, df_errno_text(result));
	return df_err_set(err, -EAGAIN, "the bucket %s: %s", bucket,
		(size_t)result < sizeof(texts) / sizeof(texts[0]) && texts[result]
			? texts[result]
			: "it could not be written");
}

static int write_body(const struct queue_event *event, struct objects_body *body)
{
	int error = objects_body_begin(store, event->body_bytes, body);

	if (error == 0 && event->body_bytes)
		error = objects_body_write(body, event->body, event->body_bytes);
	return error ? error : objects_body_sync(body);
}

static int put(const char *bucket, const char *key, const struct queue_event *event,
	struct objects_body *body, const struct objects_info *info)
{
	const char *hops = attribute(event, NOTIFY_HOPS);
	struct notify_event change = {
		.change = NOTIFY_PUT,
		.bucket = bucket,
		.key = key,
		.request_id = event->request_id,
		.remote = "",
		.hops = (hops ? (unsigned int)strtoul(hops, NULL, 10) : 0) + 1,
	};
	struct objects_put how = {.bucket = bucket, .key = key, .body = body, .info = info};
	struct objects_told told;
	uint64_t modified_ms;
	int result = notify_begin(&change, &how.teller);

	if (result)
		return result;
	result = objects_put(store, &how, &modified_ms, &told);
	if (result)
		notify_forget(&change);
	else
		notify_send(&change, &told);
	return result;
}

int deliver_object(const char *bucket, const char *key, const struct queue_event *event,
	struct df_err *err)
{
	DF_STR struct df_str headers = DF_STR_EMPTY;
	unsigned char md5[CHECKSUM_BYTES_MAX];
	struct objects_info info = {0};
	struct objects_body body = {.fd = -1};
	int result;

	if (!store)
		return df_err_set(err, -EBUSY, "there is no object store, or it is starting");
	if (!objects_bucket_ok(bucket) || !objects_key_ok(key, strlen(key)))
		return df_err_set(err, -EINVAL,
			"%s/%s is no bucket and key: a key has 1 to %d bytes of UTF-8", bucket, key,
			OBJECTS_KEY_MAX);
	result = checksum_of(CHECKSUM_MD5, event->body ? event->body : "", event->body_bytes, md5);
	if (result == 0)
		result = write_body(event, &body);
	if (result == 0) {
		describe(event, md5, &headers, &info);
		result = headers.failed ? -ENOMEM : put(bucket, key, event, &body, &info);
	}
	objects_body_abandon(&body);
	return result ? say(result, bucket, err) : 0;
}
