/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the platform live in an executable of their own, `dayfly-platform`: they need libraries that would make
 * `dayfly run` start slower. This process becomes it.
 */
#include "cli/cli.h"

#include "host/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_platform(int argc, char **argv)
{
	char *path = df_place_program("dayfly-platform");
	char **words = calloc((size_t)argc + 2, sizeof(*words));
	struct df_err err;

	if (!path || !words) {
		df_err_set(&err, CLI_FAILED, "starting dayfly-platform failed: %s",
			df_errno_text(errno));
		return cli_fail(&err, CLI_FAILED);
	}
	words[0] = path;
	memcpy(words + 1, argv, (size_t)argc * sizeof(*argv));
	execv(path, words);
	df_err_set(&err, CLI_FAILED,
		"%s cannot be started: %s; build it with `make build`, or install dayfly again",
		path, df_errno_text(errno));
	return cli_fail(&err, CLI_FAILED);
}
