/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping images: see keep.h. */
#include "cli/platform/keep.h"

#include "cli/platform/platform.h"
#include "host/cleanup.h"
#include "host/place.h"
#include "image/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int out_of_memory(struct df_err *err)
{
	return df_err_set(err, CLI_FAILED, "out of memory");
}

int keep_open(struct image_store **store, struct df_err *err)
{
	DF_FREE char *directory = image_store_directory();

	if (!directory)
		return out_of_memory(err);
	return image_store_open(directory, store, err) ? CLI_FAILED : 0;
}

/* --- the image's own manifest --- */

static void drop_list(struct manifest_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct manifest_list){.count = 0};
}

/* Where the files of secrets lie is the host's matter too: their names say what to ask for. */
static bool drop_paths(struct manifest_pairs *secrets)
{
	for (size_t i = 0; i < secrets->count; i++) {
		free(secrets->items[i].value);
		secrets->items[i].value = strdup("");
		if (!secrets->items[i].value)
			return false;
	}
	return true;
}

/*
 * What the host has to do with it is gone: the root is complete, and the program is named by its path in it, unless its name is enough
 * there. So equal roots and settings give equal images, wherever they were made.
 */
static bool make_portable(struct manifest *m, const struct program *program)
{
	const char *typed = m->command.items[0];

	drop_list(&m->files);
	free(m->root);
	free(m->rehearse);
	m->root = m->rehearse = NULL;
	if (!drop_paths(&m->secrets))
		return false;
	if (!strpbrk(typed, "/:") && strcmp(typed, program->argv0) == 0)
		return true;
	free(m->command.items[0]);
	m->command.items[0] = strdup(program->path);
	return m->command.items[0] != NULL;
}

static int image_manifest(const struct manifest *m, const struct program *program,
	struct df_str *text, struct df_err *err)
{
	DF_STR struct df_str whole = DF_STR_EMPTY;
	struct manifest copy;
	bool good;

	manifest_write(m, &whole);
	if (whole.failed)
		return out_of_memory(err);
	if (manifest_parse(whole.data, whole.length, m->name, &copy, err))
		return CLI_FAILED;
	good = make_portable(&copy, program);
	if (good)
		manifest_write(&copy, text);
	manifest_deinit(&copy);
	return good && !text->failed ? 0 : out_of_memory(err);
}

/* --- adding --- */

static char *feature_text(const struct program_options *options)
{
	DF_STR struct df_str text = DF_STR_EMPTY;

	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (options->features[i])
			df_str_addf(&text, "%s%s", text.length ? "," : "", feature_names[i]);
	}
	return text.length || text.failed ? df_str_take(&text) : strdup("");
}

static int read_kernel(const char *features, struct kernel_file *kernel, struct df_err *err)
{
	DF_FREE char *path = df_place_program("dayfly-kernel");

	if (!path)
		return out_of_memory(err);
	return kernel_file_read(path, features, kernel, err) ? CLI_FAILED : 0;
}

uint64_t keep_kernel_bytes(const char *features)
{
	struct kernel_file kernel = {0};
	struct df_err ignored;

	return read_kernel(features, &kernel, &ignored) ? 0 : kernel.bytes;
}

/* What a user named, they may write to later: that must not be linked into the store. */
static bool may_change(const struct program_options *options)
{
	struct stat now;

	return !options->features[FEATURE_FILES] ||
		(options->root && stat(options->root, &now) == 0 && !S_ISDIR(now.st_mode));
}

static int add(struct kept *kept, struct image_add *add, const char *path, struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct image_collected ignored;
	struct df_err unheard;

	if (fd < 0)
		return df_err_set(err, CLI_FAILED, "%s: %s", path, df_errno_text(errno));
	add->root_fd = fd;
	if (image_store_add(kept->store, add, &kept->image, err) == 0)
		return 0;
	/* With a full disk, what came until then is only in the way. */
	if (err->code == -ENOSPC || err->code == -EDQUOT)
		(void)!image_store_collect(kept->store, 0, &ignored, &unheard);
	return CLI_FAILED;
}

/* As a new version; if an older one is the same, that is its name. */
static int add_version(struct kept *kept, const struct manifest *m, struct image_add *what,
	const struct program *program, struct df_err *err)
{
	DF_FREE char *name = NULL;
	struct image_versions versions;
	int status = image_store_find_version(kept->store, m->name, NULL, &versions, err)
		? CLI_FAILED
		: 0;

	if (status)
		return status;
	name = df_format("%s:v%lu", m->name, versions.highest + 1);
	if (!name)
		return out_of_memory(err);
	what->name = name;
	status = add(kept, what, program->image, err);
	if (status)
		return status;
	kept->fresh = true;
	if (image_store_find_version(kept->store, m->name, &kept->image, &versions, err))
		return CLI_FAILED;
	if (!*versions.same)
		return 0;
	if (image_store_remove(kept->store, name, err))
		return CLI_FAILED;
	kept->fresh = false;
	memcpy(kept->image.name, versions.same, sizeof(versions.same));
	return 0;
}

int keep_add(struct kept *kept, const struct manifest *m, const struct program_options *options,
	const struct program *program, struct df_err *err)
{
	DF_FREE char *features = feature_text(options);
	DF_STR struct df_str text = DF_STR_EMPTY;
	struct kernel_file kernel = {0};
	struct image_add what = {.root_may_change = may_change(options), .features = features};
	int status;

	*kept = (struct kept){.store = NULL};
	if (!features)
		return out_of_memory(err);
	status = keep_open(&kept->store, err);
	if (!status)
		status = read_kernel(features, &kernel, err);
	if (!status)
		status = image_manifest(m, program, &text, err);
	if (status)
		return status;
	what.kernel_build = kernel.build;
	what.manifest = df_str_text(&text);
	what.manifest_bytes = text.length;
	status = add_version(kept, m, &what, program, err);
	if (status)
		return status;
	kept->root_path = image_store_blob_path(kept->store, &kept->image.layers[IMAGE_ROOT]);
	return kept->root_path ? 0 : out_of_memory(err);
}

int keep_version(struct kept *kept, const char *name, const struct image_info *image,
	struct df_err *err)
{
	kept->image = *image;
	return image_store_put_version(kept->store, name, &kept->image, &kept->fresh, err)
		? CLI_FAILED
		: 0;
}

int keep_end(struct kept *kept, const char *name, bool deployed, struct df_err *err)
{
	DF_FREE char *latest = df_format("%s:latest", name);
	struct df_err ignored;
	int error = 0;

	if (deployed && latest)
		error = image_store_tag(kept->store, kept->image.digest, latest, err);
	else if (kept->fresh)
		(void)!image_store_remove(kept->store, kept->image.name, &ignored);
	image_store_free(kept->store);
	free(kept->root_path);
	*kept = (struct kept){.store = NULL};
	return error ? CLI_FAILED : 0;
}

/* --- who uses them --- */

json_t *keep_users(struct df_err *err)
{
	json_t *answer = NULL, *users = json_object(), *function;
	size_t index;

	if (!users || client_call("GET", "/functions?versions=all", NULL, &answer, err)) {
		json_decref(users);
		return NULL;
	}
	json_array_foreach(json_object_get(answer, "functions"), index, function)
	{
		const char *digest = member_text(function, "image_digest");
		const char *version = member_text(function, "version");
		bool latest = strcmp(version, "$LATEST") == 0;
		DF_FREE char *name = df_format("%s%s%s", member_text(function, "name"),
			latest ? "" : ":", latest ? "" : version);

		if (!*digest || !name)
			continue;
		if (!json_object_get(users, digest))
			(void)json_object_set_new(users, digest, json_array());
		(void)json_array_append_new(json_object_get(users, digest), json_string(name));
	}
	json_decref(answer);
	return users;
}
