/* SPDX-License-Identifier: Apache-2.0 */
/* Getting objects: conditions, ranges, parts, and the body straight from its files. */
#include "daemon/object/s3.h"

#include "daemon/http/connection.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES 8 /* of an object that is replaced again and again while it is opened */

/* --- ranges --- */

static const char *read_decimal(const char *text, uint64_t *number)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18)
		return NULL;
	*number = strtoull(text, NULL, 10);
	return text + digits;
}

int s3_range(const char *text, uint64_t bytes, uint64_t *first, uint64_t *length)
{
	uint64_t from = 0, to = bytes - 1;
	const char *at;

	if (!text || strncmp(text, "bytes=", 6) != 0)
		return 0;
	text += 6;
	if (*text == '-') {
		at = read_decimal(text + 1, &to);
		if (!at || *at)
			return 0;
		if (to == 0 || bytes == 0)
			return -1;
		*first = to < bytes ? bytes - to : 0;
		*length = bytes - *first;
		return 1;
	}
	at = read_decimal(text, &from);
	if (!at || *at++ != '-')
		return 0;
	if (*at) {
		at = read_decimal(at, &to);
		if (!at || *at || to < from)
			return 0;
	}
	if (from >= bytes)
		return -1;
	*first = from;
	*length = (to < bytes ? to + 1 : bytes) - from;
	return 1;
}

/* --- conditions --- */

/* Is the ETag in the list "a", W/"b", *? */
static bool matches(const char *list, const char *etag)
{
	size_t length = strlen(etag);

	while (*list) {
		list += strspn(list, " \t,");
		if (strncmp(list, "W/", 2) == 0)
			list += 2;
		if (*list == '*')
			return true;
		if (*list == '"')
			list++;
		if (strncmp(list, etag, length) == 0 && strchr("\", \t", list[length]))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool read_time(const char *text, int64_t *seconds)
{
	struct tm tm = {0};
	const char *end = text ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

	if (!end || *end)
		return false;
	*seconds = timegm(&tm);
	return true;
}

/* RFC 9110, 13.2.2. 0, 304 or 412. */
static unsigned int conditions(const struct s3_request *r, const struct objects_info *info)
{
	const char *match = s3_header(r, "if-match"), *none = s3_header(r, "if-none-match");
	int64_t time, modified = (int64_t)(info->modified_ms / 1000);

	if (match && !matches(match, info->etag))
		return 412;
	if (!match && read_time(s3_header(r, "if-unmodified-since"), &time) && modified > time)
		return 412;
	if (none)
		return matches(none, info->etag) ? 304 : 0;
	return read_time(s3_header(r, "if-modified-since"), &time) && modified <= time ? 304 : 0;
}

/* --- bodies in several files --- */

struct reader {
	struct objects_piece *pieces;
	size_t count, at; /* at: the piece whose file is open */
	int fd; /* -1: none */
	uint64_t first; /* of the object's bytes */
};

static void free_reader(void *user)
{
	struct reader *reader = user;

	df_cleanup_fd(&reader->fd);
	free(reader->pieces);
	free(reader);
}

/* Goes to the piece that has byte `position`. */
static bool seek_piece(struct reader *reader, uint64_t position)
{
	while (reader->at < reader->count &&
		position >= reader->pieces[reader->at].offset + reader->pieces[reader->at].bytes) {
		df_cleanup_fd(&reader->fd);
		reader->fd = -1;
		reader->at++;
	}
	if (reader->at == reader->count)
		return false;
	if (reader->fd < 0)
		reader->fd = objects_open_file(s3_objects(), reader->pieces[reader->at].file);
	return reader->fd >= 0;
}

static ssize_t read_pieces(void *user, uint64_t position, char *into, size_t room)
{
	struct reader *reader = user;
	const struct objects_piece *piece;
	uint64_t offset;
	ssize_t got;

	position += reader->first;
	/* It may have been replaced meanwhile; the connection is closed before its end then. */
	if (!seek_piece(reader, position))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	piece = &reader->pieces[reader->at];
	offset = position - piece->offset;
	if (room > piece->bytes - offset)
		room = (size_t)(piece->bytes - offset);
	got = pread(reader->fd, into, room, (off_t)offset);
	return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *respond_pieces(const struct objects_info *info, uint64_t first,
	uint64_t length)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct MHD_Response *response;

	if (!reader)
		return NULL;
	reader->fd = -1;
	reader->first = first;
	if (objects_pieces(s3_objects(), info, &reader->pieces, &reader->count) != 0 ||
		!seek_piece(reader, first)) {
		free_reader(reader);
		return NULL;
	}
	response = MHD_create_response_from_callback(length, 256u << 10, read_pieces, reader,
		free_reader);
	if (!response)
		free_reader(reader);
	return response;
}

/* For HEAD: the length alone. */
static ssize_t read_nothing(void *user, uint64_t position, char *into, size_t room)
{
	(void)user, (void)position, (void)into, (void)room;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* NULL: it is there no more (or memory, or descriptors, ran out). */
static struct MHD_Response *respond(const struct s3_request *r, const struct objects_info *info,
	uint64_t first, uint64_t length)
{
	struct MHD_Response *response;
	int fd;

	if (length == 0)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (strcmp(r->request.method, "HEAD") == 0)
		return MHD_create_response_from_callback(length, 1024, read_nothing, NULL, NULL);
	if (info->parts)
		return respond_pieces(info, first, length);
	fd = objects_open_file(s3_objects(), info->file);
	if (fd < 0)
		return NULL;
	response = MHD_create_response_from_fd_at_offset64(length, fd, first);
	if (!response)
		close(fd);
	return response;
}

/* --- what is sent --- */

struct part {
	uint64_t first, length;
	bool partial;
	bool by_number;
};

/* By ?partNumber=. */
static bool part_by_number(struct s3_request *r, const struct objects_info *info, struct part *part)
{
	struct objects_piece *pieces = NULL;
	uint64_t number = 0;
	size_t count = 0;
	int error;

	if (!s3_number(r, "partNumber", OBJECTS_PARTS_MAX, &number))
		return false;
	error = objects_pieces(s3_objects(), info, &pieces, &count);
	if (error)
		s3_fail_result(r, error);
	else if (number == 0 || number > count)
		s3_fail(r, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
	else
		*part = (struct part){.first = pieces[number - 1].offset,
			.length = pieces[number - 1].bytes,
			.partial = true,
			.by_number = true};
	free(pieces);
	return r->error.status == 0;
}

/* If-Range: the range is meant only if the object is still that one. */
static bool range_is_meant(const struct s3_request *r, const struct objects_info *info)
{
	const char *text = s3_header(r, "if-range");
	int64_t time;

	if (!text)
		return true;
	if (read_time(text, &time))
		return (int64_t)(info->modified_ms / 1000) <= time;
	return matches(text, info->etag);
}

static bool find_part(struct s3_request *r, const struct objects_info *info, struct part *part)
{
	const char *range = range_is_meant(r, info) ? s3_header(r, "range") : NULL;
	int found;

	*part = (struct part){.length = info->bytes};
	if (s3_parameter(r, "partNumber"))
		return part_by_number(r, info, part);
	found = s3_range(range, info->bytes, &part->first, &part->length);
	part->partial = found > 0;
	if (found < 0)
		s3_fail(r, 416, "InvalidRange", "The requested range is not satisfiable");
	return found >= 0;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

/* Content-Type and the like: what was put with the object, unless the query overrides it. */
static void add_stored(const struct s3_request *r, const struct objects_info *info,
	struct MHD_Response *response)
{
	static const char *const overrides[][2] = {
		{"response-content-type", "content-type"},
		{"response-content-language", "content-language"},
		{"response-expires", "expires"},
		{"response-cache-control", "cache-control"},
		{"response-content-disposition", "content-disposition"},
		{"response-content-encoding", "content-encoding"},
	};
	const char *name, *value;
	bool has_type = false;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
		value = s3_parameter(r, overrides[i][0]);
		if (value)
			add_header(response, overrides[i][1], value);
	}
	while (df_attributes_next(info->headers, info->header_bytes, &at, &name, &value) == 1) {
		has_type = has_type || strcmp(name, "content-type") == 0;
		if (!MHD_get_response_header(response, name))
			add_header(response, name, value);
	}
	if (!has_type && !MHD_get_response_header(response, "content-type"))
		add_header(response, "content-type", "binary/octet-stream");
}

void s3_add_checksum(const struct objects_checksum *checksum, struct MHD_Response *response)
{
	if (checksum->kind == CHECKSUM_NONE)
		return;
	add_header(response, checksum_header(checksum->kind), checksum->text);
	add_header(response, "x-amz-checksum-type", checksum->whole ? "FULL_OBJECT" : "COMPOSITE");
}

static unsigned int count_pairs(const char *pairs, size_t length)
{
	unsigned int zeros = 0;

	for (size_t i = 0; i < length; i++)
		zeros += pairs[i] == '\0';
	return zeros / 2;
}

static void add_headers(const struct s3_request *r, const struct objects_info *info,
	const struct part *part, struct MHD_Response *response)
{
	const char *mode = s3_header(r, "x-amz-checksum-mode");
	char text[80], etag[OBJECTS_ETAG_BYTES + 2];

	add_stored(r, info, response);
	s3_http_time(info->modified_ms, text);
	add_header(response, "Last-Modified", text);
	s3_etag(info->etag, etag);
	add_header(response, "ETag", etag);
	add_header(response, "Accept-Ranges", "bytes");
	if (part->partial) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part->first,
			part->first + part->length - (part->length > 0), info->bytes);
		add_header(response, "Content-Range", text);
	}
	if (part->by_number && info->parts) {
		snprintf(text, sizeof(text), "%u", info->parts);
		add_header(response, "x-amz-mp-parts-count", text);
	}
	if (info->tag_bytes) {
		snprintf(text, sizeof(text), "%u", count_pairs(info->tags, info->tag_bytes));
		add_header(response, "x-amz-tagging-count", text);
	}
	if (mode && strcasecmp(mode, "ENABLED") == 0 && part->length == info->bytes)
		s3_add_checksum(&info->checksum, response);
}

/* 0: it was answered, *sent; 1: look at the object again. */
static int send_object(struct s3_request *r, const struct objects_info *info, enum MHD_Result *sent)
{
	struct MHD_Response *response;
	unsigned int status = conditions(r, info);
	char etag[OBJECTS_ETAG_BYTES + 2];
	struct part part;

	if (status == 304) {
		response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		s3_etag(info->etag, etag);
		if (response)
			add_header(response, "ETag", etag);
		*sent = s3_send(r, 304, response);
		return 0;
	}
	if (status)
		s3_fail_result(r, OBJECTS_CONDITION);
	if (status || !find_part(r, info, &part)) {
		*sent = s3_send_error(r);
		return 0;
	}
	response = respond(r, info, part.first, part.length);
	if (!response)
		return 1;
	add_headers(r, info, &part, response);
	connection_answering(r->request.connection, part.length);
	*sent = s3_send(r, part.partial ? 206 : 200, response);
	return 0;
}

static bool version_ok(struct s3_request *r)
{
	const char *version = s3_parameter(r, "versionId");

	if (version && strcmp(version, "null") != 0)
		s3_fail(r, 400, "InvalidArgument", "Invalid version id specified");
	return r->error.status == 0;
}

enum MHD_Result s3_get_object(struct s3_request *r)
{
	enum MHD_Result sent = MHD_NO;

	if (!version_ok(r))
		return s3_send_error(r);
	for (int i = 0; i < TRIES; i++) {
		struct objects_info info;
		int again, result;

		result = objects_find(s3_objects(), r->target.bucket, r->target.key, &info);
		if (result)
			return s3_send_result(r, result);
		again = send_object(r, &info, &sent);
		objects_info_free(&info);
		if (!again)
			return sent;
	}
	return s3_send_result(r, -ENOMEM);
}

/* --- GetObjectAttributes --- */

static bool wants(const char *list, const char *name)
{
	return list && strcasestr(list, name) != NULL;
}

static void add_parts(struct df_str *xml, const struct objects_info *info)
{
	if (!info->parts)
		return;
	xml_open(xml, "ObjectParts");
	xml_number(xml, "PartsCount", info->parts);
	xml_close(xml, "ObjectParts");
}

static void add_checksum(struct df_str *xml, const struct objects_checksum *checksum)
{
	char name[32];

	if (!checksum->kind)
		return;
	snprintf(name, sizeof(name), "Checksum%s", checksum_name(checksum->kind));
	xml_open(xml, "Checksum");
	xml_text(xml, name, checksum->text);
	xml_text(xml, "ChecksumType", checksum->whole ? "FULL_OBJECT" : "COMPOSITE");
	xml_close(xml, "Checksum");
}

enum MHD_Result s3_get_attributes(struct s3_request *r)
{
	const char *list = s3_header(r, "x-amz-object-attributes");
	struct df_str xml = DF_STR_EMPTY;
	struct objects_info info;
	int result;

	if (!version_ok(r))
		return s3_send_error(r);
	result = objects_find(s3_objects(), r->target.bucket, r->target.key, &info);
	if (result)
		return s3_send_result(r, result);
	xml_begin(&xml, "GetObjectAttributesResponse");
	if (wants(list, "ETag"))
		xml_text(&xml, "ETag", info.etag);
	if (wants(list, "Checksum"))
		add_checksum(&xml, &info.checksum);
	if (wants(list, "ObjectParts"))
		add_parts(&xml, &info);
	if (wants(list, "StorageClass"))
		xml_text(&xml, "StorageClass", "STANDARD");
	if (wants(list, "ObjectSize"))
		xml_number(&xml, "ObjectSize", info.bytes);
	xml_close(&xml, "GetObjectAttributesResponse");
	objects_info_free(&info);
	return s3_send_xml(r, &xml);
}
