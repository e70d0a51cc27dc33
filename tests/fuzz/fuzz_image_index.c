/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: image/index.c on any bytes, as a damaged file of the cache. */
#include "image/index.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index_view view;
	/* The bytes as the reader has them: aligned, and not one more than there are. */
	char *bytes = malloc(size ? size : 1);

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	/* A key that the input can hold, of a length that it chooses. */
	if (size >= sizeof(struct index_header)) {
		uint32_t key_bytes;

		memcpy(&key_bytes, bytes + offsetof(struct index_header, key_bytes),
			sizeof(key_bytes));
		if (key_bytes < 64 && key_bytes < size) {
			char key[64];

			memset(key, 'k', sizeof(key));
			if (index_parse(bytes, size, key, key_bytes, &view) == 0)
				(void)index_is_current(&view);
		}
	}
	if (index_parse(bytes, size, "", 0, &view) == 0)
		(void)index_is_current(&view);
	free(bytes);
	return 0;
}
