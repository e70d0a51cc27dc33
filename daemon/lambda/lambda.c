/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of Lambda's interface share: see lambda.h. */
#include "daemon/lambda/lambda.h"

#include "daemon/clock.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- answers --- */

enum MHD_Result lambda_send(struct request *request, unsigned int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct MHD_Response *response = MHD_create_response_from_buffer(text ? strlen(text) : 0,
		text, MHD_RESPMEM_MUST_FREE);

	json_decref(json);
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/json");
		(void)MHD_add_response_header(response, "x-amzn-RequestId", request->id);
	}
	return http_send(request, status, response);
}

enum MHD_Result lambda_send_error(struct request *request, unsigned int status, const char *type,
	const char *format, ...)
{
	char message[1024];
	struct MHD_Response *response;
	json_t *json;
	char *text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	json = json_pack("{s:s, s:s}", "Type", status < 500 ? "User" : "Service",
		status == MHD_HTTP_NOT_FOUND ? "Message" : "message", message);
	if (json && status == MHD_HTTP_TOO_MANY_REQUESTS)
		(void)json_object_set_new(json, "Reason",
			json_string("ReservedFunctionConcurrentInvocationLimitExceeded"));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	response = MHD_create_response_from_buffer(text ? strlen(text) : 0, text,
		MHD_RESPMEM_MUST_FREE);
	if (response) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			"application/json");
		(void)MHD_add_response_header(response, "x-amzn-ErrorType", type);
		(void)MHD_add_response_header(response, "x-amzn-RequestId", request->id);
	}
	return http_send(request, status, response);
}

enum MHD_Result lambda_not_found(struct request *request, const struct lambda_target *target)
{
	char arn[LAMBDA_ARN_MAX];

	lambda_arn(target->name, target->qualifier, arn);
	return lambda_send_error(request, MHD_HTTP_NOT_FOUND, "ResourceNotFoundException",
		"Function not found: %s", arn);
}

/* --- signatures --- */

/* An enum sigv4_result or -errno. */
static int verify(struct request *request)
{
	struct sigv4_identity identity;
	char hash[SIGV4_HEX_BYTES];
	const void *body;
	int result = http_whole_body(request, &body);

	if (!result)
		result = sigv4_sha256(body, request->body_bytes, hash);
	if (!result)
		result = signed_verify(request, "lambda", hash, &identity);
	if (result == SIGV4_OK)
		sigv4_forget(&identity);
	return result;
}

static bool is_allowed(struct request *request, enum MHD_Result *sent)
{
	const struct sigv4_error *error;
	int result = request->face == FACE_LOCAL ? SIGV4_OK : verify(request);

	if (result == SIGV4_OK)
		return true;
	if (result < 0) {
		*sent = lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", df_errno_text(result));
		return false;
	}
	error = sigv4_error((enum sigv4_result)result);
	*sent = lambda_send_error(request, error->status, error->json, "%s", error->message);
	return false;
}

/* --- names --- */

bool lambda_parse_name(const char *text, struct lambda_target *target)
{
	static const char marker[] = "function:";
	const char *at = strncmp(text, marker, sizeof(marker) - 1) == 0 ? text : NULL;

	if (!at) {
		at = strstr(text, ":function:");
		at = at ? at + 1 : NULL;
	}
	if (at)
		text = at + sizeof(marker) - 1;
	return face_name(text, strlen(text), target->name, target->qualifier);
}

bool lambda_begin(struct request *request, struct lambda_target *target, enum MHD_Result *result)
{
	const char *qualifier = http_query(request, "Qualifier");

	if (!is_allowed(request, result))
		return false;
	if (!target)
		return true;
	if (!lambda_parse_name(request->part[0], target)) {
		*result = lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "ValidationException",
			"%.200s is not the name of a function", request->part[0]);
		return false;
	}
	if (!qualifier)
		return true;
	if (strlen(qualifier) > 128 ||
		(*target->qualifier && strcmp(qualifier, target->qualifier) != 0)) {
		*result = lambda_send_error(request, MHD_HTTP_BAD_REQUEST,
			"InvalidParameterValueException",
			"The qualifiers of the function's name and of the request differ");
		return false;
	}
	strcpy(target->qualifier, qualifier);
	return true;
}

struct function *lambda_find(struct request *request, const struct lambda_target *target,
	enum MHD_Result *result)
{
	struct function *function =
		registry_find(target->name, *target->qualifier ? target->qualifier : NULL);

	/* A service is no Lambda function. */
	if (function && function->config->mode == FUNCTION_SERVICE) {
		function_unref(function);
		function = NULL;
	}
	if (!function)
		*result = lambda_not_found(request, target);
	return function;
}

void lambda_arn(const char *name, const char *qualifier, char arn[LAMBDA_ARN_MAX])
{
	bool with = *qualifier && strcmp(qualifier, FUNCTION_LATEST) != 0;

	snprintf(arn, LAMBDA_ARN_MAX,
		"arn:aws:lambda:" LAMBDA_REGION ":" LAMBDA_ACCOUNT ":function:%s%s%s", name,
		with ? ":" : "", with ? qualifier : "");
}

/* --- a configuration --- */

/* "2026-01-31T12:00:00.123+0000" */
static void time_text(uint64_t wall_ms, char text[CLOCK_TEXT_BYTES + 4])
{
	clock_text(wall_ms, text);
	strcpy(strchr(text, 'Z'), "+0000");
}

static void add_state(json_t *json, const struct function *f)
{
	(void)json_object_set_new(json, "State", json_string(function_state_text(f->state)));
	if (f->state == FUNCTION_FAILED) {
		(void)json_object_set_new(json, "StateReason", json_string(f->reason));
		(void)json_object_set_new(json, "StateReasonCode", json_string("FunctionError"));
	}
	(void)json_object_set_new(json, "LastUpdateStatus",
		json_string(f->state == FUNCTION_FAILED ? "Failed" : "Successful"));
}

json_t *lambda_configuration(const struct function *f)
{
	const struct function_config *c = f->config;
	char arn[LAMBDA_ARN_MAX], modified[CLOCK_TEXT_BYTES + 4];
	/* What the client gave: Role, Runtime, Handler, Environment, CodeSha256 ... */
	json_t *json = c->lambda ? json_loads(c->lambda, 0, NULL) : NULL;
	const char *package = json_string_value(json_object_get(json, "PackageType"));
	bool is_image = package && strcmp(package, "Image") == 0;

	if (!json)
		json = json_pack("{s:s, s:s, s:s}", "Role",
			"arn:aws:iam::" LAMBDA_ACCOUNT ":role/dayfly", "Runtime", "provided.al2023",
			"Handler", "bootstrap");
	time_text(f->modified_ms, modified);
	lambda_arn(c->name, f->version, arn);
	if (!json ||
		json_object_update_new(json,
			json_pack(
				"{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:s, s:{s:s}, s:[s], "
				"s:{s:i}}",
				"FunctionName", c->name, "FunctionArn", arn, "Version", f->version,
				"Description", c->description ? c->description : "", "Timeout",
				(int)((c->timeout_ms + 999) / 1000), "MemorySize",
				(int)(c->memory_bytes >> 20), "LastModified", modified,
				"RevisionId", f->revision, "CodeSize", (json_int_t)f->code_bytes,
				"PackageType", is_image ? "Image" : "Zip", "TracingConfig", "Mode",
				"PassThrough", "Architectures", "x86_64", "EphemeralStorage",
				"Size", 512))) {
		json_decref(json);
		return NULL;
	}
	(void)json_object_del(json, "Tags");
	(void)json_object_del(json, "ReservedConcurrentExecutions");
	add_state(json, f);
	return json;
}
