/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of what a program writes, however its bytes come. */
#ifndef DAEMON_LINES_H
#define DAEMON_LINES_H

#include <stddef.h>

#define LINES_MAX_BYTES 4096u /* of a line; one that is longer becomes several */

struct lines {
	/* Gets each line without its end, terminated; it may change it. */
	void (*put)(void *context, char *line, size_t length);
	void *context;
	size_t length;
	char text[LINES_MAX_BYTES + 1]; /* a line that has no end yet */
};

void lines_begin(struct lines *lines, void (*put)(void *context, char *line, size_t length),
	void *context);
void lines_add(struct lines *lines, const char *bytes, size_t count);

/* There is no more: what is left is a line. */
void lines_end(struct lines *lines);

#endif
