/* SPDX-License-Identifier: Apache-2.0 */
/* The trigger http: see route.h. */
#include "daemon/trigger/route.h"

#include "image/manifest_values.h"

#include <errno.h>
#include <string.h>

static bool method_ok(const json_t *method)
{
	const char *text = json_string_value(method);

	return text && strlen(text) == json_string_length(method) && value_is_method(text);
}

static int check(const json_t *settings, struct df_err *err)
{
	static const char *const known[] = {"path", "methods", NULL};
	const json_t *methods = json_object_get(settings, "methods"), *method;
	const char *path = trigger_text(settings, "path", "/default");
	int error = trigger_check_keys(settings, "http", known, err);
	size_t index;

	if (error)
		return error;
	if (!path || !value_is_route(path))
		return df_err_set(err, -EINVAL,
			"http.path must be a path such as /thumbs, and not one of the platform's own");
	if (methods && (!json_is_array(methods) || json_array_size(methods) == 0))
		return df_err_set(err, -EINVAL, "http.methods must be a list of methods");
	json_array_foreach(methods, index, method)
	{
		if (!method_ok(method))
			return df_err_set(err, -EINVAL,
				"http.methods must be a list of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
	}
	return 0;
}

/* Whether the path is another function's is asked before the deploy begins (function/deploy.c). */
static int prepare(const struct function_config *function, const json_t *settings,
	struct df_err *err)
{
	(void)function;
	(void)settings;
	(void)err;
	return 0;
}

static void identify(const json_t *settings, struct df_str *text)
{
	df_str_add(text, trigger_text(settings, "path", ""));
}

static int start(struct trigger *trigger, struct df_err *err)
{
	(void)trigger;
	(void)err;
	return 0;
}

static void stop(struct trigger *trigger)
{
	(void)trigger;
}

const struct trigger_kind route_kind = {
	.name = "http",
	.check = check,
	.prepare = prepare,
	.identify = identify,
	.start = start,
	.stop = stop,
};
