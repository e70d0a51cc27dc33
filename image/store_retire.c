/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of images, NAME:vN: giving them, and retiring those that nobody needs. See store.h. */
#include "host/str.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

unsigned long image_store_number(const char *image_name, const char *name)
{
	const char *colon = strchr(image_name, ':');
	unsigned long number;
	char *end;

	if (!colon || colon[1] != 'v' || colon[2] < '1' || colon[2] > '9')
		return 0;
	if (name &&
		(strlen(name) != (size_t)(colon - image_name) ||
			strncmp(name, image_name, strlen(name)) != 0))
		return 0;
	number = strtoul(colon + 2, &end, 10);
	return *end ? 0 : number;
}

int image_store_find_version(struct image_store *store, const char *name,
	const struct image_info *image, struct image_versions *versions, struct df_err *err)
{
	DF_FREE struct image_info *images = NULL;
	size_t count = 0;
	int error = image_store_list(store, &images, &count, err);

	if (error)
		return error;
	*versions = (struct image_versions){.highest = 0};
	for (size_t i = 0; i < count; i++) {
		unsigned long number = image_store_number(images[i].name, name);

		if (number > versions->highest)
			versions->highest = number;
		if (number && image && strcmp(images[i].digest, image->digest) == 0 &&
			strcmp(images[i].name, image->name) != 0)
			memcpy(versions->same, images[i].name, sizeof(versions->same));
	}
	return 0;
}

int image_store_put_version(struct image_store *store, const char *name, struct image_info *image,
	bool *fresh, struct df_err *err)
{
	struct image_versions versions;
	char made[IMAGE_NAME_MAX + 1];
	int error;

	*fresh = false;
	if (image_store_number(image->name, name))
		return 0;
	error = image_store_find_version(store, name, image, &versions, err);
	if (error)
		return error;
	if (*versions.same) {
		memcpy(image->name, versions.same, sizeof(versions.same));
		return 0;
	}
	snprintf(made, sizeof(made), "%.64s:v%lu", name, versions.highest + 1);
	error = image_store_tag(store, image->digest, made, err);
	if (error)
		return error;
	memcpy(image->name, made, sizeof(made));
	*fresh = true;
	return 0;
}

/* --- retiring --- */

/* When the next version of its name came, in Unix time; 0: it is the newest, or no version. */
static int64_t superseded_s(const struct image_info *images, size_t count,
	const struct image_info *image)
{
	unsigned long number = image_store_number(image->name, NULL), next = 0;
	DF_FREE char *name = strndup(image->name, strcspn(image->name, ":"));
	int64_t when = 0;

	for (size_t i = 0; number && name && i < count; i++) {
		unsigned long other = image_store_number(images[i].name, name);

		if (other > number && (!next || other < next)) {
			next = other;
			/* 1: a time that cannot be read is long ago. */
			when = images[i].created_s > 0 ? images[i].created_s : 1;
		}
	}
	return when;
}

/* Has somebody given the image a name of his own? NAME:latest is ours. */
static bool is_tagged(const struct image_info *images, size_t count, const char *digest)
{
	for (size_t i = 0; i < count; i++) {
		const char *tag = strchr(images[i].name, ':');

		if (strcmp(images[i].digest, digest) == 0 && tag && strcmp(tag, ":latest") != 0 &&
			!image_store_number(images[i].name, NULL))
			return true;
	}
	return false;
}

static int measure(const struct image_store *store, uint64_t *bytes, struct df_err *err)
{
	int fd = openat(store->blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DF_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct stat now;

	if (!dir)
		return df_err_set(err, -errno, "%s/blobs/sha256: %s", store->path,
			df_errno_text(errno));
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (fstatat(store->blobs, entry->d_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(now.st_mode))
			sum += (uint64_t)now.st_blocks * 512;
	}
	*bytes = sum;
	return 0;
}

/* When a version that may go was superseded; 0: it stays. */
static int64_t may_go(const struct image_info *images, size_t count, const struct image_info *image,
	const struct image_retire *how, int64_t until_s)
{
	int64_t when = superseded_s(images, count, image);

	if (when > until_s || (when && how->in_use(how->context, image->digest)) ||
		is_tagged(images, count, image->digest))
		return 0;
	return when;
}

static int remove_version(struct image_store *store, const struct image_retire *how,
	const struct image_info *image, struct df_err *err)
{
	int error = image_store_remove(store, image->name, err);

	if (error == 0 && how->removed)
		how->removed(how->context, image->name);
	/* Somebody else was faster. */
	return error == -ENOENT ? 0 : error;
}

/* All that were superseded before `until_s`. That one goes does not change when others were. */
static int retire_old(struct image_store *store, const struct image_retire *how, int64_t until_s,
	struct df_err *err)
{
	DF_FREE struct image_info *images = NULL;
	size_t count = 0;
	int error = image_store_list(store, &images, &count, err);

	for (size_t i = 0; error == 0 && i < count; i++) {
		if (may_go(images, count, &images[i], how, until_s))
			error = remove_version(store, how, &images[i], err);
	}
	return error;
}

/* The one whose next version came first. 1: there is none that may go. */
static int retire_one(struct image_store *store, const struct image_retire *how, int64_t until_s,
	struct df_err *err)
{
	DF_FREE struct image_info *images = NULL;
	const struct image_info *oldest = NULL;
	int64_t oldest_s = 0;
	size_t count = 0;
	int error = image_store_list(store, &images, &count, err);

	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		int64_t when = may_go(images, count, &images[i], how, until_s);

		if (when && (!oldest || when < oldest_s)) {
			oldest = &images[i];
			oldest_s = when;
		}
	}
	return oldest ? remove_version(store, how, oldest, err) : 1;
}

static void add_collected(struct image_collected *sum, const struct image_collected *more)
{
	sum->blobs += more->blobs;
	sum->bytes += more->bytes;
}

int image_store_retire(struct image_store *store, const struct image_retire *how,
	struct image_collected *collected, uint64_t *left_bytes, struct df_err *err)
{
	int operation = how->wait ? LOCK_EX : LOCK_EX | LOCK_NB;
	int64_t now_s = (int64_t)time(NULL), until_s = now_s - (int64_t)how->keep_s;
	struct image_collected part, sum = {0};
	uint64_t bytes = 0;
	int error;

	/* First whether collecting is possible: no name goes before that. */
	error = store_collect(store, how->min_age_s, operation, &sum, err);
	if (error == 0)
		error = retire_old(store, how, until_s, err);
	if (error == 0)
		error = store_collect(store, how->min_age_s, operation, &part, err);
	if (error == 0) {
		add_collected(&sum, &part);
		error = measure(store, &bytes, err);
	}
	/* Over the quota, names go one by one, and blobs however young they are. */
	while (error == 0 && how->quota_bytes && bytes > how->quota_bytes) {
		int none = retire_one(store, how, now_s, err);

		error = none < 0 ? none : store_collect(store, 0, operation, &part, err);
		if (error == 0) {
			add_collected(&sum, &part);
			error = measure(store, &bytes, err);
		}
		if (none)
			break;
	}
	if (error)
		return error;
	*collected = sum;
	*left_bytes = bytes;
	return 0;
}
