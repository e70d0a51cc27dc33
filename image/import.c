/* SPDX-License-Identifier: Apache-2.0 */
/* Importing container images, the side that starts the jailed program and takes its answer: see import.h. */
#include "image/import.h"

#include "host/child.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"
#include "image/manifest_values.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELPER "dayfly-import"
#define OUTPUT_BYTES_MAX (1u << 20)
#define TIME_LIMIT_MS (10u * 60 * 1000)

/* --- into the manifest --- */

static bool has_variable(const struct manifest *m, const char *name, size_t length)
{
	const struct manifest_pairs *both[] = {&m->environment, &m->secrets};

	for (size_t b = 0; b < 2; b++) {
		for (size_t i = 0; i < both[b]->count; i++) {
			if (strlen(both[b]->items[i].name) == length &&
				memcmp(both[b]->items[i].name, name, length) == 0)
				return true;
		}
	}
	return false;
}

/* "NAME=VALUE". What is no variable is left out. */
static int add_variable(struct manifest *m, const char *text)
{
	const char *equals = strchr(text, '=');
	struct manifest_pair pair = {0};
	struct manifest_pair *items;

	if (!equals || has_variable(m, text, (size_t)(equals - text)))
		return 0;
	pair.name = strndup(text, (size_t)(equals - text));
	if (pair.name && !value_is_variable(pair.name)) {
		free(pair.name);
		return 0;
	}
	pair.value = strdup(equals + 1);
	items = pair.name && pair.value
		? realloc(m->environment.items, (m->environment.count + 1) * sizeof(pair))
		: NULL;
	if (!items) {
		free(pair.name);
		free(pair.value);
		return -ENOMEM;
	}
	m->environment.items = items;
	items[m->environment.count++] = pair;
	return 0;
}

static int set_command(struct manifest *m, const json_t *command)
{
	struct manifest_list list = {0};
	const json_t *word;
	size_t i;

	if (m->command.count || json_array_size(command) == 0)
		return 0;
	list.items = calloc(json_array_size(command) + 1, sizeof(*list.items));
	if (!list.items)
		return -ENOMEM;
	json_array_foreach(command, i, word)
	{
		const char *text = json_string_value(word);

		list.items[i] = strdup(text ? text : "");
		if (!list.items[i]) {
			while (i > 0)
				free(list.items[--i]);
			free(list.items);
			return -ENOMEM;
		}
	}
	list.count = json_array_size(command);
	m->command = list;
	return 0;
}

static int set_workdir(struct manifest *m, const char *workdir)
{
	char *absolute;

	if (!workdir || !*workdir || (m->workdir && strcmp(m->workdir, "/") != 0))
		return 0;
	absolute = df_format("%s%s", *workdir == '/' ? "" : "/", workdir);
	if (!absolute)
		return -ENOMEM;
	df_path_clean(absolute);
	if (!value_is_guest_path(absolute)) {
		free(absolute);
		return -EINVAL;
	}
	free(m->workdir);
	m->workdir = absolute;
	return 0;
}

/* In an order that leaves *m as it was unless memory runs out. */
static int complete(struct manifest *m, const json_t *answer, struct df_err *err)
{
	const json_t *env = json_object_get(answer, "env"), *variable;
	size_t i;
	int error = set_workdir(m, json_string_value(json_object_get(answer, "workdir")));

	if (error == -EINVAL)
		return df_err_set(err, error, "the image's working directory is no good path");
	if (error == 0)
		error = set_command(m, json_object_get(answer, "command"));
	json_array_foreach(env, i, variable)
	{
		if (error == 0 && json_is_string(variable))
			error = add_variable(m, json_string_value(variable));
	}
	return error < 0 ? df_err_set(err, error, "%s", df_errno_text(error)) : 0;
}

/* --- the child's answer --- */

static uint64_t number_of(const json_t *answer, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(answer, key));

	return number > 0 ? (uint64_t)number : 0;
}

/* It ended without an answer: the jail, or a limit. */
static int no_answer(const struct import_request *request, int status, struct df_err *err)
{
	if (status == 128 + SIGXFSZ)
		return df_err_set(err, -EFBIG, "%s: refused: a file in it is larger than allowed",
			request->source);
	if (status == 128 + SIGSYS)
		return df_err_set(err, -EINVAL,
			"%s: unpacking it was stopped: it tried to break out of its jail",
			request->source);
	return df_err_set(err, -EINVAL, "%s: unpacking it failed (status %d)", request->source,
		status);
}

static int take_answer(const struct import_request *request, const struct df_child_result *child,
	struct manifest *m, struct import_result *result, struct df_err *err)
{
	DF_JSON json_t *answer =
		json_loadb(df_str_text(&child->output), child->output.length, 0, NULL);
	const char *text = json_string_value(json_object_get(answer, "text"));
	uint64_t error = number_of(answer, "error");
	int done;

	if (!json_is_object(answer))
		return no_answer(request, child->exit_status, err);
	if (error || child->exit_status)
		return df_err_set(err, error && error < 4096 ? -(int)error : -EINVAL, "%s: %s",
			request->source, text ? text : "unpacking it failed");
	done = complete(m, answer, err);
	if (done == 0)
		*result = (struct import_result){number_of(answer, "bytes"),
			number_of(answer, "files"), number_of(answer, "skipped")};
	return done;
}

/* --- starting it --- */

static int run_helper(const struct import_request *request, const char *helper, const char *work,
	struct manifest *m, struct import_result *result, struct df_err *err)
{
	char bytes[24], files[24];
	const char *arguments[] = {HELPER, request->source, request->target, work, bytes, files,
		request->reference, NULL};
	struct df_child child = {.path = helper,
		.arguments = (char *const *)arguments,
		.output_cap_bytes = OUTPUT_BYTES_MAX,
		.time_limit_ms = request->time_limit_ms ? request->time_limit_ms : TIME_LIMIT_MS};
	struct df_child_result run;
	int error;

	snprintf(bytes, sizeof(bytes), "%" PRIu64,
		request->bytes_max ? request->bytes_max : (uint64_t)IMPORT_BYTES_MAX);
	snprintf(files, sizeof(files), "%" PRIu64,
		request->files_max ? request->files_max : (uint64_t)IMPORT_FILES_MAX);
	error = df_child_run(&child, &run, err);
	if (error < 0)
		return error;
	error = take_answer(request, &run, m, result, err);
	df_child_result_deinit(&run);
	return error;
}

int import_unpack(const struct import_request *request, struct manifest *m,
	struct import_result *result, struct df_err *err)
{
	DF_FREE char *helper = request->helper ? strdup(request->helper) : df_place_program(HELPER);
	DF_FREE char *target = df_path_absolute(request->target);
	DF_FREE char *work = target ? df_format("%s.import-XXXXXX", target) : NULL;
	int error;

	if (!helper || !work)
		return df_err_set(err, -ENOMEM, "%s: %s", request->target, df_errno_text(ENOMEM));
	if (!mkdtemp(work))
		return df_err_set(err, -errno, "%s: %s", work, df_errno_text(errno));
	error = run_helper(request, helper, work, m, result, err);
	df_remove_tree(work);
	return error;
}
