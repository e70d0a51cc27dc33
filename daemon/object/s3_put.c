/* SPDX-License-Identifier: Apache-2.0 */
/* Putting objects, and what is said about an object when it is made. */
#include "daemon/object/s3.h"

#include "daemon/http/address.h"
#include "daemon/object/notify.h"
#include "daemon/object/s3_change.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define META "x-amz-meta-"
#define META_MAX 2048 /* bytes of names and values */
#define TAGS_MAX 10
#define TAG_NAME_MAX 128
#define TAG_VALUE_MAX 256

/* --- what is not there --- */

bool s3_check_wishes(struct s3_request *r)
{
	static const char *const refused[] = {
		"x-amz-server-side-encryption-customer-algorithm",
		"x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption",
		"x-amz-object-lock-mode",
		"x-amz-object-lock-legal-hold",
		"x-amz-website-redirect-location",
		"x-amz-write-offset-bytes",
	};
	const char *acl = s3_header(r, "x-amz-acl"), *class = s3_header(r, "x-amz-storage-class");

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (s3_header(r, refused[i]))
			s3_fail(r, 501, "NotImplemented", "%s asks for what is not there.",
				refused[i]);
	}
	if (acl && strcmp(acl, "private") != 0 && strcmp(acl, "bucket-owner-full-control") != 0)
		s3_fail(r, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
	if (class && strcmp(class, "STANDARD") != 0)
		s3_fail(r, 400, "InvalidStorageClass",
			"The storage class you specified is not valid");
	return r->error.status == 0;
}

/* --- headers --- */

struct reading {
	struct s3_request *r;
	struct s3_made *made;
	size_t meta_bytes;
};

static bool is_kept(const char *name)
{
	static const char *const kept[] = {"content-type", "cache-control", "content-disposition",
		"content-encoding", "content-language", "expires"};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (strcmp(kept[i], name) == 0)
			return true;
	}
	return false;
}

/* "aws-chunked,gzip" without the first, which is how it travelled. To be freed. */
static char *plain_coding(const char *value)
{
	struct df_str out = DF_STR_EMPTY;

	while (*value) {
		size_t length = strcspn(value, ","), start = strspn(value, " \t");

		if (start < length && strncasecmp(value + start, "aws-chunked", 11) != 0)
			df_str_addf(&out, "%s%.*s", out.length ? "," : "", (int)(length - start),
				value + start);
		value += length + (value[length] == ',');
	}
	if (out.length == 0 && !out.failed)
		df_str_add(&out, "");
	return df_str_take(&out);
}

static void keep(struct reading *reading, const char *name, const char *value)
{
	struct s3_made *made = reading->made;

	if (df_attributes_add(&made->headers, name, value) != 0)
		s3_fail(reading->r, 400, "InvalidArgument",
			"%s has characters that metadata may not have.", name);
}

static void read_one(struct reading *reading, const char *given, const char *value)
{
	char name[DF_ATTRIBUTE_NAME_MAX + 1];
	size_t length = strlen(given);
	bool meta = strncasecmp(given, META, strlen(META)) == 0;

	if (length > DF_ATTRIBUTE_NAME_MAX) {
		if (meta)
			s3_fail(reading->r, 400, "MetadataTooLarge",
				"Your metadata headers exceed the maximum allowed metadata size");
		return;
	}
	for (size_t i = 0; i <= length; i++)
		name[i] = (char)tolower((unsigned char)given[i]);
	if (meta) {
		reading->meta_bytes += length - strlen(META) + strlen(value);
		if (reading->meta_bytes > META_MAX)
			s3_fail(reading->r, 400, "MetadataTooLarge",
				"Your metadata headers exceed the maximum allowed metadata size");
		else
			keep(reading, name, value);
	} else if (strcmp(name, "content-encoding") == 0) {
		DF_FREE char *coding = plain_coding(value);

		if (coding && *coding)
			keep(reading, name, coding);
	} else if (is_kept(name)) {
		keep(reading, name, value);
	}
}

static enum MHD_Result read_header(void *user, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	(void)kind;
	read_one(user, name, value ? value : "");
	return MHD_YES;
}

static bool has_tag(const struct df_str *tags, const char *name)
{
	const char *at = tags->data, *end = at + tags->length;

	while (at < end) {
		if (strcmp(at, name) == 0)
			return true;
		at += strlen(at) + 1;
		at += strlen(at) + 1;
	}
	return false;
}

static bool add_tag(struct s3_request *r, struct df_str *tags, unsigned int *count,
	const char *name, const char *value)
{
	size_t name_length = strlen(name), value_length = strlen(value);

	if (++*count > TAGS_MAX)
		s3_fail(r, 400, "BadRequest", "Object tags cannot be greater than %d", TAGS_MAX);
	else if (name_length == 0 || name_length > TAG_NAME_MAX)
		s3_fail(r, 400, "InvalidTag", "The TagKey you have provided is invalid");
	else if (value_length > TAG_VALUE_MAX)
		s3_fail(r, 400, "InvalidTag", "The TagValue you have provided is invalid");
	else if (has_tag(tags, name))
		s3_fail(r, 400, "InvalidTag", "Cannot provide multiple Tags with the same key");
	if (r->error.status)
		return false;
	df_str_add_bytes(tags, name, name_length + 1);
	df_str_add_bytes(tags, value, value_length + 1);
	return true;
}

static bool parse_tagging(struct s3_request *r, const char *text, struct df_str *tags)
{
	DF_FREE char *query = df_format("/?%s", text);
	struct target parsed = {0};
	unsigned int count = 0;
	int result = query ? target_parse(query, NULL, &parsed) : -ENOMEM;

	if (result < 0)
		s3_fail_result(r, result);
	else if (result != TARGET_OK)
		s3_fail(r, 400, "InvalidArgument",
			"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.");
	for (size_t i = 0; result == TARGET_OK && i < parsed.parameter_count; i++) {
		if (!add_tag(r, tags, &count, parsed.parameters[i].name,
			    parsed.parameters[i].value))
			break;
	}
	target_deinit(&parsed);
	return r->error.status == 0;
}

bool s3_read_made(struct s3_request *r, struct s3_made *made)
{
	const char *tagging = s3_header(r, "x-amz-tagging");
	struct reading reading = {.r = r, .made = made};

	*made = (struct s3_made){.headers = DF_STR_EMPTY, .tags = DF_STR_EMPTY};
	(void)MHD_get_connection_values(r->request.connection, MHD_HEADER_KIND, read_header,
		&reading);
	/* Presigned requests may have them in the query. */
	for (size_t i = 0; i < r->target.parameter_count; i++) {
		const struct target_parameter *p = &r->target.parameters[i];

		if (strncasecmp(p->name, META, strlen(META)) == 0)
			read_one(&reading, p->name, p->value);
	}
	if (!tagging)
		tagging = s3_parameter(r, "x-amz-tagging");
	if (tagging && *tagging)
		(void)parse_tagging(r, tagging, &made->tags);
	if (made->headers.failed || made->tags.failed)
		s3_fail_result(r, -ENOMEM);
	return r->error.status == 0;
}

void s3_made_free(struct s3_made *made)
{
	df_str_deinit(&made->headers);
	df_str_deinit(&made->tags);
}

/* --- tags: pairs "name\0value\0" --- */

bool s3_read_tags(struct s3_request *r, const struct xml_node *tagging, struct df_str *tags)
{
	const struct xml_node *set = xml_child(tagging, "TagSet");
	unsigned int count = 0;

	for (struct xml_node *tag = xml_child(set, "Tag"); tag; tag = xml_next(tag, "Tag")) {
		if (!add_tag(r, tags, &count, xml_child_text(tag, "Key"),
			    xml_child_text(tag, "Value")))
			return false;
	}
	if (tags->failed)
		s3_fail_result(r, -ENOMEM);
	return !tags->failed;
}

void s3_write_tags(struct df_str *xml, const char *tags, size_t length)
{
	const char *at = tags, *end = tags + length;

	xml_open(xml, "TagSet");
	while (at < end) {
		const char *value = at + strlen(at) + 1;

		xml_open(xml, "Tag");
		xml_text(xml, "Key", at);
		xml_text(xml, "Value", value);
		xml_close(xml, "Tag");
		at = value + strlen(value) + 1;
	}
	xml_close(xml, "TagSet");
}

/* --- conditions --- */

bool s3_read_condition(struct s3_request *r, char if_match[OBJECTS_ETAG_BYTES + 2],
	const char **match, bool *if_none)
{
	const char *text = s3_header(r, "if-match"), *none = s3_header(r, "if-none-match");
	size_t length;

	*match = NULL;
	*if_none = none != NULL;
	if (none && strcmp(none, "*") != 0) {
		s3_fail(r, 501, "NotImplemented", "If-None-Match of a change can only be '*'.");
		return false;
	}
	if (!text)
		return true;
	length = strlen(text);
	if (length > 1 && text[0] == '"' && text[length - 1] == '"') {
		text++;
		length -= 2;
	}
	/* One that is too long is nobody's. */
	if (length > OBJECTS_ETAG_BYTES)
		length = OBJECTS_ETAG_BYTES;
	memcpy(if_match, text, length);
	if_match[length] = '\0';
	*match = if_match;
	return true;
}

/* --- changes, and who is told --- */

bool s3_begin_change(struct s3_request *r, enum notify_change change, struct s3_change *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->request.connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	int error;

	memset(c, 0, sizeof(*c));
	if (info && info->client_addr)
		(void)address_text(info->client_addr, false, c->remote);
	c->event = (struct notify_event){
		.change = change,
		.bucket = r->target.bucket,
		.key = r->target.key,
		.request_id = r->request.id,
		.remote = c->remote,
	};
	error = notify_begin(&c->event, &c->teller);
	if (error)
		s3_fail_result(r, error);
	return error == 0;
}

bool s3_end_change(struct s3_request *r, struct s3_change *c, int result)
{
	if (result == 0) {
		notify_send(&c->event, &c->told);
		return true;
	}
	notify_forget(&c->event);
	s3_fail_result(r, result);
	return false;
}

/* --- PutObject --- */

static bool length_is_known(struct s3_request *r)
{
	if (r->announced == UINT64_MAX)
		s3_fail(r, 411, "MissingContentLength",
			"You must provide the Content-Length HTTP header.");
	else if (r->announced > OBJECTS_PUT_MAX)
		s3_fail_result(r, OBJECTS_TOO_LARGE);
	return r->error.status == 0;
}

void s3_prepare_put(struct s3_request *r)
{
	struct objects_bucket bucket;
	int result;

	if (!length_is_known(r) || !s3_check_wishes(r))
		return;
	/* Nobody is to send gigabytes before they hear that. */
	result = objects_find_bucket(s3_objects(), r->target.bucket, &bucket);
	if (result)
		s3_fail_result(r, result);
}

bool s3_sum_up(struct s3_request *r, enum checksum_kind kind, char etag[OBJECTS_ETAG_BYTES],
	struct objects_checksum *checksum)
{
	unsigned char value[CHECKSUM_BYTES_MAX];

	for (size_t i = 0; i < sizeof(r->computed_md5); i++)
		snprintf(etag + 2 * i, 3, "%02x", r->computed_md5[i]);
	*checksum = (struct objects_checksum){.kind = kind, .whole = true};
	if (kind == CHECKSUM_NONE)
		return true;
	if (kind == r->wanted.kind) {
		strcpy(checksum->text, r->wanted.text);
		return true;
	}
	if (checksums_value(&r->sums, kind, value) != 0) {
		s3_fail_result(r, -EIO);
		return false;
	}
	checksum_text(value, checksum_bytes(kind), checksum->text);
	return true;
}

static enum MHD_Result answer_put(struct s3_request *r, const struct objects_info *info)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	char etag[OBJECTS_ETAG_BYTES + 2];

	if (response) {
		s3_etag(info->etag, etag);
		(void)MHD_add_response_header(response, "ETag", etag);
		s3_add_checksum(&info->checksum, response);
	}
	return s3_send(r, 200, response);
}

static bool put(struct s3_request *r, const struct s3_made *made, struct objects_info *info)
{
	char if_match[OBJECTS_ETAG_BYTES + 2];
	struct objects_put how = {
		.bucket = r->target.bucket,
		.key = r->target.key,
		.body = &r->body,
		.info = info,
	};
	struct s3_change change;
	int result;

	info->headers = made->headers.data;
	info->header_bytes = made->headers.length;
	info->tags = made->tags.data;
	info->tag_bytes = made->tags.length;
	if (!s3_sum_up(r, r->wanted.kind, info->etag, &info->checksum) ||
		!s3_read_condition(r, if_match, &how.if_match, &how.if_none))
		return false;
	result = objects_body_sync(&r->body);
	if (result) {
		s3_fail_result(r, result);
		return false;
	}
	if (!s3_begin_change(r, NOTIFY_PUT, &change))
		return false;
	how.teller = change.teller;
	return s3_end_change(r, &change,
		objects_put(s3_objects(), &how, &info->modified_ms, &change.told));
}

enum MHD_Result s3_put_object(struct s3_request *r)
{
	struct objects_info info = {0};
	struct s3_made made;
	bool good = s3_read_made(r, &made) && put(r, &made, &info);

	s3_made_free(&made);
	return good ? answer_put(r, &info) : s3_send_error(r);
}
