/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating and updating functions in Lambda's interface: see lambda.h.
 *
 * Every change is a deploy: the program is frozen anew with the new settings, and takes the old one's place when that went well. So State is
 * Active (or Failed) when Create answers, and clients that wait for it find it at once.
 */
#include "daemon/lambda/lambda.h"

#include "daemon/function/deploy.h"
#include "daemon/lambda/lambda_code.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is kept as the client gave it, and answered. */
static const char *const kept_keys[] = {"Role", "Runtime", "Handler", "Tags", "Environment",
	"DeadLetterConfig", "LoggingConfig", "SnapStart"};

static enum MHD_Result send_invalid(struct request *request, const char *what)
{
	return lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException",
		"%s", what);
}

static json_t *read_object(struct request *request, enum MHD_Result *result)
{
	const void *bytes = "";
	json_t *json = http_whole_body(request, &bytes)
		? NULL
		: json_loadb(bytes, request->body_bytes, 0, NULL);

	if (json_is_object(json))
		return json;
	json_decref(json);
	*result = lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "InvalidRequestContentException",
		"Could not parse request body into json");
	return NULL;
}

/* --- a deployment in the making: JSON as function_config_parse reads it --- */

/* What Lambda takes for granted. The code's own says more. */
static json_t *new_config(void)
{
	return json_pack("{s:i, s:I, s:s}", "timeout", 3000, "memory", (json_int_t)128 << 20,
		"lambda", "{}");
}

static json_t *kept_of(const json_t *config)
{
	const char *text = json_string_value(json_object_get(config, "lambda"));
	json_t *kept = text ? json_loads(text, 0, NULL) : NULL;

	return kept ? kept : json_object();
}

static void keep(json_t *config, json_t *kept)
{
	DF_FREE char *text = json_dumps(kept, JSON_COMPACT);

	if (text)
		(void)json_object_set_new(config, "lambda", json_string(text));
}

static void take_kept(json_t *config, const json_t *wanted)
{
	json_t *kept = kept_of(config);

	for (size_t i = 0; i < sizeof(kept_keys) / sizeof(kept_keys[0]); i++) {
		json_t *value = json_object_get(wanted, kept_keys[i]);

		if (value && !json_is_null(value))
			(void)json_object_set(kept, kept_keys[i], value);
	}
	keep(config, kept);
	json_decref(kept);
}

/* Timeout, MemorySize, Environment, Description. NULL, or what is wrong. */
static const char *take_settings(json_t *config, const json_t *wanted)
{
	const json_t *timeout = json_object_get(wanted, "Timeout");
	const json_t *memory = json_object_get(wanted, "MemorySize");
	json_t *variables = json_object_get(json_object_get(wanted, "Environment"), "Variables");
	json_t *description = json_object_get(wanted, "Description");

	if (timeout && (json_integer_value(timeout) < 1 || json_integer_value(timeout) > 900))
		return "Timeout must be from 1 to 900 seconds";
	if (memory && (json_integer_value(memory) < 128 || json_integer_value(memory) > 10240))
		return "MemorySize must be from 128 to 10240 MB";
	if (timeout)
		(void)json_object_set_new(config, "timeout",
			json_integer(json_integer_value(timeout) * 1000));
	if (memory)
		(void)json_object_set_new(config, "memory",
			json_integer(json_integer_value(memory) << 20));
	if (json_is_object(variables))
		(void)json_object_set(config, "environment", variables);
	if (json_is_string(description))
		(void)json_object_set(config, "description", description);
	take_kept(config, wanted);
	return NULL;
}

static void take_program(json_t *config, const struct lambda_code *code)
{
	json_t *kept = kept_of(config), *more = kept_of(code->config);

	(void)json_object_update(config, code->config);
	/* It may have been another kind of code before. */
	(void)json_object_del(kept, "PackageType");
	(void)json_object_update(kept, more);
	(void)json_object_set_new(kept, "CodeSha256", json_string(code->sha256));
	keep(config, kept);
	json_decref(more);
	json_decref(kept);
}

/* --- deploying it --- */

/* The answer to a change that went well, or to a first one that did not. */
static enum MHD_Result send_deployed(struct request *request, const struct lambda_target *target,
	const json_t *wanted, unsigned int status)
{
	struct function *function = NULL;
	enum MHD_Result result = MHD_NO;
	struct df_err err = {0};

	if (!json_is_true(json_object_get(wanted, "Publish")))
		function = lambda_find(request, target, &result);
	else if (deploy_publish(target->name, NULL, &function, &err))
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", err.text);
	if (!function)
		return result;
	result = lambda_send(request, status, lambda_configuration(function));
	function_unref(function);
	return result;
}

static enum MHD_Result deploy_config(struct request *request, const struct lambda_target *target,
	const json_t *config, const char *image, const json_t *wanted, unsigned int status)
{
	struct deployment deployment = {.image = image};
	struct df_err err = {0};
	int error = function_config_parse(target->name, config, &deployment.config, &err);

	if (error)
		return send_invalid(request, err.text);
	switch (deploy(&deployment, &err)) {
	case DEPLOY_FAILED:
		/* A new function is there, and says itself that it Failed. */
		if (status != MHD_HTTP_CREATED)
			return send_invalid(request, err.text);
		break;
	case DEPLOY_CONFLICT:
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", err.text);
	case DEPLOY_ERROR:
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	default:
		break;
	}
	return send_deployed(request, target, wanted, status);
}

/* Unpacks Code (or the flat members of UpdateFunctionCode). False after an answer. */
static bool take_code(struct request *request, const json_t *from, struct lambda_code *code,
	enum MHD_Result *result)
{
	const json_t *zip_file = json_object_get(from, "ZipFile");
	const json_t *image_uri = json_object_get(from, "ImageUri");
	struct df_err err = {0};
	int error;

	*code = (struct lambda_code){.path = NULL};
	if (!zip_file && !image_uri) {
		*result = lambda_send_error(request, MHD_HTTP_NOT_IMPLEMENTED,
			"NotImplementedException", "Code comes in a ZipFile or as an ImageUri");
		return false;
	}
	error = zip_file ? lambda_code_unzip(zip_file, code, &err)
			 : lambda_code_image(image_uri, code, &err);
	if (error == -EINVAL)
		*result = send_invalid(request, err.text);
	else if (error)
		*result = lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	return error == 0;
}

static enum MHD_Result create_from(struct request *request, const struct lambda_target *target,
	const json_t *wanted)
{
	json_t *config = new_config();
	struct lambda_code code = {.path = NULL};
	enum MHD_Result result;
	const char *wrong;

	if (take_code(request, json_object_get(wanted, "Code"), &code, &result)) {
		take_program(config, &code);
		wrong = take_settings(config, wanted);
		result = wrong ? send_invalid(request, wrong)
			       : deploy_config(request, target, config, code.path, wanted,
					 MHD_HTTP_CREATED);
	}
	lambda_code_deinit(&code);
	json_decref(config);
	return result;
}

enum MHD_Result lambda_create(struct request *request)
{
	struct lambda_target target = {.qualifier = ""};
	struct function *existing;
	enum MHD_Result result;
	const char *name;
	json_t *wanted;

	if (!lambda_begin(request, NULL, &result))
		return result;
	wanted = read_object(request, &result);
	if (!wanted)
		return result;
	name = json_string_value(json_object_get(wanted, "FunctionName"));
	if (!name || !lambda_parse_name(name, &target) || *target.qualifier) {
		json_decref(wanted);
		return send_invalid(request, "FunctionName is not the name of a function");
	}
	existing = registry_find(target.name, NULL);
	if (existing)
		result = lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"Function already exist: %s", target.name);
	else
		result = create_from(request, &target, wanted);
	function_unref(existing);
	json_decref(wanted);
	return result;
}

/* --- updates: of a function that is there --- */

struct update {
	struct lambda_target target;
	struct function *before; /* a reference */
	json_t *wanted, *config;
};

static void end_update(struct update *update)
{
	function_unref(update->before);
	json_decref(update->wanted);
	json_decref(update->config);
}

/* False after an answer. end_update in any case. */
static bool begin_update(struct request *request, struct update *update, enum MHD_Result *result)
{
	const char *revision;

	*update = (struct update){.before = NULL};
	if (!lambda_begin(request, &update->target, result))
		return false;
	update->before = lambda_find(request, &update->target, result);
	if (!update->before)
		return false;
	update->wanted = request->body_bytes ? read_object(request, result) : json_object();
	if (!update->wanted)
		return false;
	revision = json_string_value(json_object_get(update->wanted, "RevisionId"));
	if (revision && strcmp(revision, update->before->revision) != 0) {
		*result = lambda_send_error(request, MHD_HTTP_PRECONDITION_FAILED,
			"PreconditionFailedException",
			"The RevisionId provided does not match the latest RevisionId");
		return false;
	}
	update->config = function_config_json(update->before->config, SECRETS_WHOLE);
	return update->config != NULL;
}

/* With the code that it has. */
static enum MHD_Result redeploy(struct request *request, const struct update *update,
	unsigned int status)
{
	if (!update->before->root_path)
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"The function has no code that works; update its code first");
	return deploy_config(request, &update->target, update->config, update->before->root_path,
		update->wanted, status);
}

enum MHD_Result lambda_update_configuration(struct request *request)
{
	enum MHD_Result result;
	struct update update;

	if (begin_update(request, &update, &result)) {
		const char *wrong = take_settings(update.config, update.wanted);

		result = wrong ? send_invalid(request, wrong)
			       : redeploy(request, &update, MHD_HTTP_OK);
	}
	end_update(&update);
	return result;
}

static enum MHD_Result update_code(struct request *request, struct update *update)
{
	struct lambda_code code;
	enum MHD_Result result;

	if (!take_code(request, update->wanted, &code, &result)) {
		lambda_code_deinit(&code);
		return result;
	}
	take_program(update->config, &code);
	if (json_is_true(json_object_get(update->wanted, "DryRun")))
		result = lambda_send(request, MHD_HTTP_OK, lambda_configuration(update->before));
	else
		result = deploy_config(request, &update->target, update->config, code.path,
			update->wanted, MHD_HTTP_OK);
	lambda_code_deinit(&code);
	return result;
}

enum MHD_Result lambda_update_code(struct request *request)
{
	enum MHD_Result result;
	struct update update;

	if (begin_update(request, &update, &result))
		result = update_code(request, &update);
	end_update(&update);
	return result;
}

/* --- reserved concurrency --- */

static void keep_concurrency(json_t *config, json_int_t concurrency)
{
	json_t *kept = kept_of(config);

	if (concurrency)
		(void)json_object_set_new(kept, "ReservedConcurrentExecutions",
			json_integer(concurrency));
	else
		(void)json_object_del(kept, "ReservedConcurrentExecutions");
	keep(config, kept);
	json_decref(kept);
	(void)json_object_set_new(config, "concurrency",
		json_integer(concurrency ? concurrency : FUNCTION_CONCURRENCY_DEFAULT));
}

/* 0: none is reserved any more. */
static enum MHD_Result set_concurrency(struct request *request, struct update *update,
	json_int_t concurrency)
{
	struct deployment deployment = {.image = update->before->root_path};
	struct df_err err = {0};

	if (!deployment.image)
		return redeploy(request, update, MHD_HTTP_OK);
	keep_concurrency(update->config, concurrency);
	if (function_config_parse(update->target.name, update->config, &deployment.config, &err))
		return send_invalid(request, err.text);
	if (deploy(&deployment, &err) != DEPLOY_REPLACED)
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", err.text);
	return concurrency
		? lambda_send(request, MHD_HTTP_OK,
			  json_pack("{s:I}", "ReservedConcurrentExecutions", concurrency))
		: lambda_send(request, MHD_HTTP_NO_CONTENT, NULL);
}

enum MHD_Result lambda_put_concurrency(struct request *request)
{
	enum MHD_Result result;
	struct update update;

	if (begin_update(request, &update, &result)) {
		json_int_t wanted = json_integer_value(json_object_get(update.wanted,
			"ReservedConcurrentExecutions"));

		result = wanted < 1 || wanted > FUNCTION_CONCURRENCY_MAX
			? send_invalid(request,
				  "ReservedConcurrentExecutions must be from 1 to 1000")
			: set_concurrency(request, &update, wanted);
	}
	end_update(&update);
	return result;
}

enum MHD_Result lambda_delete_concurrency(struct request *request)
{
	enum MHD_Result result;
	struct update update;

	if (begin_update(request, &update, &result))
		result = set_concurrency(request, &update, 0);
	end_update(&update);
	return result;
}
