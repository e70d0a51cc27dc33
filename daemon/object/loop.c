/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of functions: see loop.h. A search from the function that is to change, along destinations and subscriptions, for itself. */
#include "daemon/object/loop.h"

#include "daemon/event/async.h"
#include "daemon/object/object_trigger.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 4096 /* functions that are looked at */

struct search {
	const char *start; /* the function's name */
	bool replaced; /* it is to have these destinations: */
	const char *success, *failure;
	struct notify_list subscriptions; /* as they will be */
	char *names[STEPS_MAX]; /* that can be reached; looked at in order */
	size_t count;
	bool found;
	int error;
};

/* "NAME" of "NAME:QUALIFIER". */
static bool same_function(const char *a, const char *b)
{
	size_t length = strcspn(a, ":");

	return strcspn(b, ":") == length && strncmp(a, b, length) == 0;
}

static void reach(struct search *search, const char *function)
{
	if (same_function(function, search->start))
		search->found = true;
	for (size_t i = 0; i < search->count; i++) {
		if (same_function(search->names[i], function))
			return;
	}
	if (search->count == STEPS_MAX)
		return;
	search->names[search->count] = strndup(function, strcspn(function, ":"));
	if (search->names[search->count])
		search->count++;
	else
		search->error = -ENOMEM;
}

static bool same_start(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return strncmp(a, b, a_length < b_length ? a_length : b_length) == 0;
}

static bool same_end(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t length = a_length < b_length ? a_length : b_length;

	return strncmp(a + a_length - length, b + b_length - length, length) == 0;
}

/* Can an object destination ("BUCKET/KEY-TEMPLATE") make an object that the subscription is told about? On doubt it can. */
static bool may_fit(const char *target, const struct notify_subscription *s)
{
	size_t bucket = strcspn(target, "/");
	const char *key = target[bucket] ? target + bucket + 1 : "";
	const char *word = strchr(key, '{'), *last = strrchr(key, '}');

	if (!(s->changes & NOTIFY_CREATED) || strlen(s->bucket) != bucket ||
		strncmp(s->bucket, target, bucket) != 0)
		return false;
	if (!word || !last)
		return notify_fits(s, s->bucket, key, NOTIFY_PUT) ||
			((s->changes & NOTIFY_CREATED) && df_starts_with(key, s->prefix) &&
				df_ends_with(key, s->suffix));
	return same_start(key, (size_t)(word - key), s->prefix, strlen(s->prefix)) &&
		same_end(last + 1, strlen(last + 1), s->suffix, strlen(s->suffix));
}

static void follow(struct search *search, const char *text)
{
	struct destination destination;

	if (!text || !*text || destination_parse(text, &destination, NULL) != 0)
		return;
	if (destination.kind == DESTINATION_FUNCTION)
		reach(search, destination.value);
	if (destination.kind != DESTINATION_OBJECT)
		return;
	for (size_t i = 0; i < search->subscriptions.count; i++) {
		const struct notify_subscription *s = &search->subscriptions.items[i];

		if (may_fit(destination.value, s))
			reach(search, s->function);
	}
}

static void follow_function(struct search *search, const char *function)
{
	struct async_config config;

	if (search->replaced && same_function(function, search->start)) {
		follow(search, search->success);
		follow(search, search->failure);
		return;
	}
	async_get_config(function, NULL, &config);
	follow(search, config.on_success);
	follow(search, config.on_failure);
}

/* Takes search->subscriptions. */
static int run(struct search *search, struct df_err *err)
{
	follow_function(search, search->start);
	for (size_t i = 0; i < search->count && !search->found && !search->error; i++)
		follow_function(search, search->names[i]);
	for (size_t i = 0; i < search->count; i++)
		free(search->names[i]);
	notify_list_free(&search->subscriptions);
	if (search->error)
		return df_err_set(err, search->error, "out of memory");
	if (!search->found)
		return 0;
	return df_err_set(err, -ELOOP,
		"the results of %.*s would come back to it as events, for ever: use another bucket, prefix or suffix for them",
		(int)strcspn(search->start, ":"), search->start);
}

/* --- what there is --- */

struct collecting {
	struct notify_list *list;
	const char *without; /* a function whose triggers are left out, or NULL */
	int error;
};

static void collect(void *user, const struct notify_subscription *s)
{
	struct collecting *collecting = user;

	/* Those of triggers have no id. */
	if (collecting->without && !*s->id && strcmp(s->function, collecting->without) == 0)
		return;
	if (!collecting->error)
		collecting->error = notify_list_add(collecting->list, s);
}

static int begin(struct search *search, const char *without)
{
	struct collecting collecting = {.list = &search->subscriptions, .without = without};

	notify_each(collect, &collecting);
	return collecting.error;
}

int loop_check_function(const struct function_config *function, struct df_err *err)
{
	struct search search = {.start = function->name, .replaced = true};
	int error = begin(&search, function->name);

	search.success = function->async.on_success;
	search.failure = function->async.on_failure;
	if (error == 0)
		error = object_trigger_list(function, &search.subscriptions);
	if (error == 0)
		return run(&search, err);
	notify_list_free(&search.subscriptions);
	return df_err_set(err, error, "out of memory");
}

int loop_check_destinations(const char *function, const char *success, const char *failure,
	struct df_err *err)
{
	struct search search = {
		.start = function, .replaced = true, .success = success, .failure = failure};
	int error = begin(&search, NULL);

	if (error == 0)
		return run(&search, err);
	notify_list_free(&search.subscriptions);
	return df_err_set(err, error, "out of memory");
}

int loop_check_subscription(const struct notify_subscription *subscription, struct df_err *err)
{
	struct search search = {.start = subscription->function};
	int error = begin(&search, NULL);

	if (error == 0)
		error = notify_list_add(&search.subscriptions, subscription);
	if (error == 0)
		return run(&search, err);
	notify_list_free(&search.subscriptions);
	return df_err_set(err, error, "out of memory");
}
