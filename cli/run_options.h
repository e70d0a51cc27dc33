/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that `dayfly run` has for itself: read by `dayfly`, and with -d once more by dayfly-platform. */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include "cli/cli.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
	uint64_t timeout_ms; /* 0: none */
	bool stats;
	bool trace;
	const char *watch;
	bool no_jail; /* --no-jail, a flag of others too (event.h) */
	bool detach; /* -d: as a service of the daemon */
	const char *name; /* of the service; NULL: made of the program's */
};

extern const struct flag run_flags[]; /* for a struct run_options */

/* Do they fit together? Returns 0, or -EINVAL with *err set. */
int run_options_check(const struct run_options *options, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
