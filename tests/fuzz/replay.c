// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a fuzz target without a fuzzer, the same way each time: `replay [SEED_FILE...]`. Each seed as
 * it is, cut short, and in many versions with a few bytes changed, most of them near the start, where
 * headers are; then inputs made of nothing.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEED_MAX (4u << 20)
#define VERSIONS 400
#define INVENTED 1500
#define INVENTED_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static uint64_t state = 1;

static uint64_t random_next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void change(uint8_t *data, size_t size)
{
	static const uint64_t odd[] = {0, ~0ULL, 1, 0xff, 0x7fffffff, 0x80000000, 0xffffffff,
		1ULL << 63, 4095, 4096, 1ULL << 32, 0x600000200000};
	unsigned width = 1u << random_next() % 4;
	size_t at = random_next() % (random_next() % 4 && size > 2048 ? 2048 : size);
	uint64_t value = random_next() % 2 ? random_next()
					   : odd[random_next() % (sizeof(odd) / sizeof(odd[0]))];

	memcpy(data + at, &value, at + width <= size ? width : size - at);
}

static void replay(const uint8_t *seed, size_t size, unsigned versions)
{
	uint8_t *copy = malloc(size);

	LLVMFuzzerTestOneInput(seed, size);
	for (unsigned i = 0; i < versions && copy && size; i++) {
		size_t cut = random_next() % 8 ? size : random_next() % size;

		memcpy(copy, seed, size);
		for (uint64_t n = 1 + random_next() % 4; n; n--)
			change(copy, size);
		LLVMFuzzerTestOneInput(copy, cut);
	}
	free(copy);
}

int main(int argc, char **argv)
{
	static uint8_t seed[SEED_MAX];

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, seed, sizeof(seed));

		if (n < 0) {
			perror(argv[i]);
			return 1;
		}
		close(fd);
		/* A large seed costs much a version. */
		replay(seed, (size_t)n, n > 65536 ? VERSIONS / 4 : VERSIONS);
	}
	for (unsigned i = 0; i < INVENTED; i++) {
		size_t size = random_next() % INVENTED_MAX;

		for (size_t k = 0; k < size; k++)
			seed[k] = (uint8_t)random_next();
		LLVMFuzzerTestOneInput(seed, size);
	}
	return 0;
}
