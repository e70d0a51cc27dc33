// SPDX-License-Identifier: Apache-2.0
/* Chooses and starts one attack. See attack.h. */
#include "attack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Runs the attack of this name. */
static bool run(const char *name)
{
	static const struct attack *const tables[] = {attacks_instructions, attacks_flags,
		attacks_memory, attacks_stub, attacks_requests, attacks_limits};

	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct attack *a = tables[t]; a->name; a++) {
			if (!name)
				printf("%s\n", a->name);
			else if (!strcmp(a->name, name)) {
				a->run();
				return true;
			}
		}
	return !name;
}

/* `attack --event`: the event says which one, "NAME SEED". "look" is none, for the events between. */
static int run_event(void)
{
	char body[100] = "", name[64] = "";

	if (read(0, body, sizeof(body) - 1) < 0 || sscanf(body, "%63s %" SCNu64, name, &seed) < 1)
		return 98;
	if (!strcmp(name, "look"))
		printf("clean\n");
	else if (!run(name))
		return 99;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--event"))
		return run_event();
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	if (!run(argc > 1 ? argv[1] : NULL))
		return 99;
	if (argc > 1)
		printf("survived\n");
	return 0;
}
