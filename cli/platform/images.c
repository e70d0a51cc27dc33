/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly images` and `dayfly rmi`: the image store (docs/images.md). Both work without the daemon, as far as they need not know what is in use. */
#include "cli/platform/keep.h"
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "host/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHORT_DIGITS 12

struct images_options {
	bool check, prune, quiet, json;
};

static int set_check(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct images_options *)into)->check, value, err);
}

static int set_prune(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct images_options *)into)->prune, value, err);
}

static int set_json(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct images_options *)into)->json, value, err);
}

static int set_quiet(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct images_options *)into)->quiet, value, err);
}

static const struct flag images_flags[] = {
	{"--check", NULL, "read everything and say what is damaged", set_check},
	{"--prune", NULL, "remove old versions that no function uses, and what has no name",
		set_prune},
	{"-q", NULL, "print names alone", set_quiet},
	{"--json", NULL, "print JSON, for programs", set_json},
	{0},
};

static const struct page images_page = {"images [--check | --prune] [-q] [--json]",
	"Lists the images in the store, with the functions made from them. `dayfly deploy` adds one\n"
	"and calls it NAME:vN; NAME:latest is the one deployed last. Equal files are kept once.\n",
	0, 0, WORDS_NONE, NULL};

/* --- listing --- */

static bool is_damaged(const struct image_info *image)
{
	return !image->layers[IMAGE_ROOT].digest[0];
}

static const char *time_text(const struct image_info *image, char text[32])
{
	time_t created = (time_t)image->created_s;
	struct tm parts;

	if (!created || !localtime_r(&created, &parts) ||
		!strftime(text, 32, "%Y-%m-%d %H:%M", &parts))
		return "";
	return text;
}

static char *users_text(const json_t *users, const struct image_info *image)
{
	const json_t *list = json_object_get(users, image->digest), *name;
	DF_STR struct df_str text = DF_STR_EMPTY;
	size_t i;

	json_array_foreach(list, i, name)
		df_str_addf(&text, "%s%s", i ? ", " : "", json_string_value(name));
	return df_str_take(&text);
}

static void print_table(const struct image_info *images, size_t count, const json_t *users)
{
	static const char *const heads[] = {
		"NAME", "DIGEST", ">SIZE", "KERNEL", "CREATED", "USED BY", NULL};
	struct table table = {.heads = heads};
	char size[UNITS_BYTES], time[32];

	for (size_t i = 0; i < count; i++) {
		const struct image_info *image = &images[i];
		DF_FREE char *used = users_text(users, image);

		table_add(&table, "%s", image->name);
		table_add(&table, "%.*s", SHORT_DIGITS, image->digest + strlen("sha256:"));
		table_add(&table, "%s",
			is_damaged(image) ? "damaged" : units_size(image->bytes, size));
		table_add(&table, "core%s%s", *image->features ? "," : "", image->features);
		table_add(&table, "%s", time_text(image, time));
		table_add(&table, "%s", used ? used : "");
	}
	table_print(&table);
}

static json_t *images_json(const struct image_info *images, size_t count, const json_t *users)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *used = json_object_get(users, images[i].digest);

		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:I, s:s, s:I, s:b, s:o}", "name", images[i].name,
				"digest", images[i].digest, "bytes", (json_int_t)images[i].bytes,
				"features", images[i].features, "created",
				(json_int_t)images[i].created_s, "damaged", is_damaged(&images[i]),
				"used_by", used ? json_incref(used) : json_array()));
	}
	return list;
}

static int list(struct image_store *store, const struct images_options *how, struct df_err *err)
{
	DF_FREE struct image_info *images = NULL;
	struct df_err unheard;
	json_t *users, *json;
	size_t count = 0;
	int status = 0;

	if (image_store_list(store, &images, &count, err))
		return CLI_FAILED;
	/* Without a daemon nothing runs, and nobody needs to hear that here. */
	users = keep_users(&unheard);
	if (how->json) {
		json = images_json(images, count, users);
		status = print_json(json, err);
		json_decref(json);
	} else if (how->quiet) {
		for (size_t i = 0; i < count; i++)
			printf("%s\n", *images[i].name ? images[i].name : images[i].digest);
	} else {
		print_table(images, count, users);
	}
	json_decref(users);
	return status;
}

/* --- checking --- */

static void print_problem(void *context, const char *text)
{
	(void)context;
	printf("%s\n", text);
}

static void collect_problem(void *context, const char *text)
{
	(void)json_array_append_new(context, json_string(text));
}

static int check(struct image_store *store, const struct images_options *how, struct df_err *err)
{
	json_t *list = json_array();
	size_t problems = 0;
	int status = image_store_check(store, how->json ? collect_problem : print_problem, list,
			     &problems, err)
		? CLI_FAILED
		: 0;

	if (!status && how->json)
		status = print_json(list, err);
	else if (!status && !problems)
		printf("nothing is damaged\n");
	json_decref(list);
	if (!status && problems)
		return df_err_set(err, CLI_FAILED,
			"%zu thing%s damaged; deploy the image again, or remove it: dayfly rmi NAME. "
			"Functions have copies of their own",
			problems, problems == 1 ? " is" : "s are");
	return status;
}

/* --- removing --- */

/* The daemon knows what is in use. NULL with *err set. */
static json_t *ask_users(struct df_err *err)
{
	json_t *users = keep_users(err);

	if (!users && err->code == -ECONNREFUSED)
		df_err_add(err, ". It knows which images are in use");
	return users;
}

static int collect(struct image_store *store, struct image_collected *collected, struct df_err *err)
{
	return image_store_collect(store, 0, collected, err) ? CLI_FAILED : 0;
}

struct pruning {
	const json_t *users;
	json_t *names; /* of what was removed */
};

static bool is_used(void *context, const char *digest)
{
	return json_object_get(((const struct pruning *)context)->users, digest) != NULL;
}

static void note_removed(void *context, const char *name)
{
	(void)json_array_append_new(((const struct pruning *)context)->names, json_string(name));
}

static int prune(struct image_store *store, const struct images_options *how, struct df_err *err)
{
	json_t *users = ask_users(err), *names = json_array(), *json;
	struct pruning pruning = {users, names};
	const struct image_retire retire = {
		.wait = true, .in_use = is_used, .removed = note_removed, .context = &pruning};
	struct image_collected collected = {0};
	char size[UNITS_BYTES];
	uint64_t left;
	int status = users ? 0 : CLI_FAILED;

	if (!status && image_store_retire(store, &retire, &collected, &left, err))
		status = CLI_FAILED;
	if (!status && how->json) {
		json = json_pack("{s:O, s:I, s:I}", "removed", names, "blobs",
			(json_int_t)collected.blobs, "bytes", (json_int_t)collected.bytes);
		status = print_json(json, err);
		json_decref(json);
	} else if (!status) {
		printf("removed %zu version%s and %" PRIu64 " blob%s, %s\n", json_array_size(names),
			json_array_size(names) == 1 ? "" : "s", collected.blobs,
			collected.blobs == 1 ? "" : "s", units_size(collected.bytes, size));
	}
	json_decref(users);
	json_decref(names);
	return status;
}

int command_images(int argc, char **argv)
{
	struct images_options how = {.check = false};
	const struct flag_set sets[] = {{images_flags, &how}, {0}};
	struct image_store *store = NULL;
	struct df_err err = {0};
	int next, status = page_flags(&images_page, sets, argc, argv, &next, &err);

	if (!status && how.check && how.prune)
		status = df_err_set(&err, CLI_FAILED, "either --check or --prune");
	if (!status)
		status = keep_open(&store, &err);
	if (!status)
		status = how.check  ? check(store, &how, &err)
			: how.prune ? prune(store, &how, &err)
				    : list(store, &how, &err);
	image_store_free(store);
	return page_end(status, &err);
}

static const struct flag rmi_flags[] = {
	{"--force", NULL, "also what a function uses, or if no daemon answers", page_set_bool},
	{0},
};

static const struct page rmi_page = {"rmi [--force] IMAGE...",
	"Takes names from images: NAME is NAME:latest; a digest, or its first digits, stands for\n"
	"all names of that image. What no name leads to any more is removed. The version and the\n"
	"last name of an image that a function uses are kept.\n",
	1, PAGE_MANY, WORDS_IMAGES, NULL};

/* Is this the only name of its image? */
static bool is_last(const struct image_info *images, size_t count, const struct image_info *image)
{
	size_t names = 0;

	for (size_t i = 0; i < count; i++)
		names += strcmp(images[i].digest, image->digest) == 0;
	return names <= 1;
}

static int remove_name(struct image_store *store, const struct image_info *image,
	const json_t *users, struct df_err *err)
{
	DF_FREE struct image_info *images = NULL;
	DF_FREE char *used = users_text(users, image);
	size_t count = 0;

	if (image_store_list(store, &images, &count, err))
		return CLI_FAILED;
	if (json_object_get(users, image->digest) &&
		(image_store_number(image->name, NULL) || is_last(images, count, image)))
		return df_err_set(err, CLI_FAILED,
			"%s is kept: %s was made from it; dayfly rm %s, or deploy another image first",
			image->name, used ? used : "a function", used ? used : "it");
	return image_store_remove(store, image->name, err) ? CLI_FAILED : 0;
}

/* "NAME", "NAME:TAG", or digits. A name is looked for as it stands: its image may be damaged. */
static int remove_image(struct image_store *store, const char *reference, const json_t *users,
	struct df_err *err)
{
	DF_FREE char *latest = strchr(reference, ':') ? NULL : df_format("%s:latest", reference);
	const char *digits = df_starts_with(reference, "sha256:") ? reference + 7 : reference;
	DF_FREE struct image_info *images = NULL;
	bool found = false;
	size_t count = 0;
	int status = 0;

	if (image_store_list(store, &images, &count, err))
		return CLI_FAILED;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(images[i].name, latest ? latest : reference) == 0)
			return remove_name(store, &images[i], users, err);
	}
	for (size_t i = 0; !status && i < count; i++) {
		if (strlen(digits) < 6 || !df_starts_with(images[i].digest + 7, digits))
			continue;
		found = true;
		status = remove_name(store, &images[i], users, err);
	}
	return found ? status
		     : df_err_set(err, CLI_FAILED,
			       "there is no image %s; `dayfly images` lists them", reference);
}

int command_rmi(int argc, char **argv)
{
	bool force = false;
	const struct flag_set sets[] = {{rmi_flags, &force}, {0}};
	struct image_collected collected;
	struct image_store *store = NULL;
	json_t *users = NULL;
	struct df_err err = {0}, why = {0};
	int next, status = page_flags(&rmi_page, sets, argc, argv, &next, &err);

	if (!status && !force) {
		users = ask_users(&err);
		status = users ? 0 : CLI_FAILED;
	}
	if (!status)
		status = keep_open(&store, &err);
	for (; !status && next < argc; next++)
		status = remove_image(store, argv[next], users, &err);
	/* Another image's damage is no reason to say that this one is still there. */
	if (!status && collect(store, &collected, &why))
		fprintf(stderr, "dayfly: %s\n", why.text);
	json_decref(users);
	image_store_free(store);
	return page_end(status, &err);
}
