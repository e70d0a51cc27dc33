/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's part in the image store: see images.h. */
#include "daemon/function/images.h"

#include "daemon/clock.h"
#include "daemon/function/function.h"
#include "daemon/log.h"
#include "host/cleanup.h"
#include "host/str.h"
#include "image/store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define HOUR_NS 3600000000000ull

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	uint64_t keep_s, quota_bytes;
	bool due; /* something was deployed, or the settings changed */
	uint64_t done_ns;
	int told; /* the last round's error, so that the log has it once */
} images = {.lock = PTHREAD_MUTEX_INITIALIZER, .due = true};

void images_change(uint64_t keep_ms, uint64_t quota_bytes)
{
	pthread_mutex_lock(&images.lock);
	images.keep_s = keep_ms / 1000;
	images.quota_bytes = quota_bytes;
	images.due = true;
	pthread_mutex_unlock(&images.lock);
}

/* NULL: there is none yet (it is not made here), or with *err set. */
static struct image_store *open_store(struct df_err *err)
{
	DF_FREE char *directory = image_store_directory();
	DF_FREE char *index = directory ? df_format("%s/index.json", directory) : NULL;
	struct image_store *store = NULL;

	if (index && access(index, F_OK) == 0 && image_store_open(directory, &store, err))
		return NULL;
	return store;
}

/* --- retiring --- */

/* `context` is the digest that is being deployed, or NULL. */
static bool is_used(void *context, const char *digest)
{
	struct function **list = registry_list(NULL);
	/* Without memory nobody knows. */
	bool used = !list || (context && strcmp(context, digest) == 0);

	for (size_t i = 0; list && list[i] && !used; i++) {
		const char *from = list[i]->config->image_digest;

		used = from && strcmp(from, digest) == 0;
	}
	registry_list_free(list);
	return used;
}

static void tell_removed(void *context, const char *name)
{
	(void)context;
	log_line(LOG_LEVEL_INFO, "removed the image %s, which no function uses", name);
}

/* Never waits for who adds an image: that may take long, and this is the main thread or a client's. */
static int retire(struct image_store *store, const char *digest, uint64_t *left_bytes,
	uint64_t *quota_bytes, struct df_err *err)
{
	struct image_retire how = {.min_age_s = IMAGE_AGE_S,
		.in_use = is_used,
		.removed = tell_removed,
		.context = (void *)digest};
	struct image_collected ignored;

	pthread_mutex_lock(&images.lock);
	how.keep_s = images.keep_s;
	how.quota_bytes = *quota_bytes = images.quota_bytes;
	pthread_mutex_unlock(&images.lock);
	return image_store_retire(store, &how, &ignored, left_bytes, err);
}

int images_admit(const char *digest, struct df_err *err)
{
	struct image_store *store;
	struct df_err why = {0};
	uint64_t left = 0, quota;
	bool limited;
	int error;

	pthread_mutex_lock(&images.lock);
	limited = images.quota_bytes > 0;
	pthread_mutex_unlock(&images.lock);
	/* What is served already brings nothing. */
	if (!limited || !digest || is_used(NULL, digest))
		return 0;
	store = open_store(&why);
	if (!store)
		return 0;
	error = retire(store, digest, &left, &quota, &why);
	image_store_free(store);
	if (error || !quota || left <= quota)
		return 0;
	return df_err_set(err, -EDQUOT,
		"the store of images has %" PRIu64 " KiB, the quota is %" PRIu64
		" KiB, and nothing more can go by itself; remove images (dayfly images, dayfly rmi) or functions, "
		"or raise the setting images.quota",
		left >> 10, quota >> 10);
}

static bool take_due(void)
{
	bool due;

	pthread_mutex_lock(&images.lock);
	due = images.due || clock_now_ns() - images.done_ns >= HOUR_NS;
	images.due = false;
	pthread_mutex_unlock(&images.lock);
	return due;
}

static void end_round(int error, const struct df_err *err)
{
	bool news;

	pthread_mutex_lock(&images.lock);
	/* Somebody is adding: in a minute. */
	if (error == -EWOULDBLOCK)
		images.due = true;
	else
		images.done_ns = clock_now_ns();
	news = error && error != -EWOULDBLOCK && error != images.told;
	if (error != -EWOULDBLOCK)
		images.told = error;
	pthread_mutex_unlock(&images.lock);
	if (news)
		log_line(LOG_LEVEL_WARNING, "old images could not be removed: %s", err->text);
}

void images_tidy(void)
{
	struct df_err err = {0};
	struct image_store *store;
	uint64_t left, quota;
	int error;

	if (!take_due())
		return;
	store = open_store(&err);
	error = store ? retire(store, NULL, &left, &quota, &err) : err.code;
	image_store_free(store);
	end_round(error, &err);
}

/* --- names --- */

static int name_image(struct image_store *store, const char *name, const char *digest,
	struct df_err *err)
{
	DF_FREE char *latest = df_format("%s:latest", name);
	struct image_info image, newest;
	bool fresh;
	int error = latest ? image_store_resolve(store, digest, &image, err) : -ENOMEM;

	/* It may be of another user's store, or gone since: the function has its own files. */
	if (error)
		return error == -ENOENT ? 0 : error;
	error = image_store_put_version(store, name, &image, &fresh, err);
	if (!error &&
		(image_store_resolve(store, latest, &newest, err) ||
			strcmp(newest.digest, digest) != 0))
		error = image_store_tag(store, digest, latest, err);
	return error;
}

void images_deployed(const char *name, const char *digest)
{
	struct df_err err = {0};
	struct image_store *store = digest ? open_store(&err) : NULL;
	int error = store ? name_image(store, name, digest, &err) : err.code;

	image_store_free(store);
	if (error)
		log_line(LOG_LEVEL_WARNING, "the image of %s got no name in the store: %s", name,
			err.text);
	pthread_mutex_lock(&images.lock);
	images.due = true;
	pthread_mutex_unlock(&images.lock);
}
