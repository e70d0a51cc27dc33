/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running another program and reading what it prints. Blocks the calling thread; safe in threaded programs
 * (posix_spawn). The child gets no descriptor but 0, 1 and 2, provided that
 * the caller opens everything with O_CLOEXEC, as all host programs do.
 */
#ifndef HOST_CHILD_H
#define HOST_CHILD_H

#include "host/err.h"
#include "host/str.h"

#include <stdbool.h>
#include <stddef.h>

struct df_child {
	const char *path; /* file to execute; not searched on PATH */
	char *const *arguments; /* from argument 0 on, NULL at the end */
	char *const *environment; /* NULL at the end; a NULL here means an empty environment */
	const char *input; /* file for its standard input; NULL: /dev/null */
	size_t output_cap_bytes; /* of each stream; what comes after it is dropped */
	unsigned int time_limit_ms; /* 0: none. A child that takes longer is killed. */
};

struct df_child_result {
	int exit_status; /* 0 to 255, or 128 + signal */
	bool truncated; /* the cap cut one of the streams */
	struct df_str output;
	struct df_str errors;
};

/*
 * Runs it to its end. Returns 0 with *result filled (the caller ends it with df_child_result_deinit), -ETIMEDOUT if it was
 * killed at the time limit, else -errno; *err says which in words.
 */
int df_child_run(const struct df_child *child, struct df_child_result *result, struct df_err *err)
	__attribute__((warn_unused_result));

void df_child_result_deinit(struct df_child_result *result);

#endif
