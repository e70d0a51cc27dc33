/* SPDX-License-Identifier: Apache-2.0 */
/* Deploying from the image store: see source.h. */
#include "daemon/function/source.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "image/erofs.h"
#include "image/manifest.h"
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

static json_t *words_json(const struct manifest_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(array, json_string(list->items[i]));
	return array;
}

static json_t *features_json(uint32_t features)
{
	json_t *array = json_array();

	for (size_t i = 0; manifest_feature_names[i]; i++) {
		if (features & (1u << i))
			(void)json_array_append_new(array, json_string(manifest_feature_names[i]));
	}
	return array;
}

static json_t *environment_json(const struct manifest_pairs *pairs)
{
	json_t *object = json_object();

	for (size_t i = 0; i < pairs->count; i++)
		(void)json_object_set_new(object, pairs->items[i].name,
			json_string(pairs->items[i].value));
	return object;
}

static json_t *make_config(const struct manifest *m, const char *program)
{
	return json_pack("{s:o, s:s, s:b, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}",
		"command", words_json(&m->command), "program", program, "raw_root",
		!(m->features & MANIFEST_FILES), "features", features_json(m->features),
		"environment", environment_json(&m->environment), "workdir", m->workdir,
		"reply_type", m->reply_type, "memory", (json_int_t)m->memory_bytes, "timeout",
		(json_int_t)m->timeout_ms, "boot_timeout", (json_int_t)m->boot_timeout_ms,
		"concurrency", (json_int_t)m->concurrency, "body_max",
		(json_int_t)m->limits.request_bytes, "reply_max",
		(json_int_t)m->limits.reply_bytes);
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
	if (m.secrets.count)
		error = df_err_set(err, -ENOTSUP,
			"the image asks for secrets, which only `dayfly deploy` can give it");
	if (!error)
		error = find_program(&m, source->root_path, &program, err);
	if (!error) {
		source->config = make_config(&m, program);
		if (!source->config)
			error = df_err_set(err, -ENOMEM, "out of memory");
	}
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
	*source = (struct source){.root_path = NULL};
}
