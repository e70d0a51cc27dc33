/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots in the store. Each has an OCI manifest of its own, with the frozen image as its subject and the snapshot as its only
 * layer, and an entry of the index without a name: what copies images by their names does not see it.
 */
#include "host/str.h"
#include "image/manifest.h"
#include "image/manifest_values.h"
#include "image/store_private.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Which entries of the index are meant: all variants of an image with `variant` NULL. */
struct wanted {
	const char *subject;
	const char *variant;
};

static bool is_wanted(const json_t *entry, const void *context)
{
	const struct wanted *wanted = context;
	const char *subject = annotation_get(entry, NOTE_SUBJECT);
	const char *variant = annotation_get(entry, NOTE_VARIANT);

	return subject && strcmp(subject, wanted->subject) == 0 &&
		(!wanted->variant || strcmp(variant ? variant : "", wanted->variant) == 0);
}

static int check_variant(const char *variant, struct df_err *err)
{
	/* A function's name is one, too. */
	if (*variant && !value_is_tag(variant) && !manifest_name_is_good(variant))
		return df_err_set(err, -EINVAL,
			"%.80s cannot name a snapshot: letters and digits, with single '-', '_' or '.' "
			"between them",
			variant);
	return 0;
}

/* The digest and size of an image's OCI manifest. */
static int subject_blob(const struct image_store *store, const struct image_info *image,
	struct image_blob *blob)
{
	struct image_blob any = {.bytes = UINT64_MAX};
	DF_CLOSE int fd = -1;
	struct stat now;

	memcpy(any.digest, image->digest, sizeof(any.digest));
	fd = blob_open(store, &any);
	if (fd < 0)
		return fd;
	if (fstat(fd, &now) < 0)
		return -errno;
	any.bytes = (uint64_t)now.st_size;
	*blob = any;
	return 0;
}

static int put_document(const struct image_store *store, const struct image_blob *subject,
	const struct image_blob *snapshot, struct image_blob *document)
{
	struct image_blob empty;
	DF_JSON json_t *json = NULL;
	int error = blob_put_bytes(store, "{}", 2, &empty);

	if (error < 0)
		return error;
	json = json_pack("{s:i, s:s, s:s, s:o, s:[o], s:o, s:{s:s}}", "schemaVersion", 2,
		"mediaType", TYPE_MANIFEST, "artifactType", TYPE_SNAPSHOT_OF, "config",
		descriptor_make(TYPE_EMPTY, &empty), "layers",
		descriptor_make(TYPE_SNAPSHOT, snapshot), "subject",
		descriptor_make(TYPE_MANIFEST, subject), "annotations", NOTE_PRIVATE, "true");
	return json ? document_put(store, json, document) : -ENOMEM;
}

static int put_entry(const struct image_store *store, const struct wanted *wanted,
	const struct image_blob *document, struct df_err *err)
{
	DF_CLOSE int lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
	DF_JSON json_t *index = NULL;
	json_t *entry;
	int error = lock < 0 ? lock : index_load(store, &index, err);

	if (error)
		return error;
	index_drop(index, is_wanted, wanted);
	entry = json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s, s:s}}", "mediaType", TYPE_MANIFEST,
		"artifactType", TYPE_SNAPSHOT_OF, "digest", document->digest, "size",
		(json_int_t)document->bytes, "annotations", NOTE_SUBJECT, wanted->subject,
		NOTE_VARIANT, wanted->variant, NOTE_PRIVATE, "true");
	if (json_array_append_new(json_object_get(index, "manifests"), entry) < 0)
		return df_err_set(err, -ENOMEM, "out of memory");
	return index_save(store, index, err);
}

int image_store_put_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, int fd, struct image_blob *blob, struct df_err *err)
{
	const struct wanted wanted = {image->digest, variant};
	DF_CLOSE int lock = -1;
	struct image_blob subject = {0}, document = {0}, made = {0};
	int error = check_variant(variant, err);

	if (error < 0)
		return error;
	lock = store_lock(store, STORE_LOCK, LOCK_SH, err);
	if (lock < 0)
		return lock;
	error = subject_blob(store, image, &subject);
	if (error < 0)
		return df_err_set(err, error, "there is no image %.19s any more", image->digest);
	error = blob_put_file(store, fd, false, &made);
	if (error == 0)
		error = put_document(store, &subject, &made, &document);
	if (error == 0)
		error = blobs_sync(store);
	if (error < 0)
		return df_err_set(err, error, "cannot keep the snapshot of %.19s in %s: %s",
			image->digest, store->path, df_errno_text(error));
	error = put_entry(store, &wanted, &document, err);
	if (error == 0)
		*blob = made;
	return error;
}

static const json_t *find_entry(const json_t *index, const struct wanted *wanted)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		if (is_wanted(entry, wanted))
			return entry;
	}
	return NULL;
}

/* The layer of a snapshot's OCI manifest. */
static int read_document(const struct image_store *store, const json_t *entry,
	struct image_blob *blob, struct df_err *err)
{
	DF_JSON json_t *document = NULL;
	struct image_blob at;
	const char *type;
	int error = descriptor_parse(entry, &at, NULL);

	if (error == 0)
		error = document_read(store, &at, &document, err);
	if (error)
		return error;
	if (descriptor_parse(json_array_get(json_object_get(document, "layers"), 0), blob, &type) <
			0 ||
		strcmp(type, TYPE_SNAPSHOT) != 0)
		return df_err_set(err, -EUCLEAN, "%s: the manifest %.19s of a snapshot is damaged",
			store->path, at.digest);
	return 0;
}

int image_store_open_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, int *fd, struct image_blob *blob, struct df_err *err)
{
	const struct wanted wanted = {image->digest, variant};
	DF_JSON json_t *index = NULL;
	struct image_blob found;
	const json_t *entry;
	int error = index_load(store, &index, err), opened;

	if (error)
		return error;
	entry = find_entry(index, &wanted);
	if (!entry)
		return df_err_set(err, -ENOENT, "there is no snapshot of the image %.19s",
			image->digest);
	error = read_document(store, entry, &found, err);
	opened = error ? error : blob_open(store, &found);
	if (error == -ENOENT || (!error && (opened == -ENOENT || opened == -EUCLEAN)))
		return df_err_set(err, -EUCLEAN,
			"the snapshot of the image %.19s is damaged; freeze it again",
			image->digest);
	if (error)
		return error;
	if (opened < 0)
		return df_err_set(err, opened, "the snapshot of the image %.19s: %s", image->digest,
			df_errno_text(opened));
	*blob = found;
	*fd = opened;
	return 0;
}

int image_store_drop_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, struct df_err *err)
{
	const struct wanted wanted = {image->digest, variant};
	DF_CLOSE int lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
	DF_JSON json_t *index = NULL;
	int error = lock < 0 ? lock : index_load(store, &index, err);

	if (error)
		return error;
	return index_drop(index, is_wanted, &wanted) ? index_save(store, index, err) : 0;
}
