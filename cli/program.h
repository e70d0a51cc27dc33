/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `dayfly run`, `try` and `freeze` share: which program, in which guest. Its flags (program_options.c), the program
 * (program_find.c), its root image (program_image.c), and the monitor's command line (monitor_words.c).
 *
 * Results that are exit statuses (enum cli_status) say so; 0 is success in all of them.
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "cli/cli.h"
#include "image/roots.h"

#define GUEST_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROGRAM_LIST_MAX 256

/* "prebuilt:image" is a program that comes with dayfly: functions/image beside it. */
#define PREBUILT_PREFIX "prebuilt:"
#define PREBUILT_FOLDER "functions/"

enum feature {
	FEATURE_FILES,
	FEATURE_TMP,
	FEATURE_TASKS,
	FEATURE_EVENTS,
	FEATURE_SIGNALS,
	FEATURE_NET,
	FEATURE_COUNT
};

/* Lists point into argv or are allocated once and live as long as this process. */
struct program_options {
	uint64_t memory_bytes;
	bool features[FEATURE_COUNT];
	const char *workdir;
	const char *root; /* as given; NULL: gather */
	struct root_file files[PROGRAM_LIST_MAX];
	size_t file_count;
	const char *env
		[PROGRAM_LIST_MAX]; /* "NAME=VALUE", with a NULL at the end: the guest's environment */
	size_t env_count;
};

/* What to run, and how it is called. */
struct program {
	const char *typed; /* the word on the command line */
	char *path; /* absolute: of the host, or inside the given root */
	const char *argv0;
	char *image; /* the root image; without the feature files the program itself */
	char **arguments; /* behind argv[0] */
	int argument_count;
};

extern const char *const feature_names[FEATURE_COUNT + 1];
extern const struct flag program_flags[]; /* for a struct program_options */

/* The defaults. A manifest means the same on every host, so nothing is taken from the environment here. */
void program_options_init_plain(struct program_options *options);

/* The same, with the host's language and time zone. */
void program_options_init(struct program_options *options);

/* Takes the host's language and time zone out again: for what brings its own. */
void program_forget_host(struct program_options *options);

/* Gives the guest the host's value of a variable, if it has one. For the first few variables only. */
void program_copy_env(struct program_options *options, const char *name);

/* The guest's value of a variable, or NULL. */
const char *program_env(const struct program_options *options, const char *name);

/*
 * Gives the guest the feature net, and the files that C libraries look names up with. `name_server` is NULL for dayfly-net's, or empty: there is
 * none. 0, or the exit status with *err set.
 */
int program_add_net(struct program_options *options, const char *name_server, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Takes "PROGRAM [--] [ARGUMENTS]" at argv[at] and finds program and image: all of *program. Returns 0 or the exit
 * status with *err set.
 */
int program_prepare(const struct program_options *options, int argc, char **argv, int at,
	struct program *program, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Finds a program on the host: a path, a prebuilt function, or a name on PATH. Returns 0, or the exit status with *err set. Fills
 * program->path and ->argv0 from ->typed.
 */
int program_find(struct program *program, struct df_err *err) __attribute__((warn_unused_result));

/* The same inside a prepared directory; links in it are not followed. */
int program_find_in_root(struct program *program, const struct program_options *options,
	const char *root, struct df_err *err) __attribute__((warn_unused_result));

/* --- the monitor's command line --- */

struct monitor_command {
	const char *name; /* run, freeze, serve */
	const char *const
		*flags; /* flags with their values that this command adds, NULL at the end */
	/* What to run; both NULL for serve. */
	const struct program_options *options;
	const struct program *program;
	const char *more_features; /* ",NAME" behind the list, or NULL */
};

/* The monitor's executable, beside this one. NULL with errno set; never freed, like the words. */
char *monitor_path(void) __attribute__((warn_unused_result));

/* The words to start it with, NULL at the end. NULL with errno set. */
char **monitor_words(const struct monitor_command *command) __attribute__((warn_unused_result));

/* Replaces this process by the monitor. Returns only if that fails: CLI_FAILED with *err set. */
int monitor_become(const struct monitor_command *command, const char *const *environment,
	struct df_err *err);

#endif
