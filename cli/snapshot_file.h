/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots on disk (docs/snapshots.md), as `dayfly freeze` writes them. */
#ifndef CLI_SNAPSHOT_FILE_H
#define CLI_SNAPSHOT_FILE_H

#include "cli/cli.h"

#include <dayfly/snapshot.h>

/*
 * A file in the making: nobody sees it before snapshot_file_publish, and if that is never called, nothing stays behind.
 */
struct snapshot_file {
	const char *path; /* what it will be called; borrowed */
	char *temporary; /* its name meanwhile; NULL where the file system can do without */
	int fd;
};

#define SNAPSHOT_FILE_NONE ((struct snapshot_file){.fd = -1})

/* Makes an empty file with mode 0600 in the directory of `path`. Returns 0 or -errno with *err set. */
int snapshot_file_create(struct snapshot_file *file, const char *path, struct df_err *err)
	__attribute__((warn_unused_result));

/* Appends the root image at `image` to the finished snapshot and says so in its header. Returns 0 or -errno with *err set. */
int snapshot_file_add_root(struct snapshot_file *file, const char *image, struct df_err *err)
	__attribute__((warn_unused_result));

/* Makes it durable and gives it its name, in place of what has that name now. Returns 0 or -errno with *err set. */
int snapshot_file_publish(struct snapshot_file *file, struct df_err *err)
	__attribute__((warn_unused_result));

/* Forgets a file that was not published. Allowed on SNAPSHOT_FILE_NONE. */
void snapshot_file_deinit(struct snapshot_file *file);

#endif
