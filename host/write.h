/* SPDX-License-Identifier: Apache-2.0 */
/* Writing all of it: write(2) and pwrite(2) until nothing is left, also after signals. */
#ifndef HOST_WRITE_H
#define HOST_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* Return 0, or -errno when a part of it may have been written. */
int df_write(int fd, const void *bytes, size_t length) __attribute__((warn_unused_result));
int df_write_at(int fd, const void *bytes, size_t length, uint64_t offset)
	__attribute__((warn_unused_result));

/* To standard error; that nobody can read there is no reason to fail. */
void df_write_error(const void *bytes, size_t length);

#endif
