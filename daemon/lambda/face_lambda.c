/* SPDX-License-Identifier: Apache-2.0 */
/* Lambda's interface: its routes; calling, showing, listing and deleting functions. See lambda.h. */
#include "daemon/lambda/lambda.h"

#include "daemon/function/deploy.h"
#include "host/attributes.h"
#include "host/cleanup.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define LOG_TAIL_BYTES 4096u
#define CONTEXT_MAX 3583 /* bytes of a client context */

/* --- Invoke --- */

static const char *error_type(const struct call_reply *reply)
{
	if (reply->result == CALL_TIMEOUT)
		return "Sandbox.Timedout";
	if (reply->result == CALL_FUNCTION_ERROR && reply->reply.outcome == DF_OUTCOME_REPLY_SIZE)
		return "Function.ResponseSizeTooLarge";
	return "Runtime.ExitError";
}

static char *error_payload(const struct request *request, const struct call_reply *reply)
{
	DF_FREE char *message = reply->result == CALL_TIMEOUT
		? df_format("%s Task timed out: %s", request->id, reply->text)
		: df_format("RequestId: %s Error: %s", request->id, reply->text);
	json_t *json = json_pack("{s:s, s:s}", "errorType", error_type(reply), "errorMessage",
		message ? message : "");
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

static void add_log(struct MHD_Response *response, const struct call_reply *reply)
{
	size_t bytes =
		reply->reply.log_bytes < LOG_TAIL_BYTES ? reply->reply.log_bytes : LOG_TAIL_BYTES;
	unsigned char copy[LOG_TAIL_BYTES];
	char text[(LOG_TAIL_BYTES + 2) / 3 * 4 + 1] = "";

	if (bytes) {
		memcpy(copy, reply->reply.log + reply->reply.log_bytes - bytes, bytes);
		EVP_EncodeBlock((unsigned char *)text, copy, (int)bytes);
	}
	(void)MHD_add_response_header(response, "X-Amz-Log-Result", text);
}

/* The function ran, whatever came of it. */
static enum MHD_Result send_run(struct request *request, const struct function *function,
	const struct call_reply *reply)
{
	const char *log_type = http_header(request, "X-Amz-Log-Type");
	bool failed = reply->result != CALL_OK;
	char *payload = failed ? error_payload(request, reply) : NULL;
	struct MHD_Response *response = failed
		? MHD_create_response_from_buffer(payload ? strlen(payload) : 0, payload,
			  MHD_RESPMEM_MUST_FREE)
		: MHD_create_response_from_buffer(reply->reply.body_bytes,
			  (void *)reply->reply.body, MHD_RESPMEM_MUST_COPY);

	if (!response)
		return MHD_NO;
	if (failed)
		(void)MHD_add_response_header(response, "X-Amz-Function-Error", "Unhandled");
	if (log_type && strcmp(log_type, "Tail") == 0)
		add_log(response, reply);
	(void)MHD_add_response_header(response, "X-Amz-Executed-Version", function->version);
	(void)MHD_add_response_header(response, "x-amzn-RequestId", request->id);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	return http_send(request, MHD_HTTP_OK, response);
}

static enum MHD_Result send_not_run(struct request *request, const struct call_reply *reply)
{
	switch (reply->result) {
	case CALL_BUSY:
		return lambda_send_error(request, MHD_HTTP_TOO_MANY_REQUESTS,
			"TooManyRequestsException", "Rate Exceeded.");
	case CALL_TOO_LARGE:
		return lambda_send_error(request, MHD_HTTP_CONTENT_TOO_LARGE,
			"RequestTooLargeException", "%s", reply->text);
	case CALL_NOT_READY:
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", reply->text);
	default:
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", reply->text);
	}
}

static void add_attributes(const struct request *request, const struct function *function,
	struct df_str *attributes)
{
	const char *context = http_header(request, "X-Amz-Client-Context");
	char arn[LAMBDA_ARN_MAX];

	lambda_arn(function->config->name, function->version, arn);
	(void)!df_attributes_add(attributes, "id", request->id);
	(void)!df_attributes_add(attributes, "source", arn);
	(void)!df_attributes_add(attributes, "type", "dayfly.lambda");
	(void)!df_attributes_add(attributes, "datacontenttype", "application/json");
	if (context && strlen(context) <= CONTEXT_MAX)
		(void)!df_attributes_add(attributes, "lambda.client-context", context);
}

static enum MHD_Result call_now(struct request *request, struct function *function,
	const struct call *call)
{
	struct call_reply reply;
	enum MHD_Result result;

	switch (dispatch_call(function, call, &reply)) {
	case CALL_OK:
	case CALL_FUNCTION_ERROR:
	case CALL_TIMEOUT:
		result = send_run(request, function, &reply);
		break;
	default:
		result = send_not_run(request, &reply);
	}
	call_release(&reply);
	return result;
}

static enum MHD_Result invoke_as(struct request *request, struct function *function,
	const struct lambda_target *target, const char *type)
{
	DF_STR struct df_str attributes = DF_STR_EMPTY;
	struct call call = {
		.request_id = request->id,
		.body = request->body,
		.body_fd = request->body_fd,
		.body_bytes = request->body_bytes,
	};

	if (type && strcmp(type, "DryRun") == 0)
		return lambda_send(request, MHD_HTTP_NO_CONTENT, NULL);
	add_attributes(request, function, &attributes);
	call.attributes = attributes.data;
	call.attribute_bytes = attributes.length;
	if (!type || strcmp(type, "RequestResponse") == 0)
		return call_now(request, function, &call);
	if (strcmp(type, "Event") == 0)
		return lambda_put_event(request, target, &call);
	return lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException",
		"there is no invocation type %.100s", type);
}

static enum MHD_Result invoke(struct request *request)
{
	const char *type = http_header(request, "X-Amz-Invocation-Type");
	struct lambda_target target;
	struct function *function;
	enum MHD_Result result;

	if (!lambda_begin(request, &target, &result))
		return result;
	function = lambda_find(request, &target, &result);
	if (!function)
		return result;
	result = invoke_as(request, function, &target, type);
	function_unref(function);
	return result;
}

/* --- looking and deleting --- */

static json_t *tags_of(const struct function *function)
{
	json_t *kept =
		function->config->lambda ? json_loads(function->config->lambda, 0, NULL) : NULL;
	json_t *tags = json_incref(json_object_get(kept, "Tags"));

	json_decref(kept);
	return tags;
}

static enum MHD_Result get_function(struct request *request)
{
	struct lambda_target target;
	struct function *function;
	enum MHD_Result result;
	json_t *json, *tags;

	if (!lambda_begin(request, &target, &result))
		return result;
	function = lambda_find(request, &target, &result);
	if (!function)
		return result;
	json = json_pack("{s:o, s:{s:s}}", "Configuration", lambda_configuration(function), "Code",
		"RepositoryType", "dayfly");
	tags = tags_of(function);
	if (tags)
		(void)json_object_set_new(json, "Tags", tags);
	function_unref(function);
	return lambda_send(request, MHD_HTTP_OK, json);
}

static enum MHD_Result get_configuration(struct request *request)
{
	struct lambda_target target;
	struct function *function;
	enum MHD_Result result;

	if (!lambda_begin(request, &target, &result))
		return result;
	function = lambda_find(request, &target, &result);
	if (!function)
		return result;
	result = lambda_send(request, MHD_HTTP_OK, lambda_configuration(function));
	function_unref(function);
	return result;
}

/* Where the page begins: behind the function that the marker names. */
static bool is_behind(const struct function *function, const char *marker)
{
	return !marker || strcmp(function->config->name, marker) > 0;
}

static enum MHD_Result list_functions(struct request *request)
{
	const char *marker = http_query(request, "Marker"), *most = http_query(request, "MaxItems");
	const char *which = http_query(request, "FunctionVersion");
	size_t room = most ? strtoul(most, NULL, 10) : 50;
	bool all = which && strcmp(which, "ALL") == 0;
	struct function **list;
	enum MHD_Result result;
	json_t *json, *array;

	if (!lambda_begin(request, NULL, &result))
		return result;
	list = registry_list(NULL);
	array = json_array();
	json = json_pack("{s:o}", "Functions", array);
	for (size_t i = 0; list && list[i]; i++) {
		bool latest = strcmp(list[i]->version, FUNCTION_LATEST) == 0;

		if (!is_behind(list[i], marker) || (!latest && !all) ||
			list[i]->config->mode == FUNCTION_SERVICE)
			continue;
		/* Pages end between names. */
		if (latest && json_array_size(array) >= room && i) {
			(void)json_object_set_new(json, "NextMarker",
				json_string(list[i - 1]->config->name));
			break;
		}
		(void)json_array_append_new(array, lambda_configuration(list[i]));
	}
	registry_list_free(list);
	return lambda_send(request, MHD_HTTP_OK, json);
}

static enum MHD_Result delete_function(struct request *request)
{
	struct lambda_target target;
	struct function *function;
	enum MHD_Result result;
	struct df_err err = {0};

	if (!lambda_begin(request, &target, &result))
		return result;
	function = lambda_find(request, &target, &result);
	if (!function)
		return result;
	function_unref(function);
	switch (deploy_remove(target.name, *target.qualifier ? target.qualifier : NULL, &err)) {
	case 0:
		return lambda_send(request, MHD_HTTP_NO_CONTENT, NULL);
	case -ENOENT:
		return lambda_not_found(request, &target);
	case -EBUSY:
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", err.text);
	default:
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	}
}

static enum MHD_Result get_concurrency(struct request *request)
{
	struct lambda_target target;
	struct function *function;
	enum MHD_Result result;
	json_t *json = json_object(), *kept;

	if (!lambda_begin(request, &target, &result) ||
		!(function = lambda_find(request, &target, &result))) {
		json_decref(json);
		return result;
	}
	kept = function->config->lambda ? json_loads(function->config->lambda, 0, NULL) : NULL;
	if (json_object_get(kept, "ReservedConcurrentExecutions"))
		(void)json_object_set_new(json, "ReservedConcurrentExecutions",
			json_integer(function->config->concurrency));
	json_decref(kept);
	function_unref(function);
	return lambda_send(request, MHD_HTTP_OK, json);
}

#define FUNCTIONS "/2015-03-31/functions"

const struct route face_lambda[] = {
	{"POST", FUNCTIONS "/*/invocations", FACE_BOTH, invoke},
	{"GET", FUNCTIONS, FACE_BOTH, list_functions},
	{"POST", FUNCTIONS, FACE_BOTH, lambda_create},
	{"GET", FUNCTIONS "/*", FACE_BOTH, get_function},
	{"DELETE", FUNCTIONS "/*", FACE_BOTH, delete_function},
	{"PUT", FUNCTIONS "/*/code", FACE_BOTH, lambda_update_code},
	{"GET", FUNCTIONS "/*/configuration", FACE_BOTH, get_configuration},
	{"PUT", FUNCTIONS "/*/configuration", FACE_BOTH, lambda_update_configuration},
	{"POST", FUNCTIONS "/*/versions", FACE_BOTH, lambda_publish},
	{"GET", FUNCTIONS "/*/versions", FACE_BOTH, lambda_list_versions},
	{"POST", FUNCTIONS "/*/aliases", FACE_BOTH, lambda_create_alias},
	{"GET", FUNCTIONS "/*/aliases", FACE_BOTH, lambda_list_aliases},
	{"GET", FUNCTIONS "/*/aliases/*", FACE_BOTH, lambda_get_alias},
	{"PUT", FUNCTIONS "/*/aliases/*", FACE_BOTH, lambda_update_alias},
	{"DELETE", FUNCTIONS "/*/aliases/*", FACE_BOTH, lambda_delete_alias},
	{"PUT", "/2017-10-31/functions/*/concurrency", FACE_BOTH, lambda_put_concurrency},
	{"DELETE", "/2017-10-31/functions/*/concurrency", FACE_BOTH, lambda_delete_concurrency},
	{"PUT POST", "/2019-09-25/functions/*/event-invoke-config", FACE_BOTH, lambda_put_async},
	{"GET", "/2019-09-25/functions/*/event-invoke-config", FACE_BOTH, lambda_get_async},
	{"DELETE", "/2019-09-25/functions/*/event-invoke-config", FACE_BOTH, lambda_delete_async},
	{"GET", "/2019-09-30/functions/*/concurrency", FACE_BOTH, get_concurrency},
	{0},
};
