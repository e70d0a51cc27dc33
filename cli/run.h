/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `dayfly run`: its options (run_options.c), finding the program (run_find.c), starting the monitor (run.c). */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/cli.h"
#include "image/roots.h"

#define RUN_GUEST_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define RUN_LIST_MAX 256

enum run_feature { RUN_FILES, RUN_TMP, RUN_TASKS, RUN_EVENTS, RUN_SIGNALS, RUN_FEATURE_COUNT };

/* Lists point into argv or are allocated once and live until the process is replaced. */
struct run_options {
	uint64_t memory_bytes;
	uint64_t timeout_ms; /* 0: none */
	bool features[RUN_FEATURE_COUNT];
	const char *workdir;
	const char *root; /* as given; NULL: gather */
	struct root_file files[RUN_LIST_MAX];
	size_t file_count;
	const char *env[RUN_LIST_MAX]; /* "NAME=VALUE": the guest's environment in the making */
	size_t env_count;
	bool stats;
	bool trace;
};

/* What to run, and how it is called. */
struct run_program {
	const char *typed; /* the word on the command line */
	char *path; /* absolute: of the host, or inside the given root */
	const char *argv0;
};

extern const char *const run_feature_names[RUN_FEATURE_COUNT + 1];
extern const struct flag run_flags[];

/* The defaults, the guest's standard environment among them. */
void run_options_init(struct run_options *options);

/* The guest's value of a variable, or NULL. */
const char *run_env(const struct run_options *options, const char *name);

/*
 * Finds a program on the host: a path, or a name on PATH. Returns 0, or the exit status with *err set. Fills
 * program->path and ->argv0 from ->typed.
 */
int run_find(struct run_program *program, struct df_err *err) __attribute__((warn_unused_result));

/* The same inside a prepared directory; links in it are not followed. */
int run_find_in_root(struct run_program *program, const struct run_options *options,
	const char *root, struct df_err *err) __attribute__((warn_unused_result));

#endif
