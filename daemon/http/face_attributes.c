/* SPDX-License-Identifier: Apache-2.0 */
/* From HTTP to an event's attributes: see faces.h, docs/reference-http.md, and the CloudEvents HTTP binding 1.0. */
#include "daemon/http/faces.h"

#include "daemon/http/access.h"
#include "daemon/http/address.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 128

/* Of RFC 9110, 7.6.1, and what only concerns the connection. */
static const char *const hop_by_hop[] = {"connection", "keep-alive", "proxy-authenticate",
	"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};

bool face_end_to_end(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(hop_by_hop) / sizeof(hop_by_hop[0]); i++) {
		if (strlen(hop_by_hop[i]) == length &&
			strncasecmp(name, hop_by_hop[i], length) == 0)
			return false;
	}
	return true;
}

struct headers {
	const char *name[HEADERS_MAX], *value[HEADERS_MAX];
	size_t count;
};

static enum MHD_Result note_header(void *into, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	struct headers *headers = into;

	(void)kind;
	if (headers->count < HEADERS_MAX) {
		headers->name[headers->count] = name;
		headers->value[headers->count++] = value ? value : "";
	}
	return MHD_YES;
}

/* Is `name` in the list of words that a Connection header is? */
static bool is_named(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list && *list) {
		size_t word;

		list += strspn(list, ", \t");
		word = strcspn(list, ", \t");
		if (word == length && strncasecmp(list, name, length) == 0)
			return true;
		list += word;
	}
	return false;
}

static bool seen_before(const struct headers *headers, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcasecmp(headers->name[i], headers->name[at]) == 0)
			return true;
	}
	return false;
}

static void lower(char *into, size_t size, const char *prefix, const char *name)
{
	size_t at = strlen(prefix);

	memcpy(into, prefix, at);
	for (; *name && at < size - 1; name++)
		into[at++] = (char)tolower((unsigned char)*name);
	into[at] = '\0';
}

static void add_header(const struct headers *headers, size_t at, struct df_str *attributes)
{
	char name[DF_ATTRIBUTE_NAME_MAX + 16];
	DF_STR struct df_str joined = DF_STR_EMPTY;
	const char *separator = strcasecmp(headers->name[at], "cookie") == 0 ? "; " : ", ";

	lower(name, sizeof(name), "http.header.", headers->name[at]);
	for (size_t i = at + 1; i < headers->count; i++) {
		if (strcasecmp(headers->name[i], headers->name[at]) != 0)
			continue;
		if (!joined.length)
			df_str_add(&joined, headers->value[at]);
		df_str_addf(&joined, "%s%s", separator, headers->value[i]);
	}
	/* One that does not fit is left out. */
	(void)!df_attributes_add(attributes, name,
		joined.length ? df_str_text(&joined) : headers->value[at]);
}

static void add_headers(const struct headers *headers, const char *connection,
	struct df_str *attributes)
{
	for (size_t i = 0; i < headers->count; i++) {
		const char *name = headers->name[i];

		/* The daemon's own, not the function's. */
		if (strcasecmp(name, "authorization") == 0 && access_is_token(headers->value[i]))
			continue;
		if (face_end_to_end(name, strlen(name)) && !is_named(connection, name) &&
			!seen_before(headers, i))
			add_header(headers, i, attributes);
	}
}

/* --- CloudEvents --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Once, in place: what is no escape stays as it is. */
static void percent_decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low >= 0) {
			*to++ = (char)(high << 4 | low);
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Names that CloudEvents allows: lower-case letters and digits. */
static bool is_event_name(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(name);
}

static void add_binary(const struct headers *headers, struct df_str *attributes)
{
	for (size_t i = 0; i < headers->count; i++) {
		char name[DF_ATTRIBUTE_NAME_MAX];
		DF_FREE char *value = NULL;

		if (strncasecmp(headers->name[i], "ce-", 3) != 0)
			continue;
		lower(name, sizeof(name), "", headers->name[i] + 3);
		if (!is_event_name(name) || strcmp(name, "specversion") == 0 ||
			strcmp(name, "datacontenttype") == 0 || seen_before(headers, i))
			continue;
		value = strdup(headers->value[i]);
		if (!value)
			return;
		percent_decode(value);
		(void)!df_attributes_add(attributes, name, value);
	}
}

static void add_plain(const struct request *request, const char *function,
	struct df_str *attributes)
{
	char source[FUNCTION_NAME_MAX + 8];

	snprintf(source, sizeof(source), "/fn/%s", function);
	(void)!df_attributes_add(attributes, "id", request->id);
	(void)!df_attributes_add(attributes, "source", source);
	(void)!df_attributes_add(attributes, "type", "dayfly.http");
}

bool face_is_structured(const struct request *request)
{
	const char *type = http_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
	static const char structured[] = "application/cloudevents+json";
	size_t length = sizeof(structured) - 1;

	return type && strncasecmp(type, structured, length) == 0 &&
		(type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

static void add_remote(const struct request *request, struct df_str *attributes)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char text[ADDRESS_TEXT_BYTES];

	if (request->face != FACE_NET || !info)
		return;
	if (*address_text(info->client_addr, false, text))
		(void)!df_attributes_add(attributes, "http.remote", text);
}

void face_attributes(const struct request *request, const char *function, const char *rest,
	struct df_str *attributes)
{
	const char *type = http_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
	const char *query = strchr(rest, '?');
	struct headers headers = {.count = 0};
	size_t length = query ? (size_t)(query - rest) : strlen(rest);
	DF_FREE char *path = length ? strndup(rest, length) : strdup("/");

	(void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, note_header,
		&headers);
	(void)!df_attributes_add(attributes, "http.method", request->method);
	if (path)
		(void)!df_attributes_add(attributes, "http.path", path);
	if (query)
		(void)!df_attributes_add(attributes, "http.query", query + 1);
	add_remote(request, attributes);
	if (!face_is_structured(request)) {
		if (http_header(request, "ce-specversion"))
			add_binary(&headers, attributes);
		else
			add_plain(request, function, attributes);
		if (type)
			(void)!df_attributes_add(attributes, "datacontenttype", type);
	}
	add_headers(&headers, http_header(request, MHD_HTTP_HEADER_CONNECTION), attributes);
}

/* --- structured mode --- */

static int decode_base64(const char *text, size_t length, void **body, size_t *body_bytes)
{
	unsigned char *bytes = malloc(length / 4 * 3 + 4);
	int got = bytes && length <= INT32_MAX && length % 4 == 0
		? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length)
		: -1;

	if (got < 0) {
		free(bytes);
		return -EINVAL;
	}
	for (size_t i = 0; i < 2 && i < length && text[length - 1 - i] == '='; i++)
		got--;
	*body = bytes;
	*body_bytes = (size_t)got;
	return 0;
}

static int take_data(const json_t *event, void **body, size_t *body_bytes)
{
	const json_t *data = json_object_get(event, "data");
	const json_t *encoded = json_object_get(event, "data_base64");

	if (encoded)
		return json_is_string(encoded)
			? decode_base64(json_string_value(encoded), json_string_length(encoded),
				  body, body_bytes)
			: -EINVAL;
	if (!data)
		return 0;
	/* A string is the data itself unless it is JSON that is carried. */
	if (json_is_string(data)) {
		const char *type = json_string_value(json_object_get(event, "datacontenttype"));

		if (type && !strstr(type, "json")) {
			*body = strdup(json_string_value(data));
			*body_bytes = *body ? strlen(*body) : 0;
			return *body ? 0 : -ENOMEM;
		}
	}
	*body = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
	*body_bytes = *body ? strlen(*body) : 0;
	return *body ? 0 : -ENOMEM;
}

static void add_member(const char *name, const json_t *value, struct df_str *attributes)
{
	char number[32];

	if (!is_event_name(name) || strcmp(name, "specversion") == 0 || strcmp(name, "data") == 0)
		return;
	if (json_is_string(value)) {
		(void)!df_attributes_add(attributes, name, json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		(void)!df_attributes_add(attributes, name, number);
	} else if (json_is_boolean(value)) {
		(void)!df_attributes_add(attributes, name, json_is_true(value) ? "true" : "false");
	}
}

int face_structured(const struct request *request, const void *bytes, size_t length,
	struct df_str *attributes, void **body, size_t *body_bytes, struct df_err *err)
{
	static const char *const required[] = {"id", "source", "type", "specversion"};
	json_error_t wrong;
	json_t *event = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &wrong), *value;
	const char *name;
	int error = 0;

	(void)request;
	if (!json_is_object(event)) {
		json_decref(event);
		return df_err_set(err, -EINVAL, "the event is no JSON object");
	}
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]) && !error; i++) {
		if (!json_is_string(json_object_get(event, required[i])))
			error = df_err_set(err, -EINVAL, "the event has no %s", required[i]);
	}
	if (!error) {
		json_object_foreach(event, name, value) add_member(name, value, attributes);
		error = take_data(event, body, body_bytes);
		if (error)
			df_err_set(err, error, "the event's data makes no sense");
	}
	json_decref(event);
	return error;
}

bool face_name(const char *text, size_t length, char name[FUNCTION_NAME_MAX + 1],
	char qualifier[129])
{
	const char *colon = memchr(text, ':', length);
	size_t name_length = colon ? (size_t)(colon - text) : length;
	size_t rest = colon ? length - name_length - 1 : 0;

	if (!function_name_ok(text, name_length) || rest > 128 || (colon && !rest))
		return false;
	memcpy(name, text, name_length);
	name[name_length] = '\0';
	memcpy(qualifier, colon ? colon + 1 : "", rest);
	qualifier[rest] = '\0';
	return true;
}
