/* SPDX-License-Identifier: Apache-2.0 */
/* Functions and their registry: see function.h. */
#include "daemon/function/function.h"

#include "daemon/dispatch/dispatch.h"
#include "daemon/function/routes.h"
#include "daemon/log.h"
#include "daemon/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define REGISTRY_BUCKETS 4096u /* a power of two */

struct alias_entry {
	LIST_ENTRY(alias_entry) link;
	struct alias alias;
};

/* A name and all that is deployed under it; sorted by version, $LATEST first. */
struct name {
	LIST_ENTRY(name) link;
	char text[FUNCTION_NAME_MAX + 1];
	struct function **versions;
	size_t count;
	LIST_HEAD(, alias_entry) aliases;
};

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	LIST_HEAD(, name) bucket[REGISTRY_BUCKETS];
	size_t functions;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *function_state_text(enum function_state state)
{
	switch (state) {
	case FUNCTION_PENDING:
		return "Pending";
	case FUNCTION_ACTIVE:
		return "Active";
	default:
		return "Failed";
	}
}

struct function *function_new(struct function_config *config, struct tally *tally)
{
	struct function *function = calloc(1, sizeof(*function));

	if (!function) {
		function_config_free(config);
		return NULL;
	}
	function->config = config;
	function->tally = tally_ref(tally);
	function->references = 1;
	strcpy(function->version, FUNCTION_LATEST);
	pthread_mutex_init(&function->lock, NULL);
	LIST_INIT(&function->processes);
	TAILQ_INIT(&function->idle);
	TAILQ_INIT(&function->waiters);
	return function;
}

struct function *function_ref(struct function *function)
{
	__atomic_add_fetch(&function->references, 1, __ATOMIC_RELAXED);
	return function;
}

void function_unref(struct function *function)
{
	if (!function || __atomic_sub_fetch(&function->references, 1, __ATOMIC_ACQ_REL))
		return;
	if (function->owns_files && function->snapshot_path)
		unlink(function->snapshot_path);
	if (function->owns_files && function->root_path)
		unlink(function->root_path);
	free(function->snapshot_path);
	free(function->root_path);
	free(function->reason);
	tally_unref(function->tally);
	function_config_free(function->config);
	pthread_mutex_destroy(&function->lock);
	free(function);
}

/* --- the registry: static functions with its lock held --- */

static size_t bucket_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return (hash ^ hash >> 32) & (REGISTRY_BUCKETS - 1);
}

static struct name *find_name(const char *text)
{
	struct name *name;

	LIST_FOREACH(name, &registry.bucket[bucket_of(text)], link)
	{
		if (strcmp(name->text, text) == 0)
			break;
	}
	return name;
}

static unsigned long version_number(const char *version)
{
	return *version == '$' ? 0 : strtoul(version, NULL, 10);
}

static struct function **find_version(const struct name *name, const char *version)
{
	for (size_t i = 0; i < name->count; i++) {
		if (strcmp(name->versions[i]->version, version) == 0)
			return &name->versions[i];
	}
	return NULL;
}

static struct alias_entry *find_alias(const struct name *name, const char *alias)
{
	struct alias_entry *entry;

	LIST_FOREACH(entry, &name->aliases, link)
	{
		if (strcmp(entry->alias.name, alias) == 0)
			break;
	}
	return entry;
}

/* The version that this call of the alias goes to. */
static const char *roll(const struct alias *alias)
{
	uint32_t random;

	if (!*alias->second || getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		return alias->version;
	return random < alias->weight * 4294967296.0 ? alias->second : alias->version;
}

struct function *registry_find(const char *text, const char *qualifier)
{
	struct function **found = NULL;
	struct function *function;
	struct name *name;

	pthread_mutex_lock(&registry.lock);
	name = find_name(text);
	if (name)
		found = find_version(name, qualifier ? qualifier : FUNCTION_LATEST);
	if (name && !found && qualifier) {
		const struct alias_entry *entry = find_alias(name, qualifier);

		found = entry ? find_version(name, roll(&entry->alias)) : NULL;
	}
	function = found ? function_ref(*found) : NULL;
	pthread_mutex_unlock(&registry.lock);
	return function;
}

static struct name *make_name(const char *text)
{
	struct name *name = find_name(text);

	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	strncpy(name->text, text, FUNCTION_NAME_MAX);
	LIST_INIT(&name->aliases);
	LIST_INSERT_HEAD(&registry.bucket[bucket_of(text)], name, link);
	return name;
}

static void drop_alias(struct alias_entry *entry)
{
	LIST_REMOVE(entry, link);
	free(entry->alias.description);
	free(entry);
}

/* A name without versions is none. */
static void drop_if_empty(struct name *name)
{
	struct alias_entry *entry;

	if (name->count)
		return;
	while ((entry = LIST_FIRST(&name->aliases)))
		drop_alias(entry);
	LIST_REMOVE(name, link);
	free(name->versions);
	free(name);
}

static int insert(struct name *name, struct function *function)
{
	size_t at = 0;
	struct function **grown =
		reallocarray(name->versions, name->count + 1, sizeof(*name->versions));

	if (!grown)
		return -ENOMEM;
	name->versions = grown;
	while (at < name->count &&
		version_number(grown[at]->version) < version_number(function->version))
		at++;
	memmove(&grown[at + 1], &grown[at], (name->count - at) * sizeof(*grown));
	grown[at] = function;
	name->count++;
	registry.functions++;
	return 0;
}

/* It is in the registry no more. Not with the registry's lock. */
static void let_go(struct function *function)
{
	__atomic_store_n(&function->owns_files, true, __ATOMIC_RELEASE);
	dispatch_retire(function);
	function_unref(function);
}

int registry_put(struct function *function)
{
	struct function *old = NULL, **place;
	struct name *name;
	int error = 0;

	pthread_mutex_lock(&registry.lock);
	name = make_name(function->config->name);
	place = name ? find_version(name, function->version) : NULL;
	if (place) {
		old = *place;
		*place = function_ref(function);
	} else if (name) {
		error = insert(name, function);
		if (!error)
			function_ref(function);
		drop_if_empty(name);
	} else {
		error = -ENOMEM;
	}
	if (!error && strcmp(function->version, FUNCTION_LATEST) == 0) {
		error = routes_set(function->config->name, function->config->triggers);
		log_limit(function->tally->log, function->config->log_max,
			function->config->log_age_ms);
	}
	pthread_mutex_unlock(&registry.lock);
	if (old)
		let_go(old);
	return error;
}

bool registry_remove(const char *text, const char *version)
{
	struct function **gone = NULL;
	size_t count = 0;
	struct name *name;

	pthread_mutex_lock(&registry.lock);
	name = find_name(text);
	if (name)
		gone = calloc(name->count, sizeof(*gone));
	for (size_t i = 0; gone && i < name->count;) {
		if (version && strcmp(name->versions[i]->version, version) != 0) {
			i++;
			continue;
		}
		gone[count++] = name->versions[i];
		memmove(&name->versions[i], &name->versions[i + 1],
			(--name->count - i) * sizeof(*name->versions));
		registry.functions--;
	}
	if (name)
		drop_if_empty(name);
	if (count && (!version || strcmp(version, FUNCTION_LATEST) == 0))
		(void)!routes_set(text, NULL);
	pthread_mutex_unlock(&registry.lock);
	for (size_t i = 0; i < count; i++)
		let_go(gone[i]);
	free(gone);
	return count > 0;
}

/* --- aliases --- */

static int copy_alias(struct alias_entry *entry, const struct alias *alias)
{
	char *description = alias->description ? strdup(alias->description) : NULL;

	if (alias->description && !description)
		return -ENOMEM;
	free(entry->alias.description);
	entry->alias = *alias;
	entry->alias.description = description;
	return 0;
}

static int put_alias(struct name *name, const struct alias *alias)
{
	struct alias_entry *entry = find_alias(name, alias->name);
	bool made = entry == NULL;
	int error;

	if (!find_version(name, alias->version) ||
		(*alias->second && !find_version(name, alias->second)))
		return -ENOENT;
	if (made)
		entry = calloc(1, sizeof(*entry));
	error = entry ? copy_alias(entry, alias) : -ENOMEM;
	if (made && !error)
		LIST_INSERT_HEAD(&name->aliases, entry, link);
	else if (made)
		free(entry);
	return error;
}

int registry_put_alias(const char *text, const struct alias *alias)
{
	struct name *name;
	int error;

	pthread_mutex_lock(&registry.lock);
	name = find_name(text);
	error = name ? put_alias(name, alias) : -ENOENT;
	pthread_mutex_unlock(&registry.lock);
	return error;
}

bool registry_remove_alias(const char *text, const char *alias)
{
	struct alias_entry *entry = NULL;
	struct name *name;

	pthread_mutex_lock(&registry.lock);
	name = find_name(text);
	if (name)
		entry = find_alias(name, alias);
	if (entry)
		drop_alias(entry);
	pthread_mutex_unlock(&registry.lock);
	return entry != NULL;
}

void registry_each_alias(const char *text, void (*each)(void *into, const struct alias *alias),
	void *into)
{
	const struct alias_entry *entry;
	const struct name *name;

	pthread_mutex_lock(&registry.lock);
	name = find_name(text);
	if (name) {
		LIST_FOREACH(entry, &name->aliases, link)
		each(into, &entry->alias);
	}
	pthread_mutex_unlock(&registry.lock);
}

/* --- all of them --- */

static int by_name(const void *a, const void *b)
{
	const struct function *x = *(struct function *const *)a, *y = *(struct function *const *)b;
	unsigned long i, j;
	int order = strcmp(x->config->name, y->config->name);

	if (order)
		return order;
	i = version_number(x->version);
	j = version_number(y->version);
	return i < j ? -1 : i > j;
}

struct function **registry_list(const char *text)
{
	struct function **list;
	size_t count = 0;

	pthread_mutex_lock(&registry.lock);
	list = calloc(registry.functions + 1, sizeof(*list));
	for (size_t i = 0; list && i < REGISTRY_BUCKETS; i++) {
		const struct name *name;

		LIST_FOREACH(name, &registry.bucket[i], link)
		{
			if (text && strcmp(name->text, text) != 0)
				continue;
			for (size_t j = 0; j < name->count; j++)
				list[count++] = function_ref(name->versions[j]);
		}
	}
	pthread_mutex_unlock(&registry.lock);
	if (list)
		qsort(list, count, sizeof(*list), by_name);
	return list;
}

void registry_list_free(struct function **list)
{
	for (size_t i = 0; list && list[i]; i++)
		function_unref(list[i]);
	free(list);
}

void registry_init(void)
{
	routes_init();
	for (size_t i = 0; i < REGISTRY_BUCKETS; i++)
		LIST_INIT(&registry.bucket[i]);
}

void registry_deinit(void)
{
	for (size_t i = 0; i < REGISTRY_BUCKETS; i++) {
		struct name *name;

		while ((name = LIST_FIRST(&registry.bucket[i]))) {
			while (name->count)
				function_unref(name->versions[--name->count]);
			drop_if_empty(name);
		}
	}
	registry.functions = 0;
	routes_deinit();
}
