/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: listening, gathering a request, finding its handler, answering.
 *
 * A thread per connection (libmicrohttpd) does all the work for it, handlers included, so they may block. A handler is called once,
 * when the body is complete: in memory up to HTTP_BODY_MEMORY, or all of it as long as such bodies have
 * HTTP_BODIES_MEMORY together; else in an unlinked file of the state directory.
 *
 * There are two faces. FACE_NET is TCP, on loopback unless told otherwise: invocation, metrics, health, and Lambda's
 * interface with signatures. FACE_LOCAL is a Unix socket that only its owner can reach: everything. Who may ask on FACE_NET: access.h.
 *
 * Every answer has the header x-dayfly-request-id.
 */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include "host/err.h"
#include "host/str.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY_MEMORY (256u << 10)
#define HTTP_BODIES_MEMORY (64u << 20)
#define HTTP_PARTS_MAX 8
#define HTTP_REQUEST_ID_BYTES 37

enum http_face { FACE_NET = 1, FACE_LOCAL = 2, FACE_BOTH = 3 };

/* Besides faces in a route: what it asks for on FACE_NET (access.h). Without, its handler asks itself (signatures), or nobody needs to. */
enum http_access { ACCESS_INVOKE = 4, ACCESS_METRICS = 8 };

struct request {
	struct MHD_Connection *connection;
	enum http_face face;
	char id[HTTP_REQUEST_ID_BYTES];
	const char *method;
	const char *target; /* as it came: path and query, percent signs and all */
	const char *path; /* decoded, without query */
	const char *part
		[HTTP_PARTS_MAX]; /* what the pattern's stars matched, decoded; the last one may hold slashes */
	const void *body; /* NULL if it is in body_fd */
	int body_fd; /* -1 if it is in memory */
	size_t body_bytes;
};

/*
 * A row of a routing table. In `pattern` a star stands for one part of the path, two stars at its end for the rest, or nothing.
 * `methods` is "GET", "GET PUT", or "*". The handler answers by one of the functions below and returns what they return.
 */
#define HTTP_REST "/**" /* whatever no row before it matches, with any method */

struct route {
	const char *methods, *pattern;
	unsigned int faces; /* enum http_face | enum http_access */
	enum MHD_Result (*handle)(struct request *request);
};

struct http_settings {
	const char *listen; /* of FACE_NET: "127.0.0.1:8080", "[::]:0" (address.h); port 0: any */
	const char *socket_path; /* of FACE_LOCAL */
	unsigned int connections_max; /* per face */
	unsigned int idle_s; /* a connection without traffic is closed */
};

/* Starts both faces; `tables` ends with NULL, tables with an empty row. Returns 0 or -errno with *err set. */
int http_start(const struct http_settings *settings, const struct route *const *tables,
	struct df_err *err) __attribute__((warn_unused_result));

/* The largest body that is taken, from now on; 0 at first. */
void http_limit_body(uint64_t bytes);

/* Accepts no more connections; requests that come on those that are there are answered with Connection: close. */
void http_quiesce(void);

/* How many requests are being read, handled or answered. */
unsigned int http_active(void);

/* Ends all connections; waits for handlers. After http_quiesce. */
void http_stop(void);

/* Where FACE_NET is: "http://127.0.0.1:8080". An address of all interfaces is given as loopback's. */
const char *http_url(void);

/* A header of the request or an argument of its query, decoded; NULL if it is not there. */
const char *http_header(const struct request *request, const char *name);
const char *http_query(const struct request *request, const char *name);

/* Parses the body, which must be JSON in memory. NULL: it was answered with 400 already, *result says what to return. */
json_t *http_json_body(struct request *request, enum MHD_Result *result)
	__attribute__((warn_unused_result));

/* The body in one piece (bodies in files are mapped). Returns 0 or -errno. Good while the request lives. */
int http_whole_body(struct request *request, const void **bytes)
	__attribute__((warn_unused_result));

/* Adds the request id and sends the response, which is taken. */
enum MHD_Result http_send(struct request *request, unsigned int status,
	struct MHD_Response *response);
enum MHD_Result http_send_empty(struct request *request, unsigned int status);
enum MHD_Result http_send_text(struct request *request, unsigned int status, const char *type,
	const char *text, size_t length);
/* Takes the reference; NULL answers 500. */
enum MHD_Result http_send_json(struct request *request, unsigned int status, json_t *json);

/* {"error": {"code": CODE, "message": ..., "request_id": ...}} */
enum MHD_Result http_send_error(struct request *request, unsigned int status, const char *code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * The same with what a program last said: its bytes are "output", and "report" if that is not NULL. For the local face alone.
 */
enum MHD_Result http_send_failure(struct request *request, unsigned int status, const char *code,
	const char *message, const struct df_str *output, const char *report);

#endif
