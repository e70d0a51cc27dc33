/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that a person may read: see err.h. */
#include "host/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void err_format(struct df_err *err, size_t from, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void err_format(struct df_err *err, size_t from, const char *format, va_list args)
{
	size_t room = sizeof(err->text) - from;
	int length = vsnprintf(err->text + from, room, format, args);

	if (length < 0)
		err->text[from] = '\0';
	else if ((size_t)length >= room)
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);

	for (char *c = err->text + from; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

int df_err_set(struct df_err *err, int code, const char *format, ...)
{
	if (err) {
		va_list args;

		err->code = code;
		va_start(args, format);
		err_format(err, 0, format, args);
		va_end(args);
	}
	return code;
}

void df_err_add(struct df_err *err, const char *format, ...)
{
	if (err) {
		va_list args;

		va_start(args, format);
		err_format(err, strlen(err->text), format, args);
		va_end(args);
	}
}

const char *df_errno_text(int error)
{
	/* The errors that users of dayfly meet, in words that read well at the end of a sentence. */
	switch (error < 0 ? -error : error) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOENT:
		return "no such file or directory";
	case ENOTDIR:
		return "a part of the path is not a directory";
	case EISDIR:
		return "it is a directory";
	case EEXIST:
		return "it exists already";
	case ENOSPC:
		return "no space left on the device";
	case EDQUOT:
		return "the disk quota is used up";
	case EROFS:
		return "the file system is read-only";
	case ENOMEM:
		return "out of memory";
	case EMFILE:
	case ENFILE:
		return "too many open files";
	case ELOOP:
		return "too many symbolic links";
	case ENAMETOOLONG:
		return "the name is too long";
	case EFBIG:
		return "the file is too large";
	case EIO:
		return "input/output error";
	case ETIMEDOUT:
		return "it took too long";
	case ETXTBSY:
		return "it is being written by another program";
	default:
		return strerror(error < 0 ? -error : error);
	}
}
