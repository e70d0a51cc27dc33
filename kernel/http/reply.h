// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the answer of an HTTP/1.x server (RFC 9112) as it comes, in pieces of any size. Small and strict: what is
 * ambiguous about where an answer ends is refused, and so are folded lines, control characters, and more than one
 * length. Plain C of no world, so that it is fuzzed on the host.
 */
#ifndef KERNEL_HTTP_REPLY_H
#define KERNEL_HTTP_REPLY_H

#include <kernel/core/lib.h>

#define HTTP_LINE_MAX 16384u /* a line of the head or of chunks, without its end */
#define HTTP_HEAD_MAX 65536u /* all of the head; trailers, too */

enum http_state {
	HTTP_STATUS, /* the status line comes next */
	HTTP_HEADERS,
	HTTP_BODY, /* `left` bytes of it, or until the connection ends */
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK,
	HTTP_CHUNK_END, /* the empty line behind a chunk */
	HTTP_TRAILERS,
	HTTP_DONE,
	HTTP_BAD,
};

struct http_reply {
	/* What is found, in order. Texts are zero-ended and valid during the call only. False: the caller can not
	 * take it, and the reply is bad. */
	bool (*header)(void *to, const char *name, const char *value);
	bool (*body)(void *to, const void *bytes, size_t n);
	void *to;
	bool no_body; /* the request was HEAD */

	enum http_state state;
	const char *why; /* HTTP_BAD: what is wrong */
	unsigned status; /* of the final answer; 100 to 199 are read over */
	bool chunked, has_length, until_end;
	uint64_t left; /* of the body or the chunk */
	size_t head_bytes;
	size_t line_bytes;
	char line[HTTP_LINE_MAX + 1];
};

/* Begins: `header`, `body`, `to` and `no_body` are the caller's to set before. */
void http_reply_begin(struct http_reply *r);
/* Takes what has come. Bytes behind the end of the reply are not looked at. */
void http_reply_take(struct http_reply *r, const char *bytes, size_t n);
/* The connection has ended: a reply without a length is complete now, any other is bad. */
void http_reply_end(struct http_reply *r);

/* Headers that are about one connection, not about what goes over it. */
bool http_is_hop_by_hop(const char *name, size_t bytes);

#endif
