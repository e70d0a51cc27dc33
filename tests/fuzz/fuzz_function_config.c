/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: deployments of any bytes. What is taken must come out as JSON that is taken again and comes out the same; what is shown has
 * no secret's value in it; what is refused has a reason.
 */
#include "daemon/function/function.h"
#include "daemon/http/faces.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of main.c, which is not here. */
uint64_t daemon_started_ns;

void daemon_stop(void)
{
}

static void show(const struct function_config *config)
{
	json_t *shown = function_config_json(config, SECRETS_NAMED);
	const json_t *secrets = json_object_get(shown, "secrets"), *name;
	size_t index, count = 0;

	while (config->secrets[count])
		count++;
	if (!json_is_array(secrets) || json_array_size(secrets) != count)
		abort();
	json_array_foreach(secrets, index, name)
	{
		if (!json_is_string(name) || strchr(json_string_value(name), '='))
			abort();
	}
	json_decref(shown);
}

static void write_and_read(const struct function_config *config)
{
	json_t *first = function_config_json(config, SECRETS_WHOLE), *second;
	struct function_config *again = NULL;
	struct df_err err = {0};

	if (!first || function_config_parse(config->name, first, &again, &err) < 0)
		abort();
	second = function_config_json(again, SECRETS_WHOLE);
	if (!json_equal(first, second))
		abort();
	json_decref(first);
	json_decref(second);
	function_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct function_config *config = NULL;
	struct df_err err = {0};

	if (json && function_config_parse("f", json, &config, &err) == 0) {
		show(config);
		write_and_read(config);
		function_config_free(config);
	} else if (json && !err.text[0]) {
		abort();
	}
	json_decref(json);
	return 0;
}
