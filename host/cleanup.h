/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleanup attributes for host programs: what a block acquires, it gives back on every way out.
 *
 *	DF_CLOSE int fd = open(...);          closed at the end of the block, if it is >= 0
 *	DF_FREE char *text = malloc(...);     freed
 *	DF_FCLOSE FILE *file = fopen(...);
 *	DF_CLOSEDIR DIR *dir = opendir(...);
 *	DF_UNMAP struct df_mapping map = DF_MAPPING_NONE;
 *
 * The variable must be initialised where it is declared. Ownership moves out in plain sight:
 * `return df_take_fd(&fd);`, `*out = df_take_ptr(&text);`. errno is kept.
 */
#ifndef HOST_CLEANUP_H
#define HOST_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct df_mapping {
	void *data; /* NULL: nothing is mapped */
	size_t length;
};

#define DF_MAPPING_NONE ((struct df_mapping){NULL, 0})

#define DF_CLOSE __attribute__((cleanup(df_cleanup_fd)))
#define DF_FREE __attribute__((cleanup(df_cleanup_free), unused))
#define DF_FCLOSE __attribute__((cleanup(df_cleanup_file)))
#define DF_CLOSEDIR __attribute__((cleanup(df_cleanup_dir)))
#define DF_UNMAP __attribute__((cleanup(df_cleanup_mapping)))

/* Empties the variable and returns what it held: the caller owns it now. */
#define df_take_ptr(pointer)                          \
	__extension__({                               \
		__typeof__(pointer) from = (pointer); \
		__typeof__(*from) taken = *from;      \
		*from = NULL;                         \
		taken;                                \
	})

static inline int df_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void df_cleanup_fd(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

/* Takes the address of any pointer variable, hence void *. free() keeps errno (glibc 2.33). */
static inline void df_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void df_cleanup_file(FILE **file)
{
	if (*file) {
		int saved = errno;

		fclose(*file);
		errno = saved;
	}
}

static inline void df_cleanup_dir(DIR **dir)
{
	if (*dir) {
		int saved = errno;

		closedir(*dir);
		errno = saved;
	}
}

static inline void df_cleanup_mapping(const struct df_mapping *mapping)
{
	if (mapping->data)
		munmap(mapping->data, mapping->length);
}

#endif
