/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of objects, as files: see objects.h. */
#include "daemon/object/objects_private.h"

#include "host/cleanup.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

void objects_file_name(uint64_t file, char name[OBJECTS_FILE_NAME_BYTES])
{
	snprintf(name, OBJECTS_FILE_NAME_BYTES, "%016" PRIx64, file);
}

void objects_remove_file(struct objects *objects, uint64_t file)
{
	char name[OBJECTS_FILE_NAME_BYTES];

	objects_file_name(file, name);
	(void)unlinkat(objects->files_fd, name, 0);
}

int objects_random(uint64_t *number)
{
	do {
		if (getrandom(number, sizeof(*number), 0) != (ssize_t)sizeof(*number))
			return -EIO;
		*number >>= 1;
	} while (*number == 0);
	return 0;
}

int objects_open_file(struct objects *objects, uint64_t file)
{
	char name[OBJECTS_FILE_NAME_BYTES];
	int fd;

	objects_file_name(file, name);
	fd = openat(objects->files_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* --- files in advance --- */

/* Makes a file of a new name. Returns its descriptor or -errno. */
static int make_spare(struct objects *objects, uint64_t *file)
{
	char name[OBJECTS_FILE_NAME_BYTES];
	int fd, error;

	do {
		error = objects_random(file);
		if (error)
			return error;
		objects_file_name(*file, name);
		fd = openat(objects->files_fd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (fd < 0 && errno == EEXIST);
	return fd < 0 ? -errno : fd;
}

/* With the lock. As many as there can be; none is an error. */
static int make_spares(struct objects *objects)
{
	int fd = 0, error;

	while (objects->spare_count < OBJECTS_SPARES && fd >= 0) {
		fd = make_spare(objects, &objects->spares[objects->spare_count].file);
		if (fd >= 0)
			objects->spares[objects->spare_count++].fd = fd;
	}
	if (objects->spare_count == 0)
		return fd;
	if (fsync(objects->files_fd) == 0)
		return 0;
	error = -errno;
	objects_remove_spares(objects);
	return error;
}

/* Takes a file that is nobody's, whose name is on disk already. */
static int take_spare(struct objects *objects, struct objects_body *body)
{
	int error = 0;

	pthread_mutex_lock(&objects->spare_lock);
	if (objects->spare_count == 0)
		error = make_spares(objects);
	if (error == 0) {
		objects->spare_count--;
		body->file = objects->spares[objects->spare_count].file;
		body->fd = objects->spares[objects->spare_count].fd;
	}
	pthread_mutex_unlock(&objects->spare_lock);
	return error;
}

void objects_remove_spares(struct objects *objects)
{
	while (objects->spare_count > 0) {
		objects->spare_count--;
		close(objects->spares[objects->spare_count].fd);
		objects_remove_file(objects, objects->spares[objects->spare_count].file);
	}
}

/* --- what is charged --- */

static int charge(struct objects *objects, uint64_t bytes)
{
	int result = 0;

	pthread_mutex_lock(&objects->lock);
	if (objects->bytes_max &&
		(bytes > objects->bytes_max || objects->totals.bytes > objects->bytes_max - bytes))
		result = OBJECTS_QUOTA;
	else
		objects->totals.bytes += bytes;
	pthread_mutex_unlock(&objects->lock);
	return result;
}

static void discharge(struct objects *objects, uint64_t bytes)
{
	pthread_mutex_lock(&objects->lock);
	objects->totals.bytes -= bytes;
	pthread_mutex_unlock(&objects->lock);
}

/* --- writing --- */

int objects_body_begin(struct objects *objects, uint64_t expected, struct objects_body *body)
{
	int error;

	*body = (struct objects_body){.objects = NULL, .fd = -1};
	if (expected > OBJECTS_PUT_MAX)
		return OBJECTS_TOO_LARGE;
	error = charge(objects, expected);
	if (error)
		return error;
	error = take_spare(objects, body);
	if (error < 0) {
		discharge(objects, expected);
		return error;
	}
	body->objects = objects;
	body->reserved = expected;
	return 0;
}

int objects_body_write(struct objects_body *body, const void *bytes, size_t length)
{
	uint64_t after = body->bytes + length;
	int error = 0;

	if (after > OBJECTS_PUT_MAX)
		return OBJECTS_TOO_LARGE;
	if (after > body->reserved) {
		error = charge(body->objects, after - body->reserved);
		if (error == 0)
			body->reserved = after;
	}
	if (error == 0)
		error = df_write(body->fd, bytes, length);
	if (error == 0)
		body->bytes = after;
	return error;
}

int objects_body_sync(struct objects_body *body)
{
	/* An announced length that did not come was not a body that anyone may keep; who calls this has looked. */
	discharge(body->objects, body->reserved - body->bytes);
	body->reserved = body->bytes;
	if (fdatasync(body->fd) < 0)
		return -errno;
	if (close(df_take_fd(&body->fd)) < 0)
		return -errno;
	return 0;
}

void objects_body_abandon(struct objects_body *body)
{
	if (!body->objects)
		return;
	df_cleanup_fd(&body->fd);
	objects_remove_file(body->objects, body->file);
	discharge(body->objects, body->reserved);
	*body = (struct objects_body){.objects = NULL, .fd = -1};
}
