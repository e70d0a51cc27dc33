/* SPDX-License-Identifier: Apache-2.0 */
/* Growing arrays: see array.h. */
#include "host/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int df_array_reserve(void *items, size_t *capacity, size_t need, size_t item_bytes)
{
	size_t wanted = *capacity ? *capacity : 8;
	void *old, *grown;

	if (need <= *capacity)
		return 0;
	/* Doubling keeps the cost of n appends at O(n). */
	while (wanted < need) {
		if (wanted > SIZE_MAX / 2)
			return -ENOMEM;
		wanted *= 2;
	}
	if (wanted > PTRDIFF_MAX / item_bytes)
		return -ENOMEM;
	/* `items` points to a pointer of another type: read and written as bytes. */
	memcpy(&old, items, sizeof(old));
	grown = realloc(old, wanted * item_bytes);
	if (!grown)
		return -ENOMEM;
	memcpy(items, &grown, sizeof(grown));
	*capacity = wanted;
	return 0;
}
