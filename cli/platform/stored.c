/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying an image of the store: see stored.h. The daemon reads it itself; what is said here goes before what it says. */
#include "cli/platform/stored.h"

#include "cli/platform/platform.h"
#include "host/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool stored_exists(const char *reference)
{
	struct image_store *store = NULL;
	struct image_info image;
	struct df_err ignored;
	bool found = keep_open(&store, &ignored) == 0 &&
		image_store_resolve(store, reference, &image, &ignored) != -ENOENT;

	image_store_free(store);
	return found;
}

static int check_flags(const struct stored_deployment *wanted, struct df_err *err)
{
	static struct program_options usual;
	const struct program_options *o = wanted->options;

	program_options_init(&usual);
	if (o->root || o->file_count || strcmp(o->workdir, usual.workdir) != 0 ||
		memcmp(o->features, usual.features, sizeof(usual.features)) != 0)
		return df_err_set(err, CLI_FAILED,
			"%s is a finished image: of these flags it takes --env and --memory alone",
			wanted->reference);
	return 0;
}

static int read_manifest(struct kept *kept, struct manifest *m, struct df_err *err)
{
	DF_FREE char *text = NULL;
	size_t length;

	if (image_store_read_layer(kept->store, &kept->image, IMAGE_MANIFEST, &text, &length,
		    err) ||
		manifest_parse(text, length, kept->image.name, m, err))
		return CLI_FAILED;
	return 0;
}

/* Does each guest get it? */
static bool is_usual(const struct program_options *usual, const char *variable)
{
	for (size_t i = 0; i < usual->env_count; i++) {
		if (strcmp(usual->env[i], variable) == 0)
			return true;
	}
	return false;
}

/* Its variables and, if the command line has any, those; NULL if it has none. */
static json_t *environment_json(const struct manifest *m, const struct program_options *options)
{
	static struct program_options usual;
	json_t *object = json_object();
	bool changed = false;

	program_options_init_plain(&usual);
	for (size_t i = 0; i < m->environment.count; i++)
		(void)json_object_set_new(object, m->environment.items[i].name,
			json_string(m->environment.items[i].value));
	for (size_t i = 0; i < options->env_count; i++) {
		const char *equals = strchr(options->env[i], '=');

		if (is_usual(&usual, options->env[i]))
			continue;
		changed = true;
		(void)json_object_setn_new(object, options->env[i],
			(size_t)(equals - options->env[i]), json_string(equals + 1));
	}
	if (changed)
		return object;
	json_decref(object);
	return NULL;
}

static void set_number(json_t *json, const char *key, uint64_t number)
{
	if (number)
		(void)json_object_set_new(json, key, json_integer((json_int_t)number));
}

static json_t *make_json(const struct stored_deployment *wanted, const struct kept *kept,
	const struct manifest *m)
{
	static struct program_options usual;
	const struct program_options *o = wanted->options;
	json_t *json = json_pack("{s:s}", "image_name", kept->image.digest);
	json_t *environment = environment_json(m, o);

	program_options_init_plain(&usual);
	set_number(json, "timeout", wanted->timeout_ms);
	set_number(json, "concurrency", wanted->concurrency);
	if (o->memory_bytes != usual.memory_bytes)
		set_number(json, "memory", o->memory_bytes);
	if (environment)
		(void)json_object_set_new(json, "environment", environment);
	return json;
}

int stored_prepare(const struct stored_deployment *wanted, struct kept *kept, json_t **json,
	char **name, struct df_err *err)
{
	struct image_info image;
	struct manifest m = {0};
	int status = check_flags(wanted, err);

	*kept = (struct kept){.store = NULL};
	if (!status)
		status = keep_open(&kept->store, err);
	if (!status && image_store_resolve(kept->store, wanted->reference, &image, err))
		status = CLI_FAILED;
	kept->image = image;
	if (!status)
		status = read_manifest(kept, &m, err);
	if (!status)
		status = check_service_flags(&m, wanted->timeout_ms, wanted->concurrency, err);
	if (!status) {
		*name = strdup(wanted->name ? wanted->name : m.name);
		*json = make_json(wanted, kept, &m);
		status = !*name || !*json ? df_err_set(err, CLI_FAILED, "out of memory")
					  : keep_version(kept, *name, &image, err);
	}
	manifest_deinit(&m);
	return status;
}
