/* SPDX-License-Identifier: Apache-2.0 */
/* Services, as their callers see them: see service.h. */
#include "daemon/service/service.h"

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/memory.h"
#include "daemon/service/supervisor.h"
#include "daemon/state.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct supervisor supervisor = {
	.wake_fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.services = LIST_HEAD_INITIALIZER(supervisor.services),
};

static int out_of_memory(struct df_err *err)
{
	return df_err_set(err, -ENOMEM, "out of memory");
}

/* --- the list, with the lock --- */

static struct service *find(const char *name)
{
	struct service *s;

	LIST_FOREACH(s, &supervisor.services, link)
	{
		if (!s->gone && strcmp(s->name, name) == 0)
			break;
	}
	return s;
}

/* In order of names. Not wanted yet. */
static struct service *add(struct function *function)
{
	struct service *s = calloc(1, sizeof(*s)), *before = NULL, *at;

	if (!s)
		return NULL;
	strcpy(s->name, function->config->name);
	s->function = function_ref(function);
	s->process = LAUNCHED_NONE;
	s->check.fd = -1;
	LIST_FOREACH(at, &supervisor.services, link)
	{
		if (strcmp(at->name, s->name) > 0)
			break;
		before = at;
	}
	if (before)
		LIST_INSERT_AFTER(before, s, link);
	else
		LIST_INSERT_HEAD(&supervisor.services, s, link);
	return s;
}

/* When the supervisor ends, it leaves states as they are. */
static bool has_ended(const struct service *s)
{
	return s->state == SERVICE_STOPPED || s->state == SERVICE_FAILED ||
		(supervisor.aborting && !service_has_process(s));
}

static void await_end(struct service *s)
{
	s->wanted = s->trial = false;
	supervisor_wake();
	while (!has_ended(s))
		pthread_cond_wait(&supervisor.changed, &supervisor.lock);
}

/* Starts it, and waits until it is up (0) or has ended (1). */
static int await_up(struct service *s, struct df_err *err)
{
	uint64_t ends = s->ends;

	s->wanted = true;
	supervisor_wake();
	while (s->state != SERVICE_RUNNING && s->ends == ends && !supervisor.ending)
		pthread_cond_wait(&supervisor.changed, &supervisor.lock);
	if (s->state == SERVICE_RUNNING)
		return 0;
	df_err_set(err, -EIO, "%s", s->ends != ends ? s->reason : "the daemon is stopping");
	return 1;
}

/* In place of what runs, which ends. `function` is wanted from now on if `wanted`. */
static void put(struct service *s, struct function *function, bool wanted)
{
	await_end(s);
	function_ref(function);
	function_unref(s->function);
	s->function = function;
	s->restarts = 0;
	s->backoff_ms = 0;
	s->reason[0] = '\0';
	s->wanted = wanted;
	supervisor_wake();
}

static void drop(struct service *s)
{
	await_end(s);
	s->gone = true;
	supervisor_wake();
}

/* --- stopped by hand: remembered in the database --- */

static char *stopped_key(const char *name)
{
	return df_format("stopped/%s", name);
}

static bool is_stopped(const char *name)
{
	DF_FREE char *key = stopped_key(name);
	DF_FREE char *text = key ? state_get_setting(key) : NULL;

	return text != NULL;
}

static int set_stopped(const char *name, bool stopped, struct df_err *err)
{
	DF_FREE char *key = stopped_key(name);

	return key ? state_put_setting(key, stopped ? "1" : NULL, err) : out_of_memory(err);
}

static void forget_stopped(const char *name)
{
	struct df_err err = {0};

	if (set_stopped(name, false, &err))
		log_line(LOG_LEVEL_WARNING, "%s: %s", name, err.text);
}

/* --- deploying --- */

int service_replace(struct function *function, struct df_str *output, struct df_err *err)
{
	struct function *before = NULL;
	bool wanted = false;
	struct service *s;
	int result;

	pthread_mutex_lock(&supervisor.lock);
	s = find(function->config->name);
	if (s) {
		before = function_ref(s->function);
		wanted = s->wanted;
	} else {
		s = add(function);
	}
	if (s) {
		put(s, function, false);
		s->trial = true;
		result = await_up(s, err);
		s->trial = false;
		if (result && output)
			df_str_add_bytes(output, df_str_text(&s->tail), s->tail.length);
		if (result && before)
			put(s, before, wanted);
		else if (result)
			drop(s);
	} else {
		result = out_of_memory(err);
	}
	pthread_mutex_unlock(&supervisor.lock);
	function_unref(before);
	if (!result)
		forget_stopped(function->config->name);
	return result;
}

void service_put_back(const char *name, struct function *before)
{
	struct service *s;

	pthread_mutex_lock(&supervisor.lock);
	s = find(name);
	if (s && before && before->config->mode == FUNCTION_SERVICE)
		put(s, before, true);
	else if (s)
		drop(s);
	pthread_mutex_unlock(&supervisor.lock);
}

void service_forget(const char *name)
{
	struct service *s;

	pthread_mutex_lock(&supervisor.lock);
	s = find(name);
	if (s)
		drop(s);
	pthread_mutex_unlock(&supervisor.lock);
	if (s)
		forget_stopped(name);
}

/* --- by hand --- */

static int no_service(const char *name, struct df_err *err)
{
	return df_err_set(err, -ENOENT, "there is no service named %s", name);
}

int service_halt(const char *name, struct df_err *err)
{
	struct service *s;
	int error;

	pthread_mutex_lock(&supervisor.lock);
	s = find(name);
	error = s ? 0 : no_service(name, err);
	if (s)
		await_end(s);
	pthread_mutex_unlock(&supervisor.lock);
	return error ? error : set_stopped(name, true, err);
}

int service_resume(const char *name, struct df_err *err)
{
	struct service *s;
	int result;

	pthread_mutex_lock(&supervisor.lock);
	s = find(name);
	/* Who asks for it does not want to wait longer. */
	if (s && s->state == SERVICE_BACKING_OFF)
		s->due_ns = 0;
	else if (s && s->state != SERVICE_STOPPING)
		s->backoff_ms = 0;
	result = s ? await_up(s, err) : no_service(name, err);
	pthread_mutex_unlock(&supervisor.lock);
	if (s && set_stopped(name, false, err))
		return -EIO;
	return result;
}

/* --- the daemon --- */

int service_init(const struct service_settings *settings, struct df_err *err)
{
	int error;

	supervisor.settings = *settings;
	supervisor.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	error = supervisor.wake_fd < 0 ? errno : 0;
	if (!error)
		error = pthread_create(&supervisor.thread, NULL, supervisor_run, NULL);
	if (error)
		return df_err_set(err, -error, "starting the supervisor of services failed: %s",
			df_errno_text(error));
	supervisor.started = true;
	return 0;
}

void service_start_all(void)
{
	struct function **list = registry_list(NULL);

	for (size_t i = 0; list && list[i]; i++) {
		const struct function *f = list[i];
		bool stopped;
		struct service *s;

		if (f->config->mode != FUNCTION_SERVICE || f->state != FUNCTION_ACTIVE)
			continue;
		stopped = is_stopped(f->config->name);
		pthread_mutex_lock(&supervisor.lock);
		s = add(list[i]);
		if (s)
			s->wanted = !stopped;
		pthread_mutex_unlock(&supervisor.lock);
	}
	registry_list_free(list);
	supervisor_wake();
}

void service_quiesce(void)
{
	pthread_mutex_lock(&supervisor.lock);
	supervisor.ending = true;
	pthread_cond_broadcast(&supervisor.changed);
	pthread_mutex_unlock(&supervisor.lock);
	supervisor_wake();
}

void service_abort(void)
{
	pthread_mutex_lock(&supervisor.lock);
	supervisor.ending = supervisor.aborting = true;
	pthread_cond_broadcast(&supervisor.changed);
	pthread_mutex_unlock(&supervisor.lock);
	supervisor_wake();
}

unsigned int service_active(void)
{
	unsigned int count = 0;
	const struct service *s;

	pthread_mutex_lock(&supervisor.lock);
	LIST_FOREACH(s, &supervisor.services, link)
	count += service_has_process(s);
	pthread_mutex_unlock(&supervisor.lock);
	return count;
}

void service_deinit(void)
{
	struct service *s;

	if (!supervisor.started)
		return;
	service_abort();
	pthread_join(supervisor.thread, NULL);
	supervisor.started = false;
	while ((s = LIST_FIRST(&supervisor.services))) {
		LIST_REMOVE(s, link);
		function_unref(s->function);
		df_str_deinit(&s->tail);
		free(s);
	}
	close(supervisor.wake_fd);
}

/* --- showing --- */

static json_t *one_json(const struct service *s)
{
	const struct function_config *config = s->function->config;
	uint64_t now_ns = clock_now_ns();
	json_t *publish = json_array();
	json_t *json;

	for (size_t i = 0; config->service.publish[i]; i++)
		(void)json_array_append_new(publish, json_string(config->service.publish[i]));
	json = json_pack("{s:s, s:s, s:I, s:o}", "name", s->name, "state",
		service_state_text(s->state), "restarts", (json_int_t)s->restarts, "publish",
		publish);
	if (json && service_has_process(s))
		(void)json_object_update_new(json,
			json_pack("{s:i, s:I, s:I}", "pid", (int)s->process.pid, "uptime_ms",
				(json_int_t)((now_ns - s->started_ns) / 1000000), "memory_bytes",
				(json_int_t)memory_of(s->process.pid)));
	if (json && s->state == SERVICE_BACKING_OFF)
		(void)json_object_set_new(json, "again_ms",
			json_integer(s->due_ns > now_ns
					? (json_int_t)((s->due_ns - now_ns) / 1000000)
					: 0));
	if (json && *s->reason && s->state != SERVICE_RUNNING)
		(void)json_object_set_new(json, "reason", json_string(s->reason));
	return json;
}

json_t *service_json(const char *name)
{
	const struct service *s;
	json_t *json;

	pthread_mutex_lock(&supervisor.lock);
	s = find(name);
	json = s ? one_json(s) : NULL;
	pthread_mutex_unlock(&supervisor.lock);
	(void)json_object_del(json, "name");
	(void)json_object_del(json, "publish");
	return json;
}

json_t *service_list(void)
{
	json_t *list = json_array();
	const struct service *s;

	pthread_mutex_lock(&supervisor.lock);
	LIST_FOREACH(s, &supervisor.services, link)
	{
		if (!s->gone)
			(void)json_array_append_new(list, one_json(s));
	}
	pthread_mutex_unlock(&supervisor.lock);
	return list;
}

static void write_numbers(struct df_str *text, const json_t *list, const char *metric,
	const char *type, const char *help, json_int_t (*number)(const json_t *service))
{
	const json_t *service;
	size_t index;

	df_str_addf(text, "# HELP dayfly_%s %s\n# TYPE dayfly_%s %s\n", metric, help, metric, type);
	json_array_foreach(list, index, service) df_str_addf(text,
		"dayfly_%s{service=\"%s\"} %lld\n", metric,
		json_string_value(json_object_get(service, "name")), (long long)number(service));
}

static json_int_t is_up(const json_t *service)
{
	return strcmp(json_string_value(json_object_get(service, "state")),
		       service_state_text(SERVICE_RUNNING)) == 0;
}

static json_int_t count_restarts(const json_t *service)
{
	return json_integer_value(json_object_get(service, "restarts"));
}

static json_int_t count_memory(const json_t *service)
{
	return json_integer_value(json_object_get(service, "memory_bytes"));
}

void service_metrics(struct df_str *text)
{
	json_t *list = service_list();

	write_numbers(text, list, "service_up", "gauge", "Is the service running and well?", is_up);
	write_numbers(text, list, "service_restarts_total", "counter",
		"Starts of the service after it had ended by itself.", count_restarts);
	write_numbers(text, list, "service_memory_bytes", "gauge",
		"Memory that the service's microVM has.", count_memory);
	json_decref(list);
}
