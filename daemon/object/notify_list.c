/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions: names of changes, lists, and their text in the store (JSON). See notify.h. */
#include "daemon/object/notify.h"

#include "host/array.h"
#include "host/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[NOTIFY_CHANGES] = {
	[NOTIFY_PUT] = "ObjectCreated:Put",
	[NOTIFY_POST] = "ObjectCreated:Post",
	[NOTIFY_COPY] = "ObjectCreated:Copy",
	[NOTIFY_COMPLETE] = "ObjectCreated:CompleteMultipartUpload",
	[NOTIFY_DELETE] = "ObjectRemoved:Delete",
};

const char *notify_name(enum notify_change change)
{
	return names[change];
}

unsigned int notify_changes(const char *name)
{
	if (strncmp(name, "s3:", 3) == 0)
		name += 3;
	if (strcmp(name, "ObjectCreated:*") == 0)
		return NOTIFY_CREATED;
	if (strcmp(name, "ObjectRemoved:*") == 0)
		return NOTIFY_REMOVED;
	for (unsigned int i = 0; i < NOTIFY_CHANGES; i++) {
		if (strcmp(name, names[i]) == 0)
			return 1u << i;
	}
	return 0;
}

bool notify_fits(const struct notify_subscription *s, const char *bucket, const char *key,
	enum notify_change change)
{
	return s->changes >> change & 1 && strcmp(s->bucket, bucket) == 0 &&
		df_starts_with(key, s->prefix) && df_ends_with(key, s->suffix);
}

static void free_subscription(struct notify_subscription *s)
{
	free(s->bucket);
	free(s->function);
	free(s->id);
	free(s->prefix);
	free(s->suffix);
}

void notify_list_free(struct notify_list *list)
{
	while (list->count > 0)
		free_subscription(&list->items[--list->count]);
	free(list->items);
	*list = (struct notify_list){0};
}

void notify_list_remove(struct notify_list *list, size_t at)
{
	free_subscription(&list->items[at]);
	list->count--;
	memmove(&list->items[at], &list->items[at + 1],
		(list->count - at) * sizeof(list->items[0]));
}

int notify_list_add(struct notify_list *list, const struct notify_subscription *s)
{
	struct notify_subscription copy = *s;

	if (df_array_reserve(&list->items, &list->capacity, list->count + 1,
		    sizeof(list->items[0])) < 0)
		return -ENOMEM;
	copy.bucket = strdup(s->bucket);
	copy.function = strdup(s->function);
	copy.id = strdup(s->id);
	copy.prefix = strdup(s->prefix);
	copy.suffix = strdup(s->suffix);
	if (!copy.bucket || !copy.function || !copy.id || !copy.prefix || !copy.suffix) {
		free_subscription(&copy);
		return -ENOMEM;
	}
	list->items[list->count++] = copy;
	return 0;
}

/* --- as text: [{"id", "function", "changes", "prefix", "suffix"}, ...] --- */

char *notify_write(const struct notify_list *list)
{
	json_t *array = json_array();
	char *text;

	for (size_t i = 0; i < list->count; i++) {
		const struct notify_subscription *s = &list->items[i];

		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:i, s:s, s:s}", "id", s->id, "function", s->function,
				"changes", (int)s->changes, "prefix", s->prefix, "suffix",
				s->suffix));
	}
	text = json_array_size(array) == list->count ? json_dumps(array, JSON_COMPACT) : NULL;
	json_decref(array);
	return text;
}

int notify_read(const char *bucket, const char *text, struct notify_list *list)
{
	json_t *array = json_loads(text, 0, NULL), *item;
	int error = json_is_array(array) ? 0 : -EINVAL;
	size_t index;

	json_array_foreach(array, index, item)
	{
		struct notify_subscription s = {.bucket = (char *)bucket};
		int changes = 0;

		if (error == 0 &&
			json_unpack(item, "{s:s, s:s, s:i, s:s, s:s}", "id", &s.id, "function",
				&s.function, "changes", &changes, "prefix", &s.prefix, "suffix",
				&s.suffix))
			error = -EINVAL;
		s.changes = (unsigned int)changes;
		if (error == 0)
			error = notify_list_add(list, &s);
	}
	json_decref(array);
	return error;
}
