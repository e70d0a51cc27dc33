/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly deploy`: reads a manifest, or makes one of the command line; gathers the root image; has the daemon freeze and serve it. */
#include "cli/platform/platform.h"

#include "cli/event.h"
#include "host/cleanup.h"
#include "host/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_MAX (256u << 20)

struct deploy_options {
	const char *manifest, *name, *event;
	bool verbose;
	uint64_t timeout_ms, concurrency; /* 0: as the manifest says */
};

static int set_manifest(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct deploy_options *)into)->manifest = value;
	return 0;
}

static int set_name(void *into, const char *value, struct df_err *err)
{
	if (!manifest_name_is_good(value))
		return df_err_set(err, -EINVAL,
			"--name %s is not a name: 1 to 64 letters and digits, with single - or _ between them",
			value);
	((struct deploy_options *)into)->name = value;
	return 0;
}

static int set_event(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct deploy_options *)into)->event = value;
	return 0;
}

static int set_timeout(void *into, const char *value, struct df_err *err)
{
	if (parse_duration_ms(value, &((struct deploy_options *)into)->timeout_ms) < 0)
		return df_err_set(err, -EINVAL,
			"--timeout %s is not a duration; write it like 500ms, 10s or 5m", value);
	return 0;
}

static int set_concurrency(void *into, const char *value, struct df_err *err)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (*end || *value < '0' || *value > '9' || number < 1 || number > 1000)
		return df_err_set(err, -EINVAL, "--concurrency %s is not a number from 1 to 1000",
			value);
	((struct deploy_options *)into)->concurrency = number;
	return 0;
}

static int set_verbose(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct deploy_options *)into)->verbose, value, err);
}

static const struct flag deploy_flags[] = {
	{"--manifest", "PATH", "read this instead of ./dayfly.yaml", set_manifest},
	{"--name", "NAME", "what the function is called", set_name},
	{"--event", "FILE", "the event that is rehearsed before freezing", set_event},
	{"--timeout", "DURATION", "time of one event: 500ms, 10s (default 30s)", set_timeout},
	{"--concurrency", "COUNT", "most events at a time (default 16)", set_concurrency},
	{"--verbose", NULL, "when the program dies: its registers and call chain too", set_verbose},
	{0},
};

static const struct page page = {
	"deploy [FLAGS] [PREBUILT | --name NAME [FLAGS] PROGRAM [--] [ARGUMENTS]]",
	"Freezes a program where it waits for input and serves it as a function. Without a\n"
	"program, dayfly.yaml in this directory says everything. PREBUILT is a function that comes\n"
	"with dayfly: image, compress or notify. A function that is there already\n"
	"is replaced; if the new one cannot be frozen, the old one goes on serving.\n",
	0, PAGE_PROGRAM, WORDS_FILES,
	"  dayfly deploy\n"
	"  dayfly deploy --name squeeze zstd -- -19 -c\n"
	"  dayfly deploy image\n"};

/* --- what to deploy --- */

static int from_words(const struct deploy_options *how, const struct program_options *options,
	char **words, struct manifest *m, struct df_err *err)
{
	size_t count = 1;

	if (how->manifest)
		return df_err_set(err, CLI_FAILED,
			"either --manifest or a program; the manifest says which program");
	if (!how->name)
		return prebuilt_load(words[0], options, m, err);
	/* "PROGRAM -- ARGUMENTS" */
	if (words[1] && strcmp(words[1], "--") == 0) {
		for (; words[count + 1]; count++)
			words[count] = words[count + 1];
		words[count] = NULL;
	}
	return describe_program(options, how->name, words, m, err);
}

static int from_file(const struct deploy_options *how, struct manifest *m, struct df_err *err)
{
	const char *path = how->manifest ? how->manifest : MANIFEST_FILE_NAME;

	if (!how->manifest && access(path, F_OK) < 0 && errno == ENOENT)
		return df_err_set(err, CLI_NOT_FOUND,
			"there is no " MANIFEST_FILE_NAME
			" in this directory; name a program: dayfly deploy --name NAME PROGRAM");
	if (manifest_load(path, m, err))
		return CLI_FAILED;
	if (!how->name)
		return 0;
	free(m->name);
	m->name = strdup(how->name);
	return m->name ? 0 : df_err_set(err, CLI_FAILED, "out of memory");
}

/* What a manifest may say and this platform does not do yet; NULL if there is nothing. */
static const char *unsupported(const struct manifest *m, const struct manifest *usual)
{
	if (m->trigger_count)
		return "triggers";
	if (m->destinations.success.kind || m->destinations.failure.kind)
		return "destinations";
	if (m->secrets.count)
		return "secrets";
	if (memcmp(&m->async, &usual->async, sizeof(m->async)) != 0)
		return "async";
	if (m->limits.waiting != usual->limits.waiting)
		return "limits.waiting";
	if (m->limits.log_bytes != usual->limits.log_bytes ||
		m->limits.log_age_ms != usual->limits.log_age_ms)
		return "limits.log";
	return NULL;
}

static int check_supported(const struct manifest *m, struct df_err *err)
{
	struct manifest usual;
	const char *key;

	if (manifest_init(&usual) < 0)
		return df_err_set(err, CLI_FAILED, "out of memory");
	key = unsupported(m, &usual);
	manifest_deinit(&usual);
	if (key)
		return df_err_set(err, CLI_FAILED,
			"%s: the manifest asks for %s, which `dayfly deploy` cannot set yet; leave it out",
			m->name, key);
	return 0;
}

/* --- what the daemon is told --- */

static json_t *words_json(const struct program *program)
{
	json_t *list = json_array();

	(void)json_array_append_new(list, json_string(program->argv0));
	for (int i = 0; i < program->argument_count; i++)
		(void)json_array_append_new(list, json_string(program->arguments[i]));
	return list;
}

static json_t *environment_json(const struct program_options *options)
{
	json_t *object = json_object();

	for (size_t i = 0; i < options->env_count; i++) {
		const char *equals = strchr(options->env[i], '=');

		(void)json_object_setn_new(object, options->env[i],
			(size_t)(equals - options->env[i]), json_string(equals + 1));
	}
	return object;
}

static json_t *features_json(const struct program_options *options)
{
	json_t *list = json_array();

	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (options->features[i])
			(void)json_array_append_new(list, json_string(feature_names[i]));
	}
	return list;
}

static json_t *deployment_json(const struct manifest *m, const struct program_options *options,
	const struct program *program)
{
	return json_pack("{s:s, s:s, s:o, s:b, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
		"image", program->image, "program", program->path, "command", words_json(program),
		"raw_root", !options->features[FEATURE_FILES], "features", features_json(options),
		"environment", environment_json(options), "workdir", options->workdir, "memory",
		(json_int_t)m->memory_bytes, "timeout", (json_int_t)m->timeout_ms, "boot_timeout",
		(json_int_t)m->boot_timeout_ms, "concurrency", (json_int_t)m->concurrency,
		"body_max", (json_int_t)m->limits.request_bytes, "reply_max",
		(json_int_t)m->limits.reply_bytes, "reply_type", m->reply_type);
}

/* Adds the bytes of --event in base64. */
static int add_event(json_t *json, const char *path, struct df_err *err)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	DF_FCLOSE FILE *file = fopen(path, "re");
	DF_STR struct df_str text = DF_STR_EMPTY;
	unsigned char b[3];
	size_t got;

	if (!file)
		return df_err_set(err, CLI_FAILED, "--event %s: %s", path, df_errno_text(errno));
	do {
		memset(b, 0, sizeof(b));
		got = fread(b, 1, sizeof(b), file);
		if (got)
			df_str_addf(&text, "%c%c%c%c", digits[b[0] >> 2],
				digits[(b[0] & 3) << 4 | b[1] >> 4],
				got > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=',
				got > 2 ? digits[b[2] & 63] : '=');
	} while (got == sizeof(b) && text.length < EVENT_MAX);
	if (ferror(file) || text.length >= EVENT_MAX)
		return df_err_set(err, CLI_FAILED, "--event %s: %s", path,
			ferror(file) ? df_errno_text(errno) : "it is too large");
	if (text.failed || json_object_set_new(json, "event", json_string(df_str_text(&text))))
		return df_err_set(err, CLI_FAILED, "out of memory");
	return 0;
}

static void print_deployed(const json_t *function)
{
	char size[UNITS_BYTES], time[UNITS_BYTES];
	const json_t *feature;
	size_t index;

	printf("%s: image %s, kernel (", member_text(function, "name"),
		units_size(member_number(function, "code_bytes"), size));
	json_array_foreach(json_object_get(function, "features"), index, feature)
		printf("%s%s", index ? ", " : "", json_string_value(feature));
	printf("), frozen in %s, %s\n", units_time(member_number(function, "boot_ns"), time),
		member_text(function, "url"));
	deploy_note(function);
}

static int deploy(const struct manifest *m, const char *event, bool verbose, json_t **function,
	struct df_err *err)
{
	static struct program_options options;
	struct program program = {0};
	int status = describe_prepare(m, &options, &program, err);
	DF_FREE char *path = df_format("/functions/%s", m->name);
	DF_FREE char *image = status ? NULL : df_path_absolute(program.image);
	json_t *json;

	if (status)
		return status;
	program.image = image;
	json = image && path ? deployment_json(m, &options, &program) : NULL;
	if (!json)
		return df_err_set(err, CLI_FAILED,
			"arguments and variables must be text in UTF-8 to be deployed");
	if (event)
		status = add_event(json, event, err);
	if (!status)
		status = deploy_send(path, json, verbose, function, err);
	json_decref(json);
	return status;
}

/* The daemon freezes at whichever comes first: says so when that is not what the manifest wanted. */
static void compare_wait_point(const struct manifest *m, const json_t *function)
{
	static const char *const names[] = {"any", "stdio", "sdk"};
	const char *is = member_text(function, "wait_point");

	if (m->wait_point != MANIFEST_WAIT_ANY && strcmp(is, names[m->wait_point]) != 0)
		fprintf(stderr,
			"dayfly: %s is frozen at its wait point %s, but the manifest says %s\n",
			m->name, is, names[m->wait_point]);
}

/* Asked first, because gathering takes a while. */
static int check_daemon(struct df_err *err)
{
	return client_call("GET", "/healthz", NULL, NULL, err);
}

int command_deploy(int argc, char **argv)
{
	static struct program_options options;
	struct deploy_options how = {0};
	bool json = false;
	const struct flag_set sets[] = {
		{deploy_flags, &how}, {page_json_flags, &json}, {program_flags, &options}, {0}};
	struct manifest m = {0};
	json_t *function = NULL;
	struct df_err err = {0};
	int next, status;

	program_options_init(&options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (status)
		return page_end(status, &err);
	status = next < argc ? from_words(&how, &options, argv + next, &m, &err)
			     : from_file(&how, &m, &err);
	if (!status)
		status = check_supported(&m, &err);
	if (!status)
		status = check_daemon(&err);
	m.timeout_ms = how.timeout_ms ? how.timeout_ms : m.timeout_ms;
	m.concurrency = how.concurrency ? how.concurrency : m.concurrency;
	if (!status) {
		DF_FREE char *event = rehearsal_path(&m, how.event);

		status = deploy(&m, event, how.verbose, &function, &err);
	}
	if (!status)
		compare_wait_point(&m, function);
	manifest_deinit(&m);
	if (!status && json)
		status = print_json(function, &err);
	else if (!status)
		print_deployed(function);
	json_decref(function);
	return page_end(status, &err);
}
