/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying from the image store: see source.h. */
#include "daemon/function/source.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "image/erofs.h"
#include "image/manifest_json.h"
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *search_path(const struct manifest *m)
{
	for (size_t i = 0; i < m->environment.count; i++) {
		if (strcmp(m->environment.items[i].name, "PATH") == 0)
			return m->environment.items[i].value;
	}
	return SEARCH_PATH;
}

/* Where the command's program lies in the root. *path is to be freed. */
static int find_program(const struct manifest *m, const char *root_path, char **path,
	struct df_err *err)
{
	const char *typed = m->command.items[0];
	DF_CLOSE int fd = -1;
	struct stat now;
	int error;

	if (!(m->features & MANIFEST_FILES))
		*path = df_format("/%s", df_base_name(typed));
	else if (strchr(typed, '/'))
		*path = *typed == '/' ? strdup(typed) : df_path_join(m->workdir, typed);
	if (strchr(typed, '/') || !(m->features & MANIFEST_FILES))
		return *path ? 0 : df_err_set(err, -ENOMEM, "out of memory");
	fd = open(root_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, -errno, "%s: %s", root_path, df_errno_text(errno));
	error = erofs_find_program(fd, (uint64_t)now.st_size, search_path(m), typed, path);
	return error ? df_err_set(err, -EINVAL, "%s was not found on PATH in the image", typed) : 0;
}

static json_t *make_config(const struct manifest *m, const char *program, struct df_err *err)
{
	json_t *json = manifest_json(m, err), *command = json_array();

	for (size_t i = 0; i < m->command.count; i++)
		(void)json_array_append_new(command, json_string(m->command.items[i]));
	if (!json || json_object_set_new(json, "command", command) ||
		json_object_set_new(json, "program", json_string(program))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int read_manifest(struct image_store *store, const struct image_info *image,
	struct source *source, struct df_err *err)
{
	DF_FREE char *text = NULL;
	DF_FREE char *program = NULL;
	struct manifest m;
	size_t length;
	int error = image_store_read_layer(store, image, IMAGE_MANIFEST, &text, &length, err);

	if (!error)
		error = manifest_parse(text, length, image->name, &m, err);
	if (error)
		return error;
	error = find_program(&m, source->root_path, &program, err);
	if (!error) {
		source->config = make_config(&m, program, err);
		source->secrets = json_array();
		(void)json_object_set_new(source->config, "image_digest",
			json_string(source->digest));
		if (!source->config)
			error = err->code ? err->code : df_err_set(err, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; !error && i < m.secrets.count; i++)
		(void)json_array_append_new(source->secrets, json_string(m.secrets.items[i].name));
	manifest_deinit(&m);
	return error;
}

int source_open(const char *reference, struct source *source, struct df_err *err)
{
	DF_FREE char *directory = image_store_directory();
	struct image_store *store = NULL;
	struct image_info image;
	int error = directory ? image_store_open(directory, &store, err)
			      : df_err_set(err, -ENOMEM, "out of memory");

	*source = (struct source){.root_path = NULL};
	if (error)
		return error;
	error = image_store_resolve(store, reference, &image, err);
	if (!error) {
		strcpy(source->digest, image.digest);
		source->root_path = image_store_blob_path(store, &image.layers[IMAGE_ROOT]);
		if (!source->root_path)
			error = df_err_set(err, -ENOMEM, "out of memory");
	}
	if (!error)
		error = read_manifest(store, &image, source, err);
	image_store_free(store);
	return error;
}

void source_deinit(struct source *source)
{
	free(source->root_path);
	json_decref(source->config);
	json_decref(source->secrets);
	*source = (struct source){.root_path = NULL};
}

int source_check_secrets(const struct source *source, const json_t *deployment, struct df_err *err)
{
	const json_t *given = json_object_get(deployment, "secrets"), *name;
	size_t index;

	json_array_foreach(source->secrets, index, name)
	{
		if (!json_object_get(given, json_string_value(name)))
			return df_err_set(err, -EINVAL,
				"the image asks for the secret %s; deploy it with --secret %s=FILE",
				json_string_value(name), json_string_value(name));
	}
	return 0;
}
