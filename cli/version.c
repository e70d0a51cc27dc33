/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly version`. */
#include "cli/cli.h"

#include <stdio.h>

void command_version_help(void)
{
	printf("Usage: dayfly version\n\nPrints the version.\n");
}

int command_version(int argc, char **argv)
{
	const struct flag_set none[] = {{0}};
	struct df_err err;
	int next, result;

	result = flags_parse(none, argc, argv, &next, &err);
	if (result == FLAGS_HELP) {
		command_version_help();
		return CLI_OK;
	}
	if (result)
		return cli_fail(&err, CLI_FAILED);
	printf("dayfly %s\n", DAYFLY_VERSION);
	return CLI_OK;
}
