/* SPDX-License-Identifier: Apache-2.0 */
/* dayfly-platform: the commands of `dayfly` that talk to dayflyd. `dayfly` becomes this program: dayfly-platform COMMAND ... */
#include "cli/platform/platform.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define ROW(name, summary) {#name, command_##name},
	PLATFORM_COMMANDS(ROW)
#undef ROW
		{"run", command_run_service},
};

int main(int argc, char **argv)
{
	struct df_err err;

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	df_err_set(&err, -EINVAL, "this program is started by `dayfly`; see `dayfly help`");
	return cli_fail(&err, CLI_FAILED);
}
