/* SPDX-License-Identifier: Apache-2.0 */
/* Words in the names of files and objects: what {word} stands for. See destination_private.h. */
#include "daemon/event/destination_private.h"

#include "host/attributes.h"
#include "host/cleanup.h"
#include "host/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORD_MAX 64u

size_t destination_word(const char *text)
{
	size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return length > 0 && length <= WORD_MAX && text[1 + length] == '}' ? length + 2 : 0;
}

static const char *attribute(const struct queue_event *event, const char *wanted)
{
	const char *name, *value;
	size_t at = 0;

	while (df_attributes_next(event->attributes, event->attribute_bytes, &at, &name, &value) >
		0) {
		if (strcmp(name, wanted) == 0)
			return value;
	}
	return NULL;
}

/* Without the last ending: "a/b.tar.gz" is "a/b.tar". */
static char *stem(const char *value)
{
	const char *slash = strrchr(value, '/'), *point = strrchr(value, '.');

	if (!point || point == value || (slash && point <= slash + 1))
		return strdup(value);
	return strndup(value, (size_t)(point - value));
}

/* What a word stands for. To be freed; NULL: nothing. */
static char *word_value(char *word, const struct queue_event *event)
{
	time_t seconds = (time_t)(event->put_ms / 1000);
	const char *value;
	char date[32] = "", *point;
	struct tm tm;

	if (strcmp(word, "function") == 0)
		return strdup(event->function);
	if (strcmp(word, "id") == 0)
		return strdup(event->request_id);
	if (strcmp(word, "date") == 0) {
		if (gmtime_r(&seconds, &tm))
			strftime(date, sizeof(date), "%Y-%m-%d", &tm);
		return strdup(date);
	}
	value = attribute(event, word);
	point = strrchr(word, '.');
	if (value || !point || (strcmp(point, ".stem") != 0 && strcmp(point, ".name") != 0))
		return value ? strdup(value) : NULL;
	*point = '\0';
	value = attribute(event, word);
	if (!value)
		return NULL;
	return point[1] == 's' ? stem(value) : strdup(df_base_name(value));
}

int destination_expand(struct df_str *name, const char *pattern, const struct queue_event *event,
	void (*add)(struct df_str *name, const char *value), struct df_err *err)
{
	char word[WORD_MAX + 1];

	while (*pattern) {
		size_t length = *pattern == '{' ? destination_word(pattern) : 0;
		DF_FREE char *value = NULL;

		if (length == 0) {
			df_str_add_bytes(name, pattern++, 1);
			continue;
		}
		memcpy(word, pattern + 1, length - 2);
		word[length - 2] = '\0';
		value = word_value(word, event);
		if (!value || !*value)
			return df_err_set(err, -EINVAL,
				"the event has no attribute for %.*s, which the destination's name asks for",
				(int)length, pattern);
		add(name, value);
		pattern += length;
	}
	return name->failed || !name->data ? df_err_set(err, -ENOMEM, "out of memory") : 0;
}
