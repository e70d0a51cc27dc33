/* SPDX-License-Identifier: Apache-2.0 */
/* A request in the making: what http.c and http_send.c know of each other. */
#ifndef DAEMON_HTTP_REQUEST_H
#define DAEMON_HTTP_REQUEST_H

#include "daemon/http/http.h"

#include <stdarg.h>

#define HTTP_REQUEST_ID "x-dayfly-request-id"

struct gathering {
	struct request request; /* first, so that a request leads here */
	const struct route *route;
	bool looked; /* the headers were looked at */
	uint64_t begun_ns;
	int error; /* why the body can not be kept */
	uint64_t refused_bytes; /* that came nevertheless */
	char *memory; /* the body, or NULL */
	size_t capacity;
	void *mapped; /* the body's file, or NULL */
	char *path; /* in `texts`: the path, cut into parts */
	char texts[];
};

/* Answers then close their connections. */
bool http_is_stopping(void);

/*
 * For servers that take bodies in their own way (the object store's): once http_start has been called.
 */

/* Listens on a TCP address; *port becomes the one that was found if it is 0. Returns 0 or -errno with *err set. */
int http_listen(const char *address, uint16_t *port, int *fd, struct df_err *err)
	__attribute__((warn_unused_result));

void http_make_id(char id[HTTP_REQUEST_ID_BYTES]);

/* Does the Host header (or NULL) name this machine? Does the page that asks come from there? Is a body's length given once at most? */
bool http_host_ok(const char *host);
bool http_origin_ok(const char *origin, const char *host);
bool http_framing_ok(const struct request *request);

/* A logger for libmicrohttpd. */
void http_complain(void *unused, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

#endif
