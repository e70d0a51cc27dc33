/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs of the image store: content under the name of its SHA-256. What is put is first linked or copied to a passing name and hashed
 * there, so the name always says what the store holds, whatever happens to the source meanwhile.
 */
#include "host/str.h"
#include "host/write.h"
#include "image/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (1u << 20)
#define PREFIX "sha256:"
#define PREFIX_BYTES 7
#define HEX_BYTES 64
#define PASSING_BYTES 32

bool digest_is_good(const char *digest)
{
	return df_starts_with(digest, PREFIX) &&
		strspn(digest + PREFIX_BYTES, "0123456789abcdef") == HEX_BYTES &&
		digest[PREFIX_BYTES + HEX_BYTES] == '\0';
}

/* --- hashing --- */

static void cleanup_context(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static int digest_finish(EVP_MD_CTX *context, char digest[IMAGE_DIGEST_BYTES])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (!EVP_DigestFinal_ex(context, hash, &length) || length != HEX_BYTES / 2)
		return -EIO;
	snprintf(digest, IMAGE_DIGEST_BYTES, PREFIX);
	for (unsigned int i = 0; i < length; i++)
		snprintf(digest + PREFIX_BYTES + 2 * (size_t)i, 3, "%02x", hash[i]);
	return 0;
}

int digest_of_bytes(const void *bytes, size_t length, char digest[IMAGE_DIGEST_BYTES])
{
	__attribute__((cleanup(cleanup_context))) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		return -ENOMEM;
	if (!EVP_DigestUpdate(context, bytes, length))
		return -EIO;
	return digest_finish(context, digest);
}

int digest_of_file(int fd, char digest[IMAGE_DIGEST_BYTES], uint64_t *file_bytes)
{
	__attribute__((cleanup(cleanup_context))) EVP_MD_CTX *context = EVP_MD_CTX_new();
	DF_FREE unsigned char *chunk = malloc(CHUNK_BYTES);
	uint64_t offset = 0;
	int error;

	if (!chunk || !context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(fd, chunk, CHUNK_BYTES, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (!EVP_DigestUpdate(context, chunk, (size_t)n))
			return -EIO;
		offset += (uint64_t)n;
	}
	error = digest_finish(context, digest);
	if (error == 0)
		*file_bytes = offset;
	return error;
}

/* --- putting --- */

static int passing_name(char name[PASSING_BYTES])
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -EIO;
	snprintf(name, PASSING_BYTES, NEW_PREFIX "%016" PRIx64, number);
	return 0;
}

/*
 * Does the store have this content, undamaged? Who adds it again may do so because it was damaged. The file that was just hashed, under
 * another name, needs no second look.
 */
static bool has_content(const struct image_store *store, const char *passing,
	const struct image_blob *blob)
{
	const char *hex = blob->digest + PREFIX_BYTES;
	char digest[IMAGE_DIGEST_BYTES];
	DF_CLOSE int fd = -1;
	struct stat old, new;
	uint64_t length;

	if (fstatat(store->blobs, hex, &old, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(old.st_mode) ||
		(uint64_t)old.st_size != blob->bytes)
		return false;
	if (fstatat(store->blobs, passing, &new, AT_SYMLINK_NOFOLLOW) == 0 &&
		new.st_dev == old.st_dev &&new.st_ino == old.st_ino)
		return true;
	fd = openat(store->blobs, hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && digest_of_file(fd, digest, &length) == 0 &&
		strcmp(digest, blob->digest) == 0;
}

/* Content at the passing name gets its own, unless the store has it already. */
static int keep(const struct image_store *store, const char *passing, const struct image_blob *blob)
{
	static const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	const char *hex = blob->digest + PREFIX_BYTES;

	if (has_content(store, passing, blob) &&
		utimensat(store->blobs, hex, now, AT_SYMLINK_NOFOLLOW) == 0) {
		/* Also the change time is new now: it tells the age. */
		unlinkat(store->blobs, passing, 0);
		return 0;
	}
	return renameat(store->blobs, passing, store->blobs, hex) < 0 ? -errno : 0;
}

static int write_passing(const struct image_store *store, const char *passing, const void *bytes,
	size_t length)
{
	DF_CLOSE int fd =
		openat(store->blobs, passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	int error = fd < 0 ? -errno : df_write(fd, bytes, length);

	return error == 0 && fsync(fd) < 0 ? -errno : error;
}

int blob_put_bytes(const struct image_store *store, const void *bytes, size_t length,
	struct image_blob *blob)
{
	struct image_blob made = {.bytes = length};
	char passing[PASSING_BYTES];
	int error = digest_of_bytes(bytes, length, made.digest);

	if (error == 0)
		error = passing_name(passing);
	if (error < 0)
		return error;
	error = write_passing(store, passing, bytes, length);
	if (error == 0)
		error = keep(store, passing, &made);
	if (error < 0)
		unlinkat(store->blobs, passing, 0);
	else
		*blob = made;
	return error;
}

/* Copies `length` bytes at one offset of both files. */
static int copy_range(int from, int to, off_t offset, off_t length)
{
	DF_FREE char *chunk = NULL;
	off_t at_from = offset, at_to = offset, end = offset + length;

	while (at_from < end) {
		ssize_t n = copy_file_range(from, &at_from, to, &at_to, (size_t)(end - at_from), 0);

		if (n <= 0)
			break;
	}
	if (at_from >= end)
		return 0;
	/* Not between these file systems, or not any more: by hand. */
	chunk = malloc(CHUNK_BYTES);
	if (!chunk)
		return -ENOMEM;
	while (at_from < end) {
		size_t want = end - at_from < CHUNK_BYTES ? (size_t)(end - at_from) : CHUNK_BYTES;
		ssize_t n = pread(from, chunk, want, at_from);
		int error;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EAGAIN;
		error = df_write_at(to, chunk, (size_t)n, (uint64_t)at_from);
		if (error < 0)
			return error;
		at_from += n;
	}
	return 0;
}

/* Copies a file with its holes left out: snapshots have many. */
static int copy_sparse(int from, int to, off_t length)
{
	off_t at = 0;

	if (ftruncate(to, length) < 0)
		return -errno;
	while (at < length) {
		off_t data = lseek(from, at, SEEK_DATA), hole;
		int error;

		if (data < 0 && errno == ENXIO)
			break; /* nothing but a hole up to the end */
		if (data < 0)
			data = at; /* a file system that knows no holes */
		if (data >= length)
			break;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || hole > length)
			hole = length;
		error = copy_range(from, to, data, hole - data);
		if (error < 0)
			return error;
		at = hole;
	}
	return 0;
}

static int copy_passing(const struct image_store *store, const char *passing, int from,
	const struct stat *source)
{
	DF_CLOSE int fd =
		openat(store->blobs, passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, FICLONE, from) < 0)
		error = copy_sparse(from, fd, source->st_size);
	return error == 0 && fsync(fd) < 0 ? -errno : error;
}

/*
 * A hard link of the source, if it may be one: ours, and nobody else may write to it. False: make a copy. The way through /proc
 * needs no right that linking a descriptor directly would.
 */
static bool link_passing(const struct image_store *store, const char *passing, int from,
	const struct stat *source)
{
	char name[64];

	if (source->st_uid != geteuid() || (source->st_mode & (S_IWGRP | S_IWOTH)) ||
		source->st_nlink == 0)
		return false;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", from);
	return linkat(AT_FDCWD, name, store->blobs, passing, AT_SYMLINK_FOLLOW) == 0 &&
		fsync(from) == 0;
}

static int hash_passing(const struct image_store *store, const char *passing,
	struct image_blob *blob)
{
	DF_CLOSE int fd = openat(store->blobs, passing, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : digest_of_file(fd, blob->digest, &blob->bytes);
}

int blob_put_file(const struct image_store *store, int fd, bool may_change, struct image_blob *blob)
{
	struct image_blob made = {0};
	char passing[PASSING_BYTES];
	struct stat source;
	int error = passing_name(passing);

	if (error < 0)
		return error;
	if (fstat(fd, &source) < 0)
		return -errno;
	if (!S_ISREG(source.st_mode))
		return -EINVAL;
	if (may_change || !link_passing(store, passing, fd, &source)) {
		unlinkat(store->blobs, passing, 0);
		error = copy_passing(store, passing, fd, &source);
	}
	if (error == 0)
		error = hash_passing(store, passing, &made);
	if (error == 0)
		error = keep(store, passing, &made);
	if (error < 0)
		unlinkat(store->blobs, passing, 0);
	else
		*blob = made;
	return error;
}

int blobs_sync(const struct image_store *store)
{
	return fsync(store->blobs) < 0 ? -errno : 0;
}

/* --- reading --- */

int blob_open(const struct image_store *store, const struct image_blob *blob)
{
	DF_CLOSE int fd = -1;
	struct stat now;

	if (!digest_is_good(blob->digest))
		return -EUCLEAN;
	fd = openat(store->blobs, blob->digest + PREFIX_BYTES,
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP ? -EUCLEAN : -errno;
	if (fstat(fd, &now) < 0)
		return -errno;
	if (!S_ISREG(now.st_mode) ||
		(blob->bytes != UINT64_MAX && (uint64_t)now.st_size != blob->bytes))
		return -EUCLEAN;
	return df_take_fd(&fd);
}

int file_read(int fd, size_t most, char **text, size_t *length)
{
	DF_FREE char *made = NULL;
	struct stat now;
	size_t have = 0;

	if (fstat(fd, &now) < 0)
		return -errno;
	if (now.st_size < 0 || (uint64_t)now.st_size > most)
		return -EUCLEAN;
	made = malloc((size_t)now.st_size + 1);
	if (!made)
		return -ENOMEM;
	while (have < (size_t)now.st_size) {
		ssize_t n = pread(fd, made + have, (size_t)now.st_size - have, (off_t)have);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EUCLEAN;
		have += n > 0 ? (size_t)n : 0;
	}
	made[have] = '\0';
	*length = have;
	*text = df_take_ptr(&made);
	return 0;
}

int blob_read(const struct image_store *store, const struct image_blob *blob, char **text,
	size_t *length, struct df_err *err)
{
	DF_CLOSE int fd = blob_open(store, blob);
	char digest[IMAGE_DIGEST_BYTES];
	DF_FREE char *made = NULL;
	size_t bytes = 0;
	int error = fd < 0 ? fd : file_read(fd, DOCUMENT_BYTES_MAX, &made, &bytes);

	if (error == 0)
		error = digest_of_bytes(made, bytes, digest);
	if (error == 0 && strcmp(digest, blob->digest) != 0)
		error = -EUCLEAN;
	if (error == -EUCLEAN)
		return df_err_set(err, error, "%s: the blob %.19s is damaged", store->path,
			blob->digest);
	if (error < 0)
		return df_err_set(err, error, "%s: the blob %.19s: %s", store->path, blob->digest,
			df_errno_text(error));
	*length = bytes;
	*text = df_take_ptr(&made);
	return 0;
}
