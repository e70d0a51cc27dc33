/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a cached root image: see index.h. */
#include "image/index.h"

#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool paths_are_good(const struct index_view *view)
{
	uint32_t path_bytes = view->header->path_bytes;

	if (path_bytes > 0 && view->paths[path_bytes - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < view->header->record_count; i++) {
		/* The last byte ends every string, so an offset inside is enough. */
		if (view->records[i].path >= path_bytes)
			return false;
	}
	return true;
}

int index_parse(const void *bytes, size_t length, const char *key, size_t key_bytes,
	struct index_view *view)
{
	const struct index_header *header = bytes;
	struct index_view found;
	const char *stored_key;
	uint64_t total;

	if (length < sizeof(*header) || header->magic != INDEX_MAGIC)
		return -EINVAL;
	/* 32-bit counts: the sum cannot wrap in 64 bits. */
	total = sizeof(*header) + (uint64_t)header->record_count * sizeof(struct index_record) +
		header->key_bytes + header->path_bytes;
	if (total != length || header->key_bytes != key_bytes)
		return -EINVAL;
	found.header = header;
	found.records = (const struct index_record *)(header + 1);
	stored_key = (const char *)(found.records + header->record_count);
	found.paths = stored_key + key_bytes;
	if (memcmp(stored_key, key, key_bytes) != 0 || !paths_are_good(&found))
		return -EINVAL;
	if (header->image[0] == '\0' || header->image[0] == '.' ||
		!memchr(header->image, '\0', sizeof(header->image)) || strchr(header->image, '/'))
		return -EINVAL;
	*view = found;
	return 0;
}

static bool same(const struct index_record *record, const struct stat *now)
{
	const struct watch watch = watch_of(now);

	return record->inode == watch.inode && record->mtime_ns == watch.mtime_ns &&
		record->size == watch.size && record->mode == watch.mode &&
		record->device == watch.device;
}

bool index_is_current(const struct index_view *view)
{
	for (uint32_t i = 0; i < view->header->record_count; i++) {
		const struct index_record *record = &view->records[i];
		struct stat now;

		if (lstat(view->paths + record->path, &now) < 0) {
			if (record->mode != 0 || (errno != ENOENT && errno != ENOTDIR))
				return false;
		} else if (record->mode == 0 || !same(record, &now)) {
			return false;
		}
	}
	return true;
}

int index_make(const struct watch *watches, size_t watch_count, const char *key, size_t key_bytes,
	const char *image, uint64_t image_bytes, char **bytes, size_t *length)
{
	struct index_header header = {
		.magic = INDEX_MAGIC,
		.image_bytes = image_bytes,
		.record_count = (uint32_t)watch_count,
		.key_bytes = (uint32_t)key_bytes,
	};
	DF_STR struct df_str made = DF_STR_EMPTY, paths = DF_STR_EMPTY;

	if (strlen(image) >= sizeof(header.image) || watch_count > UINT32_MAX ||
		key_bytes > UINT32_MAX)
		return -EINVAL;
	memcpy(header.image, image, strlen(image));
	df_str_add_bytes(&made, &header, sizeof(header));
	for (size_t i = 0; i < watch_count; i++) {
		const struct watch *watch = &watches[i];
		struct index_record record = {
			.device = watch->device,
			.inode = watch->inode,
			.size = watch->size,
			.mtime_ns = watch->mtime_ns,
			.mode = watch->mode,
			.path = (uint32_t)paths.length,
		};

		df_str_add_bytes(&made, &record, sizeof(record));
		df_str_add_bytes(&paths, watch->path, strlen(watch->path) + 1);
	}
	df_str_add_bytes(&made, key, key_bytes);
	df_str_add_bytes(&made, df_str_text(&paths), paths.length);
	if (made.failed || paths.failed)
		return -ENOMEM;
	if (made.length > INDEX_BYTES_MAX)
		return -EINVAL;
	header.path_bytes = (uint32_t)paths.length;
	memcpy(made.data, &header, sizeof(header));
	*length = made.length;
	*bytes = df_str_take(&made);
	return *bytes ? 0 : -ENOMEM;
}
