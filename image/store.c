/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and making the image store, its locks and names: see store.h. */
#include "image/store.h"

#include "host/path.h"
#include "host/str.h"
#include "host/write.h"
#include "image/manifest.h"
#include "image/manifest_values.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT "oci-layout"
#define LAYOUT_VERSION "1.0.0"
#define LAYOUT_BYTES_MAX 4096

char *image_store_directory(void)
{
	const char *base = getenv("XDG_DATA_HOME");

	/* A relative XDG_DATA_HOME is to be ignored (XDG Base Directory Specification 0.8). */
	if (base && *base == '/')
		return df_format("%s/dayfly/images", base);
	base = getenv("HOME");
	if (base && *base == '/')
		return df_format("%s/.local/share/dayfly/images", base);
	return df_format("/var/lib/dayfly-%u/images", (unsigned int)geteuid());
}

bool image_name_is_good(const char *name)
{
	const char *colon = strchr(name, ':');
	DF_FREE char *front = colon ? strndup(name, (size_t)(colon - name)) : strdup(name);

	return front && manifest_name_is_good(front) && (!colon || value_is_tag(colon + 1));
}

int name_complete(const char *name, char complete[IMAGE_NAME_MAX + 1], struct df_err *err)
{
	if (!image_name_is_good(name))
		return df_err_set(err, -EINVAL,
			"%.80s is not a good name of an image; write it like squeeze or squeeze:1.2",
			name);
	/* 64 + 1 + 63 at most. */
	snprintf(complete, IMAGE_NAME_MAX + 1, "%s%s", name, strchr(name, ':') ? "" : ":latest");
	return 0;
}

/* --- locks --- */

int store_lock(const struct image_store *store, enum store_lock which, int operation,
	struct df_err *err)
{
	const char *name = which == STORE_LOCK ? ".lock" : ".index-lock";
	DF_CLOSE int fd = openat(store->dir, name,
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int result;

	if (fd < 0)
		return df_err_set(err, -errno, "%s/%s: %s", store->path, name,
			df_errno_text(errno));
	do
		result = flock(fd, operation);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return df_err_set(err, -errno, "cannot lock %s/%s: %s", store->path, name,
			df_errno_text(errno));
	return df_take_fd(&fd);
}

/* --- opening --- */

static int check_directory(const struct image_store *store, struct df_err *err)
{
	struct stat now;

	if (fstat(store->dir, &now) < 0)
		return df_err_set(err, -errno, "%s: %s", store->path, df_errno_text(errno));
	/* Whoever can write there decides what runs in our guests. */
	if (now.st_uid != geteuid() || (now.st_mode & (S_IWGRP | S_IWOTH)))
		return df_err_set(err, -EPERM,
			"%s belongs to or can be written by others; it must be yours alone (chmod go-w)",
			store->path);
	return 0;
}

/* May a store be made here? Only what an interrupted making leaves may be there. */
static int check_empty(const struct image_store *store, struct df_err *err)
{
	static const char *const ours[] = {
		".", "..", ".lock", ".index-lock", "blobs", "index.json", LAYOUT, NULL};
	int copy = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DF_CLOSEDIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (!dir)
		return df_err_set(err, -errno, "%s: %s", store->path, df_errno_text(errno));
	for (struct dirent *entry; (entry = readdir(dir));) {
		bool known = df_starts_with(entry->d_name, NEW_PREFIX);

		for (size_t i = 0; ours[i]; i++)
			known |= strcmp(entry->d_name, ours[i]) == 0;
		if (!known)
			return df_err_set(err, -EUCLEAN,
				"%s is no image store: it holds %s, but no oci-layout", store->path,
				entry->d_name);
	}
	return 0;
}

/* Writes a small file under a passing name, makes it durable, and gives it its own. */
static int write_whole(const struct image_store *store, const char *name, const char *text)
{
	static const char passing[] = NEW_PREFIX "layout";
	DF_CLOSE int fd = openat(store->dir, passing,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = fd < 0 ? -errno : df_write(fd, text, strlen(text));

	if (error == 0 &&
		(fsync(fd) < 0 || renameat(store->dir, passing, store->dir, name) < 0 ||
			fsync(store->dir) < 0))
		error = -errno;
	return error;
}

/* The layout file comes last: a store that has one is whole. With the index's lock. */
static int make_store(const struct image_store *store, struct df_err *err)
{
	DF_JSON json_t *index = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType",
		TYPE_INDEX, "manifests");
	int error = check_empty(store, err);

	if (error < 0)
		return error;
	if (!index)
		return df_err_set(err, -ENOMEM, "out of memory");
	if ((mkdirat(store->dir, "blobs", 0700) < 0 && errno != EEXIST) ||
		(mkdirat(store->dir, "blobs/sha256", 0700) < 0 && errno != EEXIST))
		return df_err_set(err, -errno, "%s/blobs: %s", store->path, df_errno_text(errno));
	error = index_save(store, index, err);
	if (error < 0)
		return error;
	error = write_whole(store, LAYOUT, "{\"imageLayoutVersion\":\"" LAYOUT_VERSION "\"}\n");
	if (error < 0)
		return df_err_set(err, error, "%s/" LAYOUT ": %s", store->path,
			df_errno_text(error));
	return 0;
}

/* Reads oci-layout. 0: a version that we know; -ENOENT: there is none. */
static int check_layout(const struct image_store *store, struct df_err *err)
{
	DF_CLOSE int fd = openat(store->dir, LAYOUT, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	DF_JSON json_t *layout = NULL;
	char text[LAYOUT_BYTES_MAX];
	const char *version;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n < 0)
		return df_err_set(err, -errno, "%s/" LAYOUT ": %s", store->path,
			df_errno_text(errno));
	layout = json_loadb(text, (size_t)n, 0, NULL);
	version = json_string_value(json_object_get(layout, "imageLayoutVersion"));
	if (!version)
		return df_err_set(err, -EUCLEAN, "%s/" LAYOUT " is damaged", store->path);
	if (!df_starts_with(version, "1."))
		return df_err_set(err, -ENOTSUP,
			"%s has the layout version %.20s; this dayfly knows " LAYOUT_VERSION,
			store->path, version);
	return 0;
}

static int open_or_make(struct image_store *store, struct df_err *err)
{
	DF_CLOSE int lock = -1;
	int error = check_directory(store, err);

	if (error < 0)
		return error;
	error = check_layout(store, err);
	if (error == -ENOENT) {
		lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
		if (lock < 0)
			return lock;
		/* Another process may have been faster. */
		error = check_layout(store, err);
		if (error == -ENOENT)
			error = make_store(store, err);
	}
	if (error < 0)
		return error;
	store->blobs = openat(store->dir, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->blobs < 0)
		return df_err_set(err, errno == ENOENT || errno == ENOTDIR ? -EUCLEAN : -errno,
			"%s is damaged: blobs/sha256: %s", store->path, df_errno_text(errno));
	return 0;
}

int image_store_open(const char *path, struct image_store **store, struct df_err *err)
{
	struct image_store *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return df_err_set(err, -ENOMEM, "out of memory");
	made->dir = made->blobs = -1;
	made->path = df_path_absolute(path);
	error = -errno;
	if (made->path)
		error = df_make_dirs(made->path, 0700);
	if (error == 0 && made->path) {
		made->dir = open(made->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = made->dir < 0 ? -errno : 0;
	}
	if (error < 0)
		error = df_err_set(err, error, "%s: %s", path, df_errno_text(error));
	else
		error = open_or_make(made, err);
	if (error < 0)
		image_store_free(made);
	else
		*store = made;
	return error;
}

void image_store_free(struct image_store *store)
{
	if (!store)
		return;
	df_cleanup_fd(&store->dir);
	df_cleanup_fd(&store->blobs);
	free(store->path);
	free(store);
}
