/* SPDX-License-Identifier: Apache-2.0 */
/* What each executable of cli/ needs: see cli.h. */
#include "cli/cli.h"

#include "host/path.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int cli_fail(const struct df_err *err, int status)
{
	if (*err->text)
		dprintf(STDERR_FILENO, "dayfly: %s\n", err->text);
	return status;
}

char *own_directory(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return NULL;
	path[length] = '\0';
	return df_dir_name(path);
}
