/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys and the file they live in: see credentials.h. */
#include "daemon/auth/credentials.h"

#include "daemon/durable.h"
#include "host/cleanup.h"
#include "host/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define ID_PREFIX "DFLY"
#define ID_RANDOM 16
#define SECRET_RANDOM 40
#define FILE_MAX 65536

/* Fills `text` with `count` characters of an alphabet whose size divides 256. */
static int random_text(char *text, size_t count, const char *alphabet, size_t letters)
{
	unsigned char bytes[SECRET_RANDOM];

	if (getrandom(bytes, count, 0) != (ssize_t)count)
		return errno ? -errno : -EIO;
	for (size_t i = 0; i < count; i++)
		text[i] = alphabet[bytes[i] % letters];
	text[count] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

int credentials_generate(struct credentials *credentials)
{
	struct credentials made = {.access_key_id = ID_PREFIX};
	int error;

	error = random_text(made.access_key_id + strlen(ID_PREFIX), ID_RANDOM,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32);
	if (error == 0)
		error = random_text(made.secret, SECRET_RANDOM,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 64);
	if (error == 0)
		*credentials = made;
	explicit_bzero(&made, sizeof(made));
	return error;
}

int credentials_write(const char *path, const struct credentials *credentials, const char *region,
	struct df_err *err)
{
	DF_STR struct df_str text = DF_STR_EMPTY;
	int error;

	df_str_addf(&text, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		credentials->access_key_id, credentials->secret);
	if (region)
		df_str_addf(&text, "region = %s\n", region);
	if (text.failed)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = durable_write_path(path, text.data, text.length);
	explicit_bzero(text.data, text.length);
	if (error < 0)
		return df_err_set(err, error, "cannot write the credentials file %s: %s", path,
			df_errno_text(error));
	return 0;
}

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* A value of printable characters without spaces, of a length that fits. */
static bool copy_value(char *into, size_t room, const char *value)
{
	size_t length = strlen(value);

	if (length == 0 || length >= room)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isgraph((unsigned char)value[i]))
			return false;
	}
	memcpy(into, value, length + 1);
	return true;
}

static bool id_ok(const char *id)
{
	return id[strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] ==
		'\0';
}

/* Reads the ini form; `text` is changed. False: the profile is not there, or not whole. */
static bool parse(char *text, struct credentials *found)
{
	bool ours = false;
	char *rest = NULL;

	memset(found, 0, sizeof(*found));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *equals, *key = trim(line);

		if (*key == '[') {
			ours = strcmp(key, "[default]") == 0;
			continue;
		}
		equals = *key == '#' || *key == ';' ? NULL : strchr(key, '=');
		if (!ours || !equals)
			continue;
		*equals = '\0';
		key = trim(key);
		if (strcmp(key, "aws_access_key_id") == 0 &&
			!copy_value(found->access_key_id, sizeof(found->access_key_id),
				trim(equals + 1)))
			return false;
		if (strcmp(key, "aws_secret_access_key") == 0 &&
			!copy_value(found->secret, sizeof(found->secret), trim(equals + 1)))
			return false;
	}
	return found->access_key_id[0] && found->secret[0] && id_ok(found->access_key_id);
}

/* The file's text into `text`. */
static int read_private(const char *path, char *text, size_t room, struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	size_t length = 0;
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) < 0)
		return df_err_set(err, -errno, "cannot read the credentials file %s: %s", path,
			df_errno_text(errno));
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077))
		return df_err_set(err, -EPERM,
			"the credentials file %s must be a file of this user's that no one else may read: chmod 600 it",
			path);
	while ((got = read(fd, text + length, room - 1 - length)) > 0)
		length += (size_t)got;
	if (got < 0)
		return df_err_set(err, -errno, "cannot read the credentials file %s: %s", path,
			df_errno_text(errno));
	if (memchr(text, '\0', length))
		return df_err_set(err, -EINVAL, "the credentials file %s is no text", path);
	text[length] = '\0';
	return 0;
}

int credentials_load(const char *path, struct credentials *credentials, struct df_err *err)
{
	DF_FREE char *text = malloc(FILE_MAX);
	struct credentials found;
	int error;

	if (!text)
		return df_err_set(err, -ENOMEM, "out of memory");
	error = read_private(path, text, FILE_MAX, err);
	if (error == 0 && !parse(text, &found))
		error = df_err_set(err, -EINVAL,
			"the credentials file %s has no complete profile [default] with aws_access_key_id and aws_secret_access_key",
			path);
	if (error == 0)
		*credentials = found;
	explicit_bzero(text, FILE_MAX);
	explicit_bzero(&found, sizeof(found));
	return error;
}

int credentials_ensure(const char *path, const char *region, struct credentials *credentials,
	struct df_err *err)
{
	int error = credentials_load(path, credentials, err);

	if (error != -ENOENT)
		return error;
	error = credentials_generate(credentials);
	if (error < 0)
		return df_err_set(err, error, "cannot make credentials: %s", df_errno_text(error));
	return credentials_write(path, credentials, region, err);
}
