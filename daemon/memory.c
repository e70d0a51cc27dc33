/* SPDX-License-Identifier: Apache-2.0 */
/* What processes use: see memory.h. */
#include "daemon/memory.h"

#include "host/cleanup.h"

#include <stdio.h>

uint64_t memory_of(pid_t pid)
{
	char path[64], line[128];
	DF_FCLOSE FILE *file = NULL;
	unsigned long long sum = 0, kib;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "RssAnon: %llu", &kib) == 1 ||
			sscanf(line, "RssShmem: %llu", &kib) == 1)
			sum += kib;
	}
	return (uint64_t)sum << 10;
}
