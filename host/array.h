/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays. An array is three ordinary members of the struct that owns it, with their true type:
 *
 *	struct entry *entries;
 *	size_t count, capacity;
 *
 *	if (df_array_reserve(&a->entries, &a->capacity, a->count + 1, sizeof(*a->entries)) < 0)
 *		return -ENOMEM;
 *	a->entries[a->count++] = entry;
 *
 * The owner frees with free(). Nothing here is locked.
 */
#ifndef HOST_ARRAY_H
#define HOST_ARRAY_H

#include <stddef.h>

/*
 * Makes room for `need` items of `item_bytes` bytes. `items` is the address of the array's pointer; the pointer
 * and *capacity (counted in items) change on success only. Returns 0 or -ENOMEM.
 */
int df_array_reserve(void *items, size_t *capacity, size_t need, size_t item_bytes)
	__attribute__((warn_unused_result));

#endif
