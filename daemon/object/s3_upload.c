/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads in parts. */
#include "daemon/object/s3_change.h"

#include "host/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 16

static void write_id(uint64_t id, char text[ID_DIGITS + 1])
{
	snprintf(text, ID_DIGITS + 1, "%016" PRIx64, id);
}

/* ?uploadId=; one that is none of ours is an upload that does not exist. */
static bool read_id(struct s3_request *r, uint64_t *id)
{
	const char *text = s3_parameter(r, "uploadId");

	if (text && strlen(text) == ID_DIGITS && strspn(text, "0123456789abcdef") == ID_DIGITS) {
		*id = strtoull(text, NULL, 16);
		if (*id <= INT64_MAX)
			return true;
	}
	s3_fail_result(r, OBJECTS_NO_UPLOAD);
	return false;
}

static void add_checksum(struct df_str *xml, const struct objects_checksum *checksum)
{
	char name[32];

	if (!checksum->kind)
		return;
	snprintf(name, sizeof(name), "Checksum%s", checksum_name(checksum->kind));
	xml_text(xml, name, checksum->text);
}

static const char *type_of(const struct objects_checksum *checksum)
{
	return checksum->whole ? "FULL_OBJECT" : "COMPOSITE";
}

/* --- beginning --- */

/* What the parts and the whole are to be checked with. */
static bool read_checksum(struct s3_request *r, struct objects_checksum *checksum)
{
	const char *name = s3_header(r, "x-amz-checksum-algorithm");
	const char *type = s3_header(r, "x-amz-checksum-type");

	*checksum = (struct objects_checksum){.kind = CHECKSUM_NONE};
	if (!name)
		return true;
	checksum->kind = checksum_from_name(name);
	if (checksum->kind == CHECKSUM_NONE) {
		s3_fail(r, 400, "InvalidRequest",
			"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
		return false;
	}
	checksum->whole =
		type ? strcmp(type, "FULL_OBJECT") == 0 : checksum->kind == CHECKSUM_CRC64NVME;
	if (checksum->whole ? !checksum_combines(checksum->kind)
			    : checksum->kind == CHECKSUM_CRC64NVME)
		s3_fail(r, 400, "InvalidRequest",
			"The %s checksum type cannot be used with the %s checksum algorithm.",
			type_of(checksum), checksum_name(checksum->kind));
	return r->error.status == 0;
}

static enum MHD_Result answer_begin(struct s3_request *r, const struct objects_upload *upload)
{
	struct df_str xml = DF_STR_EMPTY;
	struct MHD_Response *response;
	char id[ID_DIGITS + 1];
	size_t length;
	char *text;

	write_id(upload->id, id);
	xml_begin(&xml, "InitiateMultipartUploadResult");
	xml_text(&xml, "Bucket", r->target.bucket);
	xml_text(&xml, "Key", r->target.key);
	xml_text(&xml, "UploadId", id);
	xml_close(&xml, "InitiateMultipartUploadResult");
	length = xml.length;
	text = df_str_take(&xml);
	response =
		text ? MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/xml");
		if (upload->checksum.kind) {
			(void)MHD_add_response_header(response, "x-amz-checksum-algorithm",
				checksum_name(upload->checksum.kind));
			(void)MHD_add_response_header(response, "x-amz-checksum-type",
				type_of(&upload->checksum));
		}
	}
	return s3_send(r, 200, response);
}

enum MHD_Result s3_begin_upload(struct s3_request *r)
{
	struct objects_upload upload = {.id = 0};
	struct s3_made made = {.headers = DF_STR_EMPTY, .tags = DF_STR_EMPTY};
	int result;

	if (s3_check_wishes(r) && s3_read_made(r, &made) && read_checksum(r, &upload.checksum)) {
		upload.key = (char *)r->target.key;
		upload.headers = made.headers.data;
		upload.header_bytes = made.headers.length;
		upload.tags = made.tags.data;
		upload.tag_bytes = made.tags.length;
		result = objects_begin_upload(s3_objects(), r->target.bucket, &upload);
		if (result)
			s3_fail_result(r, result);
	}
	s3_made_free(&made);
	return r->error.status ? s3_send_error(r) : answer_begin(r, &upload);
}

/* --- parts --- */

static bool read_number(struct s3_request *r, unsigned int *number)
{
	uint64_t value = 0;

	if (!s3_number(r, "partNumber", UINT32_MAX, &value))
		return false;
	if (value == 0 || value > OBJECTS_PARTS_MAX)
		s3_fail(r, 400, "InvalidArgument",
			"Part number must be an integer between 1 and 10000, inclusive");
	*number = (unsigned int)value;
	return r->error.status == 0;
}

/* The upload, and the checksum that its parts are to have. */
static bool find_upload(struct s3_request *r, uint64_t *id, enum checksum_kind *kind)
{
	struct objects_upload upload;
	struct objects_bucket bucket;
	int result = objects_find_bucket(s3_objects(), r->target.bucket, &bucket);

	if (result == 0 && !read_id(r, id))
		return false;
	if (result == 0)
		result = objects_find_upload(s3_objects(), r->target.bucket, r->target.key, *id,
			&upload);
	if (result) {
		s3_fail_result(r, result);
		return false;
	}
	*kind = upload.checksum.kind;
	objects_upload_free(&upload);
	return true;
}

void s3_prepare_part(struct s3_request *r)
{
	enum checksum_kind kind;
	unsigned int number;
	uint64_t id;

	if (r->announced == UINT64_MAX) {
		s3_fail(r, 411, "MissingContentLength",
			"You must provide the Content-Length HTTP header.");
		return;
	}
	if (!read_number(r, &number) || !find_upload(r, &id, &kind))
		return;
	if (kind != CHECKSUM_NONE)
		r->sums.wanted |= 1u << kind;
}

/* Stores the body as a part, once it is complete and summed. */
static bool put_part(struct s3_request *r, struct objects_piece *part)
{
	enum checksum_kind kind;
	uint64_t id;
	int result;

	if (!read_number(r, &part->number) || !find_upload(r, &id, &kind))
		return false;
	/* It had none when the body began, and the upload was begun anew with the same number: not in this world. */
	if (kind != CHECKSUM_NONE && !(r->sums.wanted >> kind & 1)) {
		s3_fail_result(r, OBJECTS_NO_UPLOAD);
		return false;
	}
	if (kind == CHECKSUM_NONE)
		kind = r->wanted.kind;
	if (!s3_sum_up(r, kind, part->etag, &part->checksum))
		return false;
	result = r->body.fd >= 0 ? objects_body_sync(&r->body) : 0;
	if (result == 0)
		result = objects_put_part(s3_objects(), r->target.bucket, r->target.key, id,
			&r->body, part);
	if (result)
		s3_fail_result(r, result);
	return result == 0;
}

enum MHD_Result s3_put_part(struct s3_request *r)
{
	struct objects_piece part = {.number = 0};
	struct MHD_Response *response;
	char etag[OBJECTS_ETAG_BYTES + 2];

	if (!put_part(r, &part))
		return s3_send_error(r);
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (response) {
		s3_etag(part.etag, etag);
		(void)MHD_add_response_header(response, "ETag", etag);
		if (part.checksum.kind)
			(void)MHD_add_response_header(response, checksum_header(part.checksum.kind),
				part.checksum.text);
	}
	return s3_send(r, 200, response);
}

/* x-amz-copy-source-range, which must be "bytes=FIRST-LAST" and lie inside. */
static bool copy_range(struct s3_request *r, uint64_t bytes, uint64_t *first, uint64_t *length)
{
	const char *text = s3_header(r, "x-amz-copy-source-range");
	const char *dash = text ? strchr(text, '-') : NULL;

	*first = 0;
	*length = bytes;
	if (!text)
		return true;
	if (!dash || s3_range(text, bytes, first, length) != 1 || !dash[1] ||
		strtoull(dash + 1, NULL, 10) >= bytes || strncmp(text, "bytes=-", 7) == 0)
		s3_fail(r, 400, "InvalidArgument",
			"The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy");
	return r->error.status == 0;
}

static bool copy_part(struct s3_request *r, const struct s3_source *source,
	struct objects_piece *part)
{
	uint64_t id, first, length;
	enum checksum_kind kind;

	if (!find_upload(r, &id, &kind) || !copy_range(r, source->info.bytes, &first, &length))
		return false;
	r->sums.wanted = kind ? 1u << kind : 0;
	return s3_copy_bytes(r, source, first, length) && put_part(r, part);
}

enum MHD_Result s3_copy_part(struct s3_request *r)
{
	struct s3_source source = {.bucket = NULL};
	struct objects_piece part = {.number = 0};
	struct df_str xml = DF_STR_EMPTY;
	char time[CLOCK_TEXT_BYTES], etag[OBJECTS_ETAG_BYTES + 2];
	bool good = s3_find_source(r, &source) && copy_part(r, &source, &part);

	s3_source_free(&source);
	if (!good)
		return s3_send_error(r);
	xml_begin(&xml, "CopyPartResult");
	s3_time(clock_wall_ms(), time);
	xml_text(&xml, "LastModified", time);
	s3_etag(part.etag, etag);
	xml_text(&xml, "ETag", etag);
	add_checksum(&xml, &part.checksum);
	xml_close(&xml, "CopyPartResult");
	return s3_send_xml(r, &xml);
}

/* --- completing and aborting --- */

static void read_etag(const char *text, char etag[OBJECTS_ETAG_BYTES])
{
	size_t length = strlen(text);

	if (length > 1 && text[0] == '"' && text[length - 1] == '"') {
		text++;
		length -= 2;
	}
	/* One that is too long fits no part. */
	if (length >= OBJECTS_ETAG_BYTES)
		length = 0;
	memcpy(etag, text, length);
	etag[length] = '\0';
}

static void read_part_checksum(const struct xml_node *node, struct objects_checksum *checksum)
{
	for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KINDS; i++) {
		enum checksum_kind kind = (enum checksum_kind)i;
		char name[32];
		const char *text;

		snprintf(name, sizeof(name), "Checksum%s", checksum_name(kind));
		text = xml_child_text(node, name);
		if (*text && strlen(text) < sizeof(checksum->text)) {
			checksum->kind = kind;
			strcpy(checksum->text, text);
		}
	}
}

static bool read_part(struct s3_request *r, const struct xml_node *node, unsigned int before,
	struct objects_piece *part)
{
	const char *number = xml_child_text(node, "PartNumber");
	unsigned long value = strtoul(number, NULL, 10);

	if (!*number || strspn(number, "0123456789") != strlen(number) || value == 0 ||
		value > OBJECTS_PARTS_MAX)
		s3_fail_result(r, OBJECTS_NO_PART);
	else if (value <= before)
		s3_fail(r, 400, "InvalidPartOrder",
			"The list of parts was not in ascending order. The parts list must be specified in order by part number.");
	*part = (struct objects_piece){.number = (unsigned int)value};
	read_etag(xml_child_text(node, "ETag"), part->etag);
	read_part_checksum(node, &part->checksum);
	return r->error.status == 0;
}

/* The parts that the client names, to be freed. NULL: the error is set. */
static struct objects_piece *read_parts(struct s3_request *r, size_t *count)
{
	struct xml_node *root = s3_xml(r, "CompleteMultipartUpload");
	struct objects_piece *parts = NULL;
	unsigned int before = 0;

	*count = 0;
	if (!root)
		return NULL;
	parts = calloc(OBJECTS_PARTS_MAX, sizeof(*parts));
	if (!parts)
		s3_fail_result(r, -ENOMEM);
	for (struct xml_node *n = xml_child(root, "Part"); n && parts; n = xml_next(n, "Part")) {
		/* More than OBJECTS_PARTS_MAX cannot ascend. */
		if (!read_part(r, n, before, &parts[*count]))
			break;
		before = parts[(*count)++].number;
	}
	if (*count == 0)
		s3_fail(r, 400, "MalformedXML", "There is no part in the list.");
	xml_free(root);
	if (r->error.status == 0)
		return parts;
	free(parts);
	return NULL;
}

static const char *whole_checksum(const struct s3_request *r)
{
	const char *text = NULL;

	for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KINDS && !text; i++)
		text = s3_header(r, checksum_header((enum checksum_kind)i));
	return text;
}

static enum MHD_Result answer_complete(struct s3_request *r, const struct objects_info *info)
{
	struct df_str xml = DF_STR_EMPTY;
	DF_STR struct df_str location = DF_STR_EMPTY;
	const char *host = s3_header(r, MHD_HTTP_HEADER_HOST);
	char etag[OBJECTS_ETAG_BYTES + 2];

	df_str_addf(&location, "http://%s/%s/", host ? host : "", r->target.bucket);
	s3_encode(&location, r->target.key, strlen(r->target.key), false);
	xml_begin(&xml, "CompleteMultipartUploadResult");
	xml_text(&xml, "Location", df_str_text(&location));
	xml_text(&xml, "Bucket", r->target.bucket);
	xml_text(&xml, "Key", r->target.key);
	s3_etag(info->etag, etag);
	xml_text(&xml, "ETag", etag);
	add_checksum(&xml, &info->checksum);
	if (info->checksum.kind)
		xml_text(&xml, "ChecksumType", type_of(&info->checksum));
	xml_close(&xml, "CompleteMultipartUploadResult");
	return s3_send_xml(r, &xml);
}

static bool complete(struct s3_request *r, const struct objects_piece *parts, size_t count,
	struct objects_info *info)
{
	char if_match[OBJECTS_ETAG_BYTES + 2];
	struct objects_complete how = {
		.bucket = r->target.bucket,
		.key = r->target.key,
		.parts = parts,
		.count = count,
		.checksum = whole_checksum(r),
	};
	struct s3_change change;

	if (!read_id(r, &how.id) || !s3_read_condition(r, if_match, &how.if_match, &how.if_none) ||
		!s3_begin_change(r, NOTIFY_COMPLETE, &change))
		return false;
	how.teller = change.teller;
	return s3_end_change(r, &change, objects_complete(s3_objects(), &how, info, &change.told));
}

enum MHD_Result s3_complete_upload(struct s3_request *r)
{
	struct objects_info info = {0};
	size_t count;
	struct objects_piece *parts = read_parts(r, &count);
	bool good = parts && complete(r, parts, count, &info);
	enum MHD_Result sent = good ? answer_complete(r, &info) : s3_send_error(r);

	free(parts);
	objects_info_free(&info);
	return sent;
}

enum MHD_Result s3_abort_upload(struct s3_request *r)
{
	uint64_t id;
	int result;

	if (!read_id(r, &id))
		return s3_send_error(r);
	result = objects_abort(s3_objects(), r->target.bucket, r->target.key, id);
	return result ? s3_send_result(r, result) : s3_send_empty(r, 204);
}

/* --- listing --- */

static void add_part(struct df_str *xml, const struct objects_piece *part)
{
	char time[CLOCK_TEXT_BYTES], etag[OBJECTS_ETAG_BYTES + 2];

	xml_open(xml, "Part");
	xml_number(xml, "PartNumber", part->number);
	s3_time(part->modified_ms, time);
	xml_text(xml, "LastModified", time);
	s3_etag(part->etag, etag);
	xml_text(xml, "ETag", etag);
	xml_number(xml, "Size", part->bytes);
	add_checksum(xml, &part->checksum);
	xml_close(xml, "Part");
}

static enum MHD_Result answer_parts(struct s3_request *r, const struct objects_piece *parts,
	size_t count, uint64_t after, uint64_t room)
{
	struct df_str xml = DF_STR_EMPTY;
	bool more = count > room;

	xml_begin(&xml, "ListPartsResult");
	xml_text(&xml, "Bucket", r->target.bucket);
	xml_text(&xml, "Key", r->target.key);
	xml_text(&xml, "UploadId", s3_parameter(r, "uploadId"));
	s3_owner(&xml, "Initiator");
	s3_owner(&xml, "Owner");
	xml_text(&xml, "StorageClass", "STANDARD");
	xml_number(&xml, "PartNumberMarker", after);
	if (more)
		count--;
	if (count > 0)
		xml_number(&xml, "NextPartNumberMarker", parts[count - 1].number);
	xml_number(&xml, "MaxParts", room);
	xml_bool(&xml, "IsTruncated", more);
	for (size_t i = 0; i < count; i++)
		add_part(&xml, &parts[i]);
	xml_close(&xml, "ListPartsResult");
	return s3_send_xml(r, &xml);
}

enum MHD_Result s3_list_parts(struct s3_request *r)
{
	struct objects_piece *parts = NULL;
	uint64_t id, after = 0, room = S3_LIST_MAX;
	enum checksum_kind kind;
	enum MHD_Result sent;
	size_t count = 0;
	int result;

	if (!s3_number(r, "part-number-marker", UINT32_MAX, &after) ||
		!s3_number(r, "max-parts", INT32_MAX, &room) || !find_upload(r, &id, &kind))
		return s3_send_error(r);
	if (room > S3_LIST_MAX || room == 0)
		room = S3_LIST_MAX;
	result = objects_parts(s3_objects(), id, (unsigned int)after, (size_t)room + 1, &parts,
		&count);
	if (result)
		return s3_send_result(r, result);
	sent = answer_parts(r, parts, count, after, room);
	free(parts);
	return sent;
}

static void add_key(struct df_str *xml, const char *name, const char *key, bool encode)
{
	DF_STR struct df_str encoded = DF_STR_EMPTY;

	if (encode)
		s3_encode(&encoded, key, strlen(key), false);
	xml_text(xml, name, encode ? df_str_text(&encoded) : key);
}

static void add_upload(struct df_str *xml, const struct objects_upload *upload, bool encode)
{
	char id[ID_DIGITS + 1], time[CLOCK_TEXT_BYTES];

	xml_open(xml, "Upload");
	add_key(xml, "Key", upload->key, encode);
	write_id(upload->id, id);
	xml_text(xml, "UploadId", id);
	s3_owner(xml, "Initiator");
	s3_owner(xml, "Owner");
	xml_text(xml, "StorageClass", "STANDARD");
	s3_time(upload->begun_ms, time);
	xml_text(xml, "Initiated", time);
	if (upload->checksum.kind) {
		xml_text(xml, "ChecksumAlgorithm", checksum_name(upload->checksum.kind));
		xml_text(xml, "ChecksumType", type_of(&upload->checksum));
	}
	xml_close(xml, "Upload");
}

static enum MHD_Result answer_uploads(struct s3_request *r, const struct objects_upload *uploads,
	size_t count, uint64_t room)
{
	const char *prefix = s3_parameter(r, "prefix"),
		   *encoding = s3_parameter(r, "encoding-type");
	bool more = count > room, encode = encoding && strcmp(encoding, "url") == 0;
	struct df_str xml = DF_STR_EMPTY;
	char id[ID_DIGITS + 1];

	xml_begin(&xml, "ListMultipartUploadsResult");
	xml_text(&xml, "Bucket", r->target.bucket);
	add_key(&xml, "Prefix", prefix ? prefix : "", encode);
	if (more) {
		count--;
		add_key(&xml, "NextKeyMarker", uploads[count - 1].key, encode);
		write_id(uploads[count - 1].id, id);
		xml_text(&xml, "NextUploadIdMarker", id);
	}
	xml_number(&xml, "MaxUploads", room);
	if (encode)
		xml_text(&xml, "EncodingType", "url");
	xml_bool(&xml, "IsTruncated", more);
	for (size_t i = 0; i < count; i++)
		add_upload(&xml, &uploads[i], encode);
	xml_close(&xml, "ListMultipartUploadsResult");
	return s3_send_xml(r, &xml);
}

enum MHD_Result s3_list_uploads(struct s3_request *r)
{
	const char *prefix = s3_parameter(r, "prefix"), *key = s3_parameter(r, "key-marker");
	const char *id = s3_parameter(r, "upload-id-marker");
	struct objects_upload *uploads = NULL;
	uint64_t room = S3_LIST_MAX;
	enum MHD_Result sent;
	size_t count = 0;
	int result;

	if (!s3_number(r, "max-uploads", INT32_MAX, &room))
		return s3_send_error(r);
	if (room > S3_LIST_MAX || room == 0)
		room = S3_LIST_MAX;
	/* A key alone stands for all of its uploads. */
	result = objects_uploads(s3_objects(), r->target.bucket, prefix ? prefix : "",
		key ? key : "", id && *id ? strtoull(id, NULL, 16) & INT64_MAX : INT64_MAX,
		(size_t)room + 1, &uploads, &count);
	if (result)
		return s3_send_result(r, result);
	sent = answer_uploads(r, uploads, count, room);
	while (count > 0)
		objects_upload_free(&uploads[--count]);
	free(uploads);
	return sent;
}
