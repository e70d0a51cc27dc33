/* SPDX-License-Identifier: Apache-2.0 */
/* The trigger object: see object_trigger.h. */
#include "daemon/object/object_trigger.h"

#include "daemon/object/loop.h"
#include "daemon/object/store.h"

#include <errno.h>
#include <string.h>

static unsigned int changes_of(const json_t *settings)
{
	const json_t *list = json_object_get(settings, "events"), *item;
	unsigned int changes = list ? 0 : NOTIFY_CREATED;
	size_t index;

	json_array_foreach((json_t *)list, index, item)
	{
		const char *word = json_string_value(item);

		if (word && strcmp(word, "created") == 0)
			changes |= NOTIFY_CREATED;
		else if (word && strcmp(word, "removed") == 0)
			changes |= NOTIFY_REMOVED;
		else
			return 0;
	}
	return changes;
}

static bool wants_body(const json_t *settings)
{
	const char *body = trigger_text(settings, "body", "event");

	return body && strcmp(body, "object") == 0;
}

static int check(const json_t *settings, struct df_err *err)
{
	static const char *const known[] = {"bucket", "events", "prefix", "suffix", "body", NULL};
	const char *bucket = trigger_text(settings, "bucket", NULL);
	const char *prefix = trigger_text(settings, "prefix", "");
	const char *suffix = trigger_text(settings, "suffix", "");
	const char *body = trigger_text(settings, "body", "event");
	int error = trigger_check_keys(settings, "object", known, err);

	if (error)
		return error;
	if (!bucket || !objects_bucket_ok(bucket))
		return df_err_set(err, -EINVAL,
			"object.bucket must be the name of a bucket: 3 to 63 of a-z, 0-9, points and dashes");
	if (!prefix || !suffix || strlen(prefix) > OBJECTS_KEY_MAX ||
		strlen(suffix) > OBJECTS_KEY_MAX)
		return df_err_set(err, -EINVAL,
			"object.prefix and object.suffix must be texts of at most %d bytes",
			OBJECTS_KEY_MAX);
	if (!changes_of(settings))
		return df_err_set(err, -EINVAL,
			"object.events must be a list of created and removed");
	if (!body || (strcmp(body, "event") != 0 && strcmp(body, "object") != 0))
		return df_err_set(err, -EINVAL, "object.body must be event or object");
	return 0;
}

static int prepare(const struct function_config *function, const json_t *settings,
	struct df_err *err)
{
	(void)settings;
	if (!store_is_there())
		return df_err_set(err, -ENOTSUP,
			"this dayflyd runs without an object store (objects.listen is none), so there are no object triggers");
	return loop_check_function(function, err);
}

static void identify(const json_t *settings, struct df_str *text)
{
	df_str_addf(text, "%s/%s*%s %x %s", trigger_text(settings, "bucket", ""),
		trigger_text(settings, "prefix", ""), trigger_text(settings, "suffix", ""),
		changes_of(settings), wants_body(settings) ? "object" : "event");
}

static int add(const char *function, const json_t *settings, struct notify_list *list)
{
	const struct notify_subscription s = {
		.bucket = (char *)trigger_text(settings, "bucket", ""),
		.function = (char *)function,
		.id = (char *)"",
		.prefix = (char *)trigger_text(settings, "prefix", ""),
		.suffix = (char *)trigger_text(settings, "suffix", ""),
		.changes = changes_of(settings),
		.body = wants_body(settings),
	};

	return notify_list_add(list, &s);
}

int object_trigger_list(const struct function_config *function, struct notify_list *list)
{
	size_t index;
	json_t *item;
	int error = 0;

	json_array_foreach(function->triggers, index, item)
	{
		const json_t *settings = json_object_get(item, object_kind.name);

		if (settings && !error)
			error = add(function->name, settings, list);
	}
	return error;
}

/* A trigger is one subscription of its function's. */
static int start(struct trigger *trigger, struct df_err *err)
{
	struct notify_list list = {0};
	int error = add(trigger->function, trigger->settings, &list);

	if (error)
		return df_err_set(err, error, "out of memory");
	error = notify_subscribe(trigger, &list.items[0], err);
	notify_list_free(&list);
	return error;
}

static void stop(struct trigger *trigger)
{
	notify_unsubscribe(trigger);
}

const struct trigger_kind object_kind = {
	.name = "object",
	.standing = true,
	.check = check,
	.prepare = prepare,
	.identify = identify,
	.start = start,
	.stop = stop,
};
