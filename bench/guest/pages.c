// SPDX-License-Identifier: Apache-2.0
/*
 * pages TOTAL-MIB PAGES: fills TOTAL-MIB of memory at its start, then, with its input, writes to PAGES pages
 * of it and answers with the sum of what it found there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t total = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) << 20;
	size_t pages = argc > 2 ? strtoul(argv[2], NULL, 10) : 200, sum = 0;
	char *memory = malloc(total), buffer[4096];
	ssize_t n;

	if (!memory || total / 4096 < pages || !pages)
		return 1;
	memset(memory, 1, total);
	while ((n = read(0, buffer, sizeof(buffer))) > 0)
		;
	for (size_t i = 0; i < pages; i++) {
		char *page = memory + total / pages * i;

		sum += (size_t)*page;
		*page = 2;
	}
	n = snprintf(buffer, sizeof(buffer), "%zu\n", sum);
	return write(1, buffer, (size_t)n) != n;
}
