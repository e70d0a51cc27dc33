/* SPDX-License-Identifier: Apache-2.0 */
/* What is due next: see queue_lanes.h. */
#include "daemon/event/queue_lanes.h"

#include "host/array.h"
#include "host/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lanes_init(struct lanes *lanes, unsigned int limit, unsigned int takers)
{
	*lanes = (struct lanes){.map = DF_MAP_EMPTY, .limit = limit, .takers = takers};
}

void lanes_deinit(struct lanes *lanes)
{
	while (lanes->all) {
		struct lane *lane = lanes->all;

		lanes->all = lane->all;
		free(lane->key);
		free(lane->heap);
		free(lane);
	}
	df_map_deinit(&lanes->map);
}

struct lane *lanes_get(struct lanes *lanes, enum queue_kind kind, const char *function)
{
	char key[QUEUE_FUNCTION_MAX + 2];
	struct lane *lane;

	snprintf(key, sizeof(key), "%c%.*s", kind == QUEUE_EVENT ? 'e' : 'd',
		(int)strcspn(function, ":"), function);
	lane = df_map_get(&lanes->map, key);
	if (lane)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (lane)
		lane->key = df_format("%s", key);
	if (!lane || !lane->key || df_map_put(&lanes->map, lane->key, lane) < 0) {
		if (lane)
			free(lane->key);
		free(lane);
		return NULL;
	}
	lane->limit = lanes->limit;
	lane->all = lanes->all;
	lanes->all = lane;
	return lane;
}

int lanes_reserve(struct lane *lane)
{
	size_t need = lane->count + lane->taken + lane->reserved + 1;

	if (df_array_reserve(&lane->heap, &lane->capacity, need, sizeof(lane->heap[0])) < 0)
		return -ENOMEM;
	lane->reserved++;
	return 0;
}

void lanes_unreserve(struct lane *lane)
{
	lane->reserved--;
}

static bool earlier(const struct lane_entry *a, const struct lane_entry *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

static void enter_ring(struct lanes *lanes, struct lane *lane)
{
	if (!lanes->ring) {
		lane->before = lane->after = lane;
		lanes->ring = lane;
		return;
	}
	lane->after = lanes->ring;
	lane->before = lanes->ring->before;
	lane->before->after = lane;
	lane->after->before = lane;
}

static void leave_ring(struct lanes *lanes, struct lane *lane)
{
	if (lane->after == lane) {
		lanes->ring = NULL;
	} else {
		lane->before->after = lane->after;
		lane->after->before = lane->before;
		if (lanes->ring == lane)
			lanes->ring = lane->after;
	}
	lane->before = lane->after = NULL;
}

static void add(struct lanes *lanes, struct lane *lane, uint64_t id, uint64_t due_ms)
{
	struct lane_entry entry = {.due_ms = due_ms, .id = id};
	size_t at = lane->count++;

	for (; at > 0 && earlier(&entry, &lane->heap[(at - 1) / 2]); at = (at - 1) / 2)
		lane->heap[at] = lane->heap[(at - 1) / 2];
	lane->heap[at] = entry;
	lanes->ready++;
	if (!lane->after)
		enter_ring(lanes, lane);
}

void lanes_put(struct lanes *lanes, struct lane *lane, uint64_t id, uint64_t due_ms)
{
	lane->reserved--;
	add(lanes, lane, id, due_ms);
}

/* Removes the first entry of a heap that has one. */
static void pop(struct lanes *lanes, struct lane *lane)
{
	struct lane_entry last = lane->heap[--lane->count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < lane->count) {
		if (child + 1 < lane->count && earlier(&lane->heap[child + 1], &lane->heap[child]))
			child++;
		if (!earlier(&lane->heap[child], &last))
			break;
		lane->heap[at] = lane->heap[child];
		at = child;
	}
	lane->heap[at] = last;
	lanes->ready--;
}

static bool may_take(const struct lanes *lanes, const struct lane *lane)
{
	if (lane->taken >= lane->limit)
		return false;
	return lane->taken == 0 || lanes->takers == 0 || lane->taken + lanes->taken < lanes->takers;
}

struct lane *lanes_take(struct lanes *lanes, uint64_t now_ms, uint64_t *id, uint64_t *due_ms)
{
	struct lane *lane = lanes->ring;

	*due_ms = UINT64_MAX;
	if (!lane)
		return NULL;
	do {
		if (may_take(lanes, lane) && lane->heap[0].due_ms <= now_ms) {
			*id = lane->heap[0].id;
			*due_ms = lane->heap[0].due_ms;
			lanes->ring = lane->after;
			pop(lanes, lane);
			if (lane->count == 0)
				leave_ring(lanes, lane);
			lane->taken++;
			lanes->taken++;
			return lane;
		}
		if (may_take(lanes, lane) && lane->heap[0].due_ms < *due_ms)
			*due_ms = lane->heap[0].due_ms;
		lane = lane->after;
	} while (lane != lanes->ring);
	return NULL;
}

void lanes_drop(struct lanes *lanes, struct lane *lane)
{
	lane->taken--;
	lanes->taken--;
}

void lanes_return(struct lanes *lanes, struct lane *lane, uint64_t id, uint64_t due_ms)
{
	lanes_drop(lanes, lane);
	add(lanes, lane, id, due_ms);
}

void lanes_clear(struct lanes *lanes, struct lane *lane)
{
	lanes->ready -= lane->count;
	lane->count = 0;
	if (lane->after)
		leave_ring(lanes, lane);
}
