/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of functions: see routes.h. */
#include "daemon/function/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 512u /* a power of two */
#define PATH_LENGTH_MAX 255 /* as manifests have them */

struct route_entry {
	LIST_ENTRY(route_entry) link;
	char name[FUNCTION_NAME_MAX + 1];
	json_t *methods; /* NULL: all */
	size_t length;
	char path[]; /* without a '/' at its end; that of "/" is empty */
};

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	LIST_HEAD(, route_entry) bucket[BUCKETS];
} routes = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t bucket_of(const char *path, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)path[i]) * 0x100000001b3ull;
	return (hash ^ hash >> 32) & (BUCKETS - 1);
}

static struct route_entry *find(const char *path, size_t length)
{
	struct route_entry *entry;

	LIST_FOREACH(entry, &routes.bucket[bucket_of(path, length)], link)
	{
		if (entry->length == length && memcmp(entry->path, path, length) == 0)
			break;
	}
	return entry;
}

/* The path of a trigger without the '/' at its end, or NULL if it has none. */
static const char *path_of(const json_t *trigger, size_t *length)
{
	const json_t *http = json_object_get(trigger, "http");
	const char *path = json_string_value(json_object_get(http, "path"));

	*length = path ? strlen(path) : 0;
	while (*length && path[*length - 1] == '/')
		--*length;
	return path;
}

int routes_check(const char *name, const json_t *triggers, struct df_err *err)
{
	const json_t *trigger;
	size_t index, length;
	int error = 0;

	pthread_mutex_lock(&routes.lock);
	json_array_foreach(triggers, index, trigger)
	{
		const char *path = path_of(trigger, &length);
		const struct route_entry *entry = path ? find(path, length) : NULL;

		if (entry && strcmp(entry->name, name) != 0) {
			error = df_err_set(err, -EEXIST,
				"the path %s belongs to the function %s already; choose another one, or remove it there",
				path, entry->name);
			break;
		}
	}
	pthread_mutex_unlock(&routes.lock);
	return error;
}

static void drop(struct route_entry *entry)
{
	LIST_REMOVE(entry, link);
	json_decref(entry->methods);
	free(entry);
}

static void drop_all(const char *name)
{
	struct route_entry *entry, *next;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (entry = LIST_FIRST(&routes.bucket[i]); entry; entry = next) {
			next = LIST_NEXT(entry, link);
			if (!name || strcmp(entry->name, name) == 0)
				drop(entry);
		}
	}
}

static int add(const char *name, const char *path, size_t length, const json_t *methods)
{
	struct route_entry *entry = find(path, length);

	if (entry)
		return 0;
	entry = calloc(1, sizeof(*entry) + length + 1);
	if (!entry)
		return -ENOMEM;
	strncpy(entry->name, name, FUNCTION_NAME_MAX);
	memcpy(entry->path, path, length);
	entry->length = length;
	entry->methods = methods ? json_deep_copy(methods) : NULL;
	LIST_INSERT_HEAD(&routes.bucket[bucket_of(path, length)], entry, link);
	return methods && !entry->methods ? -ENOMEM : 0;
}

int routes_set(const char *name, const json_t *triggers)
{
	const json_t *trigger;
	size_t index, length;
	int error = 0;

	pthread_mutex_lock(&routes.lock);
	drop_all(name);
	json_array_foreach(triggers, index, trigger)
	{
		const char *path = path_of(trigger, &length);

		if (path && !error)
			error = add(name, path, length,
				json_object_get(json_object_get(trigger, "http"), "methods"));
	}
	pthread_mutex_unlock(&routes.lock);
	return error;
}

static bool allows(const struct route_entry *entry, const char *method)
{
	const json_t *allowed;
	size_t index;

	if (!entry->methods)
		return true;
	json_array_foreach(entry->methods, index, allowed)
	{
		if (strcmp(json_string_value(allowed), method) == 0)
			return true;
	}
	return false;
}

enum route_found routes_find(const char *target, const char *method,
	char name[FUNCTION_NAME_MAX + 1], const char **rest)
{
	size_t length = strcspn(target, "?");
	enum route_found found = ROUTE_NONE;
	struct route_entry *entry;

	/* No route is longer: what stands behind need not be looked at. */
	while (length > PATH_LENGTH_MAX || (length && target[length - 1] == '/'))
		length--;
	pthread_mutex_lock(&routes.lock);
	for (;;) {
		entry = (target[length] == '/' || target[length] == '?' || !target[length])
			? find(target, length)
			: NULL;
		if (entry || !length)
			break;
		do
			length--;
		while (length && target[length] != '/');
	}
	if (entry) {
		found = allows(entry, method) ? ROUTE_FOUND : ROUTE_METHOD;
		strcpy(name, entry->name);
		*rest = target + length;
	}
	pthread_mutex_unlock(&routes.lock);
	return found;
}

void routes_init(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&routes.bucket[i]);
}

void routes_deinit(void)
{
	drop_all(NULL);
}
