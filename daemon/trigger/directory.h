/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trigger `directory`: files that appear or change in a directory of the host are events.
 *
 * One thread watches all directories (inotify: closed after writing, or moved in). What was seen, by inode, size and time of the last change,
 * is the trigger's marks; a directory is read as a whole when its trigger starts, when inotify lost something, and when the
 * directory came back, and compared with them, so that nothing is missed. A file that somebody still has open for writing
 * waits for its close.
 *
 * The directory is hostile ground: others write to it. It is reached through no symbolic link, its files are opened beneath it by the kernel's own rules
 * (openat2), only regular ones are read, to their limit, and one that changed while it was read is read again.
 */
#ifndef DAEMON_DIRECTORY_H
#define DAEMON_DIRECTORY_H

#include "daemon/trigger/trigger.h"

#include <glib.h>

extern const struct trigger_kind directory_kind;

/* Starts the thread. Returns 0 or -errno with *err set. */
int directory_init(struct df_err *err) __attribute__((warn_unused_result));
void directory_deinit(void); /* when there is no trigger of this kind any more */

/* --- one directory, for directory.c and directory_file.c: used by the thread alone --- */

struct directory {
	struct trigger *trigger;
	const char *path, *pattern;
	bool content; /* an event's body is the file itself */
	bool *stopping; /* atomic: nothing more is to be put */
	int fd; /* -1: it is not there */
	GHashTable *seen; /* name -> stamp, as the marks have it */
	GPtrArray *gone; /* names whose marks are to be removed */
	GHashTable *
		young; /* names that are to be looked at in DIRECTORY_YOUNG_MS; the value: was it said that they are complete? */
	bool full; /* no event can be put just now: nothing is tried until the next scan */
	bool again; /* something could not be taken yet, and nobody will say when it can be */
};

/*
 * The kernel's file times move in steps of some milliseconds, so a file that was changed just now could change once more and look the same. It is taken
 * when it is so old; what is written again and again in that time is one event.
 */
#define DIRECTORY_YOUNG_MS 25

/* Opens a directory that is reached through no symbolic link. Returns a descriptor, or -errno with *err set. */
int directory_open(const char *path, struct df_err *err) __attribute__((warn_unused_result));

/* Puts a name off for DIRECTORY_YOUNG_MS. */
void directory_put_off(struct directory *d, const char *name, bool complete);
/* Looks at those that were put off. */
void directory_take_young(struct directory *d);

/* A name that is there no more. Its mark is removed by directory_flush, or before the next event. */
void directory_gone(struct directory *d, const char *name);
void directory_flush(struct directory *d);

/* Looks at all files, and forgets those that are gone. */
void directory_scan(struct directory *d);

#endif
