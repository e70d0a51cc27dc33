/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping the cache of root images small: roots_clean() of roots.h. Runs after a packing, never before a cached run. Several
 * may run at once: each removes by name, and a name that is gone already is fine.
 */
#include "image/roots.h"

#include "host/array.h"
#include "host/cleanup.h"
#include "host/hash.h"
#include "host/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A file used more recently stays: someone may be between finding and opening it. */
#define GRACE_SECONDS 300
/* What was being written this long ago will not be finished. */
#define ABANDONED_SECONDS 3600

struct cached {
	char *name;
	uint64_t bytes;
	int64_t used_s;
};

struct list {
	struct cached *items;
	size_t count, capacity;
};

static int64_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static void list_add(struct list *list, const char *name, const struct stat *now)
{
	char *copy;

	if (df_array_reserve(&list->items, &list->capacity, list->count + 1, sizeof(*list->items)) <
		0)
		return;
	copy = strdup(name);
	if (copy)
		list->items[list->count++] = (struct cached){
			.name = copy,
			/* What it takes on the disk: images may have holes. */
			.bytes = (uint64_t)now->st_blocks * 512,
			.used_s = now->st_mtim.tv_sec,
		};
}

static void read_cache(int dir_fd, struct list *list)
{
	int64_t now_s = now_seconds();
	DF_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		df_cleanup_fd(&fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		struct stat now;

		if (fstatat(dir_fd, entry->d_name, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(now.st_mode))
			continue;
		if (df_starts_with(entry->d_name, ".new-")) {
			if (now_s - now.st_mtim.tv_sec > ABANDONED_SECONDS)
				unlinkat(dir_fd, entry->d_name, 0);
		} else if (df_ends_with(entry->d_name, ".erofs")) {
			list_add(list, entry->d_name, &now);
		}
	}
}

/* Images of one key stand together, the one used last first. */
static int by_key(const void *left, const void *right)
{
	const struct cached *a = left, *b = right;
	int order = strncmp(a->name, b->name, DF_HASH_HEX_BYTES - 1);

	if (order == 0)
		order = (a->used_s < b->used_s) - (a->used_s > b->used_s);
	return order;
}

static int oldest_first(const void *left, const void *right)
{
	const struct cached *a = left, *b = right;

	return (a->used_s > b->used_s) - (a->used_s < b->used_s);
}

static void drop(int dir_fd, struct cached *cached)
{
	unlinkat(dir_fd, cached->name, 0);
	cached->bytes = 0;
}

/* An image that a newer one of the same key has replaced is of no use to anybody. */
static void drop_replaced(int dir_fd, struct list *list, int64_t limit_s)
{
	qsort(list->items, list->count, sizeof(*list->items), by_key);
	for (size_t i = 1; i < list->count; i++) {
		if (strncmp(list->items[i - 1].name, list->items[i].name, DF_HASH_HEX_BYTES - 1) ==
				0 &&
			list->items[i].used_s < limit_s)
			drop(dir_fd, &list->items[i]);
	}
}

/* Its index goes too: without the image it would only cost time. */
static void drop_with_index(int dir_fd, struct cached *cached)
{
	char index[DF_HASH_HEX_BYTES + 8];

	if (strlen(cached->name) >= DF_HASH_HEX_BYTES - 1) {
		memcpy(index, cached->name, DF_HASH_HEX_BYTES - 1);
		memcpy(index + DF_HASH_HEX_BYTES - 1, ".index", 7);
		unlinkat(dir_fd, index, 0);
	}
	drop(dir_fd, cached);
}

void roots_clean(int dir_fd, uint64_t bound_bytes)
{
	struct list list = {0};
	int64_t limit_s = now_seconds() - GRACE_SECONDS;
	uint64_t total = 0;

	read_cache(dir_fd, &list);
	if (list.count == 0)
		return;
	drop_replaced(dir_fd, &list, limit_s);
	for (size_t i = 0; i < list.count; i++)
		total += list.items[i].bytes;
	qsort(list.items, list.count, sizeof(*list.items), oldest_first);
	for (size_t i = 0; i < list.count && total > bound_bytes; i++) {
		if (list.items[i].used_s >= limit_s)
			break;
		total -= list.items[i].bytes;
		if (list.items[i].bytes > 0)
			drop_with_index(dir_fd, &list.items[i]);
	}
	for (size_t i = 0; i < list.count; i++)
		free(list.items[i].name);
	free(list.items);
}
