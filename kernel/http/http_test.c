// SPDX-License-Identifier: Apache-2.0
/* Tests of what the feature `http` reads and writes. */
#include <kernel/http/reply.h>
#include <kernel/http/request.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	const char *answer;
	unsigned status;
	bool no_body;
	const char *body, *headers;
};

static char headers[1024], body[1024];

static bool take_header(void *to, const char *name, const char *value)
{
	(void)to;
	snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers), "%s=%s,", name,
		value);
	return true;
}

static bool take_body(void *to, const void *bytes, size_t n)
{
	(void)to;
	strncat(body, bytes, n);
	return strlen(body) < 100;
}

static struct http_reply reply;

static void read_answer(const struct sample *s, size_t step)
{
	size_t size = strlen(s->answer);

	reply = (struct http_reply){
		.header = take_header, .body = take_body, .no_body = s->no_body};
	headers[0] = body[0] = 0;
	http_reply_begin(&reply);
	for (size_t at = 0; at < size; at += step)
		http_reply_take(&reply, s->answer + at, size - at < step ? size - at : step);
	http_reply_end(&reply);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void answers(void **state)
{
	static const struct sample samples[] = {
		{OK "Content-Length: 5\r\n\r\nhello", 200, false, "hello", ""},
		{OK "Content-Length: 5\r\n\r\nhello more", 200, false, "hello", ""},
		{OK "content-length: 0\r\nA: b\r\n\r\n", 200, false, "", "A=b,"},
		{OK "\r\nuntil the end", 200, false, "until the end", ""},
		{"HTTP/1.0 404 Not Found\r\n\r\nno", 404, false, "no", ""},
		{"HTTP/1.1 200\r\n\r\nx", 200, false, "x", ""},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, false, "", ""},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, false, "", ""},
		{OK "Content-Length: 5\r\n\r\n", 200, true, "", ""},
		{"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK "Content-Length: 1\r\n\r\nz", 200,
			false, "z", ""},
		{OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
			200, false, "abc0123456789", ""},
		{OK "A:  b \t\r\nSet-Cookie: 1\r\nSet-Cookie: 2\r\nConnection: close\r\n\r\n", 200,
			false, "", "A=b,Set-Cookie=1,Set-Cookie=2,"},
		{"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, false, "x", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		for (size_t step = 1; step < 100; step += 7) {
			read_answer(&samples[i], step);
			if (reply.state != HTTP_DONE)
				fail_msg("%s: %s", samples[i].answer, reply.why);
			assert_int_equal(reply.status, samples[i].status);
			assert_string_equal(body, samples[i].body);
			assert_string_equal(headers, samples[i].headers);
		}
	}
}

static void bad_answers(void **state)
{
	static const char *const bad[] = {
		"",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"hello\r\n\r\n",
		"HTTP/1.1 099 ?\r\n\r\n",
		"HTTP/1.1 600 ?\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		OK "Content-Length: 5\r\n\r\nhell",
		OK "Content-Length: -5\r\n\r\n",
		OK "Content-Length: 5x\r\n\r\nhello",
		OK "Content-Length: \r\n\r\n",
		OK "Content-Length: 99999999999999999999\r\n\r\nx",
		OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
		OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		OK "Transfer-Encoding: gzip\r\n\r\nx",
		OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\nx\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
		OK " folded: x\r\n\r\n",
		OK "A: b\r\n folded\r\n\r\n",
		OK "no colon\r\n\r\n",
		OK ": x\r\n\r\n",
		OK "A : b\r\n\r\n",
		OK "A: b\001\r\n\r\n",
		OK "A: b\rc\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t step = 1; step < 100; step += 7) {
			read_answer(&(struct sample){.answer = bad[i]}, step);
			if (reply.state != HTTP_BAD || !reply.why)
				fail_msg("accepted: %s", bad[i]);
		}
	}
}

static void too_large(void **state)
{
	static char line[HTTP_LINE_MAX + 100];

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, OK, sizeof(OK) - 1);
	read_answer(&(struct sample){.answer = line}, sizeof(line));
	assert_int_equal(reply.state, HTTP_BAD);
	memset(line, 'a', 200);
	line[200] = 0;
	memcpy(line, OK "\r\n", sizeof(OK) + 1);
	read_answer(&(struct sample){.answer = line}, 50);
	assert_int_equal(reply.state, HTTP_BAD);
}

#define ATTRIBUTES(text) (text), sizeof(text) - 1

static void expect_head(const char *attributes, size_t bytes, uint64_t body_bytes, const char *head)
{
	struct http_event e = {.attributes = attributes,
		.attribute_bytes = bytes,
		.body_bytes = body_bytes,
		.port = 80};
	char text[1024] = {0};
	size_t n = http_request_head(&e, NULL, 0);

	assert_int_equal(http_request_head(&e, text, sizeof(text)), n);
	assert_string_equal(text, head);
}

static void heads(void **state)
{
	(void)state;
	expect_head("", 0, 0,
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	expect_head(
		ATTRIBUTES(
			"http.method\0GET\0http.path\0/a/b\0http.query\0c=d\0http.header.host\0example.org\0"
			"http.header.accept\0*/*\0http.header.connection\0upgrade\0http.header.expect\0"
			"100-continue\0"
			"id\0one\0"),
		0,
		"GET /a/b?c=d HTTP/1.1\r\nHost: example.org\r\naccept: */*\r\nConnection: close\r\n\r\n");
	expect_head(ATTRIBUTES("http.method\0POST\0http.header.content-length\0007\0"), 12,
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nConnection: close\r\n\r\n");
	expect_head(ATTRIBUTES("id\0one\0type\0thing.made\0datacontenttype\0text/csv\0"), 3,
		"POST / HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\ncontent-type: text/csv\r\n"
		"ce-id: one\r\nce-type: thing.made\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
	/* A pair without its end is none. */
	expect_head("http.method\0PUT", 15, 0,
		"POST / HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_answers),
		cmocka_unit_test(too_large),
		cmocka_unit_test(heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
