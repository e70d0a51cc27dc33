/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `dayfly backup` writes and `dayfly restore` reads: a tar archive (pax, zstd) whose first member is BACKUP_HEADER, JSON, and
 * whose others are the files of a state directory. docs/operation.md tells it to users.
 */
#ifndef CLI_PLATFORM_BACKUP_H
#define CLI_PLATFORM_BACKUP_H

#define BACKUP_HEADER "dayfly-backup.json"
#define BACKUP_FORMAT 1
#define BACKUP_HEADER_MAX 4096

struct archive;

/* Why the last call on an archive failed: what the system said, or else the library. Valid until the next call. */
const char *backup_why(struct archive *archive);

/* Beside what is collected; removed when the command ends, or by the next one. */
#define BACKUP_DIRECTORY ".backup"

#endif
