/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates of notify: text with places for what an event says.
 *
 *	{{NAME}}        as text
 *	{{json NAME}}   as a value of JSON: text in quotes, with what must be escaped escaped
 *
 * NAME is an attribute (subject, http.header.user-agent), `body`, or a field of a body that is JSON: body.Records.0.s3.object.key. What
 * an event does not have is empty, as JSON null, and noted in its log.
 *
 * A template is taken apart before the wait point. One thread.
 */
#ifndef FUNCTIONS_NOTIFY_TEMPLATE_H
#define FUNCTIONS_NOTIFY_TEMPLATE_H

#include "functions/common/answer.h"

#include <stdbool.h>
#include <stddef.h>

#define PARTS_MAX 256
#define NAME_MAX_BYTES 256

struct part {
	enum part_kind { PART_TEXT, PART_ATTRIBUTE, PART_BODY, PART_FIELD } kind;
	bool json;
	const char *text; /* TEXT: points into the template */
	size_t bytes;
	char *name; /* others; of a FIELD, what stands behind "body." */
};

struct message_template {
	struct part parts[PARTS_MAX];
	size_t count;
};

/* Takes `text` apart, which must stay. Returns 0, or -1 with *failure set (400). */
int template_parse(struct message_template *t, const char *text, struct failure *failure)
	__attribute__((warn_unused_result));

/*
 * Writes the message at `to`, up to `max` bytes. Returns 0 with *bytes set, or -1 with *failure set (413: it is larger). `missing` is
 * called with the name of each part that the event does not have; NULL: nobody asks.
 */
int template_fill(const struct message_template *t, const struct df_event_view *event, char *to,
	size_t max, size_t *bytes, void (*missing)(const char *name), struct failure *failure)
	__attribute__((warn_unused_result));

#endif
