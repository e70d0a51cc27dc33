/* SPDX-License-Identifier: Apache-2.0 */
/* Copying objects, whole or as a part of an upload: bytes are read and summed again, so a copy vouches for itself. */
#include "daemon/object/s3_change.h"

#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BLOCK (256u << 10)

/* --- the source --- */

/* "/BUCKET/KEY" or "BUCKET/KEY", percent-encoded, perhaps with "?versionId=null". */
static bool parse_source(struct s3_request *r, struct s3_source *source)
{
	const char *text = s3_header(r, "x-amz-copy-source");
	DF_FREE char *path = df_format("/%s", *text == '/' ? text + 1 : text);
	struct target parsed = {0};
	const char *version;
	int result = path ? target_parse(path, NULL, &parsed) : -ENOMEM;

	if (result == TARGET_OK && parsed.bucket && parsed.key &&
		objects_bucket_ok(parsed.bucket) &&
		objects_key_ok(parsed.key, strlen(parsed.key))) {
		version = target_parameter(&parsed, "versionId");
		if (version && strcmp(version, "null") != 0)
			s3_fail(r, 404, "NoSuchVersion", "The specified version does not exist.");
		source->bucket = strdup(parsed.bucket);
		source->key = strdup(parsed.key);
		if (!source->bucket || !source->key)
			s3_fail_result(r, -ENOMEM);
	} else {
		s3_fail(r, 400, "InvalidArgument",
			"Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
	}
	target_deinit(&parsed);
	return r->error.status == 0;
}

static bool etag_is(const char *given, const char *etag)
{
	size_t length = strlen(etag);

	given += *given == '"';
	return strcmp(given, "*") == 0 ||
		(strncmp(given, etag, length) == 0 && (!given[length] || given[length] == '"'));
}

static bool source_condition(struct s3_request *r, const struct objects_info *info)
{
	const char *match = s3_header(r, "x-amz-copy-source-if-match");
	const char *none = s3_header(r, "x-amz-copy-source-if-none-match");

	if ((match && !etag_is(match, info->etag)) || (none && etag_is(none, info->etag)))
		s3_fail_result(r, OBJECTS_CONDITION);
	return r->error.status == 0;
}

bool s3_find_source(struct s3_request *r, struct s3_source *source)
{
	int result;

	*source = (struct s3_source){.bucket = NULL};
	if (!parse_source(r, source))
		return false;
	result = objects_find(s3_objects(), source->bucket, source->key, &source->info);
	if (result) {
		s3_fail_result(r, result);
		return false;
	}
	return source_condition(r, &source->info);
}

void s3_source_free(struct s3_source *source)
{
	objects_info_free(&source->info);
	free(source->bucket);
	free(source->key);
}

/* --- the bytes --- */

static int copy_block(struct s3_request *r, int fd, char *block, size_t length, uint64_t offset)
{
	ssize_t got = pread(fd, block, length, (off_t)offset);
	int error;

	if (got <= 0)
		return got < 0 ? -errno : -EIO;
	error = checksums_add(&r->sums, block, (size_t)got);
	if (error == 0)
		error = objects_body_write(&r->body, block, (size_t)got);
	return error ? error : (int)got;
}

/* What a piece has of the bytes from `first` on, `*length` at most; both are moved on. */
static int copy_piece(struct s3_request *r, const struct objects_piece *piece, char *block,
	uint64_t *first, uint64_t *length)
{
	DF_CLOSE int fd = -1;

	if (*length == 0 || *first >= piece->offset + piece->bytes)
		return 0;
	fd = objects_open_file(s3_objects(), piece->file);
	if (fd < 0)
		return fd == -ENOENT ? OBJECTS_NO_KEY : fd;
	while (*length > 0 && *first < piece->offset + piece->bytes) {
		uint64_t offset = *first - piece->offset, left = piece->bytes - offset;
		size_t step = left < BLOCK ? (size_t)left : BLOCK;
		int got = copy_block(r, fd, block, *length < step ? (size_t)*length : step, offset);

		if (got < 0)
			return got;
		*first += (uint64_t)got;
		*length -= (uint64_t)got;
	}
	return 0;
}

bool s3_copy_bytes(struct s3_request *r, const struct s3_source *source, uint64_t first,
	uint64_t length)
{
	DF_FREE char *block = malloc(BLOCK);
	struct objects_piece *pieces = NULL;
	unsigned int wanted = r->sums.wanted | 1u << CHECKSUM_MD5;
	unsigned char value[CHECKSUM_BYTES_MAX];
	size_t count = 0;
	int result = block ? 0 : -ENOMEM;

	checksums_deinit(&r->sums);
	if (result == 0)
		result = checksums_init(&r->sums, wanted);
	if (result == 0)
		result = objects_body_begin(s3_objects(), length, &r->body);
	if (result == 0)
		result = objects_pieces(s3_objects(), &source->info, &pieces, &count);
	for (size_t i = 0; i < count && result == 0; i++)
		result = copy_piece(r, &pieces[i], block, &first, &length);
	free(pieces);
	if (result == 0 && length > 0)
		result = -EIO;
	if (result == 0)
		result = checksums_value(&r->sums, CHECKSUM_MD5, value);
	if (result == 0)
		result = objects_body_sync(&r->body);
	if (result) {
		s3_fail_result(r, result);
		return false;
	}
	memcpy(r->computed_md5, value, sizeof(r->computed_md5));
	return true;
}

/* --- CopyObject --- */

/* COPY (the default) or REPLACE. */
static bool replaces(struct s3_request *r, const char *header)
{
	const char *text = s3_header(r, header);

	if (text && strcmp(text, "COPY") != 0 && strcmp(text, "REPLACE") != 0)
		s3_fail(r, 400, "InvalidArgument", "Unknown directive.");
	return text && strcmp(text, "REPLACE") == 0;
}

static bool is_itself(const struct s3_request *r, const struct s3_source *source)
{
	return strcmp(source->bucket, r->target.bucket) == 0 &&
		strcmp(source->key, r->target.key) == 0;
}

static enum MHD_Result answer(struct s3_request *r, const struct objects_info *info)
{
	struct df_str xml = DF_STR_EMPTY;
	char time[CLOCK_TEXT_BYTES], etag[OBJECTS_ETAG_BYTES + 2], name[32];

	xml_begin(&xml, "CopyObjectResult");
	s3_time(info->modified_ms, time);
	xml_text(&xml, "LastModified", time);
	s3_etag(info->etag, etag);
	xml_text(&xml, "ETag", etag);
	if (info->checksum.kind) {
		snprintf(name, sizeof(name), "Checksum%s", checksum_name(info->checksum.kind));
		xml_text(&xml, name, info->checksum.text);
		xml_text(&xml, "ChecksumType", "FULL_OBJECT");
	}
	xml_close(&xml, "CopyObjectResult");
	return s3_send_xml(r, &xml);
}

/* The checksum that the copy is to have: the one that is asked for, or the source's. */
static enum checksum_kind copy_checksum(const struct s3_request *r, const struct s3_source *source)
{
	const char *asked = s3_header(r, "x-amz-checksum-algorithm");

	return asked ? checksum_from_name(asked) : source->info.checksum.kind;
}

static bool store_copy(struct s3_request *r, struct objects_info *info)
{
	char if_match[OBJECTS_ETAG_BYTES + 2];
	struct objects_put how = {
		.bucket = r->target.bucket,
		.key = r->target.key,
		.body = &r->body,
		.info = info,
	};
	struct s3_change change;

	if (!s3_read_condition(r, if_match, &how.if_match, &how.if_none) ||
		!s3_begin_change(r, NOTIFY_COPY, &change))
		return false;
	how.teller = change.teller;
	return s3_end_change(r, &change,
		objects_put(s3_objects(), &how, &info->modified_ms, &change.told));
}

static bool copy(struct s3_request *r, const struct s3_source *source, const struct s3_made *made,
	struct objects_info *info)
{
	bool new_headers = replaces(r, "x-amz-metadata-directive");
	bool new_tags = replaces(r, "x-amz-tagging-directive");
	enum checksum_kind kind = copy_checksum(r, source);

	if (is_itself(r, source) && !new_headers && !new_tags)
		s3_fail(r, 400, "InvalidRequest",
			"This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.");
	if (source->info.bytes > OBJECTS_PUT_MAX)
		s3_fail(r, 400, "InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
	if (r->error.status)
		return false;
	info->headers = new_headers ? made->headers.data : source->info.headers;
	info->header_bytes = new_headers ? made->headers.length : source->info.header_bytes;
	info->tags = new_tags ? made->tags.data : source->info.tags;
	info->tag_bytes = new_tags ? made->tags.length : source->info.tag_bytes;
	r->sums.wanted = 1u << kind & ~1u;
	return s3_copy_bytes(r, source, 0, source->info.bytes) &&
		s3_sum_up(r, kind, info->etag, &info->checksum) && store_copy(r, info);
}

enum MHD_Result s3_copy_object(struct s3_request *r)
{
	struct s3_source source = {.bucket = NULL};
	struct objects_info info = {0};
	struct s3_made made = {.headers = DF_STR_EMPTY, .tags = DF_STR_EMPTY};
	bool good = s3_check_wishes(r) && s3_read_made(r, &made) && s3_find_source(r, &source) &&
		copy(r, &source, &made, &info);

	s3_made_free(&made);
	s3_source_free(&source);
	return good ? answer(r, &info) : s3_send_error(r);
}
