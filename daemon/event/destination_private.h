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

/* Posts the event's body to `url`. */
enum destination_result destination_post(const struct destination_settings *settings,
	const char *url, const struct queue_event *event, unsigned int *status, struct df_err *err);

/* Is it a URL that a webhook may have: http or https, with a host, without user and password? */
bool destination_url_ok(const char *url);

#endif
