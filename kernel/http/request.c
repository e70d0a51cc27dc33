// SPDX-License-Identifier: Apache-2.0
/* See request.h. */
#include <kernel/http/reply.h>
#include <kernel/http/request.h>

static const char header_prefix[] = "http.header.";
#define PREFIX_BYTES (sizeof(header_prefix) - 1)

struct out {
	char *to;
	size_t used, size;
};

static void add(struct out *o, const char *text)
{
	for (; *text; text++, o->used++)
		if (o->used < o->size)
			o->to[o->used] = *text;
}

static void add_number(struct out *o, uint64_t n)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	add(o, digits + at);
}

static void add_header(struct out *o, const char *name, const char *value)
{
	add(o, name);
	add(o, ": ");
	add(o, value);
	add(o, "\r\n");
}

/* The pair at *at, which moves on. False: there is no more. */
static bool next_pair(const struct http_event *e, size_t *at, const char **name, const char **value)
{
	size_t name_bytes, left = e->attribute_bytes - *at;

	for (name_bytes = 0; name_bytes < left && e->attributes[*at + name_bytes]; name_bytes++)
		;
	if (name_bytes + 1 >= left)
		return false;
	*name = e->attributes + *at;
	*value = *name + name_bytes + 1;
	for (*at += name_bytes + 1; *at < e->attribute_bytes; (*at)++)
		if (!e->attributes[*at]) {
			(*at)++;
			return true;
		}
	return false;
}

static const char *find(const struct http_event *e, const char *wanted)
{
	const char *name, *value;

	for (size_t at = 0; next_pair(e, &at, &name, &value);)
		if (!strcmp(name, wanted))
			return value;
	return NULL;
}

bool http_request_is_head(const struct http_event *e)
{
	const char *method = find(e, "http.method");

	return method && !strcmp(method, "HEAD");
}

/* Headers that are ours to set, or make no sense behind the one that took the request. */
static bool is_ours(const char *name)
{
	return !strcmp(name, "host") || !strcmp(name, "content-length") ||
		!strcmp(name, "expect") || http_is_hop_by_hop(name, strlen(name));
}

static void add_host(const struct http_event *e, struct out *o)
{
	const char *host = find(e, "http.header.host");

	add(o, "Host: ");
	add(o, host ? host : "localhost");
	if (!host && e->port != 80) {
		add(o, ":");
		add_number(o, e->port);
	}
	add(o, "\r\n");
}

static void add_cloud_event(const struct http_event *e, struct out *o)
{
	const char *type = find(e, "datacontenttype"), *name, *value;

	add_header(o, "ce-specversion", "1.0");
	if (type)
		add_header(o, "content-type", type);
	for (size_t at = 0; next_pair(e, &at, &name, &value);) {
		/* CloudEvents' own names have nothing but letters and digits. */
		if (!strcmp(name, "datacontenttype") || !strcmp(name, "specversion") ||
			strchr(name, '.'))
			continue;
		add(o, "ce-");
		add_header(o, name, value);
	}
}

size_t http_request_head(const struct http_event *e, char *to, size_t size)
{
	const char *method = find(e, "http.method"), *path = find(e, "http.path");
	const char *query = find(e, "http.query"), *name, *value;
	struct out o = {.to = to, .size = size};

	/* A rehearsal, or a try from the command line, may have nothing at all. */
	add(&o, method ? method : e->body_bytes || e->attribute_bytes ? "POST" : "GET");
	add(&o, " ");
	add(&o, path && path[0] ? path : "/");
	if (query) {
		add(&o, "?");
		add(&o, query);
	}
	add(&o, " HTTP/1.1\r\n");
	add_host(e, &o);
	for (size_t at = 0; next_pair(e, &at, &name, &value);)
		if (!strncmp(name, header_prefix, PREFIX_BYTES) && !is_ours(name + PREFIX_BYTES))
			add_header(&o, name + PREFIX_BYTES, value);
	if (!method && e->attribute_bytes)
		add_cloud_event(e, &o);
	if (e->body_bytes || !method || strcmp(method, "GET")) {
		add(&o, "Content-Length: ");
		add_number(&o, e->body_bytes);
		add(&o, "\r\n");
	}
	add(&o, "Connection: close\r\n\r\n");
	return o.used;
}
