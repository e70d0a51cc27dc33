/* SPDX-License-Identifier: Apache-2.0 */
/* index.json of the image store: read whole, checked, replaced whole. */
#include "host/str.h"
#include "host/write.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "index.json"
#define NEW_INDEX NEW_PREFIX "index"

static int damaged(const struct image_store *store, const char *why, struct df_err *err)
{
	return df_err_set(err, -EUCLEAN,
		"%s/" INDEX " is damaged: %s; bring it back from a backup, or remove the directory "
		"and deploy again (functions that are deployed do not need it)",
		store->path, why);
}

static bool is_good(const json_t *index)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	size_t i;

	if (!json_is_array(entries))
		return false;
	json_array_foreach(entries, i, entry)
	{
		struct image_blob blob;

		if (descriptor_parse(entry, &blob, NULL) < 0)
			return false;
	}
	return true;
}

int index_load(const struct image_store *store, json_t **index, struct df_err *err)
{
	DF_CLOSE int fd = openat(store->dir, INDEX, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	DF_FREE char *text = NULL;
	json_error_t problem;
	size_t length = 0;
	struct stat now;
	json_t *made;
	int error;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return damaged(store, "it is not there", err);
	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, -errno, "%s/" INDEX ": %s", store->path,
			df_errno_text(errno));
	if (!S_ISREG(now.st_mode) || now.st_size > INDEX_FILE_BYTES_MAX)
		return damaged(store, "it is no file, or too large", err);
	/* Not json_loadfd: that takes a system call for each byte. */
	error = file_read(fd, INDEX_FILE_BYTES_MAX, &text, &length);
	if (error < 0)
		return df_err_set(err, error, "%s/" INDEX ": %s", store->path,
			df_errno_text(error));
	made = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!made)
		return damaged(store, problem.text, err);
	if (!is_good(made)) {
		json_decref(made);
		return damaged(store, "it is JSON, but no OCI index", err);
	}
	*index = made;
	return 0;
}

static int write_new(const struct image_store *store, const char *text)
{
	DF_CLOSE int fd = openat(store->dir, NEW_INDEX,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = fd < 0 ? -errno : df_write(fd, text, strlen(text));

	return error == 0 && fsync(fd) < 0 ? -errno : error;
}

int index_save(const struct image_store *store, const json_t *index, struct df_err *err)
{
	DF_FREE char *text = json_dumps(index, JSON_COMPACT | JSON_SORT_KEYS);
	int error = text ? write_new(store, text) : -ENOMEM;

	if (error == 0 &&
		(renameat(store->dir, NEW_INDEX, store->dir, INDEX) < 0 || fsync(store->dir) < 0))
		error = -errno;
	if (error < 0)
		return df_err_set(err, error, "%s/" INDEX ": %s", store->path,
			df_errno_text(error));
	return 0;
}

size_t index_drop(json_t *index, bool (*match)(const json_t *entry, const void *context),
	const void *context)
{
	json_t *entries = json_object_get(index, "manifests");
	size_t dropped = 0;

	for (size_t i = json_array_size(entries); i-- > 0;) {
		if (match(json_array_get(entries, i), context)) {
			json_array_remove(entries, i);
			dropped++;
		}
	}
	return dropped;
}

json_t *index_find(const json_t *index, const char *name)
{
	const json_t *entries = json_object_get(index, "manifests");
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *has = annotation_get(entry, NOTE_NAME);

		if (has && strcmp(has, name) == 0)
			return entry;
	}
	return NULL;
}
