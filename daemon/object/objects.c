/* SPDX-License-Identifier: Apache-2.0 */
/* Names, and what is freed: see objects.h. */
#include "daemon/object/objects_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool objects_bucket_ok(const char *name)
{
	size_t length = strlen(name);
	struct in_addr address;

	if (length < 3 || length > OBJECTS_BUCKET_MAX ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != length)
		return false;
	if (strchr(".-", name[0]) || strchr(".-", name[length - 1]) || strstr(name, "..") ||
		strstr(name, ".-") || strstr(name, "-."))
		return false;
	return inet_pton(AF_INET, name, &address) != 1;
}

/* The length of the UTF-8 character that begins here (RFC 3629), 0 if it is none. */
static size_t character(const unsigned char *at, size_t left)
{
	size_t length = *at < 0x80 ? 1
		: *at < 0xc2       ? 0
		: *at < 0xe0       ? 2
		: *at < 0xf0       ? 3
		: *at < 0xf5       ? 4
				   : 0;

	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong, surrogates, above U+10FFFF. */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
		(*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return length;
}

bool objects_key_ok(const char *key, size_t length)
{
	const unsigned char *at = (const unsigned char *)key;
	size_t step;

	if (length == 0 || length > OBJECTS_KEY_MAX)
		return false;
	for (size_t i = 0; i < length; i += step) {
		step = character(at + i, length - i);
		if (step == 0 || at[i] < 0x20 || at[i] == 0x7f)
			return false;
	}
	return true;
}

void objects_info_free(struct objects_info *info)
{
	free(info->headers);
	free(info->tags);
	info->headers = info->tags = NULL;
	info->header_bytes = info->tag_bytes = 0;
}

void objects_upload_free(struct objects_upload *upload)
{
	free(upload->key);
	free(upload->headers);
	free(upload->tags);
	*upload = (struct objects_upload){0};
}

void objects_event_free(struct objects_event *event)
{
	free(event->function);
	free(event->request_id);
	free(event->target);
	df_str_deinit(&event->attributes);
	df_str_deinit(&event->body);
	*event = (struct objects_event){0};
}

void objects_told_free(struct objects_told *told)
{
	while (told->count > 0)
		objects_event_free(&told->events[--told->count]);
}

/* --- rows --- */

char *objects_column(sqlite3_stmt *row, int at, size_t *length, bool *failed)
{
	const void *bytes = sqlite3_column_blob(row, at);
	size_t size = bytes ? (size_t)sqlite3_column_bytes(row, at) : 0;
	char *copy = bytes ? malloc(size + 1) : NULL;

	if (bytes && !copy) {
		*failed = true;
		return NULL;
	}
	if (copy) {
		memcpy(copy, bytes, size);
		copy[size] = '\0';
	}
	if (length)
		*length = size;
	return copy;
}

/* A short text into an array that has room for it. */
static void copy_short(sqlite3_stmt *row, int at, char *into, size_t room)
{
	const char *text = (const char *)sqlite3_column_text(row, at);

	snprintf(into, room, "%s", text ? text : "");
}

static enum checksum_kind kind_of(sqlite3_stmt *row, int at)
{
	int kind = sqlite3_column_int(row, at);

	return kind > CHECKSUM_NONE && kind < CHECKSUM_KINDS ? (enum checksum_kind)kind
							     : CHECKSUM_NONE;
}

int objects_read_info(sqlite3_stmt *row, int first, struct objects_info *info)
{
	bool failed = false;

	*info = (struct objects_info){
		.file = (uint64_t)sqlite3_column_int64(row, first),
		.bytes = (uint64_t)sqlite3_column_int64(row, first + 1),
		.modified_ms = (uint64_t)sqlite3_column_int64(row, first + 2),
		.parts = (unsigned int)sqlite3_column_int(row, first + 3),
		.checksum.kind = kind_of(row, first + 5),
		.checksum.whole = sqlite3_column_int(row, first + 6) != 0,
	};
	copy_short(row, first + 4, info->etag, sizeof(info->etag));
	copy_short(row, first + 7, info->checksum.text, sizeof(info->checksum.text));
	info->headers = objects_column(row, first + 8, &info->header_bytes, &failed);
	info->tags = objects_column(row, first + 9, &info->tag_bytes, &failed);
	if (!failed)
		return 0;
	objects_info_free(info);
	return -ENOMEM;
}

void objects_read_part(sqlite3_stmt *row, struct objects_piece *part)
{
	*part = (struct objects_piece){
		.file = (uint64_t)sqlite3_column_int64(row, 0),
		.offset = (uint64_t)sqlite3_column_int64(row, 1),
		.bytes = (uint64_t)sqlite3_column_int64(row, 2),
		.number = (unsigned int)sqlite3_column_int(row, 3),
		.checksum.kind = kind_of(row, 5),
		.modified_ms = (uint64_t)sqlite3_column_int64(row, 7),
	};
	copy_short(row, 4, part->etag, sizeof(part->etag));
	copy_short(row, 6, part->checksum.text, sizeof(part->checksum.text));
}

int objects_read_upload(sqlite3_stmt *row, struct objects_upload *upload)
{
	bool failed = false;

	*upload = (struct objects_upload){
		.id = (uint64_t)sqlite3_column_int64(row, 0),
		.begun_ms = (uint64_t)sqlite3_column_int64(row, 1),
		.checksum.kind = kind_of(row, 3),
		.checksum.whole = sqlite3_column_int(row, 4) != 0,
	};
	upload->key = objects_column(row, 2, NULL, &failed);
	upload->headers = objects_column(row, 5, &upload->header_bytes, &failed);
	upload->tags = objects_column(row, 6, &upload->tag_bytes, &failed);
	if (!failed && upload->key)
		return 0;
	objects_upload_free(upload);
	return -ENOMEM;
}
