/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting garbage and checking. Both walk from the index's entries to all blobs that they lead to; entries that are not
 * ours (somebody copied an ordinary image into the layout) are followed as far as OCI says how, and kept.
 */
#include "host/str.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 4

/* Digests that are in use, as the keys of a JSON object. The value is the size. */
struct walk {
	const struct image_store *store;
	json_t *used;
	struct df_err *err;
};

static int walk_descriptor(struct walk *w, const json_t *descriptor, unsigned int depth);

static int walk_list(struct walk *w, const json_t *list, unsigned int depth)
{
	const json_t *item;
	size_t i;
	int error = 0;

	json_array_foreach(list, i, item)
	{
		error = walk_descriptor(w, item, depth);
		if (error)
			break;
	}
	return error;
}

/* What an OCI manifest or index leads to. Its subject is not among that: a snapshot does not keep its image. */
static int walk_document(struct walk *w, const struct image_blob *blob, unsigned int depth)
{
	DF_JSON json_t *document = NULL;
	const json_t *config;
	int error = document_read(w->store, blob, &document, w->err);

	if (error)
		return error;
	config = json_object_get(document, "config");
	if (config)
		error = walk_descriptor(w, config, depth + 1);
	if (error == 0)
		error = walk_list(w, json_object_get(document, "layers"), depth + 1);
	if (error == 0)
		error = walk_list(w, json_object_get(document, "manifests"), depth + 1);
	return error;
}

static int walk_descriptor(struct walk *w, const json_t *descriptor, unsigned int depth)
{
	struct image_blob blob;
	const char *type;

	if (descriptor_parse(descriptor, &blob, &type) < 0 || depth > DEPTH_MAX)
		return df_err_set(w->err, -EUCLEAN, "%s: a document in use is damaged",
			w->store->path);
	if (json_object_get(w->used, blob.digest))
		return 0;
	if (json_object_set_new(w->used, blob.digest, json_integer((json_int_t)blob.bytes)) < 0)
		return df_err_set(w->err, -ENOMEM, "out of memory");
	if (strcmp(type, TYPE_MANIFEST) == 0 || strcmp(type, TYPE_INDEX) == 0)
		return walk_document(w, &blob, depth);
	return 0;
}

/* --- garbage --- */

/* Is the entry a snapshot of an image that has no entry? `context` has the digests of those that have one. */
static bool is_orphan(const json_t *entry, const void *context)
{
	const char *subject = annotation_get(entry, NOTE_SUBJECT);

	return subject && !json_object_get(context, subject);
}

static int drop_orphans(const struct image_store *store, json_t *index, struct df_err *err)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	DF_JSON json_t *images = json_object();
	size_t i;

	if (!images)
		return df_err_set(err, -ENOMEM, "out of memory");
	json_array_foreach(entries, i, entry)
	{
		const char *digest = json_string_value(json_object_get(entry, "digest"));

		if (!annotation_get(entry, NOTE_SUBJECT) &&
			json_object_set_new(images, digest, json_true()) < 0)
			return df_err_set(err, -ENOMEM, "out of memory");
	}
	return index_drop(index, is_orphan, images) ? index_save(store, index, err) : 0;
}

/* When it came: linking, renaming and touching all set the change time. */
static bool is_old(const struct stat *now, uint64_t min_age_s)
{
	time_t age = time(NULL) - now->st_ctim.tv_sec;

	return age >= 0 && (uint64_t)age >= min_age_s;
}

/* With the store's lock held alone, a passing name belongs to nobody. */
static bool is_garbage(const struct walk *w, const char *name, const struct stat *now,
	uint64_t min_age_s)
{
	char digest[IMAGE_DIGEST_BYTES];

	if (!S_ISREG(now->st_mode))
		return false;
	if (df_starts_with(name, NEW_PREFIX))
		return true;
	if (strlen(name) != 64)
		return false;
	snprintf(digest, sizeof(digest), "sha256:%s", name);
	return digest_is_good(digest) && !json_object_get(w->used, digest) &&
		is_old(now, min_age_s);
}

static DIR *open_blobs(const struct image_store *store)
{
	int fd = openat(store->blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static int sweep(const struct walk *w, uint64_t min_age_s, struct image_collected *collected)
{
	DF_CLOSEDIR DIR *dir = open_blobs(w->store);

	if (!dir)
		return df_err_set(w->err, -errno, "%s/blobs/sha256: %s", w->store->path,
			df_errno_text(errno));
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct stat now;

		if (fstatat(w->store->blobs, entry->d_name, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
			!is_garbage(w, entry->d_name, &now, min_age_s) ||
			unlinkat(w->store->blobs, entry->d_name, 0) < 0)
			continue;
		collected->blobs++;
		/* A link's bytes stay with its other names. */
		if (now.st_nlink == 1)
			collected->bytes += (uint64_t)now.st_blocks * 512;
	}
	return 0;
}

int image_store_collect(struct image_store *store, uint64_t min_age_s,
	struct image_collected *collected, struct df_err *err)
{
	return store_collect(store, min_age_s, LOCK_EX, collected, err);
}

int store_collect(const struct image_store *store, uint64_t min_age_s, int operation,
	struct image_collected *collected, struct df_err *err)
{
	DF_CLOSE int lock = store_lock(store, STORE_LOCK, operation, err), index_lock = -1;
	DF_JSON json_t *index = NULL, *used = json_object();
	struct walk w = {store, used, err};
	struct image_collected made = {0};
	int error = 0;

	if (lock < 0)
		return lock;
	if (!used)
		return df_err_set(err, -ENOMEM, "out of memory");
	index_lock = store_lock(store, STORE_INDEX_LOCK, LOCK_EX, err);
	error = index_lock < 0 ? index_lock : index_load(store, &index, err);
	if (error == 0)
		error = drop_orphans(store, index, err);
	if (error == 0)
		error = walk_list(&w, json_object_get(index, "manifests"), 0);
	if (error == -ENOENT)
		error = -EUCLEAN;
	if (error == -EUCLEAN)
		df_err_add(err, "; nothing was removed: remove the damaged image first");
	if (error == 0)
		error = sweep(&w, min_age_s, &made);
	if (error == 0)
		*collected = made;
	return error;
}

/* --- checking --- */

struct check {
	struct walk walk;
	image_report *report;
	void *context;
	size_t problems;
};

static void problem(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void problem(struct check *c, const char *format, ...)
{
	char text[DF_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	c->report(c->context, text);
	c->problems++;
}

/* Entry by entry, so that one that is damaged does not hide the next. */
static void check_entries(struct check *c, const json_t *index)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *name = annotation_get(entry, NOTE_NAME);
		struct df_err why = {0};
		struct image_info image;
		struct image_blob blob;
		int error;

		if (!name)
			name = annotation_get(entry, NOTE_SUBJECT) ? "a snapshot"
								   : "an entry without a name";
		c->walk.err = &why;
		error = walk_descriptor(&c->walk, entry, 0);
		if (error == 0 && annotation_get(entry, NOTE_NAME) &&
			descriptor_parse(entry, &blob, NULL) == 0)
			error = image_read(c->walk.store, &blob, &image, &why);
		c->walk.err = NULL;
		if (error < 0)
			problem(c, "%.128s: %s", name, why.text);
	}
}

/* Is a blob that is in use there, as long as it should be, and what its name says? */
static void check_blob(struct check *c, const char *digest, uint64_t bytes)
{
	struct image_blob blob = {.bytes = bytes};
	char found[IMAGE_DIGEST_BYTES];
	DF_CLOSE int fd = -1;
	uint64_t length;
	int error;

	memcpy(blob.digest, digest, sizeof(blob.digest));
	fd = blob_open(c->walk.store, &blob);
	if (fd == -EUCLEAN) {
		problem(c, "blob %s is not %llu bytes long", digest, (unsigned long long)bytes);
		return;
	}
	error = fd < 0 ? fd : digest_of_file(fd, found, &length);
	if (error < 0)
		problem(c, "blob %s: %s", digest,
			error == -ENOENT ? "missing" : df_errno_text(error));
	else if (strcmp(found, digest) != 0)
		problem(c, "blob %s is damaged: its content has the digest %s", digest, found);
}

int image_store_check(struct image_store *store, image_report *report, void *context,
	size_t *problems, struct df_err *err)
{
	/* Shared, so that nothing is collected meanwhile. */
	DF_CLOSE int lock = store_lock(store, STORE_LOCK, LOCK_SH, err);
	DF_JSON json_t *index = NULL, *used = json_object();
	struct check c = {{store, used, NULL}, report, context, 0};
	struct df_err why = {0};
	int error;

	if (lock < 0)
		return lock;
	if (!used)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = index_load(store, &index, &why);
	if (error == -EUCLEAN)
		problem(&c, "%s", why.text);
	else if (error)
		return df_err_set(err, error, "%s", why.text);
	if (index)
		check_entries(&c, index);
	for (void *at = json_object_iter(used); at; at = json_object_iter_next(used, at))
		check_blob(&c, json_object_iter_key(at),
			(uint64_t)json_integer_value(json_object_iter_value(at)));
	*problems = c.problems;
	return 0;
}
