/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from strings to pointers. Keys and values are borrowed: they must outlive the map. Entries are added and replaced,
 * never removed. Open addressing, at most 3/4 full; not locked.
 */
#ifndef HOST_MAP_H
#define HOST_MAP_H

#include <stddef.h>

struct df_map_slot {
	const char *key; /* NULL: free */
	void *value;
};

struct df_map {
	struct df_map_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t count;
};

#define DF_MAP_EMPTY ((struct df_map){NULL, 0, 0})

/* Frees the table, not what it points to; the map is empty and usable afterwards. */
void df_map_deinit(struct df_map *map);

/* The value of `key`, or NULL. */
void *df_map_get(const struct df_map *map, const char *key);

/* Adds `key`, or replaces its value (and keeps the older key). Returns 0 or -ENOMEM. */
int df_map_put(struct df_map *map, const char *key, void *value)
	__attribute__((warn_unused_result));

#endif
