// SPDX-License-Identifier: Apache-2.0
/*
 * The head of the HTTP request that an event is played as. From a request that came over HTTP it has method, path, query and
 * headers; any other event is a POST to / in the binary mode of CloudEvents' HTTP binding. Plain C of no world.
 */
#ifndef KERNEL_HTTP_REQUEST_H
#define KERNEL_HTTP_REQUEST_H

#include <kernel/core/lib.h>

struct http_event {
	const char *attributes; /* "name\0value\0" pairs */
	size_t attribute_bytes; /* ends where the last complete pair does */
	uint64_t body_bytes;
	unsigned port; /* of the server */
};

/* Writes the head to `to` as far as `size` reaches. Its length. */
size_t http_request_head(const struct http_event *e, char *to, size_t size);
/* Is the method HEAD? */
bool http_request_is_head(const struct http_event *e);

#endif
