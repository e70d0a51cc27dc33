/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text and the few questions that host programs ask of them. Nothing here changes a file except df_make_dirs. */
#ifndef HOST_PATH_H
#define HOST_PATH_H

#include <stddef.h>
#include <sys/types.h>

/* The part after the last '/'; the whole text if there is none. Points into `path`. */
const char *df_base_name(const char *path);

/*
 * The directory part, without a final '/': "/usr/bin" of "/usr/bin/awk", "/" of "/awk", "." of "awk".
 * To be freed by the caller; NULL without memory.
 */
char *df_dir_name(const char *path) __attribute__((warn_unused_result));

/* "DIR/NAME" with exactly one '/' between them. To be freed by the caller; NULL without memory. */
char *df_path_join(const char *dir, const char *name) __attribute__((warn_unused_result));

/*
 * Removes empty and "." parts and a final '/' in place: "/a//./b/" becomes "/a/b". ".." stays: what it means depends on
 * symbolic links. An empty result becomes "." or "/".
 */
void df_path_clean(char *path);

/*
 * `path` as an absolute, cleaned path, seen from the current directory, its symbolic links kept. A path with
 * ".." has its directory part resolved by the file system (so it must exist then). To be freed by the caller;
 * NULL with errno set.
 */
char *df_path_absolute(const char *path) __attribute__((warn_unused_result));

/* Makes `path` and the directories above it that are missing. Returns 0 (also when all exist) or -errno. */
int df_make_dirs(const char *path, mode_t mode) __attribute__((warn_unused_result));

/* Removes `path` and all below it, as far as that can be done; symbolic links are not followed, NULL is nothing. */
void df_remove_tree(const char *path);

#endif
