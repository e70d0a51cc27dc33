/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of what a program writes, into its log. */
#ifndef DAEMON_SERVICE_LINES_H
#define DAEMON_SERVICE_LINES_H

#include "daemon/log.h"

struct lines {
	struct log *log; /* borrowed */
	const char *name, *stream; /* of the service; "stdout" or "stderr" */
	size_t length;
	char text
		[LOG_EVENT_MAX]; /* a line that has no end yet; one that is longer becomes several */
};

void lines_begin(struct lines *lines, struct log *log, const char *name, const char *stream);
void lines_add(struct lines *lines, const char *bytes, size_t count);

/* There is no more: what is left is a line. */
void lines_end(struct lines *lines);

#endif
