/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel with certain features is, read from the file dayfly-kernel as the monitor reads it (monitor/kernel_image.c). */
#ifndef IMAGE_KERNEL_FILE_H
#define IMAGE_KERNEL_FILE_H

#include "host/err.h"

#include <stdint.h>

struct kernel_file {
	uint32_t build; /* CRC-32C, as in a snapshot that is made with these features */
	uint64_t bytes; /* in guest memory */
};

/*
 * `features` is like "files,tmp"; the core and what freezes are always there. Names that the kernel does not have count as nothing. Returns
 * 0, -EINVAL (it is no kernel) or -errno with *err set.
 */
int kernel_file_read(const char *path, const char *features, struct kernel_file *kernel,
	struct df_err *err) __attribute__((warn_unused_result));

#endif
