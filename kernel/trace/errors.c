// SPDX-License-Identifier: Apache-2.0
/* Names and meanings of the error numbers that this kernel can answer. */
#include <kernel/core/errno.h>
#include <kernel/trace/print.h>

#define ERRORS(E)                                             \
	E(EPERM, "Operation not permitted")                   \
	E(ENOENT, "No such file or directory")                \
	E(ESRCH, "No such process")                           \
	E(EINTR, "Interrupted system call")                   \
	E(EIO, "Input/output error")                          \
	E(ENXIO, "No such device or address")                 \
	E(E2BIG, "Argument list too long")                    \
	E(ENOEXEC, "Exec format error")                       \
	E(EBADF, "Bad file descriptor")                       \
	E(ECHILD, "No child processes")                       \
	E(EAGAIN, "Resource temporarily unavailable")         \
	E(ENOMEM, "Cannot allocate memory")                   \
	E(EACCES, "Permission denied")                        \
	E(EFAULT, "Bad address")                              \
	E(EBUSY, "Device or resource busy")                   \
	E(EEXIST, "File exists")                              \
	E(EXDEV, "Invalid cross-device link")                 \
	E(ENODEV, "No such device")                           \
	E(ENOTDIR, "Not a directory")                         \
	E(EISDIR, "Is a directory")                           \
	E(EINVAL, "Invalid argument")                         \
	E(EMFILE, "Too many open files")                      \
	E(ENOTTY, "Inappropriate ioctl for device")           \
	E(ETXTBSY, "Text file busy")                          \
	E(EFBIG, "File too large")                            \
	E(ENOSPC, "No space left on device")                  \
	E(ESPIPE, "Illegal seek")                             \
	E(EROFS, "Read-only file system")                     \
	E(EMLINK, "Too many links")                           \
	E(EPIPE, "Broken pipe")                               \
	E(ERANGE, "Numerical result out of range")            \
	E(EDEADLK, "Resource deadlock avoided")               \
	E(ENAMETOOLONG, "File name too long")                 \
	E(ENOLCK, "No locks available")                       \
	E(ENOSYS, "Function not implemented")                 \
	E(ENOTEMPTY, "Directory not empty")                   \
	E(ELOOP, "Too many levels of symbolic links")         \
	E(ENODATA, "No data available")                       \
	E(EOVERFLOW, "Value too large for defined data type") \
	E(EOPNOTSUPP, "Operation not supported")              \
	E(ETIMEDOUT, "Connection timed out")                  \
	E(EOWNERDEAD, "Owner died")

#define NUMBER(number, text) number,
#define TEXTS(number, text) #number "\0" text "\0"

static const uint8_t numbers[] = {ERRORS(NUMBER)};
static const char texts[] = ERRORS(TEXTS); /* name, meaning, name, meaning ... */

const char *error_name(int number, const char **meaning)
{
	const char *name = texts;

	for (unsigned i = 0; i < array_size(numbers); i++) {
		*meaning = name + strlen(name) + 1;
		if (numbers[i] == number)
			return name;
		name = *meaning + strlen(*meaning) + 1;
	}
	return NULL;
}
