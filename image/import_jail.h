/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail of dayfly-import. What is in place when jail_import returns:
 *
 *   seccomp	files by openat2 and the *at calls, memory that is not executable, and little more; the rest ends the process
 *   Landlock	the source read-only, the target and the passing directory; nothing else (where Linux has it)
 *   no_new_privs, no capabilities, not dumpable
 *   limits	memory, processor time, size of one file, descriptors, no core dump
 *
 * Not in a build with sanitizers, whose run-time does everything that is forbidden here: then limits and no_new_privs alone.
 */
#ifndef IMAGE_IMPORT_JAIL_H
#define IMAGE_IMPORT_JAIL_H

#include "host/err.h"

#include <stdint.h>

struct import_places {
	int source; /* directory or file */
	int target, work; /* directories, open with O_RDONLY */
};

/* Returns 0, or -errno with *err set: then nothing may be read. Once, in a process with one thread. */
int import_jail(const struct import_places *places, uint64_t bytes_max, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
