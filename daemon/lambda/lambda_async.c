/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous calls and their settings in Lambda's interface: see lambda.h. */
#include "daemon/lambda/lambda.h"

#include "daemon/event/async.h"
#include "daemon/clock.h"

#include <errno.h>
#include <string.h>

#define AGE_MIN_S 60
#define AGE_MAX_S 21600
#define RETRIES_MAX 2

enum MHD_Result lambda_put_event(struct request *request, const struct lambda_target *target,
	struct call *call)
{
	struct df_err err = {0};
	const void *body = NULL;
	int error = http_whole_body(request, &body);

	call->body = body;
	call->body_fd = -1;
	if (!error)
		error = async_put(target->name, *target->qualifier ? target->qualifier : NULL, call,
			&err);
	switch (error) {
	case 0:
		return lambda_send(request, MHD_HTTP_ACCEPTED, NULL);
	case -EFBIG:
		return lambda_send_error(request, MHD_HTTP_CONTENT_TOO_LARGE,
			"RequestTooLargeException", "%s", err.text);
	case -EDQUOT:
		return lambda_send_error(request, MHD_HTTP_TOO_MANY_REQUESTS,
			"TooManyRequestsException", "%s", err.text);
	default:
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	}
}

/* --- the settings --- */

static json_t *destination_json(const char *text)
{
	return *text ? json_pack("{s:s}", "Destination", text) : json_object();
}

static enum MHD_Result send_config(struct request *request, const struct lambda_target *target,
	const struct async_config *config)
{
	char arn[LAMBDA_ARN_MAX];

	lambda_arn(target->name, *target->qualifier ? target->qualifier : FUNCTION_LATEST, arn);
	return lambda_send(request, MHD_HTTP_OK,
		json_pack("{s:f, s:s, s:i, s:I, s:{s:o, s:o}}", "LastModified",
			(double)config->modified_ms / 1000, "FunctionArn", arn,
			"MaximumRetryAttempts", (int)config->attempts_max - 1,
			"MaximumEventAgeInSeconds", (json_int_t)(config->age_max_ms / 1000),
			"DestinationConfig", "OnSuccess", destination_json(config->on_success),
			"OnFailure", destination_json(config->on_failure)));
}

/* NULL, or what is wrong. */
static const char *take_destination(const json_t *json, char text[DESTINATION_MAX + 1],
	struct df_err *err)
{
	const char *wanted = json_string_value(json_object_get(json, "Destination"));
	struct destination destination;

	if (!wanted || !*wanted) {
		text[0] = '\0';
		return NULL;
	}
	if (strlen(wanted) > DESTINATION_MAX || destination_parse(wanted, &destination, err))
		return err->code ? err->text : "Destination is too long";
	/* Who has a key may call functions, not write where they like. */
	if (destination.kind == DESTINATION_FILE && *destination.value == '/')
		return "Destination must be a relative file name: a manifest may name other directories";
	strcpy(text, wanted);
	return NULL;
}

static const char *take_config(const json_t *json, struct async_config *config, struct df_err *err)
{
	const json_t *retries = json_object_get(json, "MaximumRetryAttempts");
	const json_t *age = json_object_get(json, "MaximumEventAgeInSeconds");
	const json_t *destinations = json_object_get(json, "DestinationConfig");
	const json_t *success = json_object_get(destinations, "OnSuccess");
	const json_t *failure = json_object_get(destinations, "OnFailure");
	const char *wrong = NULL;

	if (json_is_integer(retries)) {
		if (json_integer_value(retries) < 0 || json_integer_value(retries) > RETRIES_MAX)
			return "MaximumRetryAttempts must be 0, 1 or 2";
		config->attempts_max = (unsigned int)json_integer_value(retries) + 1;
	}
	if (json_is_integer(age)) {
		if (json_integer_value(age) < AGE_MIN_S || json_integer_value(age) > AGE_MAX_S)
			return "MaximumEventAgeInSeconds must be from 60 to 21600";
		config->age_max_ms = (uint64_t)json_integer_value(age) * 1000;
	}
	if (success)
		wrong = take_destination(success, config->on_success, err);
	if (!wrong && failure)
		wrong = take_destination(failure, config->on_failure, err);
	return wrong;
}

/* The target, if it is there. False after an answer. */
static bool begin(struct request *request, struct lambda_target *target, enum MHD_Result *result)
{
	struct function *function;

	if (!lambda_begin(request, target, result))
		return false;
	function = lambda_find(request, target, result);
	function_unref(function);
	return function != NULL;
}

enum MHD_Result lambda_put_async(struct request *request)
{
	struct lambda_target target;
	struct async_config config;
	enum MHD_Result result;
	struct df_err err = {0};
	const char *wrong;
	json_t *json;

	if (!begin(request, &target, &result))
		return result;
	json = http_json_body(request, &result);
	if (!json)
		return result;
	async_get_config(target.name, NULL, &config);
	/* PUT sets all anew, POST only what it names. */
	if (strcmp(request->method, "PUT") == 0)
		config = (struct async_config){.attempts_max = FUNCTION_ATTEMPTS_DEFAULT,
			.age_max_ms = FUNCTION_AGE_DEFAULT_MS};
	config.modified_ms = clock_wall_ms();
	wrong = take_config(json, &config, &err);
	json_decref(json);
	if (wrong)
		return lambda_send_error(request, MHD_HTTP_BAD_REQUEST,
			"InvalidParameterValueException", "%s", wrong);
	if (async_put_config(target.name, &config, &err))
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	return send_config(request, &target, &config);
}

static enum MHD_Result send_none(struct request *request, const struct lambda_target *target)
{
	char arn[LAMBDA_ARN_MAX];

	lambda_arn(target->name, target->qualifier, arn);
	return lambda_send_error(request, MHD_HTTP_NOT_FOUND, "ResourceNotFoundException",
		"The function %s doesn't have an EventInvokeConfig", arn);
}

enum MHD_Result lambda_get_async(struct request *request)
{
	struct lambda_target target;
	struct async_config config;
	enum MHD_Result result;

	if (!begin(request, &target, &result))
		return result;
	async_get_config(target.name, NULL, &config);
	return config.modified_ms ? send_config(request, &target, &config)
				  : send_none(request, &target);
}

enum MHD_Result lambda_delete_async(struct request *request)
{
	struct lambda_target target;
	enum MHD_Result result;
	struct df_err err = {0};

	if (!begin(request, &target, &result))
		return result;
	if (async_remove_config(target.name, &err))
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	return lambda_send(request, MHD_HTTP_NO_CONTENT, NULL);
}
