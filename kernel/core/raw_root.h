// SPDX-License-Identifier: Apache-2.0
/* A guest without the feature `files`: the root image is the program's ELF file itself. */
#ifndef KERNEL_RAW_ROOT_H
#define KERNEL_RAW_ROOT_H

#include <kernel/core/file.h>

/* Opens the root image under any name that is the program's path. -ENOENT for others. */
int raw_root_open(const char *path, struct file **out) must_check;

#endif
