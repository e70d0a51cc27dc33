/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the image store share: blobs and locks (store_blob.c, store.c), documents (store_document.c), the index
 * (store_index.c). Lock order: the store's lock, then the index's.
 */
#ifndef IMAGE_STORE_PRIVATE_H
#define IMAGE_STORE_PRIVATE_H

#include "host/cleanup.h"
#include "image/store.h"

#include <jansson.h>

#define TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define TYPE_EMPTY "application/vnd.oci.empty.v1+json"
#define TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define TYPE_IMAGE "application/vnd.dayfly.image.v1"
#define TYPE_SNAPSHOT_OF "application/vnd.dayfly.snapshot-of.v1"
#define TYPE_ROOT "application/vnd.dayfly.root.v1.erofs"
#define TYPE_PROGRAM "application/vnd.dayfly.program.v1.elf"
#define TYPE_KERNEL "application/vnd.dayfly.kernel.v1+json"
#define TYPE_FUNCTION "application/vnd.dayfly.manifest.v1+yaml"
#define TYPE_SNAPSHOT "application/vnd.dayfly.snapshot.v1"

#define NOTE_NAME "org.opencontainers.image.ref.name"
#define NOTE_CREATED "org.opencontainers.image.created"
#define NOTE_SUBJECT "vnd.dayfly.snapshot-of" /* of an index entry: digest of the frozen image */
#define NOTE_VARIANT "vnd.dayfly.variant"
#define NOTE_PRIVATE "vnd.dayfly.private" /* "true": not to be pushed unless asked */

#define DOCUMENT_BYTES_MAX (4u << 20)
#define INDEX_FILE_BYTES_MAX (64u << 20)
#define NEW_PREFIX ".new-"

struct image_store {
	char *path;
	int dir; /* O_RDONLY, to sync and to open files below */
	int blobs; /* blobs/sha256 */
};

#define DF_JSON __attribute__((cleanup(store_cleanup_json), unused))

static inline void store_cleanup_json(json_t **json)
{
	json_decref(*json);
}

/* --- locks: each a descriptor, closed to unlock --- */

enum store_lock { STORE_LOCK, STORE_INDEX_LOCK };

/* Waits. `operation` is that of flock(2). Returns a descriptor, or -errno with *err set. */
int store_lock(const struct image_store *store, enum store_lock which, int operation,
	struct df_err *err) __attribute__((warn_unused_result));

/* --- blobs --- */

/* 64 hexadecimal digits behind "sha256:"? */
bool digest_is_good(const char *digest);

/* The SHA-256 of bytes, or of a whole file from its start. */
int digest_of_bytes(const void *bytes, size_t length, char digest[IMAGE_DIGEST_BYTES])
	__attribute__((warn_unused_result));
int digest_of_file(int fd, char digest[IMAGE_DIGEST_BYTES], uint64_t *file_bytes)
	__attribute__((warn_unused_result));

/*
 * Put content into the store, durable but for the directory (blobs_sync). With the store's lock held. Content that is there already is
 * kept and counts as new.
 */
int blob_put_bytes(const struct image_store *store, const void *bytes, size_t length,
	struct image_blob *blob) __attribute__((warn_unused_result));
int blob_put_file(const struct image_store *store, int fd, bool may_change, struct image_blob *blob)
	__attribute__((warn_unused_result));
int blobs_sync(const struct image_store *store) __attribute__((warn_unused_result));

/* Opens it and compares the size. -ENOENT, -EUCLEAN (another size, not a file), -errno; no text. */
int blob_open(const struct image_store *store, const struct image_blob *blob)
	__attribute__((warn_unused_result));

/* Reads a whole file, from its start; *text is terminated. -EUCLEAN: it is larger than `most`, or becomes shorter. */
int file_read(int fd, size_t most, char **text, size_t *length) __attribute__((warn_unused_result));

/*
 * Reads a small blob whole, and compares size (unless blob->bytes is UINT64_MAX) and digest. *text is terminated. -EUCLEAN for a
 * damaged one, -ENOENT for none; *err is set.
 */
int blob_read(const struct image_store *store, const struct image_blob *blob, char **text,
	size_t *length, struct df_err *err) __attribute__((warn_unused_result));

/* --- documents --- */

/* {"mediaType", "digest", "size"}: taken apart and made. -EUCLEAN when it is not in order. */
int descriptor_parse(const json_t *descriptor, struct image_blob *blob, const char **media_type)
	__attribute__((warn_unused_result));
json_t *descriptor_make(const char *media_type, const struct image_blob *blob)
	__attribute__((warn_unused_result));

/* An annotation of a descriptor or document, or NULL. */
const char *annotation_get(const json_t *object, const char *name);

/* Puts JSON in the one form we write: keys sorted, no blanks. */
int document_put(const struct image_store *store, const json_t *json, struct image_blob *blob)
	__attribute__((warn_unused_result));

/* Reads a blob as JSON: an object. -EUCLEAN with *err set when it is not. */
int document_read(const struct image_store *store, const struct image_blob *blob, json_t **json,
	struct df_err *err) __attribute__((warn_unused_result));

#define DOCUMENT_FOREIGN 1

/*
 * Fills *image from its OCI manifest (digest, layers, features, build, bytes; not name and time). Returns 0, DOCUMENT_FOREIGN when it is
 * something in order that is no image of ours, -EUCLEAN or -ENOENT with *err set.
 */
int image_read(const struct image_store *store, const struct image_blob *manifest,
	struct image_info *image, struct df_err *err) __attribute__((warn_unused_result));

/* --- the index --- */

/* Reads and checks index.json: "manifests" is an array of descriptors in order. */
int index_load(const struct image_store *store, json_t **index, struct df_err *err)
	__attribute__((warn_unused_result));

/* Replaces index.json durably. With the index's lock held. */
int index_save(const struct image_store *store, const json_t *index, struct df_err *err)
	__attribute__((warn_unused_result));

/* Removes the entries for which `match` says so; returns how many. */
size_t index_drop(json_t *index, bool (*match)(const json_t *entry, const void *context),
	const void *context);

/* Entry of a name ("name:tag"), or NULL. */
json_t *index_find(const json_t *index, const char *name);

/* image_store_collect; `operation` of flock(2) is for the store's lock: with LOCK_NB, -EWOULDBLOCK while something is being added. */
int store_collect(const struct image_store *store, uint64_t min_age_s, int operation,
	struct image_collected *collected, struct df_err *err) __attribute__((warn_unused_result));

/* "name" becomes "name:latest". -EINVAL with *err set when it is not good. */
int name_complete(const char *name, char complete[IMAGE_NAME_MAX + 1], struct df_err *err)
	__attribute__((warn_unused_result));

#endif
