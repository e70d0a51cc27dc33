/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and aliases in Lambda's interface: see lambda.h. */
#include "daemon/lambda/lambda.h"

#include "daemon/function/deploy.h"
#include "daemon/state.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum MHD_Result send_invalid(struct request *request, const char *what)
{
	return lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException",
		"%s", what);
}

/* The request's body as an object; an absent one is empty. NULL after an answer. */
static json_t *read_object(struct request *request, enum MHD_Result *result)
{
	const void *bytes = "";
	json_t *json;

	if (!request->body_bytes)
		return json_object();
	json = http_whole_body(request, &bytes) ? NULL
						: json_loadb(bytes, request->body_bytes, 0, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	*result = lambda_send_error(request, MHD_HTTP_BAD_REQUEST, "InvalidRequestContentException",
		"Could not parse request body into json");
	return NULL;
}

/* --- versions --- */

enum MHD_Result lambda_publish(struct request *request)
{
	struct lambda_target target;
	struct function *version;
	enum MHD_Result result;
	struct df_err err = {0};
	json_t *json;
	int error;

	if (!lambda_begin(request, &target, &result))
		return result;
	json = read_object(request, &result);
	if (!json)
		return result;
	error = deploy_publish(target.name, json_string_value(json_object_get(json, "Description")),
		&version, &err);
	json_decref(json);
	if (error == -ENOENT)
		return lambda_not_found(request, &target);
	if (error)
		return lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"%s", err.text);
	result = lambda_send(request, MHD_HTTP_CREATED, lambda_configuration(version));
	function_unref(version);
	return result;
}

enum MHD_Result lambda_list_versions(struct request *request)
{
	struct lambda_target target;
	struct function **list;
	enum MHD_Result result;
	json_t *array;

	if (!lambda_begin(request, &target, &result))
		return result;
	list = registry_list(target.name);
	if (!list || !list[0]) {
		registry_list_free(list);
		return lambda_not_found(request, &target);
	}
	array = json_array();
	for (size_t i = 0; list[i]; i++) {
		if (list[i]->config->mode != FUNCTION_SERVICE)
			(void)json_array_append_new(array, lambda_configuration(list[i]));
	}
	registry_list_free(list);
	return lambda_send(request, MHD_HTTP_OK, json_pack("{s:o}", "Versions", array));
}

/* --- aliases --- */

static json_t *alias_json(const char *function, const struct alias *alias)
{
	char arn[LAMBDA_ARN_MAX];
	json_t *json;

	lambda_arn(function, alias->name, arn);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "AliasArn", arn, "Name", alias->name,
		"FunctionVersion", alias->version, "Description",
		alias->description ? alias->description : "", "RevisionId", alias->revision);
	if (json && *alias->second)
		(void)json_object_set_new(json, "RoutingConfig",
			json_pack("{s:{s:f}}", "AdditionalVersionWeights", alias->second,
				alias->weight));
	return json;
}

struct search {
	const char *function, *name; /* NULL: all aliases */
	const char *version; /* or NULL */
	json_t *found; /* array */
	struct alias copy; /* of the last one */
};

static void collect(void *into, const struct alias *alias)
{
	struct search *search = into;

	if (search->name && strcmp(alias->name, search->name) != 0)
		return;
	if (search->version && strcmp(alias->version, search->version) != 0)
		return;
	(void)json_array_append_new(search->found, alias_json(search->function, alias));
	free(search->copy.description);
	search->copy = *alias;
	search->copy.description = alias->description ? strdup(alias->description) : NULL;
}

static void end_search(struct search *search)
{
	json_decref(search->found);
	free(search->copy.description);
}

/* False: there is none of that name, and 404 was sent. End with end_search in any case. */
static bool find_alias(struct request *request, const struct lambda_target *target,
	struct search *search, enum MHD_Result *result)
{
	char arn[LAMBDA_ARN_MAX];

	*search = (struct search){
		.function = target->name, .name = request->part[1], .found = json_array()};
	registry_each_alias(target->name, collect, search);
	if (json_array_size(search->found) > 0)
		return true;
	lambda_arn(target->name, request->part[1], arn);
	*result = lambda_send_error(request, MHD_HTTP_NOT_FOUND, "ResourceNotFoundException",
		"Alias not found: %s", arn);
	return false;
}

static bool is_alias_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	return length > 0 && length <= 128 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		length &&
		strspn(name, "0123456789") != length;
}

static bool take_version(const char *text, char version[24])
{
	if (!text || strlen(text) >= 24 ||
		(strcmp(text, FUNCTION_LATEST) != 0 && strspn(text, "0123456789") != strlen(text)))
		return false;
	strcpy(version, text);
	return true;
}

/* RoutingConfig: at most one more version, with a weight of 0 to 1. An empty one takes the weights away. */
static bool take_weights(const json_t *routing, struct alias *alias)
{
	json_t *weights = json_object_get(routing, "AdditionalVersionWeights"), *value;
	const char *version;

	if (!routing)
		return true;
	alias->second[0] = '\0';
	alias->weight = 0;
	if (json_object_size(weights) > 1)
		return false;
	json_object_foreach(weights, version, value)
	{
		double weight = json_number_value(value);

		if (!json_is_number(value) || weight < 0 || weight > 1 ||
			!take_version(version, alias->second))
			return false;
		alias->weight = weight;
	}
	return true;
}

/* Puts into *alias what the body says. NULL, or what is wrong with it. */
static const char *take_alias(const json_t *json, struct alias *alias)
{
	const json_t *version = json_object_get(json, "FunctionVersion");
	const char *description = json_string_value(json_object_get(json, "Description"));

	if (version && !take_version(json_string_value(version), alias->version))
		return "FunctionVersion is not a version";
	if (!*alias->version)
		return "FunctionVersion is missing";
	if (!take_weights(json_object_get(json, "RoutingConfig"), alias))
		return "RoutingConfig names one version with a weight from 0 to 1";
	if (description) {
		free(alias->description);
		alias->description = strdup(description);
	}
	return NULL;
}

static enum MHD_Result store_alias(struct request *request, const struct lambda_target *target,
	struct alias *alias, unsigned int status)
{
	struct df_err err = {0};
	int error;

	deploy_uuid(alias->revision);
	error = registry_put_alias(target->name, alias);
	if (error == -ENOENT)
		return lambda_not_found(request, target);
	if (!error)
		error = state_put_alias(target->name, alias, &err);
	if (error)
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	return lambda_send(request, status, alias_json(target->name, alias));
}

enum MHD_Result lambda_create_alias(struct request *request)
{
	struct lambda_target target;
	struct alias alias = {.weight = 0};
	enum MHD_Result result;
	struct search search;
	const char *wrong, *name;
	json_t *json;

	if (!lambda_begin(request, &target, &result))
		return result;
	json = read_object(request, &result);
	if (!json)
		return result;
	name = json_string_value(json_object_get(json, "Name"));
	wrong = is_alias_name(name) ? take_alias(json, &alias) : "Name is not the name of an alias";
	search = (struct search){
		.function = target.name, .name = wrong ? "" : name, .found = json_array()};
	registry_each_alias(target.name, collect, &search);
	if (wrong) {
		result = send_invalid(request, wrong);
	} else if (json_array_size(search.found) > 0) {
		result = lambda_send_error(request, MHD_HTTP_CONFLICT, "ResourceConflictException",
			"Alias already exists: %s", name);
	} else {
		strcpy(alias.name, name);
		result = store_alias(request, &target, &alias, MHD_HTTP_CREATED);
	}
	end_search(&search);
	free(alias.description);
	json_decref(json);
	return result;
}

enum MHD_Result lambda_update_alias(struct request *request)
{
	struct lambda_target target;
	enum MHD_Result result;
	struct search search;
	json_t *json = NULL;
	const char *wrong;

	if (!lambda_begin(request, &target, &result))
		return result;
	if (find_alias(request, &target, &search, &result))
		json = read_object(request, &result);
	if (json) {
		wrong = take_alias(json, &search.copy);
		result = wrong ? send_invalid(request, wrong)
			       : store_alias(request, &target, &search.copy, MHD_HTTP_OK);
	}
	json_decref(json);
	end_search(&search);
	return result;
}

enum MHD_Result lambda_get_alias(struct request *request)
{
	struct lambda_target target;
	enum MHD_Result result;
	struct search search;

	if (!lambda_begin(request, &target, &result))
		return result;
	if (find_alias(request, &target, &search, &result))
		result = lambda_send(request, MHD_HTTP_OK,
			json_incref(json_array_get(search.found, 0)));
	end_search(&search);
	return result;
}

enum MHD_Result lambda_list_aliases(struct request *request)
{
	struct lambda_target target;
	enum MHD_Result result;
	struct search search;

	if (!lambda_begin(request, &target, &result))
		return result;
	search = (struct search){.function = target.name,
		.version = http_query(request, "FunctionVersion"),
		.found = json_array()};
	registry_each_alias(target.name, collect, &search);
	result = lambda_send(request, MHD_HTTP_OK, json_pack("{s:O}", "Aliases", search.found));
	end_search(&search);
	return result;
}

enum MHD_Result lambda_delete_alias(struct request *request)
{
	struct lambda_target target;
	enum MHD_Result result;
	struct df_err err = {0};

	if (!lambda_begin(request, &target, &result))
		return result;
	if (state_remove_alias(target.name, request->part[1], &err))
		return lambda_send_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
			"ServiceException", "%s", err.text);
	/* One that is not there is deleted already. */
	(void)registry_remove_alias(target.name, request->part[1]);
	return lambda_send(request, MHD_HTTP_NO_CONTENT, NULL);
}
