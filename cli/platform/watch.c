/* SPDX-License-Identifier: Apache-2.0 */
/* Watching a program: see watch.h. */
#include "cli/platform/watch.h"

#include "cli/platform/platform.h"
#include "host/array.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_BYTES (16u << 20) /* that are compared */
#define LINE_BYTES 4096
#define MISSING_MAX 10000
/* What packing a root image may take beside the program's own time. */
#define MARGIN_MS 300000u

static int out_of_memory(struct df_err *err)
{
	return df_err_set(err, CLI_FAILED, "out of memory");
}

int watch_init(struct watcher *w, struct df_err *err)
{
	const char *base = getenv("TMPDIR");

	w->dayfly = df_place_program("dayfly");
	w->directory = df_format("%s/dayfly-init-XXXXXX", base && *base ? base : "/tmp");
	if (!w->dayfly || !w->directory)
		return out_of_memory(err);
	if (mkdtemp(w->directory))
		return 0;
	df_err_set(err, CLI_FAILED, "%s: %s", w->directory, df_errno_text(errno));
	free(df_take_ptr(&w->directory));
	return CLI_FAILED;
}

static char *file_of(const struct watcher *w, const char *name)
{
	return df_path_join(w->directory, name);
}

void watch_deinit(struct watcher *w)
{
	DF_FREE char *list = w->directory ? file_of(w, "list") : NULL;
	DF_FREE char *snapshot = w->directory ? file_of(w, "snapshot") : NULL;

	if (list)
		unlink(list);
	if (snapshot)
		unlink(snapshot);
	if (w->directory)
		rmdir(w->directory);
	free(w->directory);
	free(w->dayfly);
	*w = (struct watcher){.dayfly = NULL};
}

/* --- what the monitor wrote down --- */

static void set_feature(uint32_t *bits, const char *name)
{
	for (uint32_t i = 0; manifest_feature_names[i]; i++) {
		if (strcmp(manifest_feature_names[i], name) == 0) {
			*bits |= 1u << i;
			return;
		}
	}
}

static int add_missing(struct watched *watched, const char *path)
{
	for (size_t i = 0; i < watched->missing_count; i++) {
		if (strcmp(watched->missing[i], path) == 0)
			return 0;
	}
	if (watched->missing_count >= MISSING_MAX)
		return 0;
	if (df_array_reserve(&watched->missing, &watched->missing_capacity,
		    watched->missing_count + 1, sizeof(*watched->missing)) < 0)
		return -ENOMEM;
	watched->missing[watched->missing_count] = strdup(path);
	return watched->missing[watched->missing_count++] ? 0 : -ENOMEM;
}

static int read_line(struct watched *watched, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return 0;
	*value++ = '\0';
	if (strcmp(line, "needs") == 0)
		set_feature(&watched->needs, value);
	else if (strcmp(line, "tries") == 0)
		set_feature(&watched->tries, value);
	else if (strcmp(line, "lacks") == 0)
		watched->lacks_fork = true;
	else if (strcmp(line, "missing") == 0)
		return add_missing(watched, value);
	else if (strcmp(line, "listens") == 0)
		watched->port = (unsigned int)strtoul(value, NULL, 10);
	else if (strcmp(line, "memory") == 0)
		watched->memory_bytes = strtoull(value, NULL, 10);
	else if (strcmp(line, "touched") == 0)
		watched->touched_bytes = strtoull(value, NULL, 10);
	else if (strcmp(line, "took_ns") == 0)
		watched->took_ns = strtoull(value, NULL, 10);
	return 0;
}

/* 1: the program has not been run. */
static int read_list(const char *path, struct watched *watched)
{
	DF_FCLOSE FILE *file = fopen(path, "re");
	char line[LINE_BYTES];
	int error = 0;

	while (file && !error && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		error = read_line(watched, line);
	}
	return error ? error : watched->took_ns == 0;
}

void watched_deinit(struct watched *watched)
{
	for (size_t i = 0; i < watched->missing_count; i++)
		free(watched->missing[i]);
	free(watched->missing);
	df_child_result_deinit(&watched->result);
	*watched = (struct watched){.needs = 0};
}

/* --- running --- */

/* What commands take from the environment for a guest: the manifest says that here. */
static bool is_for_guests(const char *variable)
{
	return df_starts_with(variable, "LANG=") || df_starts_with(variable, "LC_ALL=") ||
		df_starts_with(variable, "TZ=");
}

static char **own_environment(void)
{
	size_t count = 0, kept = 0;
	char **list;

	while (environ[count])
		count++;
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++) {
		if (!is_for_guests(environ[i]))
			list[kept++] = environ[i];
	}
	return list;
}

static int run_dayfly(const struct watcher *w, char *const *words, const char *input,
	struct df_child_result *result, struct df_err *err)
{
	DF_FREE char **environment = own_environment();
	const struct df_child child = {
		.path = w->dayfly,
		.arguments = words,
		.environment = environment,
		.input = input,
		.output_cap_bytes = OUTPUT_BYTES,
		.time_limit_ms = w->limit_ms + MARGIN_MS,
	};

	if (!environment)
		return out_of_memory(err);
	return df_child_run(&child, result, err) ? CLI_FAILED : 0;
}

/* The last line that begins with "dayfly: " or, with `ours` false, with something else; NULL: there is none. */
static char *last_line(const struct df_child_result *result, bool ours)
{
	const char *found = NULL, *at = df_str_text(&result->errors);

	for (; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (*at != '\n' && df_starts_with(at, "dayfly: ") == ours)
			found = at;
	}
	if (found && ours)
		found += strlen("dayfly: ");
	return found ? df_format("%.*s", (int)strcspn(found, "\n"), found) : NULL;
}

char *watch_reason(const struct df_child_result *result)
{
	char *line = last_line(result, false);

	return line ? line : last_line(result, true);
}

/* The command failed before the program began, and has said why. */
static int pass_on(const struct df_child_result *result, struct df_err *err)
{
	DF_FREE char *line = last_line(result, true);
	bool known = result->exit_status >= CLI_FAILED && result->exit_status <= CLI_NOT_FOUND;

	return df_err_set(err, known ? result->exit_status : CLI_FAILED, "%s",
		line ? line : "the program could not be run");
}

int watch_run(const struct watcher *w, const struct manifest *m, struct watched *watched,
	struct df_err *err)
{
	DF_FREE char *list = file_of(w, "list");
	const char *first[] = {"dayfly", "run", "--watch", list, "--timeout", w->limit, NULL};
	char **words = list ? describe_words(m, first) : NULL;
	int status;

	*watched = (struct watched){.needs = 0};
	if (!words)
		return out_of_memory(err);
	unlink(list);
	status = run_dayfly(w, words, w->event, &watched->result, err);
	describe_words_free(words);
	if (status)
		return status;
	status = read_list(list, watched);
	if (status < 0)
		return out_of_memory(err);
	return status ? pass_on(&watched->result, err) : 0;
}

/* --- freezing --- */

static enum manifest_wait wait_point_of(const struct df_child_result *result)
{
	json_t *json = json_loadb(df_str_text(&result->output), result->output.length, 0, NULL);
	const char *at = member_text(json, "at");
	enum manifest_wait wait = strcmp(at, "read(0)") == 0   ? MANIFEST_WAIT_STDIO
		: strcmp(at, "df_next_event()") == 0           ? MANIFEST_WAIT_SDK
		: strcmp(at, "the wait for a connection") == 0 ? MANIFEST_WAIT_HTTP
							       : MANIFEST_WAIT_ANY;

	json_decref(json);
	return wait;
}

int watch_freeze(const struct watcher *w, const struct manifest *m, struct frozen *frozen,
	struct df_err *err)
{
	DF_FREE char *snapshot = file_of(w, "snapshot");
	DF_FREE char *port = df_format("--http=%llu", (unsigned long long)m->port);
	const char *first[] = {"dayfly", "freeze", "--json", "-o", snapshot, "--boot-limit",
		w->limit, NULL, NULL, NULL, NULL};
	size_t count = 7;
	char *thaw[] = {"dayfly", "thaw", snapshot, "--wall", (char *)w->limit, NULL};
	char **words;
	int status;

	if (m->wait_point == MANIFEST_WAIT_HTTP)
		first[count++] = port;
	if (w->event) {
		first[count++] = "--event";
		first[count++] = w->event;
	}
	words = snapshot && port ? describe_words(m, first) : NULL;
	*frozen = (struct frozen){.wait_point = MANIFEST_WAIT_ANY};
	if (!words)
		return out_of_memory(err);
	status = run_dayfly(w, words, NULL, &frozen->result, err);
	describe_words_free(words);
	if (status)
		return status;
	if (frozen->result.exit_status)
		return pass_on(&frozen->result, err);
	frozen->wait_point = wait_point_of(&frozen->result);
	df_child_result_deinit(&frozen->result);
	return run_dayfly(w, thaw, w->event, &frozen->result, err);
}

bool watch_same(const struct df_child_result *one, const struct df_child_result *other)
{
	return one->exit_status == other->exit_status &&
		one->output.length == other->output.length &&
		(one->output.length == 0 ||
			memcmp(one->output.data, other->output.data, one->output.length) == 0);
}
