/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon remembers: see state.h. */
#include "daemon/state.h"

#include "daemon/database.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <dayfly/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char schema[] =
	"CREATE TABLE functions(name TEXT PRIMARY KEY, next_version INTEGER NOT NULL) STRICT;"
	"CREATE TABLE versions("
	" name TEXT NOT NULL REFERENCES functions(name) ON DELETE CASCADE,"
	" version TEXT NOT NULL, revision TEXT NOT NULL, active INTEGER NOT NULL, reason TEXT,"
	" modified_ms INTEGER NOT NULL, wait_point TEXT NOT NULL, boot_ns INTEGER NOT NULL,"
	" snapshot_bytes INTEGER NOT NULL, event_pages INTEGER NOT NULL,"
	" code_bytes INTEGER NOT NULL, config TEXT NOT NULL,"
	" PRIMARY KEY(name, version)) STRICT;"
	"CREATE TABLE aliases("
	" name TEXT NOT NULL REFERENCES functions(name) ON DELETE CASCADE,"
	" alias TEXT NOT NULL, version TEXT NOT NULL, second TEXT NOT NULL, weight REAL NOT NULL,"
	" revision TEXT NOT NULL, description TEXT, PRIMARY KEY(name, alias)) STRICT;"
	"CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;";

static const struct database_format format = {.what = "the state",
	.file = "state.db",
	.application = STATE_APPLICATION,
	.version = STATE_SCHEMA,
	.schema = schema};

static struct {
	char *directory;
	int lock_fd;
	pthread_mutex_t lock;
	/* protected by lock: */
	sqlite3 *database;
} state = {.lock_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

const char *state_directory(void)
{
	return state.directory;
}

char *state_path(const char *name)
{
	return df_path_join(state.directory, name);
}

/* --- the database --- */

static int failed(struct df_err *err)
{
	return database_error(state.database, &format, err);
}

static int execute(const char *sql, struct df_err *err)
{
	return database_execute(state.database, &format, sql, err);
}

static int open_database(struct df_err *err)
{
	DF_FREE char *path = state_path("state.db");
	int error = path ? database_open(path, &format, &state.database, err)
			 : df_err_set(err, -ENOMEM, "out of memory");

	return error ? error : execute("PRAGMA foreign_keys = ON", err);
}

/* --- the directory --- */

static int make_directory(const char *name, struct df_err *err)
{
	DF_FREE char *path = state_path(name);

	if (!path || (mkdir(path, 0700) < 0 && errno != EEXIST))
		return df_err_set(err, -errno, "%s: %s", path ? path : name, df_errno_text(errno));
	return 0;
}

static int take_lock(struct df_err *err)
{
	DF_FREE char *path = state_path("lock");

	state.lock_fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (state.lock_fd < 0)
		return df_err_set(err, -errno, "%s: %s", path ? path : "lock",
			df_errno_text(errno));
	if (flock(state.lock_fd, LOCK_EX | LOCK_NB) < 0)
		return df_err_set(err, -EBUSY,
			"another dayflyd uses %s; stop it, or choose another --state",
			state.directory);
	return 0;
}

static int prepare_directory(const char *directory, struct df_err *err)
{
	struct stat now;
	int error = df_make_dirs(directory, 0700);

	if (!error)
		state.directory = realpath(directory, NULL);
	if (error || !state.directory)
		return df_err_set(err, error ? error : -errno,
			"cannot use the state directory %s: %s", directory,
			df_errno_text(error ? error : errno));
	if (stat(state.directory, &now) < 0 || now.st_uid != geteuid())
		return df_err_set(err, -EPERM, "%s belongs to another user", state.directory);
	if ((now.st_mode & 077) && chmod(state.directory, 0700) < 0)
		return df_err_set(err, -errno, "%s must have mode 0700: %s", state.directory,
			df_errno_text(errno));
	return 0;
}

int state_open(const char *directory, struct df_err *err)
{
	int error = prepare_directory(directory, err);

	if (!error)
		error = take_lock(err);
	if (!error)
		error = make_directory("functions", err);
	if (!error)
		error = make_directory("spool", err);
	if (!error)
		error = open_database(err);
	if (error)
		state_close();
	return error;
}

void state_close(void)
{
	sqlite3_close(state.database);
	state.database = NULL;
	df_cleanup_fd(&state.lock_fd);
	state.lock_fd = -1;
	free(state.directory);
	state.directory = NULL;
}

/* --- statements: texts and numbers in the order of the question marks --- */

/* `types` has a letter for each value: t text (NULL allowed), n number, r real. */
static bool bind(sqlite3_stmt *statement, const char *types, va_list values)
{
	int bad = 0;

	for (int i = 1; *types; types++, i++) {
		if (*types == 't')
			bad |= sqlite3_bind_text(statement, i, va_arg(values, const char *), -1,
				SQLITE_TRANSIENT);
		else if (*types == 'n')
			bad |= sqlite3_bind_int64(statement, i, va_arg(values, sqlite3_int64));
		else
			bad |= sqlite3_bind_double(statement, i, va_arg(values, double));
	}
	return bad == 0;
}

/* Runs one statement that has no rows. With the lock. */
static int change(struct df_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *statement = NULL;
	int error = 0;
	va_list values;

	va_start(values, types);
	if (sqlite3_prepare_v2(state.database, sql, -1, &statement, NULL) != SQLITE_OK ||
		!bind(statement, types, values) || sqlite3_step(statement) != SQLITE_DONE)
		error = failed(err);
	va_end(values);
	sqlite3_finalize(statement);
	return error;
}

static int begin(struct df_err *err)
{
	return execute("BEGIN IMMEDIATE", err);
}

/* Commits, or rolls back after an error. */
static int finish(int error, struct df_err *err)
{
	if (!error)
		error = execute("COMMIT", err);
	if (error)
		(void)sqlite3_exec(state.database, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

int state_put_function(const struct function *f, struct df_err *err)
{
	json_t *json = function_config_json(f->config, SECRETS_WHOLE);
	DF_FREE char *config = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int error;

	json_decref(json);
	if (!config)
		return df_err_set(err, -ENOMEM, "out of memory");
	pthread_mutex_lock(&state.lock);
	error = begin(err);
	if (!error)
		error = finish(change(err, "INSERT OR IGNORE INTO functions VALUES(?, 1)", "t",
				       f->config->name) ||
					change(err,
						"INSERT OR REPLACE INTO versions VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
						"tttntntnnnnt", f->config->name, f->version,
						f->revision,
						(sqlite3_int64)(f->state == FUNCTION_ACTIVE),
						f->reason, (sqlite3_int64)f->modified_ms,
						f->wait_point, (sqlite3_int64)f->boot_ns,
						(sqlite3_int64)f->snapshot_bytes,
						(sqlite3_int64)f->event_pages,
						(sqlite3_int64)f->code_bytes, config)
				? -EIO
				: 0,
			err);
	pthread_mutex_unlock(&state.lock);
	return error;
}

int state_remove_function(const char *name, const char *version, struct df_err *err)
{
	int error;

	pthread_mutex_lock(&state.lock);
	error = version ? change(err, "DELETE FROM versions WHERE name=? AND version=?", "tt", name,
				  version)
			: change(err, "DELETE FROM functions WHERE name=?", "t", name);
	pthread_mutex_unlock(&state.lock);
	return error;
}

unsigned int state_next_version(const char *name)
{
	sqlite3_stmt *statement = NULL;
	unsigned int number = 0;

	pthread_mutex_lock(&state.lock);
	if (sqlite3_prepare_v2(state.database,
		    "UPDATE functions SET next_version=next_version+1 WHERE name=? "
		    "RETURNING next_version-1",
		    -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		number = (unsigned int)sqlite3_column_int64(statement, 0);
	if (number && sqlite3_step(statement) != SQLITE_DONE)
		number = 0;
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&state.lock);
	return number;
}

int state_put_alias(const char *name, const struct alias *alias, struct df_err *err)
{
	int error;

	pthread_mutex_lock(&state.lock);
	error = change(err, "INSERT OR REPLACE INTO aliases VALUES(?,?,?,?,?,?,?)", "ttttrtt", name,
		alias->name, alias->version, alias->second, alias->weight, alias->revision,
		alias->description);
	pthread_mutex_unlock(&state.lock);
	return error;
}

int state_remove_alias(const char *name, const char *alias, struct df_err *err)
{
	int error;

	pthread_mutex_lock(&state.lock);
	error = change(err, "DELETE FROM aliases WHERE name=? AND alias=?", "tt", name, alias);
	pthread_mutex_unlock(&state.lock);
	return error;
}

char *state_get_setting(const char *key)
{
	sqlite3_stmt *statement = NULL;
	char *value = NULL;

	pthread_mutex_lock(&state.lock);
	if (sqlite3_prepare_v2(state.database, "SELECT value FROM settings WHERE key=?", -1,
		    &statement, NULL) == SQLITE_OK &&
		sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		value = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	pthread_mutex_unlock(&state.lock);
	return value;
}

int state_put_setting(const char *key, const char *value, struct df_err *err)
{
	int error;

	pthread_mutex_lock(&state.lock);
	error = value ? change(err, "INSERT OR REPLACE INTO settings VALUES(?,?)", "tt", key, value)
		      : change(err, "DELETE FROM settings WHERE key=?", "t", key);
	pthread_mutex_unlock(&state.lock);
	return error;
}

/* --- loading --- */

static const char *column(sqlite3_stmt *row, int index)
{
	const char *text = (const char *)sqlite3_column_text(row, index);

	return text ? text : "";
}

/* Can this version thaw it? The rest of it is checked when it is. */
static bool is_usable(const char *path)
{
	DF_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct df_snapshot header;

	return fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
		header.magic == DF_SNAPSHOT_MAGIC && header.version == DF_SNAPSHOT_VERSION &&
		header.abi_version == DF_ABI_VERSION;
}

static void find_files(struct function *function)
{
	DF_FREE char *snapshot = df_format("functions/%s.snapshot", function->revision);
	DF_FREE char *root = df_format("functions/%s.root", function->revision);

	function->snapshot_path = snapshot ? state_path(snapshot) : NULL;
	function->root_path = root ? state_path(root) : NULL;
	if (!function->root_path || access(function->root_path, R_OK) < 0) {
		function->state = FUNCTION_FAILED;
		function->reason = strdup("its root image is missing; deploy it again");
	} else if (function->config->mode == FUNCTION_SERVICE) {
		free(function->snapshot_path);
		function->snapshot_path = NULL;
	} else if (!function->snapshot_path || !is_usable(function->snapshot_path)) {
		/* mend.h does it. */
		function->state = FUNCTION_PENDING;
		function->reason = strdup("it is frozen anew");
	}
}

static int load_version(sqlite3_stmt *row, struct df_err *err)
{
	json_t *json = json_loads(column(row, 11), JSON_REJECT_DUPLICATES, NULL);
	struct function_config *config;
	struct function *function;
	struct tally *tally;
	int error = function_config_parse(column(row, 0), json, &config, err);

	json_decref(json);
	if (error)
		return df_err_set(err, error, "%s/state.db: the function %s makes no sense",
			state.directory, column(row, 0));
	tally = tally_get(config->name);
	function = tally ? function_new(config, tally) : NULL;
	tally_unref(tally);
	if (!function)
		return df_err_set(err, -ENOMEM, "out of memory");
	strncpy(function->version, column(row, 1), sizeof(function->version) - 1);
	strncpy(function->revision, column(row, 2), sizeof(function->revision) - 1);
	function->state = sqlite3_column_int(row, 3) ? FUNCTION_ACTIVE : FUNCTION_FAILED;
	function->reason = *column(row, 4) ? strdup(column(row, 4)) : NULL;
	function->modified_ms = (uint64_t)sqlite3_column_int64(row, 5);
	strncpy(function->wait_point, column(row, 6), sizeof(function->wait_point) - 1);
	function->boot_ns = (uint64_t)sqlite3_column_int64(row, 7);
	function->snapshot_bytes = (uint64_t)sqlite3_column_int64(row, 8);
	function->event_pages = (uint64_t)sqlite3_column_int64(row, 9);
	function->code_bytes = (uint64_t)sqlite3_column_int64(row, 10);
	if (function->state == FUNCTION_ACTIVE)
		find_files(function);
	error = registry_put(function);
	function_unref(function);
	return error ? df_err_set(err, error, "out of memory") : 0;
}

static int load_alias(sqlite3_stmt *row, struct df_err *err)
{
	struct alias alias = {.weight = sqlite3_column_double(row, 4)};

	strncpy(alias.name, column(row, 1), sizeof(alias.name) - 1);
	strncpy(alias.version, column(row, 2), sizeof(alias.version) - 1);
	strncpy(alias.second, column(row, 3), sizeof(alias.second) - 1);
	strncpy(alias.revision, column(row, 5), sizeof(alias.revision) - 1);
	alias.description = *column(row, 6) ? (char *)column(row, 6) : NULL;
	if (registry_put_alias(column(row, 0), &alias))
		log_line(LOG_LEVEL_WARNING, "the alias %s of %s points to nothing", alias.name,
			column(row, 0));
	(void)err;
	return 0;
}

static int load_rows(const char *sql, int (*load)(sqlite3_stmt *row, struct df_err *err),
	struct df_err *err)
{
	sqlite3_stmt *statement = NULL;
	int error = 0, step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(state.database, sql, -1, &statement, NULL) == SQLITE_OK) {
		while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW)
			error = load(statement, err);
	}
	if (!error && step != SQLITE_DONE)
		error = failed(err);
	sqlite3_finalize(statement);
	return error;
}

/* Files that no function has: of a deploy that was cut short. */
static void sweep(void)
{
	DF_FREE char *path = state_path("functions");
	DF_CLOSEDIR DIR *directory = path ? opendir(path) : NULL;
	struct function **all = registry_list(NULL);
	const struct dirent *entry;

	while (all && directory && (entry = readdir(directory))) {
		bool known = entry->d_name[0] == '.' || strlen(entry->d_name) < 36;

		for (size_t i = 0; all[i] && !known; i++)
			known = !df_ends_with(entry->d_name, ".new") &&
				strncmp(entry->d_name, all[i]->revision, 36) == 0;
		if (!known)
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	}
	registry_list_free(all);
}

/* Bodies and code that were being received. */
static void empty_spool(void)
{
	DF_FREE char *path = state_path("spool");
	DF_CLOSEDIR DIR *directory = path ? opendir(path) : NULL;
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	}
}

int state_load(struct df_err *err)
{
	int error;

	pthread_mutex_lock(&state.lock);
	error = load_rows("SELECT * FROM versions", load_version, err);
	if (!error)
		error = load_rows("SELECT * FROM aliases", load_alias, err);
	pthread_mutex_unlock(&state.lock);
	if (!error) {
		sweep();
		empty_spool();
	}
	return error;
}
