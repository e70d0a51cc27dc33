/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly init`: writes dayfly.yaml for a program.
 *
 * The program is run in a microVM that has everything, and watched: which features its calls need, which files it looks for in vain. Those
 * that the host has are added and it is run again, until nothing new comes up. Then it is frozen with only the features that it needs, and a
 * pristine copy has to answer the event as the whole run did. Features that it asked for and seems to do without are left out only if that
 * succeeds.
 */
#include "cli/platform/init_files.h"
#include "cli/platform/platform.h"
#include "cli/platform/watch.h"

#include "cli/event.h"
#include "cli/progress.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 10
#define STATUS_TIMEOUT 124 /* of `dayfly run` */
/* As without the key: one event, often an empty one, says little about others, and memory takes room only as far as it is used. */
#define MEMORY_LEAST (512ull << 20)

struct init_options {
	const char *name, *event, *timeout;
	uint64_t timeout_ms;
	bool force;
};

/* What is known of the program in the end. */
struct findings {
	struct watched watched; /* the last run */
	struct frozen frozen;
	struct init_files files;
	uint32_t spared; /* features that it asked for and answers the same without */
	bool differs; /* its answers are not alike */
};

static int set_name(void *into, const char *value, struct df_err *err)
{
	return take_name(&((struct init_options *)into)->name, value, err);
}

static int set_event(void *into, const char *value, struct df_err *err)
{
	if (access(value, R_OK) < 0)
		return df_err_set(err, -errno, "--event %s: %s", value, df_errno_text(errno));
	((struct init_options *)into)->event = value;
	return 0;
}

static int set_timeout(void *into, const char *value, struct df_err *err)
{
	struct init_options *options = into;

	if (parse_duration_ms(value, &options->timeout_ms) < 0)
		return df_err_set(err, -EINVAL,
			"--timeout %s is not a duration; write it like 500ms, 10s or 5m", value);
	options->timeout = value;
	return 0;
}

static int set_force(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct init_options *)into)->force = true;
	return 0;
}

static const struct flag init_flags[] = {
	{"--name", "NAME", "what the function is called (default: as the program)", set_name},
	{"--event", "FILE", "a typical event, for its standard input (default: empty)", set_event},
	{"--timeout", "DURATION", "time for each run of the program (default 1m)", set_timeout},
	{"--force", NULL, "replace a dayfly.yaml that is there already", set_force},
	{0},
};

static const struct page page = {
	"init [--name NAME] [--event FILE] [FLAGS] PROGRAM [--] [ARGUMENTS]",
	"Runs a program in a microVM, watches what it uses, and writes dayfly.yaml with just that:\n"
	"the features of the kernel, the files it looked for, where it waits for input, memory and\n"
	"time. Give it a typical event: what it does not do now, nobody sees.\n",
	1, PAGE_PROGRAM, WORDS_FILES,
	"`dayfly deploy` then needs no further words.\n\n"
	"  dayfly init --name squeeze --event report.csv zstd -- -19 -c\n"};

/* Text of others may hold line ends and terminal escapes. */
static void make_plain(char *line)
{
	for (; *line; line++) {
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
	}
}

/* --- the program --- */

static int describe(const struct init_options *how, const struct program_options *options,
	char **words, struct manifest *m, struct df_err *err)
{
	char made[MANIFEST_NAME_MAX + 1];
	size_t count = 1;

	if (!how->name && !describe_name(words[0], made))
		return df_err_set(err, CLI_FAILED,
			"the function needs a name: dayfly init --name NAME %s", words[0]);
	/* "PROGRAM -- ARGUMENTS" */
	if (words[1] && strcmp(words[1], "--") == 0) {
		for (; words[count + 1]; count++)
			words[count] = words[count + 1];
		words[count] = NULL;
	}
	return describe_program(options, how->name ? how->name : made, words, m, err);
}

/* --- watching --- */

/* Runs it until no file is missing that the host has. */
static int watch_files(const struct watcher *w, struct manifest *m, struct findings *found,
	struct df_err *err)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int added, status;

		watched_deinit(&found->watched);
		status = watch_run(w, m, &found->watched, err);
		if (status)
			return status;
		added = init_files_add(&found->files, m, found->watched.missing,
			found->watched.missing_count);
		if (added < 0)
			return df_err_set(err, CLI_FAILED, "out of memory");
		if (!added)
			break;
	}
	return 0;
}

static int try_features(const struct watcher *w, struct manifest *m, uint32_t features,
	struct findings *found, struct df_err *err)
{
	/* What changes files needs files. */
	m->features = features | (features & MANIFEST_TMP ? MANIFEST_FILES : 0);
	df_child_result_deinit(&found->frozen.result);
	return watch_freeze(w, m, &found->frozen, err);
}

static uint32_t every_feature(void)
{
	uint32_t all = 0;

	for (uint32_t i = 0; manifest_feature_names[i]; i++)
		all |= 1u << i;
	return all;
}

/* A server has not answered anything yet: what it answers with all features is the measure. */
static int watch_server(const struct watcher *w, struct manifest *m, struct findings *found,
	struct df_err *err)
{
	int status;

	m->wait_point = MANIFEST_WAIT_HTTP;
	m->port = found->watched.port;
	status = try_features(w, m, every_feature(), found, err);
	if (status)
		return status;
	df_child_result_deinit(&found->watched.result);
	found->watched.result = found->frozen.result;
	found->frozen.result = (struct df_child_result){0};
	return 0;
}

/* The features that are enough. What differs with all of them differs by itself (a time, a random number). */
static int watch_features(const struct watcher *w, struct manifest *m, struct findings *found,
	struct df_err *err)
{
	uint32_t needs = found->watched.needs, tries = found->watched.tries & ~needs;
	/* What a server uses for a request, nobody has seen. */
	uint32_t more = found->watched.port ? every_feature() : needs | tries;
	int status = try_features(w, m, needs, found, err);

	if (!status && watch_same(&found->frozen.result, &found->watched.result)) {
		found->spared = tries;
		return 0;
	}
	if (more != needs || status)
		status = try_features(w, m, more, found, err);
	found->differs = !status && !watch_same(&found->frozen.result, &found->watched.result);
	return status;
}

/* --- memory and time --- */

/* Twice what it had, and room for larger events; as text it is a power of two. */
static uint64_t good_memory(uint64_t limit, uint64_t had)
{
	uint64_t memory = MEMORY_LEAST;

	while (memory < 2 * had)
		memory *= 2;
	return memory < limit || 2 * had > limit ? memory : limit;
}

/* Ten times what it took, in steps that a person would choose; never below the default. */
static uint64_t good_timeout(uint64_t took_ns)
{
	static const uint64_t steps_s[] = {30, 60, 120, 300, 600};
	uint64_t wanted_s = took_ns / 1000000000 * 10;

	for (size_t i = 0; i < sizeof(steps_s) / sizeof(*steps_s); i++) {
		if (wanted_s <= steps_s[i])
			return steps_s[i] * 1000;
	}
	return 900000;
}

/* --- the file --- */

static void add_names(struct df_str *text, uint32_t features)
{
	const char *between = "";

	for (uint32_t i = 0; manifest_feature_names[i]; i++) {
		if (features & 1u << i) {
			df_str_addf(text, "%s%s", between, manifest_feature_names[i]);
			between = ", ";
		}
	}
}

/* Shown for a person, quotes and all; nobody runs it. */
static void add_command(struct df_str *text, const struct manifest *m)
{
	size_t start = text->length;

	df_str_add(text, "#    ");
	for (size_t i = 0; i < m->command.count; i++) {
		const char *word = m->command.items[i];
		bool plain = *word && !strpbrk(word, " \t\n\"'$`\\*?|&;<>(){}[]#~");

		df_str_addf(text, plain ? " %s" : " '%s'", word);
	}
	if (!text->failed)
		make_plain(text->data + start);
	df_str_add(text, "\n");
}

static void write_head(struct df_str *text, const struct manifest *m, const struct findings *found)
{
	char time[UNITS_BYTES], size[UNITS_BYTES];
	int status = found->watched.result.exit_status;

	df_str_add(text,
		"# Written by `dayfly init`, which ran this in a microVM and watched it:\n");
	add_command(text, m);
	df_str_addf(text, "# It wrote %s and took %s",
		units_size(found->watched.result.output.length, size),
		units_time(found->watched.took_ns, time));
	df_str_addf(text, status ? ", and ended with status %d.\n" : ".\n", status);
	df_str_add(text, "# All keys: docs/manifest.md. Next: dayfly deploy\n\n");
	manifest_write_key(m, "name", text);
	manifest_write_key(m, "command", text);
	if (m->root)
		manifest_write_key(m, "root", text);
	if (strcmp(m->workdir, "/") != 0)
		manifest_write_key(m, "workdir", text);
	manifest_write_key(m, "environment", text);
}

static void write_features(struct df_str *text, const struct manifest *m,
	const struct findings *found)
{
	df_str_add(text, "\n# Parts of the kernel that it needs. ");
	if (found->spared) {
		df_str_add(text, "It also asked for ");
		add_names(text, found->spared);
		df_str_add(text, ",\n# and gives the same answer without.\n");
	} else if (found->differs) {
		df_str_add(text,
			"Its answers differ each time, so whatever\n# it asked for is here.\n");
	} else {
		df_str_add(text, "It made no call to the others.\n");
	}
	manifest_write_key(m, "features", text);
}

static void write_files(struct df_str *text, const struct manifest *m, const struct findings *found)
{
	const struct init_files *files = &found->files;

	if (m->files.count) {
		df_str_add(text,
			files->added ? "\n# Files of the host that it looked for.\n"
				     : "\n# Files of the host.\n");
		df_str_add(text, "files:\n");
		for (size_t i = 0; i < m->files.count; i++) {
			df_str_add(text, "  - ");
			manifest_write_text(m->files.items[i], text);
			df_str_add(text, "\n");
		}
	}
	if (files->private.count) {
		df_str_add(text,
			"\n# It looked for these too. They are private, so they are left out:\n");
		for (size_t i = 0; i < files->private.count; i++)
			df_str_addf(text, "#  - %s\n", files->private.items[i]);
	}
}

static const char *wait_comment(enum manifest_wait wait)
{
	switch (wait) {
	case MANIFEST_WAIT_STDIO:
		return "Frozen where it first reads standard input.";
	case MANIFEST_WAIT_HTTP:
		return "A server: frozen where it waits for a connection.";
	case MANIFEST_WAIT_SDK:
		return "Frozen where it calls df_next_event().";
	default:
		return "It never asks for input: it is frozen at its entry and runs whole for each event.";
	}
}

static void write_manifest(struct df_str *text, const struct manifest *m,
	const struct findings *found)
{
	char size[UNITS_BYTES];

	write_head(text, m, found);
	write_features(text, m, found);
	write_files(text, m, found);
	df_str_addf(text, "\n# It touched %s. Memory takes room only as far as it is used.\n",
		units_size(found->watched.touched_bytes, size));
	manifest_write_key(m, "memory", text);
	df_str_add(text,
		"\n# Time for one event; then it is stopped and the caller gets an error.\n");
	manifest_write_key(m, "timeout", text);
	df_str_addf(text, "\n# %s\n", wait_comment(found->frozen.wait_point));
	manifest_write_key(m, "wait_point", text);
	if (m->wait_point == MANIFEST_WAIT_HTTP)
		manifest_write_key(m, "port", text);
	if (m->rehearse) {
		df_str_add(text, "\n# A typical event: it is rehearsed before freezing.\n");
		manifest_write_key(m, "rehearse", text);
	}
}

/* Complete or not at all, and never over a file that came meanwhile unless asked to. */
static int publish(const struct df_str *text, bool force, struct df_err *err)
{
	DF_FREE char *passing = df_format("." MANIFEST_FILE_NAME ".%d", (int)getpid());
	DF_CLOSE int fd =
		passing ? open(passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
	int error = fd < 0 ? -errno : df_write(fd, df_str_text(text), text->length);

	if (!error && fsync(fd) < 0)
		error = -errno;
	if (!error &&
		(force ? rename(passing, MANIFEST_FILE_NAME) : link(passing, MANIFEST_FILE_NAME)) <
			0)
		error = -errno;
	if (fd >= 0 && (error || !force))
		unlink(passing);
	return error ? df_err_set(err, CLI_FAILED, MANIFEST_FILE_NAME ": %s", df_errno_text(error))
		     : 0;
}

/* --- what is said --- */

static void print_findings(const struct manifest *m, const struct findings *found)
{
	DF_STR struct df_str names = DF_STR_EMPTY;
	char size[UNITS_BYTES];

	add_names(&names, m->features);
	printf(MANIFEST_FILE_NAME
		": %s, features %s, %zu file%s added, %s touched; next: dayfly deploy\n",
		m->name, names.length ? df_str_text(&names) : "none", found->files.added,
		found->files.added == 1 ? "" : "s", units_size(found->watched.touched_bytes, size));
}

static void warn(const struct init_options *how, const struct watched *watched)
{
	DF_FREE char *line = watch_reason(&watched->result);

	if (watched->result.exit_status == 0)
		return;
	if (watched->result.exit_status == STATUS_TIMEOUT) {
		fprintf(stderr,
			"dayfly: the program did not end within %s, so only a part of it was seen; --timeout gives it longer\n",
			how->timeout);
		return;
	}
	if (line)
		make_plain(line);
	fprintf(stderr, "dayfly: the program ended with status %d%s%s\n",
		watched->result.exit_status, line ? ": " : "", line ? line : "");
	if (watched->lacks_fork)
		fprintf(stderr,
			"dayfly: it wanted to start a process; a guest runs a single one\n");
	fprintf(stderr,
		"dayfly: if it should not, give it what it needs (--event, --file, --env) and say --force\n");
}

static int look(const struct watcher *w, struct manifest *m, struct findings *found,
	struct df_err *err)
{
	int status;

	m->features |= MANIFEST_NET; /* the one that is off unless it is named */
	status = watch_files(w, m, found, err);
	if (!status && found->watched.port)
		status = watch_server(w, m, found, err);
	if (!status)
		status = watch_features(w, m, found, err);
	if (status)
		return status;
	m->memory_bytes = good_memory(m->memory_bytes, found->watched.memory_bytes);
	m->timeout_ms = good_timeout(found->watched.took_ns);
	m->wait_point = found->frozen.wait_point;
	return manifest_check(m, err) ? CLI_FAILED : 0;
}

static int init(const struct init_options *how, struct manifest *m, struct df_err *err)
{
	struct watcher w = {.event = how->event,
		.limit = how->timeout,
		.limit_ms = (unsigned int)how->timeout_ms};
	struct findings found = {.spared = 0};
	DF_STR struct df_str text = DF_STR_EMPTY;
	int status = watch_init(&w, err);

	progress_begin("watching", m->command.items[0]);
	if (!status)
		status = look(&w, m, &found, err);
	progress_end();
	watch_deinit(&w);
	if (!status) {
		write_manifest(&text, m, &found);
		status = text.failed ? df_err_set(err, CLI_FAILED, "out of memory")
				     : publish(&text, how->force, err);
	}
	if (!status) {
		warn(how, &found.watched);
		print_findings(m, &found);
	}
	watched_deinit(&found.watched);
	df_child_result_deinit(&found.frozen.result);
	init_files_deinit(&found.files);
	return status;
}

int command_init(int argc, char **argv)
{
	static struct program_options options;
	struct init_options how = {.timeout = "1m", .timeout_ms = 60000};
	const struct flag_set sets[] = {{init_flags, &how}, {program_flags, &options}, {0}};
	struct manifest m = {0};
	struct df_err err = {0};
	int next, status;

	program_options_init(&options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (status)
		return page_end(status, &err);
	if (!how.force && access(MANIFEST_FILE_NAME, F_OK) == 0)
		status = df_err_set(&err, CLI_FAILED,
			MANIFEST_FILE_NAME " is there already; --force replaces it");
	if (!status)
		status = describe(&how, &options, argv + next, &m, &err);
	if (!status)
		init_files_shorten(&m);
	if (!status && how.event) {
		m.rehearse = strdup(how.event);
		status = m.rehearse ? 0 : df_err_set(&err, CLI_FAILED, "out of memory");
	}
	if (!status)
		status = init(&how, &m, &err);
	manifest_deinit(&m);
	return page_end(status, &err);
}
