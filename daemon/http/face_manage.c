/* SPDX-License-Identifier: Apache-2.0 */
/* Management, on the local face: see docs/reference-http.md. */
#include "daemon/http/faces.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/function/deploy.h"
#include "daemon/log.h"
#include "daemon/object/s3.h"
#include "daemon/metrics.h"
#include "daemon/function/source.h"
#include "daemon/function/turn.h"
#include "daemon/service/service.h"
#include "daemon/state.h"
#include "daemon/trigger/trigger.h"
#include "host/cleanup.h"
#include "host/json.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_WAIT_MAX_MS 60000u

/* --- showing --- */

static json_t *calls_json(struct function *function)
{
	json_t *json = json_object();
	struct tally *tally = function->tally;

	for (int i = 0; i < CALL_RESULTS; i++)
		(void)json_object_set_new(json, call_result_text(i),
			json_integer((json_int_t)tally_read(&tally->results[i])));
	(void)json_object_set_new(json, "cold_starts",
		json_integer((json_int_t)tally_read(&tally->cold_starts)));
	pthread_mutex_lock(&function->lock);
	(void)json_object_set_new(json, "instances", json_integer(function->instances));
	(void)json_object_set_new(json, "busy_instances", json_integer(function->busy));
	(void)json_object_set_new(json, "waiting", json_integer(function->waiting));
	pthread_mutex_unlock(&function->lock);
	return json;
}

/* What a function has and a service has not goes; how it is comes. */
static void show_service(json_t *json, const char *name)
{
	static const char *const others[] = {"url", "calls", "snapshot_bytes", "event_pages",
		"concurrency", "waiting", "body_max", "reply_max", "timeout", "async",
		"destinations", "triggers", "reply_type", "port"};
	json_t *now = service_json(name);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		(void)json_object_del(json, others[i]);
	if (now)
		(void)json_object_set_new(json, "service", now);
}

static json_t *function_json(struct function *f)
{
	char time[CLOCK_TEXT_BYTES], url[256];
	json_t *json = function_config_json(f->config, SECRETS_NAMED);

	snprintf(url, sizeof(url), "%s/fn/%s%s%s", http_url(), f->config->name,
		strcmp(f->version, FUNCTION_LATEST) == 0 ? "" : ":",
		strcmp(f->version, FUNCTION_LATEST) == 0 ? "" : f->version);
	if (json)
		(void)json_object_update_new(json,
			json_pack(
				"{s:s, s:s, s:s, s:s, s:s*, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:o}",
				"name", f->config->name, "version", f->version, "revision",
				f->revision, "state", function_state_text(f->state), "reason",
				f->reason, "wait_point", f->wait_point, "boot_ns",
				(json_int_t)f->boot_ns, "snapshot_bytes",
				(json_int_t)f->snapshot_bytes, "event_pages",
				(json_int_t)f->event_pages, "code_bytes", (json_int_t)f->code_bytes,
				"modified", clock_text(f->modified_ms, time), "url", url, "calls",
				calls_json(f)));
	if (json && f->boot_status)
		(void)json_object_set_new(json, "boot_status", json_integer(f->boot_status));
	if (json)
		(void)json_object_del(json, "lambda");
	if (json)
		(void)json_object_del(json, "frozen");
	if (json && f->reused)
		(void)json_object_set_new(json, "reused", json_true());
	if (json && f->config->triggers && strcmp(f->version, FUNCTION_LATEST) == 0)
		(void)json_object_set_new(json, "triggers", triggers_json(f->config->name));
	if (json && f->config->mode == FUNCTION_SERVICE)
		show_service(json, f->config->name);
	return json;
}

/* The function of the request's path, or NULL after an answer. */
static struct function *find(struct request *request, enum MHD_Result *result)
{
	char name[FUNCTION_NAME_MAX + 1], qualifier[129];
	struct function *function = NULL;

	if (face_name(request->part[0], strlen(request->part[0]), name, qualifier))
		function = registry_find(name, *qualifier ? qualifier : NULL);
	if (!function)
		*result = http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is no function named %.200s", request->part[0]);
	return function;
}

static enum MHD_Result show_function(struct request *request)
{
	enum MHD_Result result;
	struct function *function = find(request, &result);

	if (!function)
		return result;
	result = http_send_json(request, MHD_HTTP_OK, function_json(function));
	function_unref(function);
	return result;
}

static enum MHD_Result list_functions(struct request *request)
{
	const char *versions = http_query(request, "versions");
	bool all = versions && strcmp(versions, "all") == 0;
	struct function **list = registry_list(NULL);
	json_t *array = json_array();

	for (size_t i = 0; list && list[i]; i++) {
		if (all || strcmp(list[i]->version, FUNCTION_LATEST) == 0)
			(void)json_array_append_new(array, function_json(list[i]));
	}
	registry_list_free(list);
	return http_send_json(request, MHD_HTTP_OK, json_pack("{s:o}", "functions", array));
}

static size_t count_latest(void)
{
	struct function **list = registry_list(NULL);
	size_t count = 0;

	for (size_t i = 0; list && list[i]; i++)
		count += strcmp(list[i]->version, FUNCTION_LATEST) == 0;
	registry_list_free(list);
	return count;
}

static enum MHD_Result show_info(struct request *request)
{
	struct dispatch_gauges gauges;

	dispatch_gauges(&gauges);
	return http_send_json(request, MHD_HTTP_OK,
		json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:i, s:i, s:I}", "version",
			DAYFLY_VERSION, "url", http_url(), "objects", s3_url(), "state",
			state_directory(), "pid", (int)getpid(), "uptime_ms",
			(json_int_t)((clock_now_ns() - daemon_started_ns) / 1000000), "processes",
			(int)gauges.processes, "instances", (int)gauges.instances, "functions",
			(json_int_t)count_latest()));
}

/* Lines of a log as the query wants them: after=POSITION or tail=COUNT, wait=MS. */
static enum MHD_Result send_log(struct request *request, struct log *log)
{
	const char *after_text = http_query(request, "after"), *wait = http_query(request, "wait");
	const char *tail = http_query(request, "tail");
	unsigned long wait_ms = wait ? strtoul(wait, NULL, 10) : 0;
	unsigned long count = tail ? strtoul(tail, NULL, 10) : 0;
	uint64_t after = after_text ? strtoull(after_text, NULL, 10) : 0;
	DF_STR struct df_str lines = DF_STR_EMPTY;
	struct MHD_Response *response;
	char number[24];

	if (tail)
		after = log_tail(log, count < UINT_MAX ? (unsigned int)count : UINT_MAX);
	log_read(log, &after, wait_ms < LOG_WAIT_MAX_MS ? (unsigned int)wait_ms : LOG_WAIT_MAX_MS,
		&lines);
	response = MHD_create_response_from_buffer(lines.length, (void *)df_str_text(&lines),
		MHD_RESPMEM_MUST_COPY);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)after);
	if (response) {
		(void)MHD_add_response_header(response, "x-dayfly-log-after", number);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/x-ndjson");
	}
	return http_send(request, MHD_HTTP_OK, response);
}

static enum MHD_Result show_logs(struct request *request)
{
	enum MHD_Result result;
	struct function *function = find(request, &result);

	if (!function)
		return result;
	result = send_log(request, function->tally->log);
	function_unref(function);
	return result;
}

static enum MHD_Result show_own_log(struct request *request)
{
	return send_log(request, log_own());
}

/* --- changing --- */

static int take_event(json_t *json, unsigned char **event, size_t *bytes, struct df_err *err)
{
	const json_t *value = json_object_get(json, "event");
	size_t length = json_string_length(value);
	int got;

	if (!value)
		return 0;
	*event = json_is_string(value) && length % 4 == 0 ? malloc(length + 4) : NULL;
	got = *event ? EVP_DecodeBlock(*event, (const unsigned char *)json_string_value(value),
			       (int)length)
		     : -1;
	if (got < 0)
		return df_err_set(err, -EINVAL, "event must be a string in base64");
	for (size_t i = 1; i <= 2 && i <= length && json_string_value(value)[length - i] == '=';
		i++)
		got--;
	*bytes = (size_t)got;
	(void)json_object_del(json, "event");
	return 0;
}

/* "image_name": what the image's manifest says, with the other keys in its place. */
static int take_stored(json_t *json, struct source *source, struct df_err *err)
{
	const char *name = json_string_value(json_object_get(json, "image_name"));
	int error;

	if (!name || json_object_get(json, "image"))
		return df_err_set(err, -EINVAL,
			"image_name must be a string, and image be left out");
	error = source_open(name, source, err);
	if (!error) {
		(void)json_object_del(json, "image_name");
		(void)json_object_update_missing(json, source->config);
		error = source_check_secrets(source, json, err);
	}
	return error == -ENOENT ? df_err_set(err, -EINVAL, "%s", err->text) : error;
}

/* Finds the root image: source->root_path. */
static int take_image(json_t *json, struct source *source, struct df_err *err)
{
	const char *path = json_string_value(json_object_get(json, "image"));

	if (json_object_get(json, "image_name"))
		return take_stored(json, source, err);
	if (!path || *path != '/')
		return df_err_set(err, -EINVAL, "image must be the absolute path of a root image");
	source->root_path = strdup(path);
	(void)json_object_del(json, "image");
	return source->root_path ? 0 : df_err_set(err, -ENOMEM, "out of memory");
}

static enum MHD_Result answer_deploy(struct request *request, const char *name,
	const struct deployment *deployment, enum deploy_result result, bool service,
	const struct df_err *err)
{
	struct function *function;
	enum MHD_Result sent;

	switch (result) {
	case DEPLOY_CONFLICT:
		return http_send_error(request, MHD_HTTP_CONFLICT, "Conflict", "%s", err->text);
	case DEPLOY_FAILED:
		return http_send_failure(request, MHD_HTTP_UNPROCESSABLE_CONTENT,
			service ? "NotUp" : "DeployFailed", err->text, deployment->output,
			df_str_text(deployment->report));
	case DEPLOY_ERROR:
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed", "%s",
			err->text);
	default:
		break;
	}
	function = registry_find(name, NULL);
	sent = function
		? http_send_json(request, result == DEPLOY_MADE ? MHD_HTTP_CREATED : MHD_HTTP_OK,
			  function_json(function))
		: http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			  "%s was deleted meanwhile", name);
	function_unref(function);
	return sent;
}

/* What Lambda's interface has set about asynchronous events ends with a deployment that says it itself. */
static enum deploy_result deploy_all(const struct deployment *deployment, const char *name,
	struct df_err *err)
{
	enum deploy_result result = deploy(deployment, err);

	if ((result == DEPLOY_MADE || result == DEPLOY_REPLACED) && async_remove_config(name, err))
		log_line(LOG_LEVEL_WARNING, "%s: %s", name, err->text);
	return result;
}

static enum MHD_Result deploy_json(struct request *request, const char *name, json_t *json)
{
	DF_FREE unsigned char *event = NULL;
	struct source source = {.root_path = NULL};
	DF_STR struct df_str output = DF_STR_EMPTY;
	DF_STR struct df_str report = DF_STR_EMPTY;
	struct deployment deployment = {.output = &output, .report = &report};
	struct df_err err = {0};
	enum MHD_Result result;
	int error = take_event(json, &event, &deployment.event_bytes, &err);

	if (!error)
		error = take_image(json, &source, &err);
	if (!error)
		error = function_config_parse(name, json, &deployment.config, &err);
	if (error) {
		bool absent = error == -ENOTSUP;

		result = http_send_error(request,
			absent ? MHD_HTTP_NOT_IMPLEMENTED : MHD_HTTP_BAD_REQUEST,
			absent ? "NotImplemented" : "BadRequest", "%s", err.text);
	} else {
		bool service = deployment.config->mode == FUNCTION_SERVICE;

		deployment.image = source.root_path;
		deployment.event = event;
		result = answer_deploy(request, name, &deployment,
			deploy_all(&deployment, name, &err), service, &err);
	}
	source_deinit(&source);
	return result;
}

static enum MHD_Result put_function(struct request *request)
{
	enum MHD_Result result;
	const char *name = request->part[0];
	json_t *json;

	if (!function_name_ok(name, strlen(name)))
		return http_send_error(request, MHD_HTTP_BAD_REQUEST, "BadRequest",
			"a function's name has 1 to %d of a-z A-Z 0-9 - _", FUNCTION_NAME_MAX);
	json = http_json_body(request, &result);
	if (!json)
		return result;
	result = deploy_json(request, name, json);
	json_decref(json);
	return result;
}

static enum MHD_Result delete_function(struct request *request)
{
	char name[FUNCTION_NAME_MAX + 1], version[129];
	struct df_err err = {0};
	int error = -ENOENT;

	if (face_name(request->part[0], strlen(request->part[0]), name, version))
		error = deploy_remove(name, *version ? version : NULL, &err);
	switch (error) {
	case 0:
		return http_send_empty(request, MHD_HTTP_NO_CONTENT);
	case -ENOENT:
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is no function named %.200s", request->part[0]);
	case -EBUSY:
		return http_send_error(request, MHD_HTTP_CONFLICT, "Conflict", "%s", err.text);
	default:
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed", "%s",
			err.text);
	}
}

/* --- services --- */

static enum MHD_Result answer_service(struct request *request, const char *name, int error,
	const struct df_err *err)
{
	struct function *function;
	enum MHD_Result result;

	switch (error) {
	case 0:
		break;
	case -EBUSY:
	case 1:
		return http_send_error(request, MHD_HTTP_CONFLICT, error > 0 ? "NotUp" : "Conflict",
			"%s", err->text);
	case -ENOENT:
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound", "%s", err->text);
	default:
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed", "%s",
			err->text);
	}
	function = registry_find(name, NULL);
	result = function ? http_send_json(request, MHD_HTTP_OK, function_json(function))
			  : http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
				    "%s was deleted meanwhile", name);
	function_unref(function);
	return result;
}

static enum MHD_Result change_service(struct request *request,
	int (*change)(const char *name, struct df_err *err))
{
	const char *name = request->part[0];
	struct df_err err = {0};
	struct turn turn;
	int error = turn_take(&turn, name, &err);

	if (!error) {
		error = change(name, &err);
		turn_end(&turn);
	}
	return answer_service(request, name, error, &err);
}

static enum MHD_Result stop_service(struct request *request)
{
	return change_service(request, service_halt);
}

static enum MHD_Result start_service(struct request *request)
{
	return change_service(request, service_resume);
}

static enum MHD_Result stop(struct request *request)
{
	enum MHD_Result result = http_send_empty(request, MHD_HTTP_ACCEPTED);

	daemon_stop();
	return result;
}

const struct route face_manage[] = {
	{"GET", "/info", FACE_LOCAL, show_info},
	{"GET", "/functions", FACE_LOCAL, list_functions},
	{"GET", "/functions/*", FACE_LOCAL, show_function},
	{"PUT", "/functions/*", FACE_LOCAL, put_function},
	{"DELETE", "/functions/*", FACE_LOCAL, delete_function},
	{"GET", "/functions/*/logs", FACE_LOCAL, show_logs},
	{"POST", "/functions/*/stop", FACE_LOCAL, stop_service},
	{"POST", "/functions/*/start", FACE_LOCAL, start_service},
	{"GET", "/logs", FACE_LOCAL, show_own_log},
	{"POST", "/stop", FACE_LOCAL, stop},
	{0},
};
