/* SPDX-License-Identifier: Apache-2.0 */
/* Images in the store: adding, naming, finding, reading. See store.h. */
#include "host/array.h"
#include "host/str.h"
#include "image/erofs.h"
#include "image/manifest.h"
#include "image/store_private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SHORT_DIGITS 6
#define TIME_BYTES 32

/* --- documents of a new image --- */

/* Which kind of root a file is, by its first bytes; NULL for something else. */
static const char *root_type(int fd)
{
	char magic[SELFMAG];
	struct stat now;

	if (fstat(fd, &now) < 0)
		return NULL;
	if (erofs_check(fd, (uint64_t)now.st_size) == 0)
		return TYPE_ROOT;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
		memcmp(magic, ELFMAG, SELFMAG) == 0)
		return TYPE_PROGRAM;
	return NULL;
}

/* {"build": ..., "features": [...]} of "files,tmp". */
static json_t *kernel_json(const struct image_add *add)
{
	DF_JSON json_t *features = json_array();
	char build[9];

	for (const char *at = add->features; *at; at += strspn(at, ",")) {
		size_t length = strcspn(at, ",");

		if (length && json_array_append_new(features, json_stringn(at, length)) < 0)
			return NULL;
		at += length;
	}
	snprintf(build, sizeof(build), "%08" PRIx32, add->kernel_build);
	return json_pack("{s:s, s:O}", "build", build, "features", features);
}

struct parts {
	struct image_blob config, root, kernel, function;
	const char *root_type;
};

/*
 * An ordinary config of OCI, because `skopeo inspect` reads no other: on which machine it runs, labels, and the layers' digests (they
 * are not compressed). That it is no container image is said by the manifest's artifactType.
 */
static json_t *config_json(const struct image_add *add, const struct parts *parts)
{
	char build[9];

	snprintf(build, sizeof(build), "%08" PRIx32, add->kernel_build);
	return json_pack("{s:s, s:s, s:{s:{s:s, s:s}}, s:{s:s, s:[s, s, s]}}", "architecture",
		"amd64", "os", "linux", "config", "Labels", "vnd.dayfly.features", add->features,
		"vnd.dayfly.kernel-build", build, "rootfs", "type", "layers", "diff_ids",
		parts->root.digest, parts->kernel.digest, parts->function.digest);
}

static int put_json(const struct image_store *store, json_t *json, struct image_blob *blob)
{
	int error = json ? document_put(store, json, blob) : -ENOMEM;

	json_decref(json);
	return error;
}

static int put_parts(const struct image_store *store, const struct image_add *add,
	struct parts *parts)
{
	int error = blob_put_file(store, add->root_fd, add->root_may_change, &parts->root);

	if (error == 0)
		error = put_json(store, kernel_json(add), &parts->kernel);
	if (error == 0)
		error = blob_put_bytes(store, add->manifest, add->manifest_bytes, &parts->function);
	if (error == 0)
		error = put_json(store, config_json(add, parts), &parts->config);
	return error;
}

/* The OCI manifest over the parts. */
static int put_image(const struct image_store *store, const struct parts *parts,
	struct image_blob *blob)
{
	return put_json(store,
		json_pack("{s:i, s:s, s:s, s:o, s:[o, o, o]}", "schemaVersion", 2, "mediaType",
			TYPE_MANIFEST, "artifactType", TYPE_IMAGE, "config",
			descriptor_make(TYPE_CONFIG, &parts->config), "layers",
			descriptor_make(parts->root_type, &parts->root),
			descriptor_make(TYPE_KERNEL, &parts->kernel),
			descriptor_make(TYPE_FUNCTION, &parts->function)),
		blob);
}

/* --- names --- */

static void say_time(time_t time, char text[TIME_BYTES])
{
	struct tm parts;

	gmtime_r(&time, &parts);
	strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* 0 for a text that is no time. */
static int64_t read_time(const char *text)
{
	struct tm parts = {0};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts) : NULL;

	return end && !*end ? (int64_t)timegm(&parts) : 0;
}

static bool has_name(const json_t *entry, const void *name)
{
	const char *has = annotation_get(entry, NOTE_NAME);

	return has && strcmp(has, name) == 0;
}

/* Makes `blob` the one that has the name. */
static int set_name(const struct image_store *store, const struct image_blob *blob,
	const char *name, struct df_err *err)
{
	DF_CLOSE int lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
	DF_JSON json_t *index = NULL;
	char now[TIME_BYTES];
	json_t *entry;
	int error = lock < 0 ? lock : index_load(store, &index, err);

	if (error)
		return error;
	say_time(time(NULL), now);
	index_drop(index, has_name, name);
	entry = json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s}}", "mediaType", TYPE_MANIFEST,
		"artifactType", TYPE_IMAGE, "digest", blob->digest, "size", (json_int_t)blob->bytes,
		"annotations", NOTE_NAME, name, NOTE_CREATED, now);
	if (json_array_append_new(json_object_get(index, "manifests"), entry) < 0)
		return df_err_set(err, -ENOMEM, "out of memory");
	return index_save(store, index, err);
}

static int add_parts(struct image_store *store, const struct image_add *add, struct parts *parts,
	struct image_blob *blob, struct df_err *err)
{
	int error = put_parts(store, add, parts);

	if (error == 0)
		error = put_image(store, parts, blob);
	if (error == 0)
		error = blobs_sync(store);
	if (error < 0)
		return df_err_set(err, error, "cannot add %s to %s: %s", add->name, store->path,
			df_errno_text(error));
	return 0;
}

int image_store_add(struct image_store *store, const struct image_add *add,
	struct image_info *image, struct df_err *err)
{
	DF_CLOSE int lock = -1;
	char name[IMAGE_NAME_MAX + 1];
	struct image_blob blob = {0};
	struct image_info made;
	struct parts parts = {0};
	int error = name_complete(add->name, name, err);

	if (error < 0)
		return error;
	parts.root_type = root_type(add->root_fd);
	if (!parts.root_type)
		return df_err_set(err, -EINVAL,
			"the root of %s is neither an EROFS image nor a program", add->name);
	if (strlen(add->features) >= IMAGE_FEATURES_MAX || add->manifest_bytes > MANIFEST_BYTES_MAX)
		return df_err_set(err, -EINVAL, "the manifest or the features of %s are too long",
			add->name);
	lock = store_lock(store, STORE_LOCK, LOCK_SH, err);
	if (lock < 0)
		return lock;
	error = add_parts(store, add, &parts, &blob, err);
	if (error == 0)
		error = image_read(store, &blob, &made, err);
	if (error == 0)
		error = set_name(store, &blob, name, err);
	if (error == 0) {
		memcpy(made.name, name, sizeof(name));
		made.created_s = time(NULL);
		*image = made;
	}
	return error;
}

int image_store_tag(struct image_store *store, const char *digest, const char *name,
	struct df_err *err)
{
	DF_CLOSE int lock = store_lock(store, STORE_LOCK, LOCK_SH, err);
	struct image_blob blob = {.bytes = UINT64_MAX};
	char complete[IMAGE_NAME_MAX + 1];
	struct image_info image;
	struct stat now;
	int error = lock < 0 ? lock : name_complete(name, complete, err);

	if (error < 0)
		return error;
	if (!digest_is_good(digest))
		return df_err_set(err, -EINVAL, "%.80s is not the digest of an image", digest);
	memcpy(blob.digest, digest, sizeof(blob.digest));
	error = image_read(store, &blob, &image, err);
	if (error == DOCUMENT_FOREIGN)
		return df_err_set(err, -EINVAL, "%.19s is no image of dayfly's", digest);
	if (error < 0)
		return error;
	if (fstatat(store->blobs, strchr(digest, ':') + 1, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return df_err_set(err, -errno, "%.19s: %s", digest, df_errno_text(errno));
	blob.bytes = (uint64_t)now.st_size;
	return set_name(store, &blob, complete, err);
}

static bool is_snapshot_entry(const json_t *entry)
{
	return annotation_get(entry, NOTE_SUBJECT) != NULL;
}

int image_store_remove(struct image_store *store, const char *name, struct df_err *err)
{
	DF_CLOSE int lock = -1;
	DF_JSON json_t *index = NULL;
	char complete[IMAGE_NAME_MAX + 1];
	int error = name_complete(name, complete, err);

	if (error < 0)
		return error;
	lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
	error = lock < 0 ? lock : index_load(store, &index, err);
	if (error)
		return error;
	if (index_drop(index, has_name, complete) == 0)
		return df_err_set(err, -ENOENT, "there is no image %s", complete);
	return index_save(store, index, err);
}

/* --- finding --- */

static int read_entry(const struct image_store *store, const json_t *entry, bool with_name,
	struct image_info *image, struct df_err *err)
{
	const char *name = annotation_get(entry, NOTE_NAME);
	struct image_blob blob;
	int error;

	if (descriptor_parse(entry, &blob, NULL) < 0)
		return df_err_set(err, -EUCLEAN, "%s: an entry of the index is damaged",
			store->path);
	error = image_read(store, &blob, image, err);
	if (error == -ENOENT)
		return df_err_set(err, -EUCLEAN,
			"the image %s is damaged: %.19s is missing; deploy it again",
			name ? name : "without a name", blob.digest);
	if (error == 0) {
		image->created_s = read_time(annotation_get(entry, NOTE_CREATED));
		if (with_name && name)
			snprintf(image->name, sizeof(image->name), "%s", name);
	}
	return error;
}

/* The one image whose digest begins so. 0 with *found NULL: there is none. */
static int find_digits(const json_t *index, const char *digits, const json_t **found,
	struct df_err *err)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	const char *first = NULL;
	size_t i;

	*found = NULL;
	json_array_foreach(entries, i, entry)
	{
		const char *digest = json_string_value(json_object_get(entry, "digest"));

		if (is_snapshot_entry(entry) || !df_starts_with(digest + strlen("sha256:"), digits))
			continue;
		if (first && strcmp(first, digest) != 0)
			return df_err_set(err, -EEXIST,
				"more than one image begins with %s; give more digits", digits);
		first = digest;
		*found = entry;
	}
	return 0;
}

static bool are_digits(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return length >= SHORT_DIGITS && !text[length];
}

/* By digest or its first digits; a whole digest also without an entry in the index. */
static int resolve_digest(const struct image_store *store, const json_t *index,
	const char *reference, struct image_info *image, struct df_err *err)
{
	const char *digits =
		df_starts_with(reference, "sha256:") ? reference + strlen("sha256:") : reference;
	struct image_blob blob = {.bytes = UINT64_MAX};
	const json_t *entry = NULL;
	int error = are_digits(digits) ? find_digits(index, digits, &entry, err) : 0;

	if (error < 0)
		return error;
	if (entry)
		return read_entry(store, entry, false, image, err);
	if (!digest_is_good(reference))
		return -ENOENT;
	memcpy(blob.digest, reference, sizeof(blob.digest));
	return image_read(store, &blob, image, err);
}

int image_store_resolve(struct image_store *store, const char *reference, struct image_info *image,
	struct df_err *err)
{
	char complete[IMAGE_NAME_MAX + 1];
	DF_JSON json_t *index = NULL;
	const json_t *entry = NULL;
	int error = index_load(store, &index, err);

	if (error)
		return error;
	if (image_name_is_good(reference) && name_complete(reference, complete, err) == 0)
		entry = index_find(index, complete);
	if (entry)
		error = read_entry(store, entry, true, image, err);
	else
		error = resolve_digest(store, index, reference, image, err);
	if (error == DOCUMENT_FOREIGN)
		return df_err_set(err, -EINVAL, "%.80s is no image of dayfly's", reference);
	if (error == -ENOENT)
		return df_err_set(err, error, "there is no image %.80s", reference);
	return error;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct image_info *)a)->name, ((const struct image_info *)b)->name);
}

/* What can still be said of a damaged image. */
static void describe_damaged(const json_t *entry, struct image_info *image)
{
	struct image_blob blob;

	if (descriptor_parse(entry, &blob, NULL) < 0)
		blob = (struct image_blob){0};
	*image = (struct image_info){.created_s = read_time(annotation_get(entry, NOTE_CREATED))};
	memcpy(image->digest, blob.digest, sizeof(blob.digest));
	snprintf(image->name, sizeof(image->name), "%s", annotation_get(entry, NOTE_NAME));
}

int image_store_list(struct image_store *store, struct image_info **images, size_t *count,
	struct df_err *err)
{
	DF_FREE struct image_info *made = NULL;
	DF_JSON json_t *index = NULL;
	const json_t *entries, *entry;
	size_t found = 0, capacity = 0, i;
	int error = index_load(store, &index, err);

	if (error)
		return error;
	entries = json_object_get(index, "manifests");
	json_array_foreach(entries, i, entry)
	{
		if (!annotation_get(entry, NOTE_NAME))
			continue;
		if (df_array_reserve(&made, &capacity, found + 1, sizeof(*made)) < 0)
			return df_err_set(err, -ENOMEM, "out of memory");
		error = read_entry(store, entry, true, &made[found], err);
		if (error == DOCUMENT_FOREIGN)
			continue;
		if (error < 0)
			describe_damaged(entry, &made[found]);
		found++;
	}
	if (found)
		qsort(made, found, sizeof(*made), by_name);
	*count = found;
	*images = df_take_ptr(&made);
	return 0;
}

/* --- reading --- */

/* NULL with *err set: the image has none. */
static const struct image_blob *layer_of(const struct image_info *image, enum image_layer kind,
	struct df_err *err)
{
	if (kind < IMAGE_SNAPSHOT && image->layers[kind].digest[0])
		return &image->layers[kind];
	df_err_set(err, -ENOENT, "the image %.19s has no such layer", image->digest);
	return NULL;
}

int image_store_open_layer(struct image_store *store, const struct image_info *image,
	enum image_layer kind, int *fd, struct df_err *err)
{
	const struct image_blob *blob = layer_of(image, kind, err);
	int opened;

	if (!blob)
		return -ENOENT;
	opened = blob_open(store, blob);
	if (opened == -ENOENT || opened == -EUCLEAN)
		return df_err_set(err, -EUCLEAN,
			"the image %s is damaged: its layer %.19s is %s; deploy it again",
			*image->name ? image->name : image->digest, blob->digest,
			opened == -ENOENT ? "missing" : "not as long as it was");
	if (opened < 0)
		return df_err_set(err, opened, "%s: the layer %.19s: %s", store->path, blob->digest,
			df_errno_text(opened));
	*fd = opened;
	return 0;
}

char *image_store_blob_path(const struct image_store *store, const struct image_blob *blob)
{
	return digest_is_good(blob->digest)
		? df_format("%s/blobs/sha256/%s", store->path, strchr(blob->digest, ':') + 1)
		: NULL;
}

int image_store_read_layer(struct image_store *store, const struct image_info *image,
	enum image_layer kind, char **text, size_t *length, struct df_err *err)
{
	const struct image_blob *blob = layer_of(image, kind, err);

	return !blob ? -ENOENT : blob_read(store, blob, text, length, err);
}
