/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous events: see async.h. */
#include "daemon/event/async.h"

#include "daemon/clock.h"
#include "daemon/http/faces.h"
#include "daemon/lambda/lambda.h"
#include "daemon/log.h"
#include "daemon/object/deliver.h"
#include "daemon/object/loop.h"
#include "daemon/state.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS_MAX 64u
/* After the queue could not be read. */
#define RETRY_S 1u

static struct {
	struct queue *queue;
	int directory_fd; /* where destinations write files */
	pthread_t workers[WORKERS_MAX];
	unsigned int count;
	unsigned int active; /* atomic */
	pthread_mutex_t lock;
	/* protected by lock: */
	struct destination_network allowed[ASYNC_NETWORKS_MAX];
	size_t allowed_count;
} async = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct queue *async_queue(void)
{
	return async.queue;
}

/* --- settings: JSON in the database --- */

static char *config_key(const char *name)
{
	return df_format("async/%s", name);
}

static void copy_text(char into[DESTINATION_MAX + 1], const json_t *value)
{
	const char *text = json_string_value(value);

	snprintf(into, DESTINATION_MAX + 1, "%s", text ? text : "");
}

static bool is_usual(const struct function_async *a)
{
	return a->attempts == FUNCTION_ATTEMPTS_DEFAULT &&
		a->age_max_ms == FUNCTION_AGE_DEFAULT_MS && !a->on_success && !a->on_failure;
}

/* What it was deployed with. */
static void take_deployed(const struct function *function, struct async_config *config)
{
	const struct function_async *a = &function->config->async;

	config->attempts_max = a->attempts;
	config->age_max_ms = a->age_max_ms;
	config->backlog_max = a->backlog;
	config->modified_ms = is_usual(a) ? 0 : function->modified_ms;
	snprintf(config->on_success, sizeof(config->on_success), "%s",
		a->on_success ? a->on_success : "");
	snprintf(config->on_failure, sizeof(config->on_failure), "%s",
		a->on_failure ? a->on_failure : "");
}

void async_get_config(const char *name, const char *qualifier, struct async_config *config)
{
	struct function *function = registry_find(name, qualifier);
	DF_FREE char *key = config_key(name);
	DF_FREE char *text = key ? state_get_setting(key) : NULL;
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	*config = (struct async_config){.attempts_max = FUNCTION_ATTEMPTS_DEFAULT,
		.age_max_ms = FUNCTION_AGE_DEFAULT_MS,
		.backlog_max = FUNCTION_BACKLOG_DEFAULT};
	if (function)
		take_deployed(function, config);
	function_unref(function);
	if (json_is_object(json)) {
		config->attempts_max =
			(unsigned int)json_integer_value(json_object_get(json, "attempts"));
		config->age_max_ms = (uint64_t)json_integer_value(json_object_get(json, "age_ms"));
		config->modified_ms =
			(uint64_t)json_integer_value(json_object_get(json, "modified_ms"));
		copy_text(config->on_success, json_object_get(json, "on_success"));
		copy_text(config->on_failure, json_object_get(json, "on_failure"));
	}
	json_decref(json);
}

int async_put_config(const char *name, const struct async_config *config, struct df_err *err)
{
	int loop = loop_check_destinations(name, config->on_success, config->on_failure, err);
	DF_FREE char *key = loop ? NULL : config_key(name);
	json_t *json = json_pack("{s:i, s:I, s:I, s:s, s:s}", "attempts", (int)config->attempts_max,
		"age_ms", (json_int_t)config->age_max_ms, "modified_ms",
		(json_int_t)config->modified_ms, "on_success", config->on_success, "on_failure",
		config->on_failure);
	DF_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (loop)
		return loop;
	return key && text ? state_put_setting(key, text, err)
			   : df_err_set(err, -ENOMEM, "out of memory");
}

int async_remove_config(const char *name, struct df_err *err)
{
	DF_FREE char *key = config_key(name);

	return key ? state_put_setting(key, NULL, err) : df_err_set(err, -ENOMEM, "out of memory");
}

void async_forget(const char *name)
{
	struct df_err err = {0};

	if (async_remove_config(name, &err) || queue_purge(async.queue, name, NULL))
		log_line(LOG_LEVEL_WARNING, "the events of %s could not be removed", name);
}

/* --- accepting --- */

static int put(const char *name, const char *qualifier, const struct call *call,
	const struct queue_mark *mark, const char *target, struct df_err *err)
{
	char function[QUEUE_FUNCTION_MAX + 1];
	struct async_config config;
	struct queue_event_new event = {
		.kind = QUEUE_EVENT,
		.function = function,
		.request_id = call->request_id,
		.target = target,
		.attributes = call->attributes,
		.attribute_bytes = call->attribute_bytes,
		.body = call->body_bytes ? call->body : NULL,
		.body_bytes = call->body_bytes,
		.mark = mark,
	};

	snprintf(function, sizeof(function), "%s%s%s", name, qualifier ? ":" : "",
		qualifier ? qualifier : "");
	async_get_config(name, qualifier, &config);
	event.backlog_max = config.backlog_max;
	event.attempts_max = config.attempts_max;
	event.age_max_ms = config.age_max_ms;
	return queue_put(async.queue, &event, NULL, err);
}

int async_put(const char *name, const char *qualifier, const struct call *call, struct df_err *err)
{
	return put(name, qualifier, call, NULL, NULL, err);
}

int async_put_marked(const char *name, const struct call *call, const struct queue_mark *mark,
	struct df_err *err)
{
	return put(name, NULL, call, mark, NULL, err);
}

int async_put_target(const char *function, const struct call *call, const char *target,
	struct df_err *err)
{
	char name[FUNCTION_NAME_MAX + 1], qualifier[129] = "";

	if (!face_name(function, strlen(function), name, qualifier))
		return df_err_set(err, -EINVAL, "%.80s is no function's name", function);
	return put(name, *qualifier ? qualifier : NULL, call, NULL, target, err);
}

/* --- how an event ends --- */

/* What is known when it does. `reply` is a copy, or NULL. */
struct ending {
	enum queue_reason reason;
	const char *version, *error;
	const void *reply;
	size_t reply_bytes;
	const char *type; /* of the reply */
	unsigned int status;
};

static struct function *find(const char *function)
{
	char name[FUNCTION_NAME_MAX + 1], qualifier[129] = "";

	if (!face_name(function, strlen(function), name, qualifier))
		return NULL;
	return registry_find(name, *qualifier ? qualifier : NULL);
}

static void make_record(const struct queue_event *event, const struct ending *ending,
	struct df_str *record)
{
	char arn[LAMBDA_ARN_MAX], name[FUNCTION_NAME_MAX + 1] = "", qualifier[129] = "";
	const struct destination_outcome outcome = {
		.event = event,
		.function_arn = arn,
		.executed_version = ending->version ? ending->version : FUNCTION_LATEST,
		.reason = ending->reason,
		.invocations = event->attempts + event->throttles + (ending->status != 0),
		.status = ending->status,
		.function_error = ending->error ? "Unhandled" : NULL,
		.reply = ending->reply,
		.reply_bytes = ending->reply_bytes,
		.now_ms = clock_wall_ms(),
	};

	(void)face_name(event->function, strlen(event->function), name, qualifier);
	lambda_arn(name, *qualifier ? qualifier : FUNCTION_LATEST, arn);
	destination_record(record, &outcome);
}

/* Where the result goes; empty: nowhere. */
static void find_destination(const struct queue_event *event, bool success,
	char text[DESTINATION_MAX + 1])
{
	char name[FUNCTION_NAME_MAX + 1], qualifier[129] = "";
	struct async_config config;

	text[0] = '\0';
	if (!face_name(event->function, strlen(event->function), name, qualifier))
		return;
	async_get_config(name, *qualifier ? qualifier : NULL, &config);
	snprintf(text, DESTINATION_MAX + 1, "%s", success ? config.on_success : config.on_failure);
}

static int store_end(const struct queue_event *event, const struct ending *ending,
	const struct queue_event_new *next)
{
	const struct queue_end end = {
		.reason = ending->reason,
		.status = ending->status,
		.error = ending->error,
		.reply = ending->reply,
		.reply_bytes = ending->reply_bytes,
	};

	return ending->reason == QUEUE_ALIVE ? queue_done(async.queue, event, next)
					     : queue_dead(async.queue, event, &end, next);
}

/* How many functions an event came through, this one included. */
static unsigned int hops_of(const struct queue_event *event)
{
	const char *name, *value;
	size_t at = 0;

	while (df_attributes_next(event->attributes, event->attribute_bytes, &at, &name, &value) >
		0) {
		if (strcmp(name, DESTINATION_HOPS) == 0)
			return (unsigned int)strtoul(value, NULL, 10) + 1;
	}
	return 1;
}

/* What the next event has beside its body. `attributes` holds it if it is not the ended event's own. */
static void add_attributes(const struct queue_event *event, const struct ending *ending,
	bool is_reply, struct queue_event_new *next, struct df_str *attributes)
{
	char hops[16];

	if (next->kind == QUEUE_EVENT) {
		snprintf(hops, sizeof(hops), "%u", hops_of(event));
		(void)!df_attributes_add(attributes, DESTINATION_HOPS, hops);
		if (is_reply && ending->type)
			(void)!df_attributes_add(attributes, "datacontenttype", ending->type);
	} else if (is_reply && ending->type) {
		if (next->attributes)
			df_str_add_bytes(attributes, event->attributes, event->attribute_bytes);
		(void)!df_attributes_add(attributes, DESTINATION_REPLY_TYPE, ending->type);
	}
	/* Without memory, or room in the queue, it goes without. */
	if (attributes->length == 0 || attributes->failed ||
		attributes->length > QUEUE_ATTRIBUTES_MAX)
		return;
	next->attributes = attributes->data;
	next->attribute_bytes = attributes->length;
}

/* A result that came through as many functions as it may ends here. */
static bool is_too_far(const struct queue_event *event, const struct destination *destination)
{
	if (destination->kind != DESTINATION_FUNCTION || hops_of(event) < DESTINATION_HOPS_MAX)
		return false;
	log_line(LOG_LEVEL_WARNING,
		"the result of event %s of %s came through %u functions, and goes no further",
		event->request_id, event->function, DESTINATION_HOPS_MAX);
	return true;
}

static void end_event(const struct queue_event *event, const struct ending *ending)
{
	DF_STR struct df_str attributes = DF_STR_EMPTY;
	DF_STR struct df_str record = DF_STR_EMPTY;
	char text[DESTINATION_MAX + 1];
	struct destination destination;
	struct queue_event_new next;
	struct df_err err = {0};
	bool send, reply;
	int error;

	find_destination(event, ending->reason == QUEUE_ALIVE, text);
	send = *text && destination_parse(text, &destination, &err) == 0 &&
		!is_too_far(event, &destination);
	reply = send && destination_takes_reply(&destination, ending->reason == QUEUE_ALIVE);
	if (send && !reply)
		make_record(event, ending, &record);
	send = send && !record.failed;
	if (send)
		destination_next(&destination, text, event,
			reply ? ending->reply : df_str_text(&record),
			reply ? ending->reply_bytes : record.length, &next);
	if (send)
		add_attributes(event, ending, reply, &next, &attributes);
	error = store_end(event, ending, send ? &next : NULL);
	if (error)
		log_line(LOG_LEVEL_ERROR, "the end of event %s of %s could not be stored: %s",
			event->request_id, event->function, df_errno_text(error));
	else if (ending->reason != QUEUE_ALIVE)
		log_line(LOG_LEVEL_WARNING, "event %s of %s was given up: %s", event->request_id,
			event->function, ending->error ? ending->error : "it is too old");
}

/* Later again, or over. */
static void try_again(const struct queue_event *event, enum queue_failure failure,
	struct ending *ending)
{
	int reason = queue_retry(async.queue, event, failure);

	if (reason <= 0)
		return;
	ending->reason = (enum queue_reason)reason;
	end_event(event, ending);
}

/* --- running --- */

/* The content type of a reply. To be freed; NULL without memory. */
static char *type_of(const struct function *function, const struct df_slot_reply *reply)
{
	DF_FREE char *attributes = malloc(reply->attribute_bytes + 1);
	const char *type = function->config->reply_type, *name, *value;
	size_t at = 0;

	if (!attributes)
		return NULL;
	/* Once: it lies where a hostile monitor can still write. */
	memcpy(attributes, reply->attributes ? (const char *)reply->attributes : "",
		reply->attributes ? reply->attribute_bytes : 0);
	while (reply->attributes &&
		df_attributes_next(attributes, reply->attribute_bytes, &at, &name, &value) > 0) {
		if (strcasecmp(name, "content-type") == 0 ||
			strcasecmp(name, "http.header.content-type") == 0)
			type = value;
	}
	return strdup(type);
}

/* A status that may be another one the next time (RFC 9110, 15). */
static bool may_pass(unsigned int status)
{
	return status >= MHD_HTTP_INTERNAL_SERVER_ERROR || status == MHD_HTTP_REQUEST_TIMEOUT ||
		status == MHD_HTTP_TOO_EARLY || status == MHD_HTTP_TOO_MANY_REQUESTS;
}

/* The program has answered, or failed. What it says about itself by a status counts: an error's text is no result. */
static void judge_answer(const struct queue_event *event, const struct call_reply *reply,
	struct ending *ending)
{
	unsigned int status = reply->reply.reply_status;
	char said[64];

	if (reply->result != CALL_OK) {
		try_again(event, QUEUE_ERROR, ending);
		return;
	}
	/* What does not fit the queue can not be on its way to a destination. */
	if (ending->reply_bytes > QUEUE_BODY_MAX) {
		ending->reason = QUEUE_REFUSED;
		ending->error =
			"its reply is larger than replies of asynchronous events may be (64 MiB)";
		ending->reply = NULL;
		ending->reply_bytes = 0;
	} else if (status >= MHD_HTTP_BAD_REQUEST) {
		snprintf(said, sizeof(said), "the function answered with status %u", status);
		ending->error = said;
		ending->status = status;
		ending->reason = QUEUE_REFUSED;
		if (may_pass(status)) {
			try_again(event, QUEUE_ERROR, ending);
			return;
		}
	}
	end_event(event, ending);
}

static void judge(const struct queue_event *event, const struct function *function,
	const struct call_reply *reply)
{
	DF_FREE void *copy = NULL;
	DF_FREE char *type = NULL;
	struct ending ending = {
		.version = function->version,
		.error = reply->result == CALL_OK ? NULL : reply->text,
		.status = MHD_HTTP_OK,
	};

	switch (reply->result) {
	case CALL_OK:
	case CALL_FUNCTION_ERROR:
	case CALL_TIMEOUT:
		/* It lies where a hostile monitor can still write. */
		copy = reply->reply.body_bytes ? malloc(reply->reply.body_bytes) : NULL;
		if (copy)
			memcpy(copy, reply->reply.body, reply->reply.body_bytes);
		ending.reply = copy;
		ending.reply_bytes = copy ? reply->reply.body_bytes : 0;
		type = type_of(function, &reply->reply);
		ending.type = type;
		judge_answer(event, reply, &ending);
		break;
	case CALL_TOO_LARGE:
		ending.reason = QUEUE_REFUSED;
		ending.status = MHD_HTTP_CONTENT_TOO_LARGE;
		end_event(event, &ending);
		break;
	default:
		ending.status = reply->result == CALL_BUSY ? MHD_HTTP_TOO_MANY_REQUESTS
							   : MHD_HTTP_INTERNAL_SERVER_ERROR;
		try_again(event, QUEUE_THROTTLED, &ending);
	}
}

/* Its body is somewhere else. 0, 1 (the event is over), or -errno. */
static int open_body(const struct queue_event *event, const struct function *function,
	struct deliver_body *body, struct call *call)
{
	const struct ending large = {.reason = QUEUE_REFUSED,
		.error = "the object is larger than the function takes",
		.status = MHD_HTTP_CONTENT_TOO_LARGE};
	int error = deliver_open(event->target, function->config->body_max, body);

	call->body = body->memory;
	call->body_fd = body->fd;
	call->body_bytes = body->bytes;
	if (error == -EFBIG)
		end_event(event, &large);
	if (error == -ENOENT || error == -EAGAIN) {
		log_line(LOG_LEVEL_INFO, "event %s of %s is void: %s is there no more",
			event->request_id, event->function, event->target);
		(void)!queue_done(async.queue, event, NULL);
	}
	return error == -EFBIG || error == -ENOENT || error == -EAGAIN ? 1 : error;
}

static void run_function(const struct queue_event *event, struct function *function)
{
	struct ending failed = {
		.error = "the object can not be read", .status = MHD_HTTP_INTERNAL_SERVER_ERROR};
	struct deliver_body body = {.fd = -1};
	struct call_reply reply;
	struct call call = {
		.request_id = event->request_id,
		.body = event->body,
		.body_fd = -1,
		.body_bytes = event->body_bytes,
		.attributes = event->attributes,
		.attribute_bytes = event->attribute_bytes,
	};
	int error = event->target ? open_body(event, function, &body, &call) : 0;

	if (error == 0) {
		(void)dispatch_call(function, &call, &reply);
		judge(event, function, &reply);
		call_release(&reply);
	} else if (error < 0) {
		try_again(event, QUEUE_THROTTLED, &failed);
	}
	deliver_close(&body);
}

static void run_event(const struct queue_event *event)
{
	const struct ending unknown = {
		.reason = QUEUE_REFUSED, .error = "there is no such function any more"};
	struct function *function = find(event->function);

	if (function)
		run_function(event, function);
	else
		end_event(event, &unknown);
	function_unref(function);
}

static enum destination_result deliver(const struct queue_event *event, unsigned int *status,
	struct df_err *err)
{
	struct destination_network allowed[ASYNC_NETWORKS_MAX];
	struct destination_settings settings = {.directory_fd = async.directory_fd,
		.allowed = allowed,
		.put_object = deliver_object};

	pthread_mutex_lock(&async.lock);
	memcpy(allowed, async.allowed, sizeof(allowed));
	settings.allowed_count = async.allowed_count;
	pthread_mutex_unlock(&async.lock);
	return destination_deliver(&settings, event, status, err);
}

static void run_delivery(const struct queue_event *event)
{
	struct df_err err = {0};
	unsigned int status = 0;
	struct queue_end end = {.reason = QUEUE_REFUSED, .error = err.text};
	enum destination_result result = deliver(event, &status, &err);
	int reason = 0;

	if (result == DESTINATION_DELIVERED) {
		(void)!queue_done(async.queue, event, NULL);
		return;
	}
	if (result == DESTINATION_LATER)
		reason = queue_retry(async.queue, event, QUEUE_THROTTLED);
	if (result == DESTINATION_LATER && reason <= 0)
		return;
	if (reason > 0)
		end.reason = (enum queue_reason)reason;
	end.status = status;
	log_line(LOG_LEVEL_WARNING, "the result of event %s of %s was not delivered: %s",
		event->request_id, event->function, err.text);
	(void)!queue_dead(async.queue, event, &end, NULL);
}

static void handle(const struct queue_event *event)
{
	const struct ending expired = {.reason = QUEUE_AGE_EXCEEDED};
	const struct queue_end late = {.reason = QUEUE_AGE_EXCEEDED};

	if (event->expired && event->kind == QUEUE_EVENT)
		end_event(event, &expired);
	else if (event->expired)
		(void)!queue_dead(async.queue, event, &late, NULL);
	else if (event->kind == QUEUE_EVENT)
		run_event(event);
	else
		run_delivery(event);
}

static void *work(void *unused)
{
	(void)unused;
	for (;;) {
		struct queue_event event = {0};
		int result = queue_take(async.queue, UINT64_MAX, &event);

		if (result == QUEUE_STOPPED)
			return NULL;
		if (result == QUEUE_TAKEN) {
			__atomic_add_fetch(&async.active, 1, __ATOMIC_RELAXED);
			handle(&event);
			__atomic_sub_fetch(&async.active, 1, __ATOMIC_RELAXED);
		}
		queue_event_free(&event);
		if (result < 0) {
			log_line(LOG_LEVEL_ERROR, "the queue cannot be read: %s",
				df_errno_text(result));
			sleep(RETRY_S);
		}
	}
}

/* --- starting and stopping --- */

static int open_results(struct df_err *err)
{
	DF_FREE char *path = state_path("results");

	if (!path || (mkdir(path, 0700) < 0 && errno != EEXIST))
		return df_err_set(err, -errno, "results: %s", df_errno_text(errno));
	async.directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return async.directory_fd < 0
		? df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno))
		: 0;
}

static int start_workers(unsigned int count, struct df_err *err)
{
	for (; async.count < count && async.count < WORKERS_MAX; async.count++) {
		int error = pthread_create(&async.workers[async.count], NULL, work, NULL);

		if (error)
			return df_err_set(err, -error, "starting a worker failed: %s",
				df_errno_text(error));
	}
	return 0;
}

void async_limit(const struct function *function)
{
	if (strcmp(function->version, FUNCTION_LATEST) == 0 && async.queue &&
		queue_limit(async.queue, function->config->name, function->config->concurrency))
		log_line(LOG_LEVEL_WARNING,
			"events of %s are not limited to its concurrency: out of memory",
			function->config->name);
}

/* Those that were deployed before the daemon started. */
static void limit_all(void)
{
	struct function **list = registry_list(NULL);

	for (size_t i = 0; list && list[i]; i++)
		async_limit(list[i]);
	registry_list_free(list);
}

int async_init(unsigned int workers, struct df_err *err)
{
	DF_FREE char *path = state_path("queue");
	const struct queue_options opening = {.directory = path, .takers = workers};
	int error = path && destination_init() == 0 ? 0 : -ENOMEM;

	async.directory_fd = -1;
	if (error)
		return df_err_set(err, error, "out of memory");
	error = open_results(err);
	if (!error)
		error = queue_open(&opening, &async.queue, err);
	if (!error) {
		limit_all();
		error = start_workers(workers, err);
	}
	if (error)
		async_deinit();
	return error;
}

void async_allow(const struct destination_network *networks, size_t count)
{
	if (count > ASYNC_NETWORKS_MAX)
		count = ASYNC_NETWORKS_MAX;
	pthread_mutex_lock(&async.lock);
	memcpy(async.allowed, networks, count * sizeof(*networks));
	async.allowed_count = count;
	pthread_mutex_unlock(&async.lock);
}

unsigned int async_active(void)
{
	return __atomic_load_n(&async.active, __ATOMIC_RELAXED);
}

void async_quiesce(void)
{
	if (async.queue)
		queue_stop(async.queue);
}

void async_deinit(void)
{
	async_quiesce();
	while (async.count)
		pthread_join(async.workers[--async.count], NULL);
	queue_close(async.queue);
	async.queue = NULL;
	df_cleanup_fd(&async.directory_fd);
	async.directory_fd = -1;
	destination_deinit();
}
