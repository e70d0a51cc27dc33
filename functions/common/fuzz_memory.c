/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of fuzz targets: see fuzz_memory.h. */
#include "functions/common/fuzz_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOCKS (1u << 16) /* a power of two; what is beyond leaks */

/* Of AddressSanitizer; its header is clang's alone. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
	void (*free_hook)(const volatile void *)) __attribute__((weak));

static const volatile void *blocks[BLOCKS];
static bool watching, installed;

static unsigned home(const volatile void *block)
{
	return (unsigned)((uintptr_t)block * 0x9e3779b97f4a7c15u >> 48) % BLOCKS;
}

static void on_malloc(const volatile void *block, size_t bytes)
{
	(void)bytes;
	for (unsigned i = 0; watching && block && i < 256; i++) {
		unsigned at = (home(block) + i) % BLOCKS;

		if (!blocks[at]) {
			blocks[at] = block;
			return;
		}
	}
}

static void on_free(const volatile void *block)
{
	for (unsigned i = 0; watching && block && i < 256; i++) {
		unsigned at = (home(block) + i) % BLOCKS;

		/* Places are not closed up: a search goes on over empty ones. */
		if (blocks[at] == block)
			blocks[at] = NULL;
	}
}

void fuzz_memory_begin(void)
{
	if (!installed && __sanitizer_install_malloc_and_free_hooks)
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	installed = true;
	watching = true;
}

void fuzz_memory_end(void)
{
	watching = false;
	for (unsigned i = 0; i < BLOCKS; i++) {
		free((void *)blocks[i]);
		blocks[i] = NULL;
	}
}
