/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical request of Signature Version 4: one text for all the ways to write down the same request. Pure text work; only sigv4.c
 * calls it. Memory failures are remembered by the string builder.
 */
#ifndef DAEMON_SIGV4_CANONICAL_H
#define DAEMON_SIGV4_CANONICAL_H

#include "daemon/auth/sigv4.h"
#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A name and a value that are not terminated: they point into the request. */
struct sigv4_pair {
	const char *name, *value;
	size_t name_length, value_length;
};

/*
 * The part of `text` before `separator` or its end; *text moves behind it, and is NULL after the last part. False when *text is
 * NULL already.
 */
bool sigv4_next_part(const char **text, char separator, const char **part, size_t *length);

/*
 * Decodes %XX, and '+' as a space if asked (queries are read so by every server of forms). Returns false if a percent sign is not
 * followed by two digits.
 */
bool sigv4_decode(struct df_str *out, const char *text, size_t length, bool plus);

/*
 * Appends the canonical URI. "s3": the path decoded once and encoded once, dots and double slashes kept; other services: the path
 * normalised (RFC 3986, 5.2.4; double slashes are one), and encoded as it came, percent signs too. False: see sigv4_decode.
 */
bool sigv4_canonical_path(struct df_str *out, const char *path, bool s3);

/*
 * Appends the canonical query: each name and value decoded once and encoded once, in order of name, then value; X-Amz-Signature left out if
 * `presigned`. Returns SIGV4_OK, SIGV4_PATH, SIGV4_TOO_MANY or -ENOMEM.
 */
int sigv4_canonical_query(struct df_str *out, const char *query, bool presigned);

/*
 * Appends the canonical headers, "name:value\n", in order of name: those whose names are in the list `names` ("host;x-amz-date", ascending), values of one
 * name joined by commas in their order. SIGV4_OK or SIGV4_INCOMPLETE: a name of the list has no header.
 */
int sigv4_canonical_headers(struct df_str *out, const struct sigv4_request *request,
	const char *names, size_t length);

/* Appends "name:value\n" for one name and all its headers. False: there is none. */
bool sigv4_canonical_header(struct df_str *out, const struct sigv4_header *headers, size_t count,
	const char *name, size_t length);

#endif
