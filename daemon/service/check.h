/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a service well? One connection at a time to its published port, without blocking. HTTP asks for a path; without one it is enough that
 * the guest takes the connection, which its network says (check_taken): what is published takes every connection at once, before the
 * guest is asked, and closes those that it refuses.
 */
#ifndef DAEMON_SERVICE_CHECK_H
#define DAEMON_SERVICE_CHECK_H

#include "host/publish.h"

#include <stddef.h>

enum check_result { CHECK_GOING_ON, CHECK_GOOD, CHECK_BAD };

struct check {
	int fd; /* -1: none goes on */
	bool connected;
	const char *path; /* borrowed; NULL: connecting is all */
	uint64_t until_ns;
	size_t got;
	char answer[16]; /* "HTTP/1.1 200 ..." */
	char why[96]; /* CHECK_BAD: "it answered 500" */
};

/* Begins one. It has no descriptor if that failed already, and `why` says why. */
void check_begin(struct check *check, const struct df_publish *publish, const char *path,
	uint64_t timeout_ms);

/* What to poll its descriptor for. */
short check_events(const struct check *check);

/* When to step even if nothing is ready. */
uint64_t check_until_ns(const struct check *check);

/* `revents` are the descriptor's. With another result than CHECK_GOING_ON it is over. */
enum check_result check_step(struct check *check, short revents);

/* A check that only connects is good if the guest has taken a connection meanwhile. */
enum check_result check_taken(struct check *check);

/* Gives it up. */
void check_end(struct check *check);

#endif
