// SPDX-License-Identifier: Apache-2.0
/* seed_snapshot FILE: writes a small true snapshot for the fuzzer and its replay to start from. */
#include <base/snapshot_sample.h>

#include <stdio.h>

int main(int argc, char **argv)
{
	static struct sample s;
	FILE *f = argc == 2 ? fopen(argv[1], "wb") : NULL;

	sample_make(&s);
	return !f || fwrite(&s, sizeof(s), 1, f) != 1 || fclose(f);
}
