/* SPDX-License-Identifier: Apache-2.0 */
/* A request in the making: what http.c and http_send.c know of each other. */
#ifndef DAEMON_HTTP_REQUEST_H
#define DAEMON_HTTP_REQUEST_H

#include "daemon/http/http.h"

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

#endif
