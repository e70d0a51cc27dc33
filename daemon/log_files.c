/* SPDX-License-Identifier: Apache-2.0 */
/* Logs on disk: see log_files.h. */
#include "daemon/log_files.h"

#include "daemon/clock.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* So many segments make a whole log: that much finer than the quota is what is removed at a time. */
#define SEGMENTS 4u
#define TAIL_BLOCK 65536u

struct segment {
	char *path;
	uint64_t start, begun_ms, bytes, changed_ms;
	bool last; /* of its log */
};

struct segment_list {
	struct segment *items;
	size_t count;
};

/* --- finding segments --- */

static void list_free(struct segment_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct segment_list){0};
}

static bool parse_name(const char *name, struct segment *segment)
{
	int length = 0;

	return sscanf(name, "%20" SCNu64 "-%13" SCNu64 ".jsonl%n", &segment->start,
		       &segment->begun_ms, &length) == 2 &&
		length > 0 && name[length] == '\0';
}

static void add_segment(struct segment_list *list, const char *directory, const char *name)
{
	struct segment found = {0}, *grown;
	struct stat now;

	if (!parse_name(name, &found))
		return;
	found.path = df_path_join(directory, name);
	grown = found.path && stat(found.path, &now) == 0
		? reallocarray(list->items, list->count + 1, sizeof(*grown))
		: NULL;
	if (!grown) {
		free(found.path);
		return;
	}
	found.bytes = (uint64_t)now.st_size;
	found.changed_ms =
		(uint64_t)now.st_mtim.tv_sec * 1000 + (uint64_t)now.st_mtim.tv_nsec / 1000000;
	list->items = grown;
	list->items[list->count++] = found;
}

static int by_start(const void *a, const void *b)
{
	const struct segment *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

static int by_age(const void *a, const void *b)
{
	const struct segment *one = a, *other = b;

	return one->changed_ms < other->changed_ms ? -1 : one->changed_ms > other->changed_ms;
}

/* A log's segments in order, added to *list. */
static void list_segments(const char *directory, struct segment_list *list)
{
	DF_CLOSEDIR DIR *opened = opendir(directory);
	size_t before = list->count;
	const struct dirent *entry;

	while (opened && (entry = readdir(opened)))
		add_segment(list, directory, entry->d_name);
	if (list->count == before)
		return;
	qsort(list->items + before, list->count - before, sizeof(*list->items), by_start);
	list->items[list->count - 1].last = true;
}

/* --- writing --- */

uint64_t log_files_end(const struct log_files *files)
{
	return files->start + files->bytes;
}

/* How many of the last bytes of the file belong to a line without an end. */
static uint64_t torn_bytes(int fd, uint64_t bytes)
{
	char block[TAIL_BLOCK];
	uint64_t from = bytes > sizeof(block) ? bytes - sizeof(block) : 0;
	ssize_t got = pread(fd, block, sizeof(block), (off_t)from);
	const char *end = got > 0 ? memrchr(block, '\n', (size_t)got) : NULL;

	return end ? bytes - from - (uint64_t)(end + 1 - block) : bytes - from;
}

int log_files_open(struct log_files *files)
{
	struct segment_list list = {0};
	const struct segment *last;
	uint64_t torn = 0;
	int error = 0;

	list_segments(files->directory, &list);
	last = list.count ? &list.items[list.count - 1] : NULL;
	if (last) {
		DF_CLOSE int fd = open(last->path, O_RDWR | O_CLOEXEC);

		torn = fd < 0 ? 0 : torn_bytes(fd, last->bytes);
		if (fd < 0 || (torn && ftruncate(fd, (off_t)(last->bytes - torn)) < 0))
			error = -errno;
		files->start = last->start;
		files->begun_ms = last->begun_ms;
		files->bytes = last->bytes - torn;
	}
	list_free(&list);
	files->opened = error == 0;
	return error;
}

static char *current_path(const struct log_files *files)
{
	return df_format("%s/%020" PRIu64 "-%013" PRIu64 ".jsonl", files->directory, files->start,
		files->begun_ms);
}

/* The next line goes to a new segment. */
static void close_segment(struct log_files *files)
{
	files->start += files->bytes;
	files->bytes = 0;
	files->begun_ms = 0;
}

static bool is_full(const struct log_files *files, uint64_t now_ms)
{
	return files->begun_ms &&
		(files->bytes >= files->quota_bytes / SEGMENTS ||
			now_ms > files->begun_ms + files->age_ms / SEGMENTS);
}

static int open_segment(struct log_files *files, uint64_t now_ms)
{
	DF_FREE char *path = NULL;
	int fd;

	if (is_full(files, now_ms)) {
		close_segment(files);
		log_files_prune(files);
	}
	if (!files->begun_ms)
		files->begun_ms = now_ms;
	path = current_path(files);
	if (!path)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT && df_make_dirs(files->directory, 0700) == 0)
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* As many lines as still belong into the segment, one at least. */
static size_t fitting(const struct log_files *files, const char *lines, size_t length)
{
	uint64_t most = files->quota_bytes / SEGMENTS;
	uint64_t room = files->bytes < most ? most - files->bytes : 0;
	const char *end = length > room ? memrchr(lines, '\n', (size_t)room) : lines + length - 1;

	if (!end)
		end = memchr(lines, '\n', length);
	return end ? (size_t)(end + 1 - lines) : length;
}

int log_files_append(struct log_files *files, const char *lines, size_t length)
{
	while (length) {
		uint64_t now_ms = clock_wall_ms();
		DF_CLOSE int fd = open_segment(files, now_ms);
		size_t part = fitting(files, lines, length);
		int error = fd < 0 ? fd : df_write(fd, lines, part);

		if (error) {
			/* A full disk takes half a line. */
			if (fd >= 0)
				(void)!ftruncate(fd, (off_t)files->bytes);
			return error;
		}
		files->bytes += part;
		lines += part;
		length -= part;
	}
	return 0;
}

/* --- removing --- */

void log_files_prune(struct log_files *files)
{
	struct segment_list list = {0};
	uint64_t now_ms = clock_wall_ms(), total = 0;

	list_segments(files->directory, &list);
	for (size_t i = 0; i < list.count; i++)
		total += list.items[i].bytes;
	for (size_t i = 0; i < list.count; i++) {
		const struct segment *s = &list.items[i];
		bool old = now_ms > s->changed_ms && now_ms - s->changed_ms > files->age_ms;
		bool current = files->begun_ms && s->start == files->start;

		/* Room for the next segment, too. */
		if (!old &&
			(current || total <= files->quota_bytes - files->quota_bytes / SEGMENTS))
			continue;
		if (unlink(s->path) < 0)
			continue;
		total -= s->bytes;
		if (current)
			close_segment(files);
	}
	list_free(&list);
}

void log_files_remove(const char *directory)
{
	struct segment_list list = {0};

	list_segments(directory, &list);
	for (size_t i = 0; i < list.count; i++)
		(void)unlink(list.items[i].path);
	list_free(&list);
	(void)rmdir(directory);
}

void log_files_sweep(const char *directory, uint64_t quota_bytes, uint64_t age_ms)
{
	DF_CLOSEDIR DIR *opened = opendir(directory);
	struct segment_list list = {0};
	uint64_t total = 0, now_ms = clock_wall_ms();
	const struct dirent *entry;

	while (opened && (entry = readdir(opened))) {
		DF_FREE char *path =
			*entry->d_name == '.' ? NULL : df_path_join(directory, entry->d_name);

		if (path)
			list_segments(path, &list);
	}
	for (size_t i = 0; i < list.count; i++)
		total += list.items[i].bytes;
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), by_age);
	for (size_t i = 0; i < list.count; i++) {
		const struct segment *s = &list.items[i];
		bool old = now_ms > s->changed_ms && now_ms - s->changed_ms > age_ms;

		if (!s->last && (old || total > quota_bytes) && unlink(s->path) == 0)
			total -= s->bytes;
	}
	list_free(&list);
}

/* --- reading --- */

/* Whole lines of a segment from *after on. False: nothing more can be read there. */
static bool read_segment(const struct segment *s, uint64_t *after, uint64_t end,
	struct df_str *lines)
{
	DF_CLOSE int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	uint64_t until = s->start + s->bytes < end ? s->start + s->bytes : end;
	size_t room = LOG_READ_MAX - lines->length, length;
	DF_FREE char *block = NULL;
	const char *last;
	ssize_t got;

	length = until - *after < room ? (size_t)(until - *after) : room;
	block = fd < 0 ? NULL : malloc(length + 1);
	got = block ? pread(fd, block, length, (off_t)(*after - s->start)) : -1;
	last = got > 0 ? memrchr(block, '\n', (size_t)got) : NULL;
	if (!last)
		return false;
	df_str_add_bytes(lines, block, (size_t)(last + 1 - block));
	*after += (uint64_t)(last + 1 - block);
	return true;
}

void log_files_read(const char *directory, uint64_t *after, uint64_t end, struct df_str *lines)
{
	struct segment_list list = {0};

	list_segments(directory, &list);
	/* Positions begin anew when a log was removed. */
	if (*after > end)
		*after = 0;
	for (size_t i = 0; i < list.count && *after < end && lines->length < LOG_READ_MAX; i++) {
		const struct segment *s = &list.items[i];

		if (*after < s->start)
			*after = s->start;
		if (*after >= s->start + s->bytes)
			continue;
		/* The rest of it is for the next call. */
		if (!read_segment(s, after, end, lines) || *after < s->start + s->bytes)
			break;
	}
	list_free(&list);
}

/* Where the `*count` last lines before `until` begin in this segment; *count is less by those that it has. */
static uint64_t tail_of(const struct segment *s, uint64_t until, unsigned int *count)
{
	DF_CLOSE int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	DF_FREE char *block = malloc(TAIL_BLOCK);
	uint64_t at = until - s->start;

	while (fd >= 0 && block && at > 0) {
		size_t length = at > TAIL_BLOCK ? TAIL_BLOCK : (size_t)at;

		if (pread(fd, block, length, (off_t)(at - length)) != (ssize_t)length)
			break;
		for (size_t i = length; i > 0; i--) {
			/* The end of the line before the first one that is wanted. */
			if (block[i - 1] == '\n' && s->start + at - length + i != until &&
				--*count == 0)
				return s->start + at - length + i;
		}
		at -= length;
	}
	if (at == 0 && until > s->start)
		--*count;
	return s->start;
}

uint64_t log_files_tail(const char *directory, unsigned int count, uint64_t end)
{
	struct segment_list list = {0};
	uint64_t from = end;

	list_segments(directory, &list);
	for (size_t i = list.count; i > 0 && count > 0; i--) {
		const struct segment *s = &list.items[i - 1];
		uint64_t until = s->start + s->bytes < end ? s->start + s->bytes : end;

		if (until > s->start)
			from = tail_of(s, until, &count);
	}
	list_free(&list);
	return from;
}
