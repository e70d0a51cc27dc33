/* SPDX-License-Identifier: Apache-2.0 */
/* Listing objects, in both generations, and as versions (of which there is one each). */
#include "daemon/object/s3.h"

#include "host/cleanup.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum form { LIST_1, LIST_2, VERSIONS };

struct listing {
	enum form form;
	const char *prefix, *delimiter, *begin; /* begin: marker, start-after, key-marker */
	char *token; /* a continuation token, decoded; or NULL */
	uint64_t room;
	bool encode, owner;
	struct df_str contents, prefixes, last; /* last: key or prefix that was listed last */
	uint64_t count;
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* --- tokens: base64 of what was listed last --- */

static char *read_token(const char *text)
{
	size_t length = strlen(text);
	unsigned char *out = malloc(length + 4);
	int size = out && length % 4 == 0 && length < 2 * OBJECTS_KEY_MAX
		? EVP_DecodeBlock(out, (const unsigned char *)text, (int)length)
		: -1;

	if (size < 0) {
		free(out);
		return NULL;
	}
	while (length > 0 && text[length - 1] == '=') {
		length--;
		size--;
	}
	out[size < 0 ? 0 : size] = '\0';
	return (char *)out;
}

static void write_token(struct df_str *xml, const struct df_str *last)
{
	DF_FREE unsigned char *text = malloc(last->length * 2 + 8);

	if (!text) {
		xml->failed = true;
		return;
	}
	EVP_EncodeBlock(text, (const unsigned char *)df_str_text(last), (int)last->length);
	xml_text(xml, "NextContinuationToken", (const char *)text);
}

/* --- one row --- */

static void add_key(const struct listing *l, struct df_str *xml, const char *name, const char *key,
	size_t length)
{
	DF_STR struct df_str encoded = DF_STR_EMPTY;

	if (!l->encode) {
		xml_bytes(xml, name, key, length);
		return;
	}
	s3_encode(&encoded, key, length, false);
	xml_text(xml, name, df_str_text(&encoded));
}

static void add_object(struct listing *l, const char *key, size_t length,
	const struct objects_info *info)
{
	const char *element = l->form == VERSIONS ? "Version" : "Contents";
	struct df_str *xml = &l->contents;
	char time[CLOCK_TEXT_BYTES], etag[OBJECTS_ETAG_BYTES + 2];

	xml_open(xml, element);
	add_key(l, xml, "Key", key, length);
	if (l->form == VERSIONS) {
		xml_text(xml, "VersionId", "null");
		xml_bool(xml, "IsLatest", true);
	}
	s3_time(info->modified_ms, time);
	xml_text(xml, "LastModified", time);
	s3_etag(info->etag, etag);
	xml_text(xml, "ETag", etag);
	if (info->checksum.kind) {
		xml_text(xml, "ChecksumAlgorithm", checksum_name(info->checksum.kind));
		xml_text(xml, "ChecksumType", info->checksum.whole ? "FULL_OBJECT" : "COMPOSITE");
	}
	xml_number(xml, "Size", info->bytes);
	if (l->owner)
		s3_owner(xml, "Owner");
	xml_text(xml, "StorageClass", "STANDARD");
	xml_close(xml, element);
}

static int each(void *user, const char *key, size_t length, const struct objects_info *info)
{
	struct listing *l = user;

	l->count++;
	df_str_clear(&l->last);
	df_str_add_bytes(&l->last, key, length);
	if (info) {
		add_object(l, key, length, info);
	} else {
		xml_open(&l->prefixes, "CommonPrefixes");
		add_key(l, &l->prefixes, "Prefix", key, length);
		xml_close(&l->prefixes, "CommonPrefixes");
	}
	return l->contents.failed || l->prefixes.failed || l->last.failed ? -ENOMEM : 0;
}

/* --- the whole --- */

static bool read_parameters(struct s3_request *r, struct listing *l)
{
	static const char *const begins[] = {
		[LIST_1] = "marker", [LIST_2] = "start-after", [VERSIONS] = "key-marker"};
	const char *encoding = s3_parameter(r, "encoding-type");
	const char *token = s3_parameter(r, "continuation-token");
	const char *owner = s3_parameter(r, "fetch-owner");

	l->prefix = or_empty(s3_parameter(r, "prefix"));
	l->delimiter = or_empty(s3_parameter(r, "delimiter"));
	l->begin = or_empty(s3_parameter(r, begins[l->form]));
	l->encode = encoding && *encoding;
	l->owner = l->form != LIST_2 || (owner && strcmp(owner, "true") == 0);
	l->room = S3_LIST_MAX;
	if (l->encode && strcmp(encoding, "url") != 0)
		s3_fail(r, 400, "InvalidArgument", "Invalid Encoding Method specified in Request");
	if (!s3_number(r, "max-keys", INT32_MAX, &l->room))
		return false;
	if (l->room > S3_LIST_MAX)
		l->room = S3_LIST_MAX;
	if (l->form == LIST_2 && token) {
		l->token = read_token(token);
		if (!l->token)
			s3_fail(r, 400, "InvalidArgument",
				"The continuation token provided is incorrect");
	}
	return r->error.status == 0;
}

static void add_text(const struct listing *l, struct df_str *xml, const char *name,
	const char *text)
{
	add_key(l, xml, name, text, strlen(text));
}

/* What only one of the generations has. */
static void add_position(const struct s3_request *r, const struct listing *l, struct df_str *xml,
	bool more)
{
	if (l->form == LIST_2) {
		xml_number(xml, "KeyCount", l->count);
		if (*l->begin)
			add_text(l, xml, "StartAfter", l->begin);
		if (l->token)
			xml_text(xml, "ContinuationToken", s3_parameter(r, "continuation-token"));
		if (more)
			write_token(xml, &l->last);
	} else if (l->form == LIST_1) {
		add_text(l, xml, "Marker", l->begin);
		/* Without a delimiter clients take the last key. */
		if (more && *l->delimiter)
			add_text(l, xml, "NextMarker", df_str_text(&l->last));
	} else {
		add_text(l, xml, "KeyMarker", l->begin);
		xml_text(xml, "VersionIdMarker", "");
		if (more) {
			add_text(l, xml, "NextKeyMarker", df_str_text(&l->last));
			xml_text(xml, "NextVersionIdMarker", "null");
		}
	}
}

static enum MHD_Result answer(struct s3_request *r, const struct listing *l, bool more)
{
	const char *root = l->form == VERSIONS ? "ListVersionsResult" : "ListBucketResult";
	struct df_str xml = DF_STR_EMPTY;

	xml_begin(&xml, root);
	xml_text(&xml, "Name", r->target.bucket);
	add_text(l, &xml, "Prefix", l->prefix);
	if (*l->delimiter)
		add_text(l, &xml, "Delimiter", l->delimiter);
	xml_number(&xml, "MaxKeys", l->room);
	if (l->encode)
		xml_text(&xml, "EncodingType", "url");
	xml_bool(&xml, "IsTruncated", more);
	add_position(r, l, &xml, more);
	df_str_add_bytes(&xml, df_str_text(&l->contents), l->contents.length);
	df_str_add_bytes(&xml, df_str_text(&l->prefixes), l->prefixes.length);
	xml_close(&xml, root);
	return s3_send_xml(r, &xml);
}

static enum MHD_Result list(struct s3_request *r, enum form form)
{
	struct listing l = {.form = form};
	enum MHD_Result sent;
	bool more = false;
	int result = 0;

	if (read_parameters(r, &l)) {
		const struct objects_list how = {
			.prefix = l.prefix,
			.delimiter = l.delimiter,
			.after = l.token ? l.token : l.begin,
			.room = (unsigned int)l.room,
			.each = each,
			.user = &l,
		};

		result = objects_list(s3_objects(), r->target.bucket, &how, &more);
	}
	if (result)
		s3_fail_result(r, result);
	sent = r->error.status ? s3_send_error(r) : answer(r, &l, more);
	df_str_deinit(&l.contents);
	df_str_deinit(&l.prefixes);
	df_str_deinit(&l.last);
	free(l.token);
	return sent;
}

enum MHD_Result s3_list_objects(struct s3_request *r)
{
	const char *type = s3_parameter(r, "list-type");

	return list(r, type && strcmp(type, "2") == 0 ? LIST_2 : LIST_1);
}

enum MHD_Result s3_list_versions(struct s3_request *r)
{
	return list(r, VERSIONS);
}
