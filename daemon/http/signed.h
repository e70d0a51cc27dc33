/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are signed with the daemon's access key (sigv4.h): the one key, kept in the state directory where clients and the command
 * line find it (credentials.h). Any thread, after signed_init.
 */
#ifndef DAEMON_HTTP_SIGNED_H
#define DAEMON_HTTP_SIGNED_H

#include "daemon/auth/sigv4.h"
#include "daemon/http/http.h"

#define SIGNED_REGION "us-east-1"
#define SIGNED_CREDENTIALS "credentials" /* in the state directory */

/* Reads or makes the key. Returns 0 or -errno with *err set. */
int signed_init(struct df_err *err) __attribute__((warn_unused_result));

/*
 * Is the request signed for `service`? `body_sha256` is the body's hash, or NULL (see sigv4.h). *identity is filled with SIGV4_OK, and is to be wiped with sigv4_forget.
 * Returns an enum sigv4_result or -errno.
 */
int signed_verify(const struct request *request, const char *service, const char *body_sha256,
	struct sigv4_identity *identity) __attribute__((warn_unused_result));

#endif
