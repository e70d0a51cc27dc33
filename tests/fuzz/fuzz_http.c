// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of what the feature `http` reads and writes: a server's answer must mean the same in whatever pieces it comes, and
 * must not bring more than came; the head of a request must have one end, whatever the event's attributes are.
 */
#include <kernel/http/reply.h>
#include <kernel/http/request.h>

#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct http_reply reply;
	size_t body_bytes, header_bytes;
	uint64_t sum; /* of all that was told, in order */
};

static void check(int good)
{
	if (!good)
		abort();
}

static void mix(struct seen *s, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->sum = (s->sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

static bool take_header(void *to, const char *name, const char *value)
{
	struct seen *s = to;

	check(*name && !strpbrk(name, " \t\r\n:") && !strpbrk(value, "\r\n"));
	s->header_bytes += strlen(name) + strlen(value);
	mix(s, name, strlen(name) + 1);
	mix(s, value, strlen(value) + 1);
	return s->header_bytes < HEADERS_MAX;
}

static bool take_body(void *to, const void *bytes, size_t n)
{
	struct seen *s = to;

	s->body_bytes += n;
	mix(s, bytes, n);
	return true;
}

/* All of it, in pieces of at most `step` bytes. */
static struct seen *read_reply(const uint8_t *data, size_t size, size_t step, bool no_body)
{
	struct seen *s = calloc(1, sizeof(*s));

	check(s != NULL);
	s->reply.header = take_header;
	s->reply.body = take_body;
	s->reply.to = s;
	s->reply.no_body = no_body;
	http_reply_begin(&s->reply);
	for (size_t at = 0; at < size; at += step)
		http_reply_take(&s->reply, (const char *)data + at, min(step, size - at));
	http_reply_end(&s->reply);
	check(s->reply.state == HTTP_DONE || (s->reply.state == HTTP_BAD && s->reply.why));
	check(s->body_bytes <= size && s->header_bytes <= size);
	if (s->reply.state == HTTP_DONE)
		check(s->reply.status >= 200 && s->reply.status <= 599);
	return s;
}

static void check_reply(const uint8_t *data, size_t size)
{
	bool no_body = size && data[0] & 1;
	struct seen *whole = read_reply(data, size, size ? size : 1, no_body);
	struct seen *pieces = read_reply(data, size, 1 + size % 7, no_body);

	check(whole->reply.state == pieces->reply.state);
	check(whole->sum == pieces->sum && whole->body_bytes == pieces->body_bytes);
	if (no_body)
		check(!whole->body_bytes);
	free(pieces);
	free(whole);
}

/* The client has seen to it that attributes hold no control characters. */
static void check_request(const uint8_t *data, size_t size)
{
	struct http_event e = {.attribute_bytes = size, .body_bytes = size, .port = 8000};
	char *attributes = malloc(size + 1), *head, *end;
	size_t n;

	check(attributes != NULL);
	for (size_t i = 0; i < size; i++)
		attributes[i] = (char)(data[i] < 0x20 ? 0 : data[i]);
	e.attributes = attributes;
	n = http_request_head(&e, NULL, 0);
	head = malloc(n + 1);
	check(head != NULL && http_request_head(&e, head, n) == n);
	head[n] = 0;
	end = strstr(head, "\r\n\r\n");
	check(strlen(head) == n && end == head + n - 4);
	check(strstr(head, "\r\nHost: ") != NULL);
	(void)http_request_is_head(&e);
	free(head);
	free(attributes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_reply(data, size);
	check_request(data, size);
	return 0;
}
