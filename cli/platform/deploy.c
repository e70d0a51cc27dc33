/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly deploy`: reads a manifest, or makes one of the command line; gathers the root image; has the daemon freeze and serve it. */
#include "cli/platform/keep.h"
#include "cli/platform/platform.h"
#include "cli/platform/stored.h"

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
	const char *image, *from_oci, *reference;
	struct secret_flags secrets;
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
	return take_name(&((struct deploy_options *)into)->name, value, err);
}

static int set_image(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct deploy_options *)into)->image = value;
	return 0;
}

static int set_secret(void *into, const char *value, struct df_err *err)
{
	return secrets_add_flag(&((struct deploy_options *)into)->secrets, value, err);
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

static int set_from_oci(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct deploy_options *)into)->from_oci = value;
	return 0;
}

static int set_reference(void *into, const char *value, struct df_err *err)
{
	(void)err;
	((struct deploy_options *)into)->reference = value;
	return 0;
}

static int set_verbose(void *into, const char *value, struct df_err *err)
{
	return page_set_bool(&((struct deploy_options *)into)->verbose, value, err);
}

static const struct flag deploy_flags[] = {
	{"--manifest", "PATH", "read this instead of ./dayfly.yaml", set_manifest},
	{"--name", "NAME", "what the function is called", set_name},
	{"--image", "IMAGE", "an image of the store instead of a manifest: name, name:tag, digest",
		set_image},
	{"--from-oci", "DIR|ARCHIVE", "a container image: OCI layout, or of `docker save`",
		set_from_oci},
	{"--reference", "NAME", "which one, if --from-oci holds several", set_reference},
	{"--secret", "NAME=FILE", "a variable whose value is read from a file, and not shown",
		set_secret},
	{"--event", "FILE", "the event that is rehearsed before freezing", set_event},
	{"--timeout", "DURATION", "time of one event: 500ms, 10s (default 30s)", set_timeout},
	{"--concurrency", "COUNT", "most events at a time (default 16)", set_concurrency},
	{"--verbose", NULL, "when the program dies: its registers and call chain too", set_verbose},
	{0},
};

static const struct page page = {
	"deploy [FLAGS] [PREBUILT | IMAGE | --name NAME [FLAGS] PROGRAM [--] [ARGUMENTS]]",
	"Freezes a program where it waits for input and serves it as a function; a manifest with\n"
	"mode: service makes it a service instead, which always runs (docs/services.md). Without a\n"
	"program, dayfly.yaml in this directory says everything. PREBUILT is a function that comes\n"
	"with dayfly: image, compress or notify; IMAGE is one that was deployed before (`dayfly\n"
	"images`). A container image brings its command, in place of which words behind the flags\n"
	"are taken. A function that is there already is replaced; if the new one cannot be\n"
	"frozen, the old one goes on serving. What is not part of the snapshot (timeout,\n"
	"concurrency, limits, triggers, ...) changes without freezing.\n",
	0, PAGE_PROGRAM, WORDS_FILES,
	"  dayfly deploy\n"
	"  dayfly deploy --name squeeze zstd -- -19 -c\n"
	"  dayfly deploy image\n"
	"  dayfly deploy squeeze:v2\n"
	"  dayfly deploy --name hello --from-oci hello.tar\n"
	"  dayfly deploy --image squeeze --secret API_KEY=/run/keys/api\n"};

/* --- what to deploy --- */

static int from_words(const struct deploy_options *how, const struct program_options *options,
	char **words, struct manifest *m, struct df_err *err)
{
	if (how->manifest)
		return df_err_set(err, CLI_FAILED,
			"either --manifest or a program; the manifest says which program");
	if (!how->name)
		return prebuilt_load(words[0], options, m, err);
	describe_drop_dashes(words);
	return describe_program(options, how->name, words, m, err);
}

/* "a.tar" is called a, if nobody says otherwise. */
static int name_container(const struct deploy_options *how, char name[MANIFEST_NAME_MAX + 1],
	struct df_err *err)
{
	const char *base = df_base_name(how->from_oci);
	DF_FREE char *stem = strndup(base, *base ? 1 + strcspn(base + 1, ".") : 0);

	if (how->name)
		snprintf(name, MANIFEST_NAME_MAX + 1, "%s", how->name);
	else if (!stem || !describe_name(stem, name))
		return df_err_set(err, CLI_FAILED,
			"the function needs a name: dayfly deploy --name NAME --from-oci %s",
			how->from_oci);
	return 0;
}

/* A container image that lies in a file or directory. `words`, if there are any, are the command. */
static int from_container(const struct deploy_options *how, struct program_options *options,
	char **words, struct unpacked *u, struct manifest *m, struct df_err *err)
{
	char name[MANIFEST_NAME_MAX + 1];
	int status = name_container(how, name, err);

	if (status)
		return status;
	if (how->manifest || options->root || options->file_count)
		return df_err_set(err, CLI_FAILED,
			"--from-oci brings its own root: no --manifest, --root and --file");
	describe_drop_dashes(words);
	program_forget_host(options);
	status = describe_options(options, name, words, m, err);
	return status ? status : unpack_container(u, how->from_oci, how->reference, m, err);
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

/* --- what the daemon is told --- */

static json_t *words_json(const struct program *program)
{
	json_t *list = json_array();

	(void)json_array_append_new(list, json_string(program->argv0));
	for (int i = 0; i < program->argument_count; i++)
		(void)json_array_append_new(list, json_string(program->arguments[i]));
	return list;
}

/* The manifest's words, with what gathering the program has found. */
static json_t *deployment_json(const struct manifest *m, const struct program *program,
	struct df_err *err)
{
	json_t *json = manifest_json(m, err);

	if (json &&
		json_object_update_new(json,
			json_pack("{s:s, s:s, s:o}", "image", program->image, "program",
				program->path, "command", words_json(program)))) {
		json_decref(json);
		return NULL;
	}
	return json;
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
	DF_STR struct df_str features = DF_STR_EMPTY;
	char kernel[UNITS_BYTES];
	const json_t *feature;
	size_t index;

	if (is_service(function)) {
		print_service(function);
		return;
	}
	json_array_foreach(json_object_get(function, "features"), index, feature)
		df_str_addf(&features, "%s%s", index ? "," : "", json_string_value(feature));
	printf("%s: image %s, kernel %s (", member_text(function, "name"),
		units_size(member_number(function, "code_bytes"), size),
		units_size(keep_kernel_bytes(df_str_text(&features)), kernel));
	json_array_foreach(json_object_get(function, "features"), index, feature)
		printf("%s%s", index ? ", " : "", json_string_value(feature));
	printf("), %s in %s, %s\n",
		json_is_true(json_object_get(function, "reused")) ? "as it was frozen" : "frozen",
		units_time(member_number(function, "boot_ns"), time), member_text(function, "url"));
	deploy_note(function);
}

/* Sends it, with event and secrets. `m` is NULL for an image of the store. Takes `json`. */
static int put(const char *name, const struct manifest *m, const struct deploy_options *how,
	json_t *json, json_t **function, struct df_err *err)
{
	DF_FREE char *path = df_format("/functions/%s", name);
	DF_FREE char *event = m ? rehearsal_path(m, how->event) : NULL;
	const char *rehearsed = event ? event : how->event;
	json_t *secrets = NULL;
	int status = rehearsed ? add_event(json, rehearsed, err) : 0;

	if (!status)
		status = secrets_read(m, &how->secrets, &secrets, err);
	if (!status && json_object_set_new(json, "secrets", secrets))
		status = df_err_set(err, CLI_FAILED, "out of memory");
	if (!status)
		status = path ? deploy_send(path, json, how->verbose, function, err)
			      : df_err_set(err, CLI_FAILED, "out of memory");
	json_decref(json);
	return status;
}

/* That the newest image is not called so is no reason to take back what is served. */
static int end_keeping(struct kept *kept, const char *name, int status)
{
	struct df_err why = {0};

	if (keep_end(kept, name, status == 0, &why))
		fprintf(stderr, "dayfly: %s\n", why.text);
	return status;
}

static int deploy(const struct manifest *m, const struct deploy_options *how, json_t **function,
	struct df_err *err)
{
	static struct program_options options;
	struct program program = {0};
	struct kept kept = {.store = NULL};
	json_t *json = NULL;
	int status = describe_prepare(m, &options, &program, err);

	if (!status)
		status = keep_add(&kept, m, &options, &program, err);
	if (!status) {
		program.image = kept.root_path;
		json = deployment_json(m, &program, err);
		(void)json_object_set_new(json, "image_digest", json_string(kept.image.digest));
		if (!json)
			status = err->code
				? CLI_FAILED
				: df_err_set(err, CLI_FAILED,
					  "arguments and variables must be text in UTF-8 to be deployed");
	}
	if (!status)
		status = put(m->name, m, how, json, function, err);
	return end_keeping(&kept, m->name, status);
}

int deploy_manifest(const struct manifest *m, json_t **function, struct df_err *err)
{
	const struct deploy_options how = {0};

	return deploy(m, &how, function, err);
}

/* --- images of the store --- */

/* A word that is no prebuilt function, but an image of the store. */
static bool is_stored(const struct deploy_options *how, char *const *words)
{
	return words[0] && !how->name && !how->manifest && !how->from_oci &&
		!prebuilt_exists(words[0]) && stored_exists(words[0]);
}

/* The daemon reads it. */
static int deploy_image(const struct deploy_options *how, struct program_options *options,
	char **words, json_t **function, struct df_err *err)
{
	const struct stored_deployment wanted = {
		.reference = how->image ? how->image : words[0],
		.name = how->name,
		.timeout_ms = how->timeout_ms,
		.concurrency = how->concurrency,
		.options = options,
	};
	DF_FREE char *name = NULL;
	struct kept kept;
	json_t *json = NULL;
	int status;

	if (how->image && (*words || how->manifest || how->from_oci))
		return df_err_set(err, CLI_FAILED,
			"--image says all: it has no manifest beside it, and no program");
	if (!how->image && words[1])
		return df_err_set(err, CLI_FAILED,
			"%s is an image; flags stand before it, and a program has a name: dayfly deploy --name NAME %s",
			words[0], words[0]);
	program_forget_host(options);
	status = stored_prepare(&wanted, &kept, &json, &name, err);
	if (!status)
		status = put(name, NULL, how, json, function, err);
	return end_keeping(&kept, name ? name : "", status);
}

/* Asked first, because gathering takes a while. */
static int check_daemon(struct df_err *err)
{
	return client_call("GET", "/healthz", NULL, NULL, err);
}

/* A manifest, a program of this host, or a container image. */
static int deploy_described(const struct deploy_options *how, struct program_options *options,
	char **words, json_t **function, struct df_err *err)
{
	struct unpacked unpacked = {.directory = NULL};
	struct manifest m = {0};
	int status = how->from_oci ? from_container(how, options, words, &unpacked, &m, err)
		: *words           ? from_words(how, options, words, &m, err)
				   : from_file(how, &m, err);

	if (!status)
		status = check_service_flags(&m, how->timeout_ms, how->concurrency, err);
	m.timeout_ms = how->timeout_ms ? how->timeout_ms : m.timeout_ms;
	m.concurrency = how->concurrency ? how->concurrency : m.concurrency;
	if (!status)
		status = secrets_name(&m, &how->secrets, err);
	if (!status)
		status = deploy(&m, how, function, err);
	manifest_deinit(&m);
	unpacked_deinit(&unpacked);
	return status;
}

int command_deploy(int argc, char **argv)
{
	static struct program_options options;
	struct deploy_options how = {0};
	bool json = false;
	const struct flag_set sets[] = {
		{deploy_flags, &how}, {page_json_flags, &json}, {program_flags, &options}, {0}};
	json_t *function = NULL;
	struct df_err err = {0};
	int next, status;

	program_options_init(&options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (status)
		return page_end(status, &err);
	status = check_daemon(&err);
	if (!status && (how.image || is_stored(&how, argv + next)))
		status = deploy_image(&how, &options, argv + next, &function, &err);
	else if (!status)
		status = deploy_described(&how, &options, argv + next, &function, &err);
	if (!status && json)
		status = print_json(function, &err);
	else if (!status)
		print_deployed(function);
	json_decref(function);
	return page_end(status, &err);
}
