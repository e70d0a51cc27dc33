/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store: an OCI image layout (OCI Image Format Specification 1.1) in a directory, `$XDG_DATA_HOME/dayfly/images`.
 * docs/images.md describes media types and annotations.
 *
 *	oci-layout, index.json	as the specification says; index.json is replaced as a whole (write beside, fsync, rename)
 *	blobs/sha256/HEX	everything else, by its SHA-256; never changed, mode 0400 (a linked file keeps its own)
 *	blobs/sha256/.new-*	being written
 *	.lock			taken shared while blobs are added, exclusively for collecting garbage
 *	.index-lock		taken exclusively while index.json is read and replaced
 *
 * An image is an OCI manifest with a config and layers: root, kernel selection, the function's manifest. It does not change when it is
 * frozen: a snapshot is an OCI manifest of its own that names the image as its subject and has no name in the index, so that
 * copying the image by name (skopeo) leaves the snapshot, which holds environment and heap, where it is.
 *
 * Locks are between open files (flock), so threads may use one struct image_store at the same time, and processes one directory. What
 * is read from the directory is checked: a damaged store gives -EUCLEAN with a text, never a crash. All functions block for files.
 * Results: 0 or -errno; *err is set on each failure.
 */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_DIGEST_BYTES 72 /* "sha256:", 64 hexadecimal digits, the terminator */
#define IMAGE_NAME_MAX 128 /* "name:tag" without the terminator */
#define IMAGE_FEATURES_MAX 256
#define IMAGE_AGE_S 3600 /* image_store_collect: a good age */

enum image_layer {
	IMAGE_ROOT, /* EROFS image, or (without the feature files) the static program itself */
	IMAGE_KERNEL, /* JSON: which features of which kernel build */
	IMAGE_MANIFEST, /* dayfly.yaml */
	IMAGE_SNAPSHOT,
	IMAGE_LAYERS
};

struct image_store;

struct image_blob {
	char digest[IMAGE_DIGEST_BYTES]; /* "": there is none */
	uint64_t bytes;
};

/* Plain data, nothing to free. */
struct image_info {
	char digest[IMAGE_DIGEST_BYTES]; /* of the OCI manifest: the image's identity */
	char name[IMAGE_NAME_MAX + 1]; /* "name:tag" by which it was found; "" if by its digest */
	struct image_blob
		layers[IMAGE_SNAPSHOT]; /* by enum image_layer; a snapshot is not among them */
	char features[IMAGE_FEATURES_MAX]; /* "files,tmp" */
	uint32_t kernel_build; /* as in df_snapshot */
	int64_t created_s; /* Unix time */
	uint64_t bytes; /* of all layers, config and manifest */
};

struct image_add {
	const char *name; /* "name" (tag latest) or "name:tag" */
	/*
	 * The root: an open file that nobody changes in place. It becomes a hard link or a shared copy (reflink) where
	 * the file systems allow, else a copy. `root_may_change`: somebody may write to it later, so it must not be a link.
	 */
	int root_fd;
	bool root_may_change;
	const char *features; /* "files,tmp"; "" for none */
	uint32_t kernel_build;
	const char *manifest; /* text of dayfly.yaml */
	size_t manifest_bytes;
};

/* The default directory, whether it exists or not, for the caller to free; NULL without memory. */
char *image_store_directory(void) __attribute__((warn_unused_result));

/*
 * Opens the store at `path`; makes it (mode 0700) when nothing is there yet. Refuses a directory that others can write to
 * (-EPERM), one that is something else (-EUCLEAN), and a layout version of the future (-ENOTSUP). *store is for image_store_free.
 */
int image_store_open(const char *path, struct image_store **store, struct df_err *err)
	__attribute__((warn_unused_result));
void image_store_free(struct image_store *store);

/*
 * Adds an image and gives it its name; an image that had the name loses it (and stays until it is collected). The image is durable when
 * this returns 0, and *image describes it. Equal content gives an equal digest. -EINVAL: a bad name, or a root that is
 * neither EROFS nor ELF. A crash at any moment leaves the store with the old or the new image under the name.
 */
int image_store_add(struct image_store *store, const struct image_add *add,
	struct image_info *image, struct df_err *err) __attribute__((warn_unused_result));

/* Gives an image one more name; that name's older image loses it. */
int image_store_tag(struct image_store *store, const char *digest, const char *name,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * Finds an image by "name", "name:tag", "sha256:HEX", or the first 6 or more digits of HEX. -ENOENT: there is none;
 * -EEXIST: more than one begins so.
 */
int image_store_resolve(struct image_store *store, const char *reference, struct image_info *image,
	struct df_err *err) __attribute__((warn_unused_result));

/*
 * All images in the order of their names. *images is for the caller to free. An image with several names comes once for each. An
 * entry of the index that is no image of ours is left out; a damaged image comes with its digest and name, and its layers empty.
 */
int image_store_list(struct image_store *store, struct image_info **images, size_t *count,
	struct df_err *err) __attribute__((warn_unused_result));

/* Takes the name away. Without names, an image can be used by its whole digest until it is collected. -ENOENT. */
int image_store_remove(struct image_store *store, const char *name, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Opens a layer for reading, close-on-exec. Checks that it is a file of the right size; its digest is image_store_check's matter. The
 * descriptor stays good when the layer is removed. -ENOENT: the image has no such layer; -EUCLEAN: it is damaged.
 */
int image_store_open_layer(struct image_store *store, const struct image_info *image,
	enum image_layer kind, int *fd, struct df_err *err) __attribute__((warn_unused_result));

/* The path of a blob, whether it is there or not, for the caller to free; NULL without memory. */
char *image_store_blob_path(const struct image_store *store, const struct image_blob *blob)
	__attribute__((warn_unused_result));

/*
 * Reads a small layer (kernel selection, manifest) and compares its digest. *text is terminated and for the caller to free.
 */
int image_store_read_layer(struct image_store *store, const struct image_info *image,
	enum image_layer kind, char **text, size_t *length, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Keeps the snapshot in `fd` for an image, in place of an earlier one of the same variant. `variant` (a function's name, or what
 * image_name_is_good allows behind a colon; "" is one too) tells apart snapshots of one image that were frozen with different
 * secrets. The file becomes a link, as a root does, so nobody changes it later, and it should have mode 0600.
 */
int image_store_put_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, int fd, struct image_blob *blob, struct df_err *err)
	__attribute__((warn_unused_result));

/* Finds and opens it. -ENOENT: there is none. */
int image_store_open_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, int *fd, struct image_blob *blob, struct df_err *err)
	__attribute__((warn_unused_result));

/* Forgets the snapshot of one variant, or of all with NULL. Forgetting none is no error. */
int image_store_drop_snapshot(struct image_store *store, const struct image_info *image,
	const char *variant, struct df_err *err) __attribute__((warn_unused_result));

struct image_collected {
	uint64_t blobs, bytes; /* removed */
};

/*
 * Removes blobs that no name leads to and that came more than `min_age_s` ago, and remains of writers that were killed. Snapshots
 * go with their image. Waits until nothing is being added. Who needs an image for longer keeps a name for it (image_store_tag);
 * descriptors stay good in any case. With a damaged index, or a damaged manifest that is in use, nothing is removed: -EUCLEAN.
 */
int image_store_collect(struct image_store *store, uint64_t min_age_s,
	struct image_collected *collected, struct df_err *err) __attribute__((warn_unused_result));

/* --- versions: NAME:vN, N counting up --- */

/* N of "NAME:vN", 0 for other names. `name` NULL: of any. */
unsigned long image_store_number(const char *image_name, const char *name);

struct image_versions {
	unsigned long highest; /* 0: there is none */
	char same[IMAGE_NAME_MAX + 1]; /* one that has the wanted digest; "": there is none */
};

/* The versions of a name; `image` (or NULL) is what to look for, under another name than it has. */
int image_store_find_version(struct image_store *store, const char *name,
	const struct image_info *image, struct image_versions *versions, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Gives an image the next version of `name`, unless a version of it leads there already; image->name is that version then. *fresh: it is
 * new.
 */
int image_store_put_version(struct image_store *store, const char *name, struct image_info *image,
	bool *fresh, struct df_err *err) __attribute__((warn_unused_result));

struct image_retire {
	uint64_t keep_s; /* a version stays that long after the next one of its name came */
	uint64_t quota_bytes; /* of all blobs, as they lie on disk; 0: no limit */
	uint64_t
		min_age_s; /* of blobs without a name, as image_store_collect has it; over the quota it is 0 */
	bool wait; /* while something is being added; else -EWOULDBLOCK then */
	bool (*in_use)(void *context, const char *digest);
	void (*removed)(void *context,
		const char *name); /* hears of each version that goes; may be NULL */
	void *context;
};

/*
 * Retires versions that are older than `keep_s`; while the store is above its quota then, those that were superseded first. The newest
 * version of each name stays, and so does an image that is in use or has a name that is neither a version nor NAME:latest. Collects
 * garbage. *left_bytes is what the blobs take then: above the quota if no more can go.
 */
int image_store_retire(struct image_store *store, const struct image_retire *how,
	struct image_collected *collected, uint64_t *left_bytes, struct df_err *err)
	__attribute__((warn_unused_result));

/* Called for each thing that is wrong, in plain words. */
typedef void image_report(void *context, const char *text);

/*
 * Reads everything and compares digests, sizes and what refers to what. Takes as long as reading all blobs. *problems is
 * how many reports were made. Fails only if it cannot look.
 */
int image_store_check(struct image_store *store, image_report *report, void *context,
	size_t *problems, struct df_err *err) __attribute__((warn_unused_result));

/* Is "name" or "name:tag" good? The name as manifest_name_is_good says, the tag 1 to 63 letters, digits, and '.', '-', '_' between them. */
bool image_name_is_good(const char *name);

#endif
