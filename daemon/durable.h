/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are there whole or not at all, also after a crash: written beside under another name, synchronised, renamed, and the
 * directory synchronised. All 0600. Any thread; these functions wait for the disk.
 */
#ifndef DAEMON_DURABLE_H
#define DAEMON_DURABLE_H

#include <stddef.h>

/* What the name of a file begins with while it is being written; such files may be removed at start. */
#define DURABLE_PREFIX ".writing-"

/*
 * Makes `name` (no '/') in the directory `directory_fd` with `length` bytes; an older file is replaced. Returns 0 or -errno;
 * after an error the older file is there, unless it was the directory that could not be synchronised.
 */
int durable_write(int directory_fd, const char *name, const void *bytes, size_t length)
	__attribute__((warn_unused_result));

/* The same with a path. */
int durable_write_path(const char *path, const void *bytes, size_t length)
	__attribute__((warn_unused_result));

#endif
