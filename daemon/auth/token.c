/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' token: see token.h. */
#include "daemon/auth/token.h"

#include "daemon/durable.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#define DIGITS (TOKEN_BYTES - 1)

static int make(const char *path, char token[TOKEN_BYTES], struct df_err *err)
{
	uint8_t bytes[DIGITS / 2];
	char text[TOKEN_BYTES];
	int error;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return df_err_set(err, -EIO, "there are no random numbers");
	for (size_t i = 0; i < DIGITS; i++)
		text[i] = "0123456789abcdef"[(bytes[i / 2] >> (i % 2 ? 0 : 4)) & 15];
	text[DIGITS] = '\n';
	error = durable_write_path(path, text, sizeof(text));
	text[DIGITS] = '\0';
	if (error)
		return df_err_set(err, error, "cannot write the token file %s: %s", path,
			df_errno_text(error));
	memcpy(token, text, TOKEN_BYTES);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

int token_ensure(const char *path, char token[TOKEN_BYTES], struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[TOKEN_BYTES + 1];
	struct stat now;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return make(path, token, err);
	if (fd < 0 || fstat(fd, &now) < 0)
		return df_err_set(err, -errno, "cannot read the token file %s: %s", path,
			df_errno_text(errno));
	if (!S_ISREG(now.st_mode) || now.st_uid != geteuid() || (now.st_mode & 077))
		return df_err_set(err, -EPERM,
			"the token file %s must be a file of this user's that no one else may read: chmod 600 it",
			path);
	got = read(fd, text, sizeof(text));
	if (got == TOKEN_BYTES && text[DIGITS] == '\n')
		got--;
	if (got != DIGITS)
		return df_err_set(err, -EINVAL,
			"the token file %s holds no token of %d hexadecimal digits; remove it to get a new one",
			path, DIGITS);
	text[DIGITS] = '\0';
	if (strspn(text, "0123456789abcdef") != DIGITS)
		return df_err_set(err, -EINVAL,
			"the token file %s holds no token of %d hexadecimal digits; remove it to get a new one",
			path, DIGITS);
	memcpy(token, text, TOKEN_BYTES);
	explicit_bzero(text, sizeof(text));
	return 0;
}

bool token_matches(const char token[TOKEN_BYTES], const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authorization += sizeof(scheme) - 1;
	return strlen(authorization) == DIGITS && CRYPTO_memcmp(token, authorization, DIGITS) == 0;
}
