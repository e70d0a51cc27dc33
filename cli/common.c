/* SPDX-License-Identifier: Apache-2.0 */
/* What each executable of cli/ needs: see cli.h. */
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

int cli_fail(const struct df_err *err, int status)
{
	if (*err->text)
		dprintf(STDERR_FILENO, "dayfly: %s\n", err->text);
	return status;
}
