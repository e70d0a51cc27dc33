/* SPDX-License-Identifier: Apache-2.0 */
/* `dayfly version`. */
#include "cli/page.h"

#include <stdio.h>

static const struct page page = {"version", "Prints the version.\n", 0, 0, WORDS_NONE, NULL};

int command_version(int argc, char **argv)
{
	const struct flag_set none[] = {{0}};
	struct df_err err;
	int next, result;

	result = page_flags(&page, none, argc, argv, &next, &err);
	if (result)
		return page_end(result, &err);
	printf("dayfly %s\n", DAYFLY_VERSION);
	return CLI_OK;
}
