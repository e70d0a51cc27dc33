/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical request: see sigv4_canonical.h. */
#include "daemon/auth/sigv4_canonical.h"

#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool sigv4_next_part(const char **text, char separator, const char **part, size_t *length)
{
	const char *end;

	if (!*text)
		return false;
	end = strchr(*text, separator);
	*part = *text;
	*length = end ? (size_t)(end - *text) : strlen(*text);
	*text = end ? end + 1 : NULL;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sigv4_decode(struct df_str *out, const char *text, size_t length, bool plus)
{
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < length ? digit(text[i + 1]) : -1;
			int low = i + 2 < length ? digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		df_str_add_bytes(out, &c, 1);
	}
	return true;
}

/* RFC 3986's unreserved characters stay; the rest becomes %XX, in capitals, but for '/' if it is to stay. */
static void encode(struct df_str *out, const char *text, size_t length, bool slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~", c)) || (c == '/' && slash)) {
			df_str_add_bytes(out, &text[i], 1);
		} else {
			const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

			df_str_add_bytes(out, escape, sizeof(escape));
		}
	}
}

/* Takes the last part off a path that ends in '/': "/a/b/" becomes "/a/". "/" stays. */
static void drop_part(struct df_str *path)
{
	size_t length = path->length;

	if (length < 2)
		return;
	do {
		length--;
	} while (length > 1 && path->data[length - 1] != '/');
	df_str_cut(path, length);
}

/* Removes dot parts and empty ones. */
static void normalise(struct df_str *out, const char *path)
{
	const char *rest = path, *part;
	size_t length;
	bool slash = false;

	df_str_add(out, "/");
	while (!out->failed && sigv4_next_part(&rest, '/', &part, &length)) {
		slash = length == 0;
		if (length == 0 || (length == 1 && *part == '.'))
			continue;
		if (length == 2 && part[0] == '.' && part[1] == '.') {
			drop_part(out);
			continue;
		}
		df_str_add_bytes(out, part, length);
		df_str_add(out, "/");
		slash = false;
	}
	/* Every part has brought a slash; the last one stays only if the path itself ends in one. */
	if (!out->failed && !slash && out->length > 1)
		df_str_cut(out, out->length - 1);
}

bool sigv4_canonical_path(struct df_str *out, const char *path, bool s3)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	if (s3) {
		if (!sigv4_decode(&text, path, strlen(path), false))
			return false;
		if (text.length == 0)
			df_str_add(&text, "/");
	} else {
		normalise(&text, path);
	}
	encode(out, df_str_text(&text), text.length, true);
	out->failed |= text.failed;
	return true;
}

/* A parameter, encoded: both parts lie in one buffer, at offsets, since that moves while it grows. */
struct parameter {
	size_t name, name_length, value, value_length;
	const char *base; /* set when all is there */
};

static int compare_text(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int compare_parameters(const void *left, const void *right)
{
	const struct parameter *a = left, *b = right;
	int order =
		compare_text(a->base + a->name, a->name_length, b->base + b->name, b->name_length);

	if (order)
		return order;
	return compare_text(a->base + a->value, a->value_length, b->base + b->value,
		b->value_length);
}

/* Decodes and encodes a part into `text`, and says where it lies there. */
static bool put_part(struct df_str *text, const char *part, size_t length, size_t *at,
	size_t *bytes)
{
	DF_STR struct df_str plain = DF_STR_EMPTY;

	if (!sigv4_decode(&plain, part, length, true))
		return false;
	*at = text->length;
	encode(text, df_str_text(&plain), plain.length, false);
	*bytes = text->length - *at;
	text->failed |= plain.failed;
	return true;
}

static bool put_parameter(struct df_str *text, struct parameter *parameter, const char *part,
	size_t length)
{
	const char *equals = memchr(part, '=', length);
	size_t name = equals ? (size_t)(equals - part) : length;

	return put_part(text, part, name, &parameter->name, &parameter->name_length) &&
		put_part(text, equals ? equals + 1 : part, equals ? length - name - 1 : 0,
			&parameter->value, &parameter->value_length);
}

static void join(struct df_str *out, const struct parameter *list, size_t count, bool presigned)
{
	static const char signature[] = "X-Amz-Signature";
	size_t start = out->length;

	for (size_t i = 0; i < count; i++) {
		const char *name = list[i].base + list[i].name;

		if (presigned && list[i].name_length == sizeof(signature) - 1 &&
			memcmp(name, signature, sizeof(signature) - 1) == 0)
			continue;
		if (out->length > start)
			df_str_add(out, "&");
		df_str_add_bytes(out, name, list[i].name_length);
		df_str_add(out, "=");
		df_str_add_bytes(out, list[i].base + list[i].value, list[i].value_length);
	}
}

int sigv4_canonical_query(struct df_str *out, const char *query, bool presigned)
{
	struct parameter list[SIGV4_HEADERS_MAX];
	DF_STR struct df_str text = DF_STR_EMPTY;
	const char *part;
	size_t length, count = 0;

	while (sigv4_next_part(&query, '&', &part, &length)) {
		if (length == 0)
			continue;
		if (count == SIGV4_HEADERS_MAX)
			return SIGV4_TOO_MANY;
		if (!put_parameter(&text, &list[count++], part, length))
			return SIGV4_PATH;
	}
	if (text.failed)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		list[i].base = df_str_text(&text);
	qsort(list, count, sizeof(list[0]), compare_parameters);
	join(out, list, count, presigned);
	return SIGV4_OK;
}

/* The value without white space at its ends, and with one space for each stretch of it in between. */
static void add_trimmed(struct df_str *out, const char *value)
{
	bool gap = false, started = false;

	for (; *value; value++) {
		if (strchr(" \t\r\n\v\f", *value)) {
			gap = started;
			continue;
		}
		if (gap)
			df_str_add(out, " ");
		gap = false;
		started = true;
		df_str_add_bytes(out, value, 1);
	}
}

bool sigv4_canonical_header(struct df_str *out, const struct sigv4_header *headers, size_t count,
	const char *name, size_t length)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (strncasecmp(headers[i].name, name, length) != 0 || headers[i].name[length])
			continue;
		if (!found)
			df_str_add_bytes(out, name, length);
		df_str_add(out, found ? "," : ":");
		add_trimmed(out, headers[i].value);
		found = true;
	}
	if (found)
		df_str_add(out, "\n");
	return found;
}

int sigv4_canonical_headers(struct df_str *out, const struct sigv4_request *request,
	const char *names, size_t length)
{
	const char *end = names + length;

	while (names < end) {
		const char *stop = memchr(names, ';', (size_t)(end - names));

		if (!stop)
			stop = end;
		if (!sigv4_canonical_header(out, request->headers, request->header_count, names,
			    (size_t)(stop - names)))
			return SIGV4_INCOMPLETE;
		names = stop + 1;
	}
	return SIGV4_OK;
}
