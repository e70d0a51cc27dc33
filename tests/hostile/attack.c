// SPDX-License-Identifier: Apache-2.0
/* Chooses and starts one attack. See attack.h. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const struct attack *const tables[] = {attacks_instructions, attacks_flags,
		attacks_memory, attacks_stub, attacks_requests, attacks_limits};

	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct attack *a = tables[t]; a->name; a++) {
			if (argc < 2)
				printf("%s\n", a->name);
			else if (!strcmp(a->name, argv[1])) {
				a->run();
				printf("survived\n");
				return 0;
			}
		}
	return argc < 2 ? 0 : 99;
}
