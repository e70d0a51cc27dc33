/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of destination.h share. */
#ifndef DAEMON_DESTINATION_PRIVATE_H
#define DAEMON_DESTINATION_PRIVATE_H

#include "daemon/event/destination.h"

/* Is this a file name with {words}, relative or absolute, without empty, hidden, "." and ".." parts? */
bool destination_file_ok(const char *name);

/* Writes the event's body as the file that `name` makes of it. */
enum destination_result destination_write_file(const struct destination_settings *settings,
	const char *name, const struct queue_event *event, struct df_err *err);

/* The same for an object, "BUCKET/KEY". */
bool destination_object_ok(const char *name);
enum destination_result destination_put_object(const struct destination_settings *settings,
	const char *name, const struct queue_event *event, struct df_err *err);

/* The length of the {word} that `text` begins with, 0 if it is none. */
size_t destination_word(const char *text);

/*
 * Appends the pattern with its words replaced, each value by `add`. Returns 0, -EINVAL (the event has nothing for a word) or -ENOMEM with *err
 * set.
 */
int destination_expand(struct df_str *name, const char *pattern, const struct queue_event *event,
	void (*add)(struct df_str *name, const char *value), struct df_err *err)
	__attribute__((warn_unused_result));

/* Posts the event's body to `url`. */
enum destination_result destination_post(const struct destination_settings *settings,
	const char *url, const struct queue_event *event, unsigned int *status, struct df_err *err);

/* Is it a URL that a webhook may have: http or https, with a host, without user and password? */
bool destination_url_ok(const char *url);

#endif
