/* SPDX-License-Identifier: Apache-2.0 */
/* Calling functions over HTTP: /fn/NAME; and /metrics, /healthz. See docs/reference-http.md. */
#include "daemon/http/faces.h"

#include "daemon/event/async.h"
#include "daemon/function/routes.h"
#include "daemon/http/connection.h"
#include "daemon/http/http_request.h"
#include "daemon/metrics.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Replies up to this size are copied, so that the instance is free while the answer is sent. Larger ones are sent from where they lie,
 * and keep the instance until the client has read them or the connection's time is up.
 */
#define COPY_MAX (64u << 10)

/* --- errors --- */

struct error {
	unsigned int status;
	const char *code;
};

static const struct error errors[CALL_RESULTS] = {
	[CALL_FUNCTION_ERROR] = {MHD_HTTP_BAD_GATEWAY, "FunctionError"},
	[CALL_TIMEOUT] = {MHD_HTTP_GATEWAY_TIMEOUT, "Timeout"},
	[CALL_LOST] = {MHD_HTTP_BAD_GATEWAY, "MonitorLost"},
	[CALL_TOO_LARGE] = {MHD_HTTP_CONTENT_TOO_LARGE, "TooLarge"},
	[CALL_BUSY] = {MHD_HTTP_TOO_MANY_REQUESTS, "Busy"},
	[CALL_NOT_READY] = {MHD_HTTP_SERVICE_UNAVAILABLE, "NotReady"},
	[CALL_FAILED] = {MHD_HTTP_SERVICE_UNAVAILABLE, "NotReady"},
};

static enum MHD_Result send_busy(struct request *request, const struct call_reply *reply)
{
	char seconds[16];
	json_t *json = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", "Busy", "message",
		reply->text, "request_id", request->id);
	char *text = json_dumps(json, JSON_COMPACT);
	struct MHD_Response *response;

	json_decref(json);
	snprintf(seconds, sizeof(seconds), "%u", reply->retry_after_s);
	response = MHD_create_response_from_buffer(text ? strlen(text) : 0, text,
		MHD_RESPMEM_MUST_FREE);
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/json");
	}
	return http_send(request, MHD_HTTP_TOO_MANY_REQUESTS, response);
}

/* Its owner, on the local face, is also told what the program last said. */
static enum MHD_Result send_failure(struct request *request, const struct call_reply *reply)
{
	const struct error *error = &errors[reply->result];
	DF_STR struct df_str output = DF_STR_EMPTY;
	bool ran = reply->result == CALL_FUNCTION_ERROR || reply->result == CALL_TIMEOUT;
	size_t bytes = !ran                              ? 0
		: reply->reply.log_bytes < LOG_EVENT_MAX ? reply->reply.log_bytes
							 : LOG_EVENT_MAX;

	if (reply->result == CALL_BUSY)
		return send_busy(request, reply);
	if (request->face == FACE_LOCAL && bytes) {
		/* Once, since a hostile monitor may change what lies there. */
		df_str_add_bytes(&output, reply->reply.log + reply->reply.log_bytes - bytes, bytes);
		return http_send_failure(request, error->status, error->code, reply->text, &output,
			NULL);
	}
	return http_send_error(request, error->status, error->code, "%s", reply->text);
}

/* --- replies --- */

static void release_held(void *held)
{
	call_release(held);
	free(held);
}

/* *reply is not to be released any more when this returns a response. */
static struct MHD_Response *make_response(const struct request *request, struct call_reply *reply)
{
	const struct df_slot_reply *r = &reply->reply;
	struct MHD_Response *response;
	struct call_reply *held;

	if (r->body_bytes <= COPY_MAX) {
		response = MHD_create_response_from_buffer(r->body_bytes, (void *)r->body,
			MHD_RESPMEM_MUST_COPY);
		return response;
	}
	held = malloc(sizeof(*held));
	if (!held)
		return NULL;
	*held = *reply;
	response = MHD_create_response_from_buffer_with_free_callback_cls(r->body_bytes,
		(void *)r->body, release_held, held);
	if (!response) {
		free(held);
		return NULL;
	}
	reply->held = NULL;
	connection_answering(request->connection, r->body_bytes);
	return response;
}

/* Headers that are ours to set. */
static bool is_ours(const char *name)
{
	return strcasecmp(name, "content-length") == 0 || strcasecmp(name, "date") == 0 ||
		strcasecmp(name, "server") == 0 || strncasecmp(name, "x-dayfly-", 9) == 0;
}

/* False: the attributes make no sense. `attributes` is a copy. */
static bool add_headers(struct MHD_Response *response, const char *attributes, size_t length,
	const char *type)
{
	static const char prefix[] = "http.header.";
	const char *name, *value;
	size_t at = 0;
	int more;

	while ((more = df_attributes_next(attributes, length, &at, &name, &value)) > 0) {
		bool header = strncmp(name, prefix, sizeof(prefix) - 1) == 0;
		const char *header_name = header ? name + sizeof(prefix) - 1 : name;

		if (strcasecmp(header_name, "content-type") == 0)
			type = value;
		else if (header && !is_ours(header_name) &&
			face_end_to_end(header_name, strlen(header_name)))
			(void)MHD_add_response_header(response, header_name, value);
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return more == 0;
}

static bool status_ok(unsigned int status)
{
	return status >= 200 && status <= 599;
}

static enum MHD_Result send_reply(struct request *request, const struct function *function,
	struct call_reply *reply)
{
	unsigned int status = reply->reply.reply_status ? reply->reply.reply_status : MHD_HTTP_OK;
	size_t attribute_bytes = reply->reply.attribute_bytes;
	DF_FREE char *attributes = NULL;
	struct MHD_Response *response;
	bool fine;

	if (attribute_bytes) {
		attributes = malloc(attribute_bytes);
		if (!attributes)
			return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
				"out of memory");
		/* Once, since a hostile monitor may change what lies there. */
		memcpy(attributes, reply->reply.attributes, attribute_bytes);
	}
	response = make_response(request, reply);
	if (!response)
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
			"out of memory");
	fine = add_headers(response, attributes, attribute_bytes, function->config->reply_type);
	if (fine && status_ok(status))
		return http_send(request, status, response);
	MHD_destroy_response(response);
	return http_send_error(request, MHD_HTTP_BAD_GATEWAY, "FunctionError",
		"the reply has a status or attributes that HTTP has not");
}

/* --- calls --- */

/* Does the client want an answer before the event was run (RFC 7240)? */
static bool wants_async(const struct request *request)
{
	const char *prefer = http_header(request, "Prefer");

	return prefer && strstr(prefer, "respond-async");
}

static enum MHD_Result put_event(struct request *request, const struct function *function,
	const struct call *call)
{
	const char *version = function->version;
	struct df_err err = {0};
	struct call whole = *call;
	int error = call->body_fd >= 0 ? http_whole_body(request, &whole.body) : 0;

	if (!error)
		error = async_put(function->config->name,
			strcmp(version, FUNCTION_LATEST) == 0 ? NULL : version, &whole, &err);
	switch (error) {
	case 0:
		return http_send_json(request, MHD_HTTP_ACCEPTED,
			json_pack("{s:s}", "request_id", request->id));
	case -EFBIG:
		return http_send_error(request, MHD_HTTP_CONTENT_TOO_LARGE, "TooLarge", "%s",
			err.text);
	case -EDQUOT:
		return http_send_error(request, MHD_HTTP_TOO_MANY_REQUESTS, "Busy", "%s", err.text);
	default:
		return http_send_error(request, MHD_HTTP_INSUFFICIENT_STORAGE, "Failed", "%s",
			err.text);
	}
}

/* Who calls a service wants to know where it is. */
static enum MHD_Result send_no_function(struct request *request, const struct function *function)
{
	DF_STR struct df_str where = DF_STR_EMPTY;
	char *const *publish = function->config->service.publish;

	for (size_t i = 0; publish[i]; i++)
		df_str_addf(&where, "%s%s", i ? ", " : "", publish[i]);
	return http_send_error(request, MHD_HTTP_CONFLICT, "Service",
		"%s is a service: it is always on and takes no events; connect to the ports it publishes: %s",
		function->config->name, where.length ? df_str_text(&where) : "none");
}

static enum MHD_Result call_function(struct request *request, struct function *function,
	const struct call *call)
{
	struct call_reply reply;
	enum MHD_Result result;

	if (function->config->mode == FUNCTION_SERVICE)
		return send_no_function(request, function);
	if (wants_async(request))
		return put_event(request, function, call);
	if (dispatch_call(function, call, &reply) == CALL_OK)
		result = send_reply(request, function, &reply);
	else
		result = send_failure(request, &reply);
	call_release(&reply);
	return result;
}

static enum MHD_Result call_structured(struct request *request, struct function *function,
	struct call *call, struct df_str *attributes)
{
	DF_FREE void *body = NULL;
	struct df_err err = {0};
	const void *bytes;

	if (http_whole_body(request, &bytes) ||
		face_structured(request, bytes, request->body_bytes, attributes, &body,
			&call->body_bytes, &err))
		return http_send_error(request, MHD_HTTP_BAD_REQUEST, "BadRequest", "%s", err.text);
	call->body = body;
	call->body_fd = -1;
	if (!body)
		call->body_bytes = 0;
	call->attributes = attributes->data;
	call->attribute_bytes = attributes->length;
	return call_function(request, function, call);
}

static enum MHD_Result call_named(struct request *request, struct function *function,
	const char *rest)
{
	DF_STR struct df_str attributes = DF_STR_EMPTY;
	struct call call = {
		.request_id = request->id,
		.body = request->body,
		.body_fd = request->body_fd,
		.body_bytes = request->body_bytes,
	};

	face_attributes(request, function->config->name, rest, &attributes);
	if (attributes.failed)
		return http_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "Failed",
			"out of memory");
	if (face_is_structured(request))
		return call_structured(request, function, &call, &attributes);
	call.attributes = attributes.data;
	call.attribute_bytes = attributes.length;
	return call_function(request, function, &call);
}

static enum MHD_Result invoke(struct request *request)
{
	const char *rest = request->target + strlen("/fn/");
	char name[FUNCTION_NAME_MAX + 1], qualifier[129];
	struct function *function = NULL;
	enum MHD_Result result;

	/* Names have no characters that are escaped, but for the colon and a dollar sign. */
	if (face_name(request->part[0], strcspn(request->part[0], "/"), name, qualifier))
		function = registry_find(name, *qualifier ? qualifier : NULL);
	if (!function)
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is no function named %.200s", request->part[0]);
	while (*rest == '/')
		rest++;
	result = call_named(request, function, rest + strcspn(rest, "/?"));
	function_unref(function);
	return result;
}

/* Paths that triggers have given to functions: whatever no other table knows comes here. */
static enum MHD_Result invoke_route(struct request *request)
{
	char name[FUNCTION_NAME_MAX + 1];
	struct function *function = NULL;
	enum MHD_Result result;
	const char *rest;

	switch (routes_find(request->target, request->method, name, &rest)) {
	case ROUTE_METHOD:
		return http_send_error(request, MHD_HTTP_METHOD_NOT_ALLOWED, "MethodNotAllowed",
			"%s does not take %s here", name, request->method);
	case ROUTE_FOUND:
		function = registry_find(name, NULL);
		break;
	default:
		break;
	}
	if (!function)
		return http_send_error(request, MHD_HTTP_NOT_FOUND, "NotFound",
			"there is nothing at %.200s", request->path);
	result = call_named(request, function, rest);
	function_unref(function);
	return result;
}

static enum MHD_Result show_metrics(struct request *request)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	metrics_write(&text);
	return http_send_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
		df_str_text(&text), text.length);
}

static enum MHD_Result show_health(struct request *request)
{
	bool stopping = http_is_stopping();

	return http_send_json(request, stopping ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
		json_pack("{s:s}", "status", stopping ? "stopping" : "ok"));
}

const struct route face_invoke[] = {
	{"*", "/fn/**", FACE_BOTH | ACCESS_INVOKE, invoke},
	{"GET HEAD", "/metrics", FACE_BOTH | ACCESS_METRICS, show_metrics},
	{"GET HEAD", "/healthz", FACE_BOTH, show_health},
	{0},
};

const struct route face_routes[] = {
	{"*", HTTP_REST, FACE_BOTH | ACCESS_INVOKE, invoke_route},
	{0},
};
