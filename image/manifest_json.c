/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest as the daemon is told of it: see manifest_json.h. */
#include "image/manifest_json.h"

#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {"fresh", "warm", "service"};
static const char *const restarts[] = {"always", "on-failure", "never"};
static const char *const wait_points[] = {"any", "stdio", "sdk", "http"};
static const char *const object_bodies[] = {"event", "object"};
static const char *const file_bodies[] = {"event", "file"};
static const char *const missed[] = {"skip", "once", "all"};
static const char *const destinations[] = {NULL, "function", "webhook", "file", "object"};

static json_t *list_json(const struct manifest_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array, json_string(list->items[i]));
	return array;
}

static json_t *features_json(uint32_t features)
{
	json_t *array = json_array();

	for (size_t i = 0; manifest_feature_names[i]; i++) {
		if (features & (1u << i))
			(void)json_array_append_new(array, json_string(manifest_feature_names[i]));
	}
	return array;
}

static json_t *environment_json(const struct manifest_pairs *pairs)
{
	json_t *object = json_object();

	for (size_t i = 0; i < pairs->count; i++)
		(void)json_object_set_new(object, pairs->items[i].name,
			json_string(pairs->items[i].value));
	return object;
}

/* --- triggers: the same mappings as in the file, defaults filled in, durations in milliseconds --- */

static json_t *http_json(const struct manifest_trigger *t)
{
	return json_pack("{s:s*, s:o*}", "path", t->path, "methods",
		t->methods.count ? list_json(&t->methods) : NULL);
}

static json_t *object_json(const struct manifest_trigger *t)
{
	json_t *events = json_array();

	if (t->events & MANIFEST_CREATED)
		(void)json_array_append_new(events, json_string("created"));
	if (t->events & MANIFEST_REMOVED)
		(void)json_array_append_new(events, json_string("removed"));
	return json_pack("{s:s, s:o, s:s, s:s, s:s}", "bucket", t->bucket, "events", events,
		"prefix", t->prefix, "suffix", t->suffix, "body", object_bodies[t->body]);
}

static json_t *directory_json(const struct manifest *m, const struct manifest_trigger *t,
	struct df_err *err)
{
	DF_FREE char *path = NULL;

	if (*t->path != '/' && !m->directory) {
		df_err_set(err, -EINVAL,
			"the directory %s of a trigger must be an absolute path here: the manifest is in no directory of this host",
			t->path);
		return NULL;
	}
	path = manifest_host_path(m, t->path);
	return json_pack("{s:s, s:s, s:s}", "path", path, "pattern", t->pattern, "body",
		file_bodies[t->body]);
}

static json_t *schedule_json(const struct manifest_trigger *t)
{
	return json_pack("{s:s*, s:o*, s:s, s:s}", "cron", t->cron, "every",
		t->every_ms ? json_integer((json_int_t)t->every_ms) : NULL, "time_zone",
		t->time_zone, "missed", missed[t->missed]);
}

static json_t *trigger_json(const struct manifest *m, const struct manifest_trigger *t,
	struct df_err *err)
{
	json_t *value;

	switch ((enum manifest_trigger_kind)t->kind) {
	case MANIFEST_HTTP:
		value = http_json(t);
		break;
	case MANIFEST_OBJECT:
		value = object_json(t);
		break;
	case MANIFEST_DIRECTORY:
		value = directory_json(m, t, err);
		break;
	case MANIFEST_SCHEDULE:
		value = schedule_json(t);
		break;
	default:
		value = json_pack("{s:s, s:I}", "name", t->queue, "batch", (json_int_t)t->batch);
	}
	return json_pack("{s:o}", manifest_trigger_names[t->kind], value);
}

static json_t *triggers_json(const struct manifest *m, struct df_err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->trigger_count; i++) {
		if (json_array_append_new(list, trigger_json(m, &m->triggers[i], err))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* --- destinations --- */

/*
 * The directory before the first word and the last part of a file's name, with no symbolic link left in it: the daemon follows
 * none. NULL with *err set.
 */
static char *real_file(const struct manifest *m, const char *target, struct df_err *err)
{
	DF_FREE char *path = manifest_host_path(m, target);
	DF_FREE char *directory = NULL, *real = NULL;
	size_t length = path ? strcspn(path, "{") : 0;

	while (length > 1 && path[length - 1] != '/')
		length--;
	directory = path ? strndup(path, length) : NULL;
	real = directory ? realpath(directory, NULL) : NULL;
	if (!real) {
		df_err_set(err, -errno, "the directory %s of a file destination: %s",
			directory ? directory : target, df_errno_text(errno));
		return NULL;
	}
	return df_format("%s/%s", strcmp(real, "/") == 0 ? "" : real, path + length);
}

/* *json is NULL when there is none. Returns 0 or -errno with *err set. */
static int destination_json(const struct manifest *m, const struct manifest_destination *d,
	json_t **json, struct df_err *err)
{
	DF_FREE char *path = NULL;

	*json = NULL;
	if (d->kind == MANIFEST_TO_NOTHING)
		return 0;
	if (d->kind == MANIFEST_TO_FILE && m->directory) {
		path = real_file(m, d->target, err);
		if (!path)
			return err->code;
	}
	*json = json_pack("{s:s, s:s*}", destinations[d->kind], path ? path : d->target, "body",
		d->body == MANIFEST_SEND_REPLY ? "reply" : NULL);
	return *json ? 0 : df_err_set(err, -EINVAL, "texts of a manifest must be UTF-8");
}

static json_t *destinations_json(const struct manifest *m, struct df_err *err)
{
	json_t *success, *failure;

	if (destination_json(m, &m->destinations.success, &success, err) ||
		destination_json(m, &m->destinations.failure, &failure, err))
		return NULL;
	return json_pack("{s:o*, s:o*}", "success", success, "failure", failure);
}

/* --- all --- */

static json_t *program_json(const struct manifest *m)
{
	return json_pack("{s:b, s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:o*}", "raw_root",
		!(m->features & MANIFEST_FILES), "features", features_json(m->features),
		"environment", environment_json(&m->environment), "workdir", m->workdir,
		"reply_type", m->reply_type, "mode", modes[m->mode], "wait_point",
		wait_points[m->wait_point], "port", (json_int_t)m->port, "egress",
		m->egress.count ? list_json(&m->egress) : NULL);
}

static json_t *numbers_json(const struct manifest *m)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}",
		"memory", (json_int_t)m->memory_bytes, "timeout", (json_int_t)m->timeout_ms,
		"boot_timeout", (json_int_t)m->boot_timeout_ms, "concurrency",
		(json_int_t)m->concurrency, "body_max", (json_int_t)m->limits.request_bytes,
		"reply_max", (json_int_t)m->limits.reply_bytes, "waiting",
		(json_int_t)m->limits.waiting, "log_max", (json_int_t)m->limits.log_bytes,
		"log_age", (json_int_t)m->limits.log_age_ms, "async", "attempts",
		(json_int_t)m->async.attempts, "max_age", (json_int_t)m->async.max_age_ms,
		"backlog", (json_int_t)m->async.backlog);
}

static json_t *health_json(const struct manifest *m)
{
	if (!m->health.port)
		return NULL;
	return json_pack("{s:s*, s:I, s:I, s:I, s:I}", "path", m->health.path, "port",
		(json_int_t)m->health.port, "every", (json_int_t)m->health.every_ms, "timeout",
		(json_int_t)m->health.timeout_ms, "failures", (json_int_t)m->health.failures);
}

static json_t *service_json(const struct manifest *m)
{
	if (m->mode != MANIFEST_SERVICE)
		return json_object();
	return json_pack("{s:o, s:s, s:I, s:o*}", "publish", list_json(&m->publish), "restart",
		restarts[m->restart], "stop_time", (json_int_t)m->stop_ms, "health",
		health_json(m));
}

json_t *manifest_json(const struct manifest *m, struct df_err *err)
{
	json_t *triggers = triggers_json(m, err);
	json_t *to = triggers ? destinations_json(m, err) : NULL;
	json_t *json = to ? program_json(m) : NULL;

	/* Each of these takes its reference, and refuses NULL. */
	if (json && json_object_update_new(json, numbers_json(m)) == 0 &&
		json_object_update_new(json, service_json(m)) == 0 &&
		json_object_set(json, "triggers", triggers) == 0 &&
		json_object_set(json, "destinations", to) == 0) {
		json_decref(triggers);
		json_decref(to);
		return json;
	}
	json_decref(triggers);
	json_decref(to);
	json_decref(json);
	if (!err->code)
		df_err_set(err, -EINVAL, "texts of a manifest must be UTF-8");
	return NULL;
}
