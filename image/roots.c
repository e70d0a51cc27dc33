/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of root images: see roots.h. */
#include "image/roots.h"

#include "host/cleanup.h"
#include "host/hash.h"
#include "host/path.h"
#include "host/str.h"
#include "image/erofs.h"
#include "image/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Changes when the gathering or packing does: older entries are then not found, and cleaned up in time. */
#define KEY_VERSION "2"
/* An index of a small program fits; larger ones (a tree of thousands of files) are read in a second call. */
#define INDEX_FIRST_READ 16384
#define RENEW_SECONDS 60
/*
 * A file written so shortly before it was packed could be written again without its time changing (the file system's clock
 * ticks every 4 to 10 ms): such a packing is used once and not remembered.
 */
#define RACY_NS (20 * 1000000ll)
#define PACK_ATTEMPTS 3

struct cache {
	char *directory;
	int fd;
	struct df_str key;
	char name[DF_HASH_HEX_BYTES]; /* hash of the key */
};

char *roots_directory(void)
{
	const char *base = getenv("XDG_CACHE_HOME");

	/* A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification 0.8). */
	if (base && *base == '/')
		return df_format("%s/dayfly/roots", base);
	base = getenv("HOME");
	if (base && *base == '/')
		return df_format("%s/.cache/dayfly/roots", base);
	/* Directly in /tmp: whose it is can be checked then, and nobody else can rename it. */
	return df_format("/tmp/dayfly-roots-%u", (unsigned int)geteuid());
}

static void add_key_part(struct df_str *key, const char *name, const char *value)
{
	if (value) {
		df_str_add(key, name);
		df_str_add_bytes(key, "=", 1);
		df_str_add_bytes(key, value, strlen(value) + 1);
	}
}

/* Everything that decides what goes into the image, apart from the files' contents. */
static void make_key(const struct root_request *request, struct df_str *key)
{
	add_key_part(key, "version", KEY_VERSION);
	add_key_part(key, "program", request->program);
	add_key_part(key, "root", request->root);
	for (size_t i = 0; i < request->file_count; i++) {
		add_key_part(key, "host", request->files[i].host);
		add_key_part(key, "guest", request->files[i].guest);
	}
	add_key_part(key, "path", request->guest_path);
	add_key_part(key, "libraries", request->library_path);
	add_key_part(key, "zone", request->time_zone);
	add_key_part(key, "workdir", request->workdir);
}

/* Opens the cache's directory if it is there and ours alone to write. -1: no. */
static int open_directory(const char *path)
{
	DF_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return -1;
	/* Whoever can write there decides what runs in our guests. */
	if (now.st_uid != geteuid() || (now.st_mode & (S_IWGRP | S_IWOTH))) {
		errno = EPERM;
		return -1;
	}
	return df_take_fd(&fd);
}

static char *image_path(const struct cache *cache, const char *image)
{
	return df_path_join(cache->directory, image);
}

/* Is the image that an index names there and whole? Renews it. */
static bool image_is_good(const struct cache *cache, const struct index_header *header)
{
	DF_CLOSE int fd = openat(cache->fd, header->image, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct timespec now;
	struct stat image;

	if (fd < 0 || fstat(fd, &image) < 0 || !S_ISREG(image.st_mode))
		return false;
	if ((uint64_t)image.st_size != header->image_bytes ||
		erofs_check(fd, header->image_bytes) < 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - image.st_mtim.tv_sec > RENEW_SECONDS)
		futimens(fd, NULL);
	return true;
}

static bool use_index(const struct cache *cache, const void *bytes, size_t length, char **image)
{
	struct index_view view;

	if (index_parse(bytes, length, df_str_text(&cache->key), cache->key.length, &view) < 0 ||
		!index_is_current(&view) || !image_is_good(cache, view.header))
		return false;
	*image = image_path(cache, view.header->image);
	return *image;
}

/* The rest of an index that the first read did not reach the end of. */
static bool use_long_index(const struct cache *cache, int fd, char **image)
{
	DF_FREE char *bytes = NULL;
	struct stat now;
	size_t length;

	if (fstat(fd, &now) < 0 || now.st_size <= 0 || now.st_size > INDEX_BYTES_MAX)
		return false;
	length = (size_t)now.st_size;
	bytes = malloc(length);
	return bytes && pread(fd, bytes, length, 0) == (ssize_t)length &&
		use_index(cache, bytes, length, image);
}

/* The fast path. False: pack. */
static bool find_cached(const struct cache *cache, char **image)
{
	_Alignas(8) char bytes[INDEX_FIRST_READ];
	char name[DF_HASH_HEX_BYTES + 8];
	DF_CLOSE int fd = -1;
	ssize_t length;

	stpcpy(stpcpy(name, cache->name), ".index");
	fd = openat(cache->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	length = read(fd, bytes, sizeof(bytes));
	if (length < 0)
		return false;
	if ((size_t)length == sizeof(bytes))
		return use_long_index(cache, fd, image);
	return use_index(cache, bytes, (size_t)length, image);
}

static int cache_failed(const struct cache *cache, int error, struct df_err *err)
{
	return df_err_set(err, error, "writing to the cache %s failed: %s", cache->directory,
		df_errno_text(error));
}

/* A new file in the cache, under a name of its own until it is complete. */
static int open_new(const struct cache *cache, char **path, struct df_err *err)
{
	int fd;

	*path = df_path_join(cache->directory, ".new-XXXXXX");
	if (!*path)
		return cache_failed(cache, -ENOMEM, err);
	fd = mkostemp(*path, O_CLOEXEC);
	return fd < 0 ? cache_failed(cache, -errno, err) : fd;
}

static int write_index(const struct cache *cache, const struct gather *g, const char *image,
	uint64_t image_bytes, struct df_err *err)
{
	DF_FREE char *bytes = NULL, *temporary = NULL, *path = NULL;
	DF_CLOSE int fd = -1;
	size_t length;
	int error;

	error = index_make(g->watches, g->watch_count, df_str_text(&cache->key), cache->key.length,
		image, image_bytes, &bytes, &length);
	if (error)
		return cache_failed(cache, error, err);
	fd = open_new(cache, &temporary, err);
	if (fd < 0)
		return fd;
	path = df_format("%s/%s.index", cache->directory, cache->name);
	if (!path || write(fd, bytes, length) != (ssize_t)length || rename(temporary, path) < 0) {
		error = path ? -errno : -ENOMEM;
		unlink(temporary);
		return cache_failed(cache, error, err);
	}
	return 0;
}

/* Hashes what the packing depends on: images of different contents get different names. */
static void content_name(const struct cache *cache, const struct gather *g, char name[80])
{
	struct df_hash hash = df_hash_start();
	char hex[DF_HASH_HEX_BYTES];

	for (size_t i = 0; i < g->watch_count; i++) {
		struct watch watch = g->watches[i];

		hash = df_hash_add(hash, watch.path, strlen(watch.path) + 1);
		watch.path = NULL;
		hash = df_hash_add(hash, &watch.device, sizeof(watch.device));
		hash = df_hash_add(hash, &watch.inode, sizeof(watch.inode));
		hash = df_hash_add(hash, &watch.size, sizeof(watch.size));
		hash = df_hash_add(hash, &watch.mtime_ns, sizeof(watch.mtime_ns));
		hash = df_hash_add(hash, &watch.mode, sizeof(watch.mode));
	}
	df_hash_hex(hash, hex);
	hex[16] = '\0';
	stpcpy(stpcpy(stpcpy(stpcpy(name, cache->name), "-"), hex), ".erofs");
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_racy(const struct gather *g, int64_t started_ns)
{
	for (size_t i = 0; i < g->watch_count; i++) {
		int64_t age = started_ns - g->watches[i].mtime_ns;

		/* A time far in the future is a fact about the file, not a race. */
		if (age < RACY_NS && age > -RACY_NS)
			return true;
	}
	return false;
}

static int add_files(struct gather *g, const struct root_request *request)
{
	size_t first = g->tree.count;
	int error = 0;

	for (size_t i = 0; i < request->file_count && !error; i++)
		error = gather_file(g, request->files[i].host, request->files[i].guest);
	return error ? error : gather_module_libraries(g, first);
}

static int gather_request(struct gather *g, const struct root_request *request)
{
	int error;

	if (request->root) {
		error = gather_root(g, request->root);
		return error ? error : add_files(g, request);
	}
	error = gather_base(g);
	if (!error)
		error = gather_program(g, request->program);
	if (!error)
		error = add_files(g, request);
	if (!error)
		error = gather_finish(g);
	if (!error && request->workdir) {
		error = tree_ensure_dir(&g->tree, request->workdir, 0755);
		if (error)
			df_err_set(g->err, error, "making the working directory %s failed: %s",
				request->workdir, df_errno_text(error));
	}
	return error;
}

/* Writes the gathered tree, the index last: a reader that sees it finds the image. */
static int store(const struct cache *cache, const struct gather *g, int64_t started_ns,
	char **image, struct df_err *err)
{
	DF_FREE char *temporary = NULL, *path = NULL;
	uint64_t image_bytes = 0;
	DF_CLOSE int fd = -1;
	char name[80];
	int error;

	fd = open_new(cache, &temporary, err);
	if (fd < 0)
		return fd;
	error = erofs_write(&g->tree, fd, &image_bytes, err);
	content_name(cache, g, name);
	path = image_path(cache, name);
	if (!error && !path)
		error = cache_failed(cache, -ENOMEM, err);
	if (!error && rename(temporary, path) < 0)
		error = cache_failed(cache, -errno, err);
	if (error) {
		unlink(temporary);
		return error;
	}
	if (!is_racy(g, started_ns))
		error = write_index(cache, g, name, image_bytes, err);
	if (!error)
		*image = df_take_ptr(&path);
	return error;
}

static int pack(const struct cache *cache, const struct root_request *request, char **image,
	struct df_err *err)
{
	const struct gather_options options = {
		.shown_name = request->shown_name,
		.guest_path = request->guest_path,
		.library_path = request->library_path,
		.time_zone = request->time_zone,
	};
	int64_t started_ns = now_ns();
	struct gather g;
	int error;

	error = gather_init(&g, &options, err);
	if (!error)
		error = gather_request(&g, request);
	if (!error)
		error = store(cache, &g, started_ns, image, err);
	gather_deinit(&g);
	return error;
}

static int make_directory(struct cache *cache, struct df_err *err)
{
	int error = df_make_dirs(cache->directory, 0700);

	if (!error) {
		cache->fd = open_directory(cache->directory);
		if (cache->fd < 0)
			error = -errno;
	}
	if (error == -EPERM)
		return df_err_set(err, error,
			"the cache %s belongs to another user or may be written by others; remove it, or name "
			"another place in XDG_CACHE_HOME",
			cache->directory);
	if (error)
		return df_err_set(err, error,
			"the cache %s cannot be used: %s; name another place in XDG_CACHE_HOME",
			cache->directory, df_errno_text(error));
	return 0;
}

/* Packs, again if a file changed meanwhile, then makes room. */
static int pack_and_clean(struct cache *cache, const struct root_request *request, char **image,
	struct df_err *err)
{
	int error = -EAGAIN;

	for (int attempt = 0; attempt < PACK_ATTEMPTS && error == -EAGAIN; attempt++)
		error = pack(cache, request, image, err);
	if (!error)
		roots_clean(cache->fd, ROOTS_BOUND_BYTES);
	return error;
}

int roots_image(const struct root_request *request, char **image, struct df_err *err)
{
	struct cache cache = {.directory = roots_directory(), .fd = -1, .key = DF_STR_EMPTY};
	int error = 0;

	make_key(request, &cache.key);
	if (!cache.directory || cache.key.failed)
		error = df_err_set(err, -ENOMEM, "out of memory");
	if (!error) {
		df_hash_hex(df_hash_add(df_hash_start(), cache.key.data, cache.key.length),
			cache.name);
		cache.fd = open_directory(cache.directory);
		if (cache.fd < 0)
			error = make_directory(&cache, err);
	}
	if (!error && !find_cached(&cache, image))
		error = pack_and_clean(&cache, request, image, err);
	df_cleanup_fd(&cache.fd);
	df_str_deinit(&cache.key);
	free(cache.directory);
	return error;
}
