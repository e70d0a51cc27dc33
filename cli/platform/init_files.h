/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the files that a program looked for in vain go into its manifest (`dayfly init`).
 *
 * The program says which paths it wants, and it may be anybody's; what is added ends up in an image. So only what its user has named in its
 * arguments, or what any user of this host may read, is added by itself; what is private is listed for a person to decide.
 */
#ifndef CLI_PLATFORM_INIT_FILES_H
#define CLI_PLATFORM_INIT_FILES_H

#include "image/manifest.h"

struct init_files {
	size_t added;
	struct manifest_list private; /* left out: paths of the host */
};

/*
 * Adds to m->files what the host has. `missing` are paths as the program used them. Returns how many were added, or -ENOMEM.
 */
int init_files_add(struct init_files *files, struct manifest *m, char *const *missing, size_t count)
	__attribute__((warn_unused_result));
void init_files_deinit(struct init_files *files);

/* Writes host paths below the current directory, where the manifest will lie, relative to it. */
void init_files_shorten(struct manifest *m);

#endif
