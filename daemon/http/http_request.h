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
	int error; /* why the body can not be kept */
	uint64_t refused_bytes; /* that came nevertheless */
	char *memory; /* the body, or NULL */
	size_t capacity;
	uint64_t granted; /* of HTTP_BODIES_MEMORY */
	void *mapped; /* the body's file, or NULL */
	char *path; /* in `texts`: the path, cut into parts */
	char texts[];
};

/* Answers then close their connections. */
bool http_is_stopping(void);

/*
 * For servers that take bodies in their own way (the object store's): once http_start has been called.
 */

#define HTTP_URL_BYTES 80

/*
 * Listens on "ADDRESS:PORT" (address.h). *url becomes where a client on this machine finds it: an address of all interfaces is given as loopback's, and
 * the port that was found for 0. Returns 0 or -errno with *err set. Who may ask: access.h.
 */
int http_listen(const char *listen, char url[HTTP_URL_BYTES], int *fd, struct df_err *err)
	__attribute__((warn_unused_result));

void http_make_id(char id[HTTP_REQUEST_ID_BYTES]);

/* Is a body's length given once at most? */
bool http_framing_ok(const struct request *request);

/* A logger for libmicrohttpd. */
void http_complain(void *unused, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

#endif
