/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from strings to pointers: see map.h. */
#include "host/map.h"

#include "host/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

/* The slot that holds `key`, or the free slot where it belongs. The table is never full, so this ends. */
static struct df_map_slot *map_slot(const struct df_map *map, const char *key)
{
	size_t at = (size_t)df_hash_text(key) & (map->slot_count - 1);

	while (map->slots[at].key && strcmp(map->slots[at].key, key) != 0)
		at = (at + 1) & (map->slot_count - 1);
	return &map->slots[at];
}

static int map_grow(struct df_map *map)
{
	size_t slot_count = map->slot_count ? map->slot_count * 2 : FIRST_SLOTS;
	struct df_map grown = {calloc(slot_count, sizeof(*map->slots)), slot_count, map->count};

	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->slot_count; i++) {
		if (map->slots[i].key)
			*map_slot(&grown, map->slots[i].key) = map->slots[i];
	}
	free(map->slots);
	*map = grown;
	return 0;
}

void df_map_deinit(struct df_map *map)
{
	free(map->slots);
	*map = DF_MAP_EMPTY;
}

void *df_map_get(const struct df_map *map, const char *key)
{
	return map->count ? map_slot(map, key)->value : NULL;
}

int df_map_put(struct df_map *map, const char *key, void *value)
{
	struct df_map_slot *slot;

	if (map->count >= map->slot_count / 4 * 3 && map_grow(map) < 0)
		return -ENOMEM;
	slot = map_slot(map, key);
	if (!slot->key) {
		slot->key = key;
		map->count++;
	}
	slot->value = value;
	return 0;
}
