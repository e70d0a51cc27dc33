/* SPDX-License-Identifier: Apache-2.0 */
/* Lines: see lines.h. */
#include "daemon/lines.h"

#include <string.h>

void lines_begin(struct lines *lines, void (*put)(void *context, char *line, size_t length),
	void *context)
{
	lines->put = put;
	lines->context = context;
	lines->length = 0;
}

static void put(struct lines *lines)
{
	size_t length = lines->length;

	if (length && lines->text[length - 1] == '\r')
		length--;
	lines->text[length] = '\0';
	lines->length = 0;
	lines->put(lines->context, lines->text, length);
}

void lines_add(struct lines *lines, const char *bytes, size_t count)
{
	while (count) {
		const char *end = memchr(bytes, '\n', count);
		size_t part = end ? (size_t)(end - bytes) : count;
		size_t room = LINES_MAX_BYTES - lines->length;

		if (part > room) {
			part = room;
			end = NULL;
		}
		memcpy(lines->text + lines->length, bytes, part);
		lines->length += part;
		/* A full one is not put before it is known that more follows. */
		if (end || (part == room && part < count && bytes[part] != '\n'))
			put(lines);
		bytes += part + (end != NULL);
		count -= part + (end != NULL);
	}
}

void lines_end(struct lines *lines)
{
	if (lines->length)
		put(lines);
}
