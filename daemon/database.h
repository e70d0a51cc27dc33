/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite database of the daemon's, as the queue and the object store have one: opened durably (write-ahead log, synchronised), known by
 * its application id, and refused if it is somebody else's or a newer dayflyd's.
 *
 * A connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX). All of these block on the disk.
 */
#ifndef DAEMON_DATABASE_H
#define DAEMON_DATABASE_H

#include "host/err.h"

#include <sqlite3.h>
#include <stdint.h>

struct database_format {
	const char *what; /* in messages: "the queue" */
	const char *file; /* in messages: "queue.db" */
	int application; /* PRAGMA application_id */
	int version; /* PRAGMA user_version */
	const char *schema; /* statements that make an empty database one of `version` */
	const char *migrate; /* statements that make version 1 into `version`, or NULL */
};

/* -errno for SQLite's result codes; 0 for OK, ROW and DONE. */
int database_errno(int code);

/* Says why the last call on a connection failed; returns -errno. `database` may be NULL: there was no memory for it. */
int database_error(sqlite3 *database, const struct database_format *format, struct df_err *err);

/*
 * Connects to the file at `path`, which is made if it is not there (0600), and makes or migrates what is in it. Closing any descriptor of
 * the file gives up SQLite's locks on it (fcntl(2)), so nothing else in the process may open it. -EINVAL: not one of ours;
 * -EPROTONOSUPPORT: of a newer dayflyd. After an error, too, *database is to be closed.
 */
int database_open(const char *path, const struct database_format *format, sqlite3 **database,
	struct df_err *err) __attribute__((warn_unused_result));

/* One more connection to a file that database_open has opened. After an error, too, *database is to be closed. */
int database_connect(const char *path, const struct database_format *format, sqlite3 **database,
	struct df_err *err) __attribute__((warn_unused_result));

/* Runs statements that yield nothing. */
int database_execute(sqlite3 *database, const struct database_format *format, const char *sql,
	struct df_err *err) __attribute__((warn_unused_result));

/* Prepares a statement that lives as long as the connection. */
int database_prepare(sqlite3 *database, const struct database_format *format, const char *sql,
	sqlite3_stmt **prepared, struct df_err *err) __attribute__((warn_unused_result));

/* The first number, and the second unless NULL, of a query's first row, which must be there: -EINVAL. */
int database_ask(sqlite3 *database, const struct database_format *format, const char *sql,
	int64_t *first, int64_t *second, struct df_err *err) __attribute__((warn_unused_result));

#endif
