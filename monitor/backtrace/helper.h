// SPDX-License-Identifier: Apache-2.0
/* What the parts of dayfly-backtrace share: main.c, lock_down.c, files.c, unwind.c. One thread. */
#ifndef MONITOR_BACKTRACE_HELPER_H
#define MONITOR_BACKTRACE_HELPER_H

#include <stdbool.h>

#include "wire.h"

#define SOCKET 3

/* The one file, mapped: an ELF file (raw) or an EROFS image with many. */
struct files {
	uint8_t *data;
	uint64_t bytes;
	bool raw;
};

/* Gives up every right but computing, memory, reading the socket and writing. False: it must not go on. */
bool lock_down(void);

/* Bytes of the file at an absolute path, links in it followed; within files->data. False: not there. */
bool files_find(const struct files *files, const char *path, uint8_t **data, uint64_t *bytes);

/* Eight bytes of guest memory. */
bool guest_word(uint64_t va, uint64_t *out);

/* Prints the frames to standard output, each as soon as it is known. */
void unwind_print(const struct backtrace_head *head, const struct files *files);

#endif
