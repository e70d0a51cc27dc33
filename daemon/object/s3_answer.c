/* SPDX-License-Identifier: Apache-2.0 */
/* How the S3 interface answers, and what its operations use of a request: see s3.h. */
#include "daemon/object/s3.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors --- */

unsigned int s3_fail(struct s3_request *r, unsigned int status, const char *code,
	const char *format, ...)
{
	va_list arguments;

	if (r->error.status)
		return r->error.status;
	r->error.status = status;
	r->error.code = code;
	va_start(arguments, format);
	vsnprintf(r->error.message, sizeof(r->error.message), format, arguments);
	va_end(arguments);
	return status;
}

/* What the machine could not do. */
static unsigned int fail_errno(struct s3_request *r, int error)
{
	if (error == -ENOSPC || error == -EDQUOT)
		return s3_fail(r, 507, "InsufficientStorage",
			"The disk of this server is full; nothing was stored.");
	if (error == -ENOMEM || error == -EMFILE || error == -ENFILE)
		return s3_fail(r, 503, "SlowDown", "Please reduce your request rate.");
	return s3_fail(r, 500, "InternalError",
		"We encountered an internal error. Please try again. (%s)", df_errno_text(error));
}

unsigned int s3_fail_result(struct s3_request *r, int result)
{
	static const struct {
		unsigned int status;
		const char *code, *message;
	} results[] = {
		[OBJECTS_NO_BUCKET] = {404, "NoSuchBucket", "The specified bucket does not exist"},
		[OBJECTS_NO_KEY] = {404, "NoSuchKey", "The specified key does not exist."},
		[OBJECTS_NO_UPLOAD] = {404, "NoSuchUpload",
			"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
		[OBJECTS_NO_PART] = {400, "InvalidPart",
			"One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
		[OBJECTS_PART_SMALL] = {400, "EntityTooSmall",
			"Your proposed upload is smaller than the minimum allowed size"},
		[OBJECTS_EXISTS] = {409, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it."},
		[OBJECTS_NOT_EMPTY] = {409, "BucketNotEmpty",
			"The bucket you tried to delete is not empty"},
		[OBJECTS_CONDITION] = {412, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold"},
		[OBJECTS_TOO_LARGE] = {400, "EntityTooLarge",
			"Your proposed upload exceeds the maximum allowed object size."},
		[OBJECTS_TOO_MANY] = {400, "TooManyBuckets",
			"There are as many buckets or uploads as this server takes."},
		[OBJECTS_QUOTA] = {403, "QuotaExceeded",
			"The object store holds as many bytes as it may (dayflyd --object-quota)."},
		[OBJECTS_OUTBOX] = {503, "SlowDown",
			"Too many events wait to be delivered; please reduce your request rate."},
		[OBJECTS_CHECKSUM] = {400, "BadDigest",
			"The checksum you specified did not match the calculated checksum."},
	};

	if (result < 0)
		return fail_errno(r, result);
	return s3_fail(r, results[result].status, results[result].code, "%s",
		results[result].message);
}

/* --- answers --- */

enum MHD_Result s3_send(struct s3_request *r, unsigned int status, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "x-amz-request-id", r->request.id);
	(void)MHD_add_response_header(response, "x-amz-id-2", r->request.id);
	return http_send(&r->request, status, response);
}

static enum MHD_Result send_text(struct s3_request *r, unsigned int status, struct df_str *xml)
{
	size_t length = xml->length;
	char *text = df_str_take(xml);
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE) : NULL;

	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/xml");
	return s3_send(r, status, response);
}

enum MHD_Result s3_send_error(struct s3_request *r)
{
	struct df_str xml = DF_STR_EMPTY;
	const char *query = strchr(r->texts, '?');

	if (r->error.status == 304)
		return s3_send_empty(r, 304);
	df_str_add(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
	xml_text(&xml, "Code", r->error.code);
	xml_text(&xml, "Message", r->error.message);
	if (strcmp(r->error.code, "AuthorizationHeaderMalformed") == 0)
		xml_text(&xml, "Region", SIGNED_REGION); /* clients try again with it */
	if (r->target.bucket)
		xml_text(&xml, "BucketName", r->target.bucket);
	if (r->target.key)
		xml_text(&xml, "Key", r->target.key);
	xml_bytes(&xml, "Resource", r->texts,
		query ? (size_t)(query - r->texts) : strlen(r->texts));
	xml_text(&xml, "RequestId", r->request.id);
	xml_text(&xml, "HostId", r->request.id);
	xml_close(&xml, "Error");
	return send_text(r, r->error.status, &xml);
}

enum MHD_Result s3_send_result(struct s3_request *r, int result)
{
	if (result)
		s3_fail_result(r, result);
	return r->error.status ? s3_send_error(r) : s3_send_empty(r, 200);
}

enum MHD_Result s3_send_empty(struct s3_request *r, unsigned int status)
{
	return s3_send(r, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

enum MHD_Result s3_send_xml(struct s3_request *r, struct df_str *xml)
{
	return send_text(r, 200, xml);
}

enum MHD_Result s3_refuse(struct s3_request *r, unsigned int status, const char *code,
	const char *message)
{
	s3_fail(r, status, code, "%s", message);
	return s3_send_error(r);
}

/* --- what a request says --- */

const char *s3_header(const struct s3_request *r, const char *name)
{
	return http_header(&r->request, name);
}

const char *s3_parameter(const struct s3_request *r, const char *name)
{
	return target_parameter(&r->target, name);
}

bool s3_number(struct s3_request *r, const char *parameter, uint64_t most, uint64_t *number)
{
	const char *text = s3_parameter(r, parameter);
	uint64_t value;

	if (!text || !*text)
		return true;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (strspn(text, "0123456789") != strlen(text) || errno || value > most) {
		s3_fail(r, 400, "InvalidArgument", "%s must be a whole number from 0 to %" PRIu64,
			parameter, most);
		return false;
	}
	*number = value;
	return true;
}

struct xml_node *s3_xml(struct s3_request *r, const char *root)
{
	struct xml_node *node = NULL;
	int error = xml_parse(df_str_text(&r->memory), r->memory.length, &node);

	if (error == 0 && strcmp(node->name, root) != 0) {
		xml_free(node);
		error = -EINVAL;
	}
	if (error == 0)
		return node;
	if (error == -ENOMEM)
		s3_fail_result(r, error);
	else
		s3_fail(r, 400, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema");
	return NULL;
}

/* --- texts --- */

void s3_time(uint64_t ms, char text[CLOCK_TEXT_BYTES])
{
	(void)clock_text(ms, text);
}

/* Not strftime's names, which a locale could change. */
void s3_http_time(uint64_t ms, char text[40])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	snprintf(text, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + tm.tm_wday * 3,
		tm.tm_mday, months + tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

void s3_etag(const char *etag, char text[OBJECTS_ETAG_BYTES + 2])
{
	snprintf(text, OBJECTS_ETAG_BYTES + 2, "\"%s\"", etag);
}

void s3_encode(struct df_str *out, const char *text, size_t length, bool form)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";

	for (size_t i = 0; i < length; i++) {
		if (text[i] && strchr(plain, text[i]))
			df_str_add_bytes(out, text + i, 1);
		else if (form && text[i] == ' ')
			df_str_add(out, "+");
		else
			df_str_addf(out, "%%%02X", (unsigned char)text[i]);
	}
}

void s3_owner(struct df_str *xml, const char *element)
{
	xml_open(xml, element);
	xml_text(xml, "ID", S3_OWNER);
	xml_text(xml, "DisplayName", S3_OWNER);
	xml_close(xml, element);
}
