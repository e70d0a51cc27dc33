/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of dayfly-platform share: asking the daemon over its Unix socket (docs/reference-http.md), and tables. One
 * thread; like all commands they end the process, so what lives until then is not freed.
 */
#ifndef CLI_PLATFORM_PLATFORM_H
#define CLI_PLATFORM_PLATFORM_H

#include "cli/page.h"
#include "cli/program.h"
#include "cli/platform/commands.h"
#include "host/str.h"
#include "image/manifest_json.h"

#include <jansson.h>

#define ROW(name, summary) int command_##name(int argc, char **argv);
PLATFORM_COMMANDS(ROW)
#undef ROW

/* `dayfly run -d`: what `dayfly run` (cli/run.c) becomes then. */
int command_run_service(int argc, char **argv);

/* --- asking the daemon (client.c) --- */

struct client_request {
	const char *method;
	const char *path; /* with its query */
	const void *body; /* NULL: none */
	size_t body_bytes;
	const char *const *headers; /* "name: value", NULL at the end; NULL: none */
};

struct client_reply {
	long status;
	struct df_str body;
	uint64_t log_after; /* x-dayfly-log-after, 0 if there was none */
};

/*
 * Sends it and waits for the whole answer, whatever its status. Returns 0, or the exit status with *err set, which says
 * to start one if no daemon answers (err->code is then -ECONNREFUSED). The body is the caller's to end.
 */
int client_ask(const struct client_request *request, struct client_reply *reply, struct df_err *err)
	__attribute__((warn_unused_result));

/* The daemon's own words for a reply with a status of 400 or more. Returns CLI_FAILED; err->code is -ENOENT for a 404. */
int client_refused(const struct client_reply *reply, struct df_err *err);

/* After an error: if it is that there is no such function, adds the nearest name that there is. */
void suggest_function(const char *name, struct df_err *err);

/*
 * The same for calls that are answered by JSON or nothing; anything but success is an error. *answer (NULL is allowed, and is
 * stored if there is no body) is the caller's to json_decref.
 */
int client_call(const char *method, const char *path, const json_t *body, json_t **answer,
	struct df_err *err) __attribute__((warn_unused_result));

/* Of what functions' names consist. */
#define FUNCTION_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/*
 * The path of a function's resource: "/functions/NAME" (or "/fn/NAME"). NULL with *err set if that is no name, with or without
 * ":QUALIFIER". For the caller to free.
 */
char *function_path(const char *name, const char *before, struct df_err *err)
	__attribute__((warn_unused_result));

/* Members of an answer; "" and 0 when they are not there. */
const char *member_text(const json_t *object, const char *key);
uint64_t member_number(const json_t *object, const char *key);

/* Prints it indented on standard output. Returns 0 or the exit status with *err set. */
int print_json(const json_t *json, struct df_err *err) __attribute__((warn_unused_result));

/* --- deploying (deploy_send.c) --- */

/*
 * Has the daemon freeze and serve it, and waits. A program that could not be frozen has its last words printed on standard error,
 * behind the error: registers among them if `verbose`. Returns 0 with *function set, the caller's to json_decref, or the exit status
 * with *err set.
 */
int deploy_send(const char *path, const json_t *deployment, bool verbose, json_t **function,
	struct df_err *err) __attribute__((warn_unused_result));

/* The same for all that a manifest says, its program gathered and its image kept (deploy.c). */
int deploy_manifest(const struct manifest *m, json_t **function, struct df_err *err)
	__attribute__((warn_unused_result));

/* Prints how a service is, and where it listens: what the daemon answers to its deployment, or start (services.c). */
void print_service(const json_t *function);

/* Flags of a deployment that only functions take (0: not given). Returns 0, or the exit status with *err set. */
int check_service_flags(const struct manifest *m, uint64_t timeout_ms, uint64_t concurrency,
	struct df_err *err) __attribute__((warn_unused_result));

/* Is it one? `function` is as the daemon shows it. */
bool is_service(const json_t *function);

/* Says on standard error what is odd about a function that was deployed. */
void deploy_note(const json_t *function);

/* --- what programs say (last_words.c) --- */

/* Appends the text's lines, indented, without control characters: a program's words may hold terminal escapes. */
void add_indented(struct df_str *lines, const char *text);

/* The last lines of what a program that failed wrote to standard error, on ours. Nothing if it said nothing. */
void print_last_words(const char *text);

/* --- tables (table.c) --- */

struct table {
	const char *const
		*heads; /* NULL at the end; one that begins with '>' is of numbers, to the right */
	char **cells;
	size_t count, capacity;
};

/* The next cell of the current row; rows follow each other. Running out of memory is seen by table_print. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints it and frees it. Lines are cut at the terminal's width, if there is one. */
void table_print(struct table *table);

/* A line that is cut the same way. */
void table_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- programs and manifests (describe.c) --- */

/*
 * The manifest of what a command line says. `words` are program and arguments. *m is new, the caller's to deinit. Returns 0
 * or the exit status with *err set.
 */
int describe_program(const struct program_options *options, const char *name, char **words,
	struct manifest *m, struct df_err *err) __attribute__((warn_unused_result));

/* "PROGRAM -- ARGUMENTS": the dashes go. */
void describe_drop_dashes(char **words);

/* The same without a check: `words` may be empty. */
int describe_options(const struct program_options *options, const char *name, char **words,
	struct manifest *m, struct df_err *err) __attribute__((warn_unused_result));

/* A function's name made of a path: "/usr/bin/python3.11" is python3-11. Returns `name`, or NULL: nothing good came out. */
const char *describe_name(const char *path, char name[MANIFEST_NAME_MAX + 1]);

/*
 * The other way: a command line of `dayfly run` or `freeze`, NULL at the end: the words `first`, then flags, program and arguments as the
 * manifest has them. For the caller to free; NULL without memory.
 */
char **describe_words(const struct manifest *m, const char *const *first)
	__attribute__((warn_unused_result));
void describe_words_free(char **words);

/* The other way: fills *options, and *program with program and root image. Returns 0 or the exit status with *err set. */
int describe_prepare(const struct manifest *m, struct program_options *options,
	struct program *program, struct df_err *err) __attribute__((warn_unused_result));

/* --- prebuilt functions (prebuilt.c) --- */

bool prebuilt_exists(const char *name);

/*
 * The manifest of the prebuilt function of that name, with what the command line says of its program. Returns 0 with *m the caller's
 * to deinit, or the exit status with *err set: if there is none, that a name is missing.
 */
int prebuilt_load(const char *name, const struct program_options *options, struct manifest *m,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * The file with the body of the event to rehearse: the one of --event (NULL: none was given), that of the manifest, or a prebuilt
 * function's own. NULL: there is none. To be freed by the caller.
 */
char *rehearsal_path(const struct manifest *m, const char *given)
	__attribute__((warn_unused_result));

/* --- secrets (secrets.c) --- */

#define SECRETS_MAX 64

/* --secret NAME=FILE, as often as it was given; borrowed. */
struct secret_flags {
	const char *list[SECRETS_MAX];
	size_t count;
};

/* The value of --name, which must be one that a function can have. Returns 0, or -EINVAL with *err set. */
int take_name(const char **name, const char *value, struct df_err *err)
	__attribute__((warn_unused_result));

/* Checks one and keeps it. Returns 0 or -errno with *err set. */
int secrets_add_flag(struct secret_flags *flags, const char *value, struct df_err *err);

/* Adds the names of flags to a manifest's secrets, without files: what is made from it asks for them. Returns 0 or the exit status with *err set. */
int secrets_name(struct manifest *m, const struct secret_flags *flags, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Reads the files of a manifest's secrets (NULL: there is none) and of flags, which come in their place. *secrets is a new object of
 * texts. Returns 0 or the exit status with *err set, in which no value ever stands.
 */
int secrets_read(const struct manifest *m, const struct secret_flags *flags, json_t **secrets,
	struct df_err *err) __attribute__((warn_unused_result));

#endif
