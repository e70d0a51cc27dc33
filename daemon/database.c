/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of the daemon: see database.h. */
#include "daemon/database.h"

#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

int database_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	default:
		return -EIO;
	}
}

int database_error(sqlite3 *database, const struct database_format *format, struct df_err *err)
{
	int code = database ? sqlite3_errcode(database) : SQLITE_NOMEM;

	if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		return df_err_set(err, -EINVAL,
			"%s's database, %s, is damaged, or is none: %s; restore it from a backup, or move its directory away",
			format->what, format->file, sqlite3_errmsg(database));
	return df_err_set(err, database_errno(code) ? database_errno(code) : -EIO,
		"cannot use %s's database, %s: %s", format->what, format->file,
		code == SQLITE_FULL ? df_errno_text(ENOSPC)
			: database  ? sqlite3_errmsg(database)
				    : "no memory");
}

int database_execute(sqlite3 *database, const struct database_format *format, const char *sql,
	struct df_err *err)
{
	return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK
		? 0
		: database_error(database, format, err);
}

int database_prepare(sqlite3 *database, const struct database_format *format, const char *sql,
	sqlite3_stmt **prepared, struct df_err *err)
{
	int code = sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, prepared, NULL);

	return code == SQLITE_OK ? 0 : database_error(database, format, err);
}

int database_ask(sqlite3 *database, const struct database_format *format, const char *sql,
	int64_t *first, int64_t *second, struct df_err *err)
{
	sqlite3_stmt *row = NULL;
	int code = sqlite3_prepare_v2(database, sql, -1, &row, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(row);
	if (code == SQLITE_ROW) {
		*first = sqlite3_column_int64(row, 0);
		if (second)
			*second = sqlite3_column_int64(row, 1);
	}
	sqlite3_finalize(row);
	if (code == SQLITE_DONE)
		return df_err_set(err, -EINVAL, "%s's database is damaged: a row is missing",
			format->what);
	return code == SQLITE_ROW ? 0 : database_error(database, format, err);
}

int database_connect(const char *path, const struct database_format *format, sqlite3 **database,
	struct df_err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, database, flags, NULL) != SQLITE_OK)
		return database_error(*database, format, err);
	sqlite3_busy_timeout(*database, 10000);
	return database_execute(*database, format,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA journal_size_limit = 67108864",
		err);
}

/* Runs statements, sets id and version, all or nothing. */
static int advance(sqlite3 *database, const struct database_format *format, const char *sql,
	struct df_err *err)
{
	DF_FREE char *all = df_format("BEGIN IMMEDIATE; %s PRAGMA application_id = %d;"
				      " PRAGMA user_version = %d; COMMIT",
		sql, format->application, format->version);

	return all ? database_execute(database, format, all, err)
		   : df_err_set(err, -ENOMEM, "out of memory");
}

static int check_format(sqlite3 *database, const struct database_format *format, struct df_err *err)
{
	int64_t application = 0, version = 0, tables = 0;
	int error =
		database_ask(database, format, "PRAGMA application_id", &application, NULL, err);

	if (error == 0)
		error = database_ask(database, format, "PRAGMA user_version", &version, NULL, err);
	if (error == 0)
		error = database_ask(database, format, "SELECT count(*) FROM sqlite_schema",
			&tables, NULL, err);
	if (error < 0)
		return error;
	if (application == format->application && version == format->version)
		return 0;
	if (application == format->application && version == 1 && format->migrate)
		return advance(database, format, format->migrate, err);
	if (application == format->application && version > format->version)
		return df_err_set(err, -EPROTONOSUPPORT,
			"%s (%s) was written by a newer dayflyd (schema %" PRId64
			", this one knows %d): use that one, or another --state",
			format->what, format->file, version, format->version);
	if (tables > 0 || application != 0)
		return df_err_set(err, -EINVAL, "%s is not %s of a dayflyd", format->file,
			format->what);
	return advance(database, format, format->schema, err);
}

/* Makes the file, for its mode; SQLite gives its other files the same one. Closed before SQLite opens it: see database_open. */
static int make_file(const char *path, struct df_err *err)
{
	DF_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? df_err_set(err, -errno, "cannot open %s: %s", path, df_errno_text(errno))
		      : 0;
}

int database_open(const char *path, const struct database_format *format, sqlite3 **database,
	struct df_err *err)
{
	int error = make_file(path, err);

	if (error == 0)
		error = database_connect(path, format, database, err);
	return error ? error : check_format(*database, format, err);
}
