/* SPDX-License-Identifier: Apache-2.0 */
/* How a function is made and limited, as JSON and back: see function.h and docs/reference-http.md. */
#include "daemon/function/function.h"

#include "daemon/event/destination.h"
#include "daemon/trigger/trigger.h"
#include "host/cleanup.h"
#include "host/egress_rule.h"
#include "host/monitor_words.h"
#include "host/publish.h"
#include "host/slot.h"
#include "host/str.h"
#include "image/manifest_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASE_ENVIRONMENT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define BODY_MAX_MAX (1023ull << 20)

static const char *const all_features[] = {"files", "tmp", "tasks", "events", "signals", "net"};

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* Nothing of them stays in memory that is used again. */
static void free_secrets(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		explicit_bzero(list[i], strlen(list[i]));
	free_list(list);
}

void function_config_free(struct function_config *config)
{
	if (!config)
		return;
	free(config->name);
	free(config->description);
	free_list(config->command);
	free(config->program);
	free_list(config->environment);
	free_secrets(config->secrets);
	free_list(config->egress);
	free(config->features);
	free(config->workdir);
	free(config->reply_type);
	free(config->lambda);
	free(config->frozen);
	free(config->async.on_success);
	free(config->async.on_failure);
	free_list(config->service.publish);
	free(config->service.health.path);
	json_decref(config->triggers);
	free(config->image_digest);
	free(config);
}

bool function_name_ok(const char *name, size_t length)
{
	const char *const allowed =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return length > 0 && length <= FUNCTION_NAME_MAX && strspn(name, allowed) >= length;
}

/* --- reading --- */

static int wrong(const char *key, const char *what, struct df_err *err)
{
	return df_err_set(err, -EINVAL, "%s must be %s", key, what);
}

static int read_text(const char *key, const json_t *value, char **into, struct df_err *err)
{
	/* Strings with a zero byte in them are not what they seem. */
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return wrong(key, "a string", err);
	free(*into);
	*into = strdup(json_string_value(value));
	return *into ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

static int read_path(const char *key, const json_t *value, char **into, struct df_err *err)
{
	int error = read_text(key, value, into, err);

	if (error)
		return error;
	return *into && **into == '/' ? 0 : wrong(key, "an absolute path", err);
}

struct range {
	uint64_t least, most;
};

static int read_number(const char *key, const json_t *value, struct range range, uint64_t *into,
	struct df_err *err)
{
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

	if (number < 0 || (uint64_t)number < range.least || (uint64_t)number > range.most)
		return df_err_set(err, -EINVAL, "%s must be a whole number from %llu to %llu", key,
			(unsigned long long)range.least, (unsigned long long)range.most);
	*into = (uint64_t)number;
	return 0;
}

static int read_small(const char *key, const json_t *value, struct range range, unsigned int *into,
	struct df_err *err)
{
	uint64_t number = 0;
	int error = read_number(key, value, range, &number, err);

	if (!error)
		*into = (unsigned int)number;
	return error;
}

static int read_list(const char *key, const json_t *value, char ***into, struct df_err *err)
{
	size_t count = json_array_size(value);

	free_list(*into);
	*into = calloc(count + 1, sizeof(**into));
	if (!*into) {
		df_err_set(err, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		int error = read_text(key, json_array_get(value, i), &(*into)[i], err);

		if (error)
			return error;
	}
	return 0;
}

static int read_command(const json_t *value, char ***into, struct df_err *err)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 0;

	if (count == 0 || count > FUNCTION_LIST_MAX)
		return wrong("command", "a list of 1 to 256 strings", err);
	return read_list("command", value, into, err);
}

static int read_features(const json_t *value, char **into, struct df_err *err)
{
	DF_STR struct df_str list = DF_STR_EMPTY;
	size_t index;
	json_t *item;

	if (!json_is_array(value))
		return wrong("features", "a list of strings", err);
	df_str_add(&list, "core");
	json_array_foreach(value, index, item)
	{
		const char *name = json_string_value(item);
		bool known = false;

		for (size_t i = 0; name && i < sizeof(all_features) / sizeof(*all_features); i++)
			known = known || strcmp(all_features[i], name) == 0;
		if (name && strcmp(name, "core") == 0)
			continue;
		if (!known)
			return wrong("features",
				"a list of files, tmp, tasks, events, signals and net", err);
		df_str_addf(&list, ",%s", name);
	}
	free(*into);
	*into = df_str_take(&list);
	return *into ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

static int read_egress(const json_t *value, char ***into, struct df_err *err)
{
	size_t count = json_is_array(value) ? json_array_size(value) : SIZE_MAX;
	struct df_egress_rule rule;
	struct df_err why;
	int error;

	if (count > DF_EGRESS_RULES_MAX)
		return wrong("egress", "a list of at most 64 rules", err);
	free_list(*into);
	*into = NULL;
	if (count == 0)
		return 0;
	error = read_list("egress", value, into, err);
	for (size_t i = 0; !error && i < count; i++) {
		if (df_egress_rule_parse((*into)[i], &rule, &why))
			error = df_err_set(err, why.code, "egress: %s", why.text);
	}
	return error;
}

/* "NAME=VALUE" for each member of an object, behind what is in `into` already. */
static int read_variables(const char *key, const json_t *value, size_t longest, char **into,
	struct df_err *err)
{
	json_t *object = (json_t *)value, *item;
	const char *name;
	size_t at = 0;

	while (into[at])
		at++;
	json_object_foreach(object, name, item)
	{
		if (!json_is_string(item) || !*name || strchr(name, '=') ||
			strlen(json_string_value(item)) != json_string_length(item) ||
			json_string_length(item) > longest)
			return wrong(key, "an object of strings", err);
		into[at] = df_format("%s=%s", name, json_string_value(item));
		if (!into[at++])
			return df_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int read_environment(const json_t *value, char ***into, struct df_err *err)
{
	size_t at = 0;

	if (!json_is_object(value) || json_object_size(value) > FUNCTION_LIST_MAX - 2)
		return wrong("environment", "an object of at most 254 strings", err);
	free_list(*into);
	*into = calloc(json_object_size(value) + 3, sizeof(**into));
	if (*into && !json_object_get(value, "PATH"))
		(*into)[at++] = strdup(BASE_ENVIRONMENT);
	if (*into && !json_object_get(value, "HOME"))
		(*into)[at++] = strdup("HOME=/root");
	if (!*into || (at > 0 && !(*into)[0]) || (at > 1 && !(*into)[1]))
		return df_err_set(err, -ENOMEM, "out of memory");
	return read_variables("environment", value, SIZE_MAX, *into, err);
}

static int read_secrets(const json_t *value, char ***into, struct df_err *err)
{
	if (!json_is_object(value) || json_object_size(value) > FUNCTION_LIST_MAX)
		return wrong("secrets", "an object of at most 256 strings", err);
	free_secrets(*into);
	*into = calloc(json_object_size(value) + 1, sizeof(**into));
	if (!*into)
		return df_err_set(err, -ENOMEM, "out of memory");
	return read_variables("secrets", value, FUNCTION_SECRET_MAX, *into, err);
}

/* In the order of their enums. */
static const char *const modes[] = {"fresh", "warm", "service", NULL};
static const char *const restarts[] = {"always", "on-failure", "never", NULL};
static const char *const wait_points[] = {"any", "stdio", "sdk", "http", NULL};

static int read_word(const char *key, const json_t *value, const char *const *words, int *into,
	struct df_err *err)
{
	const char *text = json_string_value(value);

	for (int i = 0; text && words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*into = i;
			return 0;
		}
	}
	df_err_set(err, -EINVAL, "%s must be %s", key, words[0]);
	for (size_t i = 1; words[i]; i++)
		df_err_add(err, "%s%s", words[i + 1] ? ", " : " or ", words[i]);
	return -EINVAL;
}

static int read_async(const json_t *value, struct function_async *async, struct df_err *err)
{
	json_t *object = (json_t *)value, *item;
	const char *key;
	int error = 0;

	if (!json_is_object(value))
		return wrong("async", "an object", err);
	json_object_foreach(object, key, item)
	{
		if (strcmp(key, "attempts") == 0)
			error = read_small("async.attempts", item, (struct range){1, 100},
				&async->attempts, err);
		else if (strcmp(key, "max_age") == 0)
			error = read_number("async.max_age", item,
				(struct range){1, 14ull * 24 * 3600 * 1000}, &async->age_max_ms,
				err);
		else if (strcmp(key, "backlog") == 0)
			error = read_number("async.backlog", item, (struct range){1, 10000000},
				&async->backlog, err);
		else
			error = df_err_set(err, -EINVAL, "async.%s is no key of a deployment", key);
		if (error)
			return error;
	}
	return 0;
}

static int read_destination(const json_t *value, char **into, struct df_err *err)
{
	struct destination destination;
	int error = destination_parse_json(value, &destination, err);

	if (error)
		return error;
	free(*into);
	*into = destination_text(&destination);
	return *into ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

static int read_destinations(const json_t *value, struct function_async *async, struct df_err *err)
{
	json_t *object = (json_t *)value, *item;
	const char *key;
	int error = 0;

	if (!json_is_object(value))
		return wrong("destinations", "an object", err);
	json_object_foreach(object, key, item)
	{
		if (strcmp(key, "success") == 0)
			error = read_destination(item, &async->on_success, err);
		else if (strcmp(key, "failure") == 0)
			error = read_destination(item, &async->on_failure, err);
		else
			error = df_err_set(err, -EINVAL,
				"destinations.%s is no key of a deployment", key);
		if (error)
			return error;
	}
	return 0;
}

static int read_publish(const json_t *value, char ***into, struct df_err *err)
{
	struct df_publish publish;
	int error;

	if (!json_is_array(value) || json_array_size(value) > DF_PUBLISH_MAX)
		return wrong("publish", "a list of at most 64 strings", err);
	error = read_list("publish", value, into, err);
	for (size_t i = 0; !error && (*into)[i]; i++)
		error = df_publish_parse((*into)[i], &publish, err);
	return error;
}

static int read_health_key(struct function_service *s, const char *key, const json_t *value,
	struct df_err *err)
{
	const struct range time = {10, 24ull * 3600 * 1000};

	if (strcmp(key, "port") == 0)
		return read_small("health.port", value, (struct range){1, UINT16_MAX},
			&s->health.port, err);
	if (strcmp(key, "every") == 0)
		return read_number("health.every", value, time, &s->health.every_ms, err);
	if (strcmp(key, "timeout") == 0)
		return read_number("health.timeout", value, time, &s->health.timeout_ms, err);
	if (strcmp(key, "failures") == 0)
		return read_small("health.failures", value, (struct range){1, 1000},
			&s->health.failures, err);
	if (strcmp(key, "path") == 0) {
		int error = read_text("health.path", value, &s->health.path, err);

		return error || value_is_url_path(s->health.path)
			? error
			: wrong("health.path", "a path such as /healthz", err);
	}
	return df_err_set(err, -EINVAL, "health.%s is no key of a deployment", key);
}

static int read_health(const json_t *value, struct function_service *s, struct df_err *err)
{
	json_t *object = (json_t *)value, *item;
	const char *key;
	int error = 0;

	if (!json_is_object(value))
		return wrong("health", "an object", err);
	json_object_foreach(object, key, item)
	{
		error = read_health_key(s, key, item, err);
		if (error)
			return error;
	}
	if (!s->health.port)
		return df_err_set(err, -EINVAL,
			"health.port is missing: the port of the program to connect to");
	return 0;
}

static int read_triggers(const json_t *value, json_t **into, struct df_err *err)
{
	int error = triggers_check(value, err);

	if (error)
		return error;
	json_decref(*into);
	*into = json_deep_copy(value);
	return *into ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

/* 1: it is none of these. */
static int read_limit(struct function_config *c, const char *key, const json_t *value,
	struct df_err *err)
{
	const struct {
		const char *key;
		struct range range;
		uint64_t *wide; /* or */
		unsigned int *small;
	} limits[] = {
		{"memory", {FUNCTION_MEMORY_MIN, FUNCTION_MEMORY_MAX}, &c->memory_bytes, NULL},
		{"timeout", {1, FUNCTION_TIMEOUT_MAX_MS}, NULL, &c->timeout_ms},
		{"boot_timeout", {1, FUNCTION_TIMEOUT_MAX_MS}, NULL, &c->boot_timeout_ms},
		{"concurrency", {1, FUNCTION_CONCURRENCY_MAX}, NULL, &c->concurrency},
		{"port", {1, UINT16_MAX}, NULL, &c->port},
		{"waiting", {0, FUNCTION_WAITING_MAX}, NULL, &c->waiting_max},
		{"body_max", {0, BODY_MAX_MAX}, &c->body_max, NULL},
		{"reply_max", {1, BODY_MAX_MAX}, &c->reply_max, NULL},
		{"log_max", {4096, 1ull << 30}, &c->log_max, NULL},
		{"log_age", {1000, 3660ull * 24 * 3600 * 1000}, &c->log_age_ms, NULL},
		{"stop_time", {1, FUNCTION_TIMEOUT_MAX_MS}, &c->service.stop_ms, NULL},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(key, limits[i].key) != 0)
			continue;
		return limits[i].wide
			? read_number(key, value, limits[i].range, limits[i].wide, err)
			: read_small(key, value, limits[i].range, limits[i].small, err);
	}
	return 1;
}

static int read_key(struct function_config *c, const char *key, const json_t *value,
	struct df_err *err)
{
	int error;

	if (strcmp(key, "command") == 0)
		return read_command(value, &c->command, err);
	if (strcmp(key, "program") == 0)
		return read_path(key, value, &c->program, err);
	if (strcmp(key, "description") == 0)
		return read_text(key, value, &c->description, err);
	if (strcmp(key, "environment") == 0)
		return read_environment(value, &c->environment, err);
	if (strcmp(key, "features") == 0)
		return read_features(value, &c->features, err);
	if (strcmp(key, "egress") == 0)
		return read_egress(value, &c->egress, err);
	if (strcmp(key, "workdir") == 0)
		return read_path(key, value, &c->workdir, err);
	if (strcmp(key, "reply_type") == 0)
		return read_text(key, value, &c->reply_type, err);
	if (strcmp(key, "lambda") == 0)
		return read_text(key, value, &c->lambda, err);
	if (strcmp(key, "frozen") == 0)
		return read_text(key, value, &c->frozen, err);
	if (strcmp(key, "secrets") == 0)
		return read_secrets(value, &c->secrets, err);
	if (strcmp(key, "mode") == 0)
		return read_word(key, value, modes, (int *)&c->mode, err);
	if (strcmp(key, "wait_point") == 0)
		return read_word(key, value, wait_points, (int *)&c->wait, err);
	if (strcmp(key, "async") == 0)
		return read_async(value, &c->async, err);
	if (strcmp(key, "destinations") == 0)
		return read_destinations(value, &c->async, err);
	if (strcmp(key, "triggers") == 0)
		return read_triggers(value, &c->triggers, err);
	if (strcmp(key, "publish") == 0)
		return read_publish(value, &c->service.publish, err);
	if (strcmp(key, "health") == 0)
		return read_health(value, &c->service, err);
	if (strcmp(key, "restart") == 0)
		return read_word(key, value, restarts, (int *)&c->service.restart, err);
	if (strcmp(key, "image_digest") == 0)
		return read_text(key, value, &c->image_digest, err);
	if (strcmp(key, "raw_root") == 0) {
		c->raw_root = json_is_true(value);
		return json_is_boolean(value) ? 0 : wrong(key, "true or false", err);
	}
	error = read_limit(c, key, value, err);
	if (error <= 0)
		return error;
	return df_err_set(err, -EINVAL, "%s is no key of a deployment", key);
}

static int set_defaults(struct function_config *c, const char *name)
{
	c->name = strdup(name);
	c->features = strdup("core,files,tmp,tasks,events,signals");
	c->workdir = strdup("/");
	c->reply_type = strdup("application/octet-stream");
	c->environment = calloc(3, sizeof(*c->environment));
	c->secrets = calloc(1, sizeof(*c->secrets));
	c->triggers = json_array();
	c->service = (struct function_service){.publish = calloc(1, sizeof(char *)),
		.stop_ms = FUNCTION_STOP_DEFAULT_MS,
		.health = {.every_ms = 10000, .timeout_ms = 2000, .failures = 3}};
	if (c->environment) {
		c->environment[0] = strdup(BASE_ENVIRONMENT);
		c->environment[1] = strdup("HOME=/root");
	}
	c->memory_bytes = FUNCTION_MEMORY_DEFAULT;
	c->timeout_ms = FUNCTION_TIMEOUT_DEFAULT_MS;
	c->boot_timeout_ms = 30000;
	c->port = 80;
	c->concurrency = FUNCTION_CONCURRENCY_DEFAULT;
	c->waiting_max = FUNCTION_WAITING_MAX;
	c->body_max = c->reply_max = FUNCTION_BODY_DEFAULT;
	c->log_max = FUNCTION_LOG_DEFAULT;
	c->log_age_ms = FUNCTION_LOG_AGE_DEFAULT_MS;
	c->async = (struct function_async){.attempts = FUNCTION_ATTEMPTS_DEFAULT,
		.age_max_ms = FUNCTION_AGE_DEFAULT_MS,
		.backlog = FUNCTION_BACKLOG_DEFAULT};
	return c->name && c->features && c->workdir && c->reply_type && c->environment &&
			c->secrets && c->triggers && c->service.publish && c->environment[0] &&
			c->environment[1]
		? 0
		: -ENOMEM;
}

/* Who checks a service connects to a port of the host. */
static bool is_published(const struct function_service *s, unsigned int port)
{
	struct df_publish publish;

	for (size_t i = 0; s->publish[i]; i++) {
		if (!df_publish_parse(s->publish[i], &publish, NULL) && !publish.udp &&
			publish.guest_port == port)
			return true;
	}
	return false;
}

static int check_service(const struct function_config *c, struct df_err *err)
{
	const struct function_service *s = &c->service;

	if (json_array_size(c->triggers) || c->async.on_success || c->async.on_failure)
		return df_err_set(err, -EINVAL,
			"a service takes no events: triggers and destinations are for functions (mode fresh or warm)");
	if (c->wait != FUNCTION_WAIT_ANY)
		return df_err_set(err, -EINVAL,
			"a service is never frozen, so it has no wait_point; mode fresh is for functions");
	if (s->health.port && !is_published(s, s->health.port))
		return df_err_set(err, -EINVAL,
			"health.port is %u, which is not published; add it to publish, such as 127.0.0.1:8080:%u",
			s->health.port, s->health.port);
	return 0;
}

static int check_mode(const struct function_config *c, struct df_err *err)
{
	if (c->mode == FUNCTION_SERVICE)
		return check_service(c, err);
	if (c->service.publish[0] || c->service.health.port)
		return df_err_set(err, -EINVAL,
			"publish and health are for mode service; a function is called at /fn/%s",
			c->name);
	return 0;
}

static int check_whole(const struct function_config *c, struct df_err *err)
{
	if (!c->command)
		return df_err_set(err, -EINVAL, "command is missing");
	if (!c->program)
		return df_err_set(err, -EINVAL, "program is missing");
	if (c->raw_root && strstr(c->features, "files"))
		return df_err_set(err, -EINVAL,
			"a raw root is no file system: leave out the feature files");
	for (const char *at = c->reply_type; *at; at++) {
		if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
			return wrong("reply_type", "printable", err);
	}
	return check_mode(c, err);
}

/* What is wanted outside needs sockets. */
static int add_net(struct function_config *c, struct df_err *err)
{
	char *more;

	if (!c->egress || strstr(c->features, ",net"))
		return 0;
	more = df_format("%s,net", c->features);
	if (!more)
		return df_err_set(err, -ENOMEM, "out of memory");
	free(c->features);
	c->features = more;
	return 0;
}

int function_config_parse(const char *name, const json_t *json, struct function_config **config,
	struct df_err *err)
{
	struct function_config *c = calloc(1, sizeof(*c));
	json_t *object = (json_t *)json, *value;
	const char *key;
	int error = c ? set_defaults(c, name) : -ENOMEM;

	if (error)
		df_err_set(err, error, "out of memory");
	else if (!json_is_object(json))
		error = wrong("a deployment", "a JSON object", err);
	if (!error) {
		json_object_foreach(object, key, value)
		{
			error = read_key(c, key, value, err);
			if (error)
				break;
		}
	}
	if (!error)
		error = check_whole(c, err);
	if (!error)
		error = add_net(c, err);
	if (error) {
		function_config_free(c);
		return error;
	}
	*config = c;
	return 0;
}

size_t function_egress_count(const struct function_config *config)
{
	size_t count = 0;

	while (config->egress && config->egress[count])
		count++;
	return count;
}

/* --- writing --- */

static json_t *variables_json(char *const *variables)
{
	json_t *object = json_object();

	for (size_t i = 0; variables[i]; i++) {
		const char *equals = strchr(variables[i], '=');

		if (json_object_setn_new(object, variables[i], (size_t)(equals - variables[i]),
			    json_string(equals + 1)))
			break;
	}
	return object;
}

static json_t *names_json(char *const *variables)
{
	json_t *list = json_array();

	for (size_t i = 0; variables[i]; i++)
		(void)json_array_append_new(list,
			json_stringn(variables[i], strcspn(variables[i], "=")));
	return list;
}

static json_t *words_json(char *const *words)
{
	json_t *list = json_array();

	for (size_t i = 0; words[i]; i++)
		(void)json_array_append_new(list, json_string(words[i]));
	return list;
}

static json_t *features_json(const char *features)
{
	json_t *list = json_array();

	for (const char *at = features; *at;) {
		size_t length = strcspn(at, ",");

		(void)json_array_append_new(list, json_stringn(at, length));
		at += length + (at[length] == ',');
	}
	return list;
}

static json_t *async_json(const struct function_async *async)
{
	return json_pack("{s:i, s:I, s:I}", "attempts", (int)async->attempts, "max_age",
		(json_int_t)async->age_max_ms, "backlog", (json_int_t)async->backlog);
}

static json_t *limits_json(const struct function_config *c)
{
	return json_pack("{s:I, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "memory",
		(json_int_t)c->memory_bytes, "timeout", (int)c->timeout_ms, "boot_timeout",
		(int)c->boot_timeout_ms, "concurrency", (int)c->concurrency, "port", (int)c->port,
		"waiting", (int)c->waiting_max, "body_max", (json_int_t)c->body_max, "reply_max",
		(json_int_t)c->reply_max, "log_max", (json_int_t)c->log_max, "log_age",
		(json_int_t)c->log_age_ms);
}

static json_t *health_json(const struct function_service *s)
{
	if (!s->health.port)
		return NULL;
	return json_pack("{s:s*, s:i, s:I, s:I, s:i}", "path", s->health.path, "port",
		(int)s->health.port, "every", (json_int_t)s->health.every_ms, "timeout",
		(json_int_t)s->health.timeout_ms, "failures", (int)s->health.failures);
}

static json_t *service_json(const struct function_service *s)
{
	return json_pack("{s:o, s:s, s:I, s:o*}", "publish", words_json(s->publish), "restart",
		restarts[s->restart], "stop_time", (json_int_t)s->stop_ms, "health",
		health_json(s));
}

json_t *function_config_json(const struct function_config *c, enum function_secrets secrets)
{
	json_t *json = json_pack(
		"{s:o, s:s, s:o, s:o, s:o, s:s, s:s, s:b, s:s, s:s, s:o, s:{s:s*, s:s*}, s:O}",
		"command", words_json(c->command), "program", c->program, "environment",
		variables_json(c->environment), "secrets",
		secrets == SECRETS_WHOLE ? variables_json(c->secrets) : names_json(c->secrets),
		"features", features_json(c->features), "workdir", c->workdir, "reply_type",
		c->reply_type, "raw_root", c->raw_root, "mode", modes[c->mode], "wait_point",
		wait_points[c->wait], "async", async_json(&c->async), "destinations", "success",
		c->async.on_success, "failure", c->async.on_failure, "triggers", c->triggers);

	if (json && json_object_update_new(json, limits_json(c))) {
		json_decref(json);
		return NULL;
	}
	if (json && c->egress)
		(void)json_object_set_new(json, "egress", words_json(c->egress));
	if (json && c->mode == FUNCTION_SERVICE &&
		json_object_update_new(json, service_json(&c->service))) {
		json_decref(json);
		return NULL;
	}
	if (json && c->description)
		(void)json_object_set_new(json, "description", json_string(c->description));
	if (json && c->frozen)
		(void)json_object_set_new(json, "frozen", json_string(c->frozen));
	if (json && c->image_digest)
		(void)json_object_set_new(json, "image_digest", json_string(c->image_digest));
	if (json && c->lambda)
		(void)json_object_set_new(json, "lambda", json_string(c->lambda));
	return json;
}

/* --- for monitors --- */

static size_t count_words(char *const *words)
{
	size_t count = 0;

	while (words[count])
		count++;
	return count;
}

char **function_config_variables(const struct function_config *config)
{
	size_t plain = count_words(config->environment), secret = count_words(config->secrets);
	char **all = calloc(plain + secret + 1, sizeof(*all));

	if (all) {
		memcpy(all, config->environment, plain * sizeof(*all));
		memcpy(all + plain, config->secrets, secret * sizeof(*all));
	}
	return all;
}

void function_config_words(const struct function_config *config, const char *root_path,
	struct df_monitor_words *words)
{
	words->root = root_path;
	words->raw_root = config->raw_root;
	words->program = config->program;
	words->features = config->features;
	words->cwd = config->workdir;
	words->memory_bytes = config->memory_bytes;
	words->argv0 = config->command[0];
	words->arguments = config->command + 1;
	words->argument_count = count_words(config->command) - 1;
}
