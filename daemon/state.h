/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon remembers: a directory (0700) with one SQLite database, and files that are too large for it.
 *
 *	lock                        held by the daemon that uses the directory; another one is refused
 *	state.db                    functions, versions, aliases, settings (WAL, synchronous=FULL)
 *	socket                      the management face
 *	functions/REVISION.snapshot what is thawed (0600: it holds memory and environment)
 *	functions/REVISION.root     its root image
 *	logs/NAME/                  of functions, and the daemon's own (log_files.h)
 *	credentials, token          what clients sign with, and show (auth/)
 *	spool/                      bodies of requests that are being received; emptied at start
 *
 * The database's user_version is STATE_SCHEMA (database.h); others are refused.
 *
 * One connection, used under a lock of this module. Nothing here is in the path of a
 * synchronous event.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "daemon/function/function.h"

#include <sqlite3.h>

#define STATE_SCHEMA 1
#define STATE_APPLICATION 0x64666c79 /* "dfly", PRAGMA application_id */

/* Makes, locks, opens, migrates. Returns 0, -EBUSY (another daemon), or -errno, with *err set. */
int state_open(const char *directory, struct df_err *err) __attribute__((warn_unused_result));
void state_close(void);

/* Absolute; good until state_close. */
const char *state_directory(void);

/* "DIRECTORY/NAME", to be freed; NULL without memory. */
char *state_path(const char *name) __attribute__((warn_unused_result));

/* Puts every stored function and alias into the registry. One whose snapshot is missing, or of another version, is Pending (mend.h). Returns 0 or -EIO with *err set. */
int state_load(struct df_err *err) __attribute__((warn_unused_result));

/* Writes a function with its version, replacing the one of that version. Durable when it returns 0; -EIO with *err set. */
int state_put_function(const struct function *function, struct df_err *err)
	__attribute__((warn_unused_result));
/* One version, or with NULL the whole name with its aliases. */
int state_remove_function(const char *name, const char *version, struct df_err *err)
	__attribute__((warn_unused_result));

/* The number for the next published version of a name: never given twice. 0: the database failed. */
unsigned int state_next_version(const char *name);

int state_put_alias(const char *name, const struct alias *alias, struct df_err *err)
	__attribute__((warn_unused_result));
int state_remove_alias(const char *name, const char *alias, struct df_err *err)
	__attribute__((warn_unused_result));

/* A setting's text, to be freed; NULL: there is none. */
char *state_get_setting(const char *key) __attribute__((warn_unused_result));

/* Sets it, or removes it with NULL. Returns 0 or -EIO with *err set. */
int state_put_setting(const char *key, const char *value, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
