/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests only: a temporary directory to work in, and short ways to fill it. A step that fails fails the test. Include
 * after cmocka.h.
 */
#ifndef IMAGE_TEST_FILES_H
#define IMAGE_TEST_FILES_H

#include "host/path.h"
#include "host/str.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static inline char *make_directory(void)
{
	char *path = strdup("/tmp/dayfly-test-XXXXXX");

	assert_non_null(mkdtemp(path));
	return path;
}

static inline int remove_entry(const char *path, const struct stat *now, int type, struct FTW *ftw)
{
	(void)now;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Removes a directory with all that is in it, and frees its name. */
static inline void remove_directory(char *path)
{
	assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(path);
}

/* Writes a file, with its time an hour ago, so that it does not count as just being written. */
static inline char *put_file(const char *directory, const char *name, const char *text, mode_t mode)
{
	char *path = df_path_join(directory, name), *parent = df_dir_name(path);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 3600}};
	int fd;

	assert_int_equal(df_make_dirs(parent, 0755), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	free(parent);
	return path;
}

static inline void put_link(const char *directory, const char *name, const char *target)
{
	char *path = df_path_join(directory, name), *parent = df_dir_name(path);

	assert_int_equal(df_make_dirs(parent, 0755), 0);
	assert_int_equal(symlink(target, path), 0);
	free(parent);
	free(path);
}

#endif
