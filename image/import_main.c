/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayfly-import SOURCE TARGET WORK BYTES FILES [REFERENCE]: unpacks one container image and ends. Started by import_unpack alone (import.h).
 * Prints one JSON object on standard output: {"command", "env", "workdir", "bytes", "files", "skipped"}, or {"error": ERRNO, "text"}.
 */
#include "host/json.h"
#include "host/str.h"
#include "host/write.h"
#include "image/import_jail.h"
#include "image/import_layout.h"
#include "image/import_unpack.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	const char *source, *target, *work, *reference;
	uint64_t bytes_max, files_max;
};

/* --- what is said --- */

static int say(struct df_str *json)
{
	if (json->failed || df_write(STDOUT_FILENO, df_str_text(json), json->length) < 0)
		return 1;
	return 0;
}

static int say_error(int error, const char *text)
{
	DF_STR struct df_str json = DF_STR_EMPTY;

	df_json_open(&json, NULL, '{');
	df_json_number(&json, "error", (uint64_t)-error);
	df_json_text(&json, "text", text);
	df_json_close(&json, '}');
	(void)!say(&json);
	return 1;
}

static void add_texts(struct df_str *json, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_is_string(item))
			df_json_text(json, NULL, json_string_value(item));
	}
}

static int say_result(const json_t *image_config, const struct unpack *u)
{
	const json_t *config = json_object_get(image_config, "config");
	const char *workdir = json_string_value(json_object_get(config, "WorkingDir"));
	DF_STR struct df_str json = DF_STR_EMPTY;

	df_json_open(&json, NULL, '{');
	df_json_open(&json, "command", '[');
	add_texts(&json, json_object_get(config, "Entrypoint"));
	add_texts(&json, json_object_get(config, "Cmd"));
	df_json_close(&json, ']');
	df_json_open(&json, "env", '[');
	add_texts(&json, json_object_get(config, "Env"));
	df_json_close(&json, ']');
	df_json_text(&json, "workdir", workdir ? workdir : "");
	df_json_number(&json, "bytes", u->bytes);
	df_json_number(&json, "files", u->files);
	df_json_number(&json, "skipped", u->skipped);
	df_json_close(&json, '}');
	return say(&json);
}

/* --- what is done --- */

static int unpack_layers(int source, const struct layout_image *image, struct unpack *u)
{
	int error = 0;

	for (size_t i = 0; i < image->layer_count && error == 0; i++) {
		DF_FREE char *what = df_format("layer %zu", i + 1);
		DF_CLOSE int fd = layout_open_layer(source, &image->layers[i], u->err);

		if (fd < 0)
			return fd;
		u->what = what ? what : "a layer";
		error = unpack_archive(u, fd);
	}
	return error;
}

/* A source that is a file is unpacked into the passing directory first, which then is the source. */
static int find_image(const struct options *o, const struct import_places *places,
	struct layout_image *image, struct df_err *err)
{
	struct unpack u = {.root = places->work,
		.bytes_max = o->bytes_max,
		.files_max = o->files_max,
		.what = "the archive",
		.err = err};
	struct stat now;
	int error;

	if (fstat(places->source, &now) < 0)
		return df_err_set(err, -errno, "%s", df_errno_text(errno));
	if (S_ISDIR(now.st_mode))
		return layout_find(places->source, o->reference, image, err);
	if (!S_ISREG(now.st_mode))
		return df_err_set(err, -EINVAL, "it is neither a file nor a directory");
	error = unpack_archive(&u, places->source);
	return error < 0 ? error : layout_find(places->work, o->reference, image, err);
}

static int import(const struct options *o, const struct import_places *places)
{
	struct layout_image image = {0};
	struct df_err err = {0};
	struct unpack u = {.root = places->target,
		.whiteouts = true,
		.bytes_max = o->bytes_max,
		.files_max = o->files_max,
		.err = &err};
	struct stat now;
	int error = import_jail(places, o->bytes_max, &err), status;

	if (error == 0)
		error = find_image(o, places, &image, &err);
	if (error == 0 && fstat(places->source, &now) == 0)
		error = unpack_layers(S_ISDIR(now.st_mode) ? places->source : places->work, &image,
			&u);
	status = error < 0 ? say_error(error, err.text) : say_result(image.config, &u);
	layout_deinit(&image);
	return status;
}

static int open_places(const struct options *o, struct import_places *places)
{
	places->source = open(o->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (places->source < 0)
		return say_error(-errno, df_errno_text(errno));
	places->target = open(o->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	places->work = open(o->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (places->target < 0 || places->work < 0)
		return say_error(-errno, "the target is no directory");
	return 0;
}

int main(int argc, char **argv)
{
	struct import_places places;
	struct options o;

	if (argc < 6 || argc > 7) {
		static const char usage[] =
			"dayfly-import is started by dayfly and dayflyd, not by hand\n";

		df_write_error(usage, strlen(usage));
		return 2;
	}
	o = (struct options){argv[1], argv[2], argv[3], argv[6], strtoull(argv[4], NULL, 10),
		strtoull(argv[5], NULL, 10)};
	/* Names are bytes; UTF-8 in a pax header comes through as it is. Part of the C library, no file is read. */
	setlocale(LC_CTYPE, "C.UTF-8");
	umask(022);
	/* Now, because it reads /dev/urandom. */
	json_object_seed(0);
	return open_places(&o, &places) ? 1 : import(&o, &places);
}
