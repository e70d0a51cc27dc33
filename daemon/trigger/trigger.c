/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers: see trigger.h. */
#include "daemon/trigger/trigger.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/metrics.h"
#include "daemon/object/object_trigger.h"
#include "daemon/trigger/directory.h"
#include "daemon/trigger/route.h"
#include "daemon/trigger/ticker.h"
#include "host/attributes.h"
#include "host/cleanup.h"
#include "host/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* All kinds that there are. */
static const struct trigger_kind *const kinds[] = {
	&route_kind, &ticker_kind, &directory_kind, &object_kind};
/* Words of a manifest that are no kind yet. */
static const char *const later[] = {"queue"};

LIST_HEAD(trigger_list, trigger);

static struct {
	pthread_mutex_t changing; /* triggers_apply, one at a time; taken before `lock` */
	pthread_mutex_t lock;
	/* protected by lock: */
	struct trigger_list all;
	bool running;
} triggers = {.changing = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER};

/* --- descriptions --- */

static const struct trigger_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	return NULL;
}

static void say_unknown(const char *name, struct df_err *err)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(later[i], name) == 0) {
			(void)df_err_set(err, -ENOTSUP,
				"the trigger %s is not there yet; leave it out", name);
			return;
		}
	}
	(void)df_err_set(err, -EINVAL, "%.64s is no kind of trigger", name);
}

/* A trigger is an object with one member: its kind, and what belongs to it. NULL with *err set. */
static const struct trigger_kind *take_apart(const json_t *item, const json_t **settings,
	struct df_err *err)
{
	void *member = json_object_iter((json_t *)item);
	const struct trigger_kind *kind;

	if (json_object_size(item) != 1 || !json_is_object(json_object_iter_value(member))) {
		(void)df_err_set(err, -EINVAL,
			"a trigger must be an object with one key, its kind, and that must be an object");
		return NULL;
	}
	kind = find_kind(json_object_iter_key(member));
	if (kind)
		*settings = json_object_iter_value(member);
	else
		say_unknown(json_object_iter_key(member), err);
	return kind;
}

static char *owner_of(const char *function, const struct trigger_kind *kind, const json_t *settings)
{
	struct df_str text = DF_STR_EMPTY;

	df_str_addf(&text, "%s/%s/", function, kind->name);
	kind->identify(settings, &text);
	return df_str_take(&text);
}

/* Two that look at the same thing would share what they remember. */
static int check_twice(const json_t *list, size_t index, struct df_err *err)
{
	const json_t *settings = NULL;
	const struct trigger_kind *kind = take_apart(json_array_get(list, index), &settings, err);
	DF_FREE char *owner = owner_of("", kind, settings);

	for (size_t i = 0; i < index; i++) {
		const struct trigger_kind *other =
			take_apart(json_array_get(list, i), &settings, err);
		DF_FREE char *before = owner_of("", other, settings);

		if (!owner || !before)
			return df_err_set(err, -ENOMEM, "out of memory");
		if (strcmp(owner, before) == 0)
			return df_err_set(err, -EINVAL,
				"triggers %zu and %zu are the same: %s; leave one out", i + 1,
				index + 1, owner + 1);
	}
	return 0;
}

int triggers_check(const json_t *list, struct df_err *err)
{
	size_t index;
	json_t *item;

	if (!json_is_array(list) || json_array_size(list) > TRIGGERS_MAX)
		return df_err_set(err, -EINVAL, "triggers must be a list of at most %u triggers",
			TRIGGERS_MAX);
	json_array_foreach((json_t *)list, index, item)
	{
		struct df_err why = {0};
		const json_t *settings = NULL;
		const struct trigger_kind *kind = take_apart(item, &settings, &why);
		int error = kind ? kind->check(settings, &why) : why.code;

		if (!error)
			error = check_twice(list, index, &why);
		if (error)
			return df_err_set(err, error, "%s", why.text);
	}
	return 0;
}

int triggers_prepare(const struct function_config *function, struct df_err *err)
{
	size_t index;
	json_t *item;

	json_array_foreach(function->triggers, index, item)
	{
		const json_t *settings = NULL;
		const struct trigger_kind *kind = take_apart(item, &settings, err);
		int error = kind ? kind->prepare(function, settings, err) : -EINVAL;

		if (error)
			return error;
	}
	return 0;
}

int trigger_check_keys(const json_t *settings, const char *kind, const char *const *known,
	struct df_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)settings, key, value)
	{
		const char *const *at = known;

		while (*at && strcmp(*at, key) != 0)
			at++;
		if (!*at)
			return df_err_set(err, -EINVAL, "%.64s is no key of a trigger %s", key,
				kind);
	}
	return 0;
}

const char *trigger_text(const json_t *settings, const char *key, const char *otherwise)
{
	const json_t *value = json_object_get(settings, key);

	if (!value)
		return otherwise;
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return NULL;
	return json_string_value(value);
}

/* --- one trigger --- */

static void trigger_free(struct trigger *t)
{
	if (!t)
		return;
	free(t->function);
	free(t->owner);
	json_decref(t->settings);
	tally_unref(t->tally);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct trigger *trigger_new(const struct function *function, const struct trigger_kind *kind,
	const json_t *settings)
{
	struct trigger *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->kind = kind;
	t->function = strdup(function->config->name);
	t->owner = owner_of(function->config->name, kind, settings);
	t->settings = json_deep_copy(settings);
	t->body_max = function->config->body_max;
	t->resumed = !triggers.running;
	t->tally = tally_ref(function->tally);
	if (t->function && t->owner && t->settings)
		return t;
	trigger_free(t);
	return NULL;
}

static void tell(struct trigger *t, enum log_level level, const char *text)
{
	DF_FREE char *message = df_format("trigger %s: %s", t->kind->name, text);
	const struct log_event event = {
		.function = t->function,
		.version = FUNCTION_LATEST,
		.request_id = "",
		.level = level,
		.message = message ? message : text,
	};

	log_event(t->tally->log, &event);
}

void trigger_problem(struct trigger *t, const char *text)
{
	bool changed;

	pthread_mutex_lock(&t->lock);
	changed = strncmp(t->problem, text ? text : "", sizeof(t->problem) - 1) != 0;
	snprintf(t->problem, sizeof(t->problem), "%s", text ? text : "");
	pthread_mutex_unlock(&t->lock);
	if (changed)
		tell(t, text ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, text ? text : "works again");
}

void trigger_refuse(struct trigger *t, const char *text)
{
	__atomic_add_fetch(&t->refused, 1, __ATOMIC_RELAXED);
	tell(t, LOG_LEVEL_ERROR, text);
}

/* --- events --- */

static void identify(const struct trigger *t, const char *identity, char id[DF_HASH_HEX_BYTES])
{
	struct df_hash hash = df_hash_start();

	hash = df_hash_add(hash, t->owner, strlen(t->owner) + 1);
	hash = df_hash_add(hash, identity, strlen(identity));
	df_hash_hex(hash, id);
}

static int add_attributes(const struct trigger *t, const struct trigger_event *event,
	const char *id, struct df_str *attributes)
{
	char source[FUNCTION_NAME_MAX + 64], time[CLOCK_TEXT_BYTES];
	int error = 0;

	snprintf(source, sizeof(source), "/triggers/%s/%s", t->function, t->kind->name);
	error |= df_attributes_add(attributes, "id", id);
	error |= df_attributes_add(attributes, "source", source);
	error |= df_attributes_add(attributes, "type", event->type);
	if (event->subject)
		error |= df_attributes_add(attributes, "subject", event->subject);
	error |= df_attributes_add(attributes, "time", clock_text(event->time_ms, time));
	error |= df_attributes_add(attributes, "datacontenttype", event->content_type);
	for (const char *const *more = event->more; more && *more; more += 2)
		error |= df_attributes_add(attributes, more[0], more[1]);
	return error ? -EINVAL : attributes->failed ? -ENOMEM : 0;
}

int trigger_put(struct trigger *t, const struct trigger_event *event, struct df_err *err)
{
	const struct queue_mark mark = {t->owner, event->key, event->value};
	DF_STR struct df_str attributes = DF_STR_EMPTY;
	char id[DF_HASH_HEX_BYTES];
	struct call call = {.request_id = id,
		.body = event->body,
		.body_fd = -1,
		.body_bytes = event->body_bytes};
	int error;

	identify(t, event->identity, id);
	error = add_attributes(t, event, id, &attributes);
	if (error)
		return df_err_set(err, error, "the event's attributes: %s", df_errno_text(error));
	call.attributes = attributes.data;
	call.attribute_bytes = attributes.length;
	error = async_put_marked(t->function, &call, &mark, err);
	if (error)
		return error;
	__atomic_add_fetch(&t->events, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&t->last_ms, clock_wall_ms(), __ATOMIC_RELAXED);
	return 0;
}

/* --- all of them --- */

/* Takes the triggers of a name (NULL: of all) off the list. With `changing`. */
static void take_all(const char *name, struct trigger_list *taken)
{
	struct trigger *t, *next;

	pthread_mutex_lock(&triggers.lock);
	for (t = LIST_FIRST(&triggers.all); t; t = next) {
		next = LIST_NEXT(t, link);
		if (name && strcmp(t->function, name) != 0)
			continue;
		LIST_REMOVE(t, link);
		LIST_INSERT_HEAD(taken, t, link);
	}
	pthread_mutex_unlock(&triggers.lock);
}

/* Stops those that were taken, standing ones too or not. */
static void stop_taken(struct trigger_list *taken, bool standing)
{
	struct trigger *t, *next;

	for (t = LIST_FIRST(taken); t; t = next) {
		next = LIST_NEXT(t, link);
		if (t->kind->standing && !standing)
			continue;
		LIST_REMOVE(t, link);
		t->kind->stop(t);
		trigger_free(t);
	}
}

static void start_one(const struct function *function, const json_t *item)
{
	struct df_err err = {0};
	const json_t *settings = NULL;
	const struct trigger_kind *kind = take_apart(item, &settings, &err);
	struct trigger *t = kind ? trigger_new(function, kind, settings) : NULL;

	if (!t || kind->start(t, &err)) {
		log_line(LOG_LEVEL_ERROR, "a trigger of %s cannot be started: %s",
			function->config->name, err.code ? err.text : "out of memory");
		trigger_free(t);
		return;
	}
	pthread_mutex_lock(&triggers.lock);
	LIST_INSERT_HEAD(&triggers.all, t, link);
	pthread_mutex_unlock(&triggers.lock);
}

/* Owners of marks that are none of the function's triggers. */
struct orphans {
	const struct function *function; /* NULL: all are orphans */
	json_t *owners;
};

static bool has_owner(const struct function *function, const char *owner)
{
	size_t index;
	json_t *item;

	if (!function)
		return false;
	json_array_foreach(function->config->triggers, index, item)
	{
		const json_t *settings = NULL;
		const struct trigger_kind *kind = take_apart(item, &settings, NULL);
		DF_FREE char *own = kind ? owner_of(function->config->name, kind, settings) : NULL;

		/* Without memory nothing is forgotten. */
		if (!own || strcmp(own, owner) == 0)
			return true;
	}
	return false;
}

static int note_orphan(void *user, const struct queue_mark *mark)
{
	struct orphans *orphans = user;
	const json_t *last = json_array_get(orphans->owners, json_array_size(orphans->owners) - 1);

	if (last && strcmp(json_string_value(last), mark->owner) == 0)
		return 0;
	if (!has_owner(orphans->function, mark->owner))
		(void)json_array_append_new(orphans->owners, json_string(mark->owner));
	return 0;
}

static void forget_orphans(const char *name, const struct function *function)
{
	struct orphans orphans = {function, json_array()};
	DF_FREE char *prefix = df_format("%s/", name);
	size_t index;
	json_t *owner;

	if (!prefix || queue_each_mark(async_queue(), prefix, note_orphan, &orphans))
		log_line(LOG_LEVEL_WARNING, "what triggers of %s remember cannot be read", name);
	json_array_foreach(orphans.owners, index, owner)
	{
		if (queue_forget(async_queue(), json_string_value(owner)))
			log_line(LOG_LEVEL_WARNING, "what %s remembers cannot be removed",
				json_string_value(owner));
	}
	json_decref(orphans.owners);
}

static void start_all(const struct function *function)
{
	size_t index;
	json_t *item;

	if (function->state != FUNCTION_ACTIVE)
		return;
	json_array_foreach(function->config->triggers, index, item) start_one(function, item);
}

void triggers_apply(const char *name, const struct function *function)
{
	struct trigger_list old = LIST_HEAD_INITIALIZER(old);

	pthread_mutex_lock(&triggers.changing);
	if (triggers.running) {
		take_all(name, &old);
		stop_taken(&old, false);
		forget_orphans(name, function);
		if (function)
			start_all(function);
		stop_taken(&old, true);
	}
	pthread_mutex_unlock(&triggers.changing);
}

int triggers_init(struct df_err *err)
{
	struct function **list = registry_list(NULL);
	int error = list ? ticker_init(err) : df_err_set(err, -ENOMEM, "out of memory");

	if (!error)
		error = directory_init(err);
	pthread_mutex_lock(&triggers.changing);
	for (size_t i = 0; list && !error && list[i]; i++) {
		if (strcmp(list[i]->version, FUNCTION_LATEST) == 0)
			start_all(list[i]);
	}
	triggers.running = !error;
	pthread_mutex_unlock(&triggers.changing);
	registry_list_free(list);
	return error;
}

void triggers_deinit(void)
{
	struct trigger_list old = LIST_HEAD_INITIALIZER(old);

	pthread_mutex_lock(&triggers.changing);
	triggers.running = false;
	take_all(NULL, &old);
	stop_taken(&old, true);
	pthread_mutex_unlock(&triggers.changing);
	directory_deinit();
	ticker_deinit();
}

/* --- showing --- */

static json_t *trigger_json(struct trigger *t)
{
	uint64_t last_ms = __atomic_load_n(&t->last_ms, __ATOMIC_RELAXED);
	json_t *json = json_pack("{s:O, s:I, s:I}", t->kind->name, t->settings, "events",
		(json_int_t)tally_read(&t->events), "refused", (json_int_t)tally_read(&t->refused));
	char time[CLOCK_TEXT_BYTES];

	if (json && last_ms)
		(void)json_object_set_new(json, "last", json_string(clock_text(last_ms, time)));
	pthread_mutex_lock(&t->lock);
	if (json && *t->problem)
		(void)json_object_set_new(json, "problem", json_string(t->problem));
	pthread_mutex_unlock(&t->lock);
	if (json && t->kind->show)
		t->kind->show(t, json);
	return json;
}

json_t *triggers_json(const char *name)
{
	json_t *list = json_array();
	struct trigger *t;

	pthread_mutex_lock(&triggers.lock);
	/* The list has the last one first. */
	LIST_FOREACH(t, &triggers.all, link)
	{
		if (strcmp(t->function, name) == 0)
			(void)json_array_insert_new(list, 0, trigger_json(t));
	}
	pthread_mutex_unlock(&triggers.lock);
	return list;
}

/* As the value of a label. */
static void add_label(struct df_str *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			df_str_add(text, "\\");
		if (*value == '\n')
			df_str_add(text, "\\n");
		else
			df_str_add_bytes(text, value, 1);
	}
}

static void write_counter(struct df_str *text, const char *name, const char *help, size_t offset)
{
	const struct trigger *t;

	df_str_addf(text,
		"# HELP dayfly_trigger_%s_total %s\n# TYPE dayfly_trigger_%s_total counter\n", name,
		help, name);
	LIST_FOREACH(t, &triggers.all, link)
	{
		const uint64_t *counter = (const uint64_t *)((const char *)t + offset);

		df_str_addf(text, "dayfly_trigger_%s_total{function=\"%s\",trigger=\"", name,
			t->function);
		add_label(text, t->owner + strlen(t->function) + 1);
		df_str_addf(text, "\"} %" PRIu64 "\n", tally_read(counter));
	}
}

void triggers_metrics(struct df_str *text)
{
	pthread_mutex_lock(&triggers.lock);
	write_counter(text, "events", "Events that triggers made.",
		offsetof(struct trigger, events));
	write_counter(text, "refused", "What could not become an event.",
		offsetof(struct trigger, refused));
	pthread_mutex_unlock(&triggers.lock);
}
