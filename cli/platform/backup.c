/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly backup`: the state directory in a file, also while the daemon runs.
 *
 * The daemon writes a file before the row that names it, and removes it after that row. So while nobody can write to a database, the files
 * beside it are at least those that it names: they get second names in BACKUP_DIRECTORY, which takes no room and keeps them whatever the daemon does.
 * In that moment a reader of the database is begun, which sees it as it is then (WAL); the lock is given up, and the rest takes its time. No call
 * waits for that, no synchronous event at all.
 */
#include "cli/platform/backup.h"

#include "cli/platform/platform.h"
#include "cli/progress.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 30000

struct backup_options {
	bool no_snapshots, no_credentials;
};

static int set_no_snapshots(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct backup_options *)into)->no_snapshots = true;
	return 0;
}

static int set_no_credentials(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct backup_options *)into)->no_credentials = true;
	return 0;
}

static const struct flag backup_flags[] = {
	{"--no-snapshots", NULL, "leave snapshots out: they are frozen anew after a restore",
		set_no_snapshots},
	{"--no-credentials", NULL, "leave access key and token out", set_no_credentials},
	{0},
};

static const struct page backup_page = {"backup [--no-snapshots] [--no-credentials] FILE",
	"Writes all that dayflyd remembers to a file: functions, events, objects, images,\n"
	"results. It may run meanwhile. The file holds secrets; it is yours alone (0600).\n",
	1, 1, WORDS_FILES, NULL};

/* One at a time, so this may be the module's: what nftw's callback is told. */
static struct {
	const struct backup_options *options;
	size_t cut; /* of a path: what comes before the part below the state directory */
	struct df_err *err;
} linking;

/* --- second names --- */

static bool ends_with_any(const char *path, const char *const *endings)
{
	for (; *endings; endings++) {
		if (df_ends_with(path, *endings))
			return true;
	}
	return false;
}

/* Databases are copied; locks and what is half written are nobody's. */
static bool is_left_out(const char *path)
{
	static const char *const always[] = {".db", ".db-wal", ".db-shm", ".db-journal", "/lock",
		"/.lock", "/.index-lock", ".new", NULL};
	const char *name = df_base_name(path);

	if (linking.options->no_snapshots && df_ends_with(name, ".snapshot"))
		return true;
	return ends_with_any(path, always) || df_starts_with(name, ".writing-") ||
		df_starts_with(name, ".new-");
}

static int link_one(const char *path, const struct stat *now, int kind, struct FTW *place)
{
	const char *below = path + linking.cut;
	int done = 0;

	(void)place;
	if (kind == FTW_D)
		done = mkdir(below, 0700) < 0 && errno != EEXIST ? -1 : 0;
	else if (kind == FTW_F && S_ISREG(now->st_mode) && !is_left_out(path))
		done = link(path, below);
	/* It went while the directory was read: then nothing names it. */
	if (done < 0 && errno != ENOENT && errno != EEXIST)
		return df_err_set(linking.err, -errno, "%s: %s", path, df_errno_text(errno));
	return 0;
}

/* All files below STATE/NAME, as NAME in the current directory. One that is not there is no error. */
static int link_below(const char *state, const char *name, struct df_err *err)
{
	DF_FREE char *path = df_path_join(state, name);

	if (!path)
		return df_err_set(err, -ENOMEM, "out of memory");
	linking.cut = strlen(state) + 1;
	linking.err = err;
	if (access(path, F_OK) < 0)
		return 0;
	return nftw(path, link_one, 16, FTW_PHYS) ? err->code ? err->code : -EIO : 0;
}

/* --- databases --- */

static int database_failed(sqlite3 *database, const char *path, struct df_err *err)
{
	return df_err_set(err, -EIO, "%s: %s", path,
		database ? sqlite3_errmsg(database) : "out of memory");
}

static int open_database(const char *path, int flags, sqlite3 **database, struct df_err *err)
{
	if (sqlite3_open_v2(path, database, flags, NULL) != SQLITE_OK)
		return database_failed(*database, path, err);
	sqlite3_busy_timeout(*database, LOCK_WAIT_MS);
	return 0;
}

static int execute(sqlite3 *database, const char *path, const char *sql, struct df_err *err)
{
	return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK
		? 0
		: database_failed(database, path, err);
}

/* Links the files of the directories `names` (NULL at the end) while nobody writes, and leaves `reader` looking at that moment. */
static int link_with(const char *state, const char *path, const char *const *names, sqlite3 *reader,
	struct df_err *err)
{
	sqlite3 *locker = NULL;
	int error = open_database(path, SQLITE_OPEN_READWRITE, &locker, err);

	if (!error)
		error = execute(locker, path, "BEGIN IMMEDIATE", err);
	for (; !error && *names; names++)
		error = link_below(state, *names, err);
	if (!error)
		error = execute(reader, path, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
	sqlite3_close(locker);
	return error;
}

static int copy_database(sqlite3 *from, const char *path, const char *to, struct df_err *err)
{
	sqlite3 *made = NULL;
	sqlite3_backup *copy = NULL;
	int error = open_database(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &made, err);

	if (!error) {
		copy = sqlite3_backup_init(made, "main", from, "main");
		if (!copy || sqlite3_backup_step(copy, -1) != SQLITE_DONE)
			error = database_failed(made, path, err);
		sqlite3_backup_finish(copy);
	}
	/* One file, without a log beside it. */
	if (!error)
		error = execute(made, to, "PRAGMA journal_mode=DELETE", err);
	if (sqlite3_close(made) != SQLITE_OK && !error)
		error = df_err_set(err, -EIO, "%s: it cannot be closed", to);
	return error;
}

/* A database `name` of the state, and the files that it names. */
static int collect_database(const char *state, const char *name, const char *const *names,
	struct df_err *err)
{
	DF_FREE char *path = df_path_join(state, name);
	sqlite3 *reader = NULL;
	int error;

	if (!path)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0)
		return 0;
	error = open_database(path, SQLITE_OPEN_READWRITE, &reader, err);
	if (!error)
		error = link_with(state, path, names, reader, err);
	if (!error)
		error = copy_database(reader, path, name, err);
	sqlite3_close(reader);
	return error;
}

/* Images: garbage is not collected meanwhile. */
static int collect_images(const char *state, struct df_err *err)
{
	DF_FREE char *path = df_path_join(state, "images/.lock");
	DF_CLOSE int lock = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (lock >= 0 && flock(lock, LOCK_SH) < 0)
		return df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	return link_below(state, "images", err);
}

static int collect(const char *state, const struct backup_options *options, struct df_err *err)
{
	static const char *const functions[] = {"functions", NULL},
				 *const queue[] = {"queue", NULL},
				 *const objects[] = {"objects", NULL};
	int error;

	linking.options = options;
	error = collect_database(state, "state.db", functions, err);
	if (!error)
		error = collect_database(state, "queue/queue.db", queue, err);
	if (!error)
		error = collect_database(state, "objects/objects.db", objects, err);
	if (!error)
		error = collect_images(state, err);
	if (!error)
		error = link_below(state, "results", err);
	if (!error && !options->no_credentials)
		error = link_below(state, "credentials", err);
	if (!error && !options->no_credentials)
		error = link_below(state, "token", err);
	return error;
}

/* --- the archive --- */

/* The library's numbers of its own are negative, or EILSEQ for a format that it does not know. */
const char *backup_why(struct archive *archive)
{
	const char *text = archive_error_string(archive);
	int number = archive_errno(archive);

	if (number > 0 && number != EILSEQ && number != EINVAL)
		return df_errno_text(number);
	return text ? text : "no reason is known";
}

static int archive_failed(struct archive *archive, const char *path, struct df_err *err)
{
	int number = archive_errno(archive);

	return df_err_set(err, number > 0 ? -number : -EIO, "%s: %s", path, backup_why(archive));
}

static int write_header(struct archive *out, const char *path, const struct backup_options *options,
	struct df_err *err)
{
	struct archive_entry *entry = archive_entry_new();
	json_t *json = json_pack("{s:i, s:s, s:I, s:b, s:b}", "format", BACKUP_FORMAT, "version",
		DAYFLY_VERSION, "made_s", (json_int_t)time(NULL), "snapshots",
		!options->no_snapshots, "credentials", !options->no_credentials);
	DF_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int error = 0;

	json_decref(json);
	if (!entry || !text) {
		archive_entry_free(entry);
		return df_err_set(err, -ENOMEM, "out of memory");
	}
	archive_entry_set_pathname(entry, BACKUP_HEADER);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)strlen(text));
	if (archive_write_header(out, entry) != ARCHIVE_OK ||
		archive_write_data(out, text, strlen(text)) < 0)
		error = archive_failed(out, path, err);
	archive_entry_free(entry);
	return error;
}

static int write_data(struct archive *disk, struct archive *out, const char *path,
	struct df_err *err)
{
	const void *block;
	la_int64_t offset, at = 0;
	size_t length;
	int got;

	while ((got = archive_read_data_block(disk, &block, &length, &offset)) == ARCHIVE_OK) {
		static const char zeros[4096];

		/* The format keeps holes; what is written counts data alone unless it does not. */
		for (; at < offset; at += (la_int64_t)sizeof(zeros)) {
			size_t part = offset - at < (la_int64_t)sizeof(zeros)
				? (size_t)(offset - at)
				: sizeof(zeros);

			if (archive_write_data(out, zeros, part) < 0)
				return archive_failed(out, path, err);
			if (part < sizeof(zeros))
				break;
		}
		if (archive_write_data(out, block, length) < 0)
			return archive_failed(out, path, err);
		at = offset + (la_int64_t)length;
	}
	return got == ARCHIVE_EOF ? 0 : archive_failed(disk, path, err);
}

static int write_entry(struct archive *disk, struct archive *out, struct archive_entry *entry,
	const char *path, struct df_err *err)
{
	if (archive_write_header(out, entry) != ARCHIVE_OK)
		return archive_failed(out, path, err);
	return archive_entry_size(entry) > 0 && !archive_entry_hardlink(entry)
		? write_data(disk, out, path, err)
		: 0;
}

/* All of the current directory. Files with several names are written once. */
static int write_files(struct archive *out, const char *path, struct df_err *err)
{
	struct archive_entry_linkresolver *links = archive_entry_linkresolver_new();
	struct archive *disk = archive_read_disk_new();
	int error = 0, got = ARCHIVE_OK;

	archive_entry_linkresolver_set_strategy(links, archive_format(out));
	if (archive_read_disk_open(disk, ".") != ARCHIVE_OK)
		error = archive_failed(disk, path, err);
	while (!error) {
		struct archive_entry *entry = archive_entry_new(), *spare = NULL;

		got = entry ? archive_read_next_header2(disk, entry) : ARCHIVE_FATAL;
		if (got == ARCHIVE_OK) {
			(void)archive_read_disk_descend(disk);
			archive_entry_linkify(links, &entry, &spare);
			error = write_entry(disk, out, entry, path, err);
		}
		archive_entry_free(entry);
		archive_entry_free(spare);
		if (got != ARCHIVE_OK)
			break;
	}
	if (!error && got != ARCHIVE_EOF)
		error = archive_failed(disk, path, err);
	archive_read_free(disk);
	archive_entry_linkresolver_free(links);
	return error;
}

static int write_archive(int fd, const char *path, const struct backup_options *options,
	struct df_err *err)
{
	struct archive *out = archive_write_new();
	int error = 0;

	if (!out)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (archive_write_set_format_pax_restricted(out) != ARCHIVE_OK ||
		archive_write_add_filter_zstd(out) != ARCHIVE_OK ||
		archive_write_set_filter_option(out, "zstd", "compression-level", "3") !=
			ARCHIVE_OK ||
		archive_write_open_fd(out, fd) != ARCHIVE_OK)
		error = archive_failed(out, path, err);
	if (!error)
		error = write_header(out, path, options, err);
	if (!error)
		error = write_files(out, path, err);
	if (archive_write_close(out) != ARCHIVE_OK && !error)
		error = archive_failed(out, path, err);
	archive_write_free(out);
	if (!error && fsync(fd) < 0)
		error = df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	return error;
}

/* --- the whole --- */

/* The directory for second names, made anew, as the current one. *lock: there is one backup at a time. */
static int enter(const char *state, char **directory, int *lock, struct df_err *err)
{
	*lock = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return df_err_set(err, -errno, "%s: %s; there is nothing to back up", state,
			df_errno_text(errno));
	if (flock(*lock, LOCK_EX | LOCK_NB) < 0)
		return df_err_set(err, -EBUSY, "another dayfly backup of %s runs", state);
	*directory = df_path_join(state, BACKUP_DIRECTORY);
	if (!*directory)
		return df_err_set(err, -ENOMEM, "out of memory");
	df_remove_tree(*directory);
	if (mkdir(*directory, 0700) < 0 || chdir(*directory) < 0 || mkdir("queue", 0700) < 0 ||
		mkdir("objects", 0700) < 0)
		return df_err_set(err, -errno, "%s: %s", *directory, df_errno_text(errno));
	return 0;
}

/* `path` is absolute. Written beside it first. */
static int back_up(const char *state, const char *path, const struct backup_options *options,
	struct df_err *err)
{
	DF_FREE char *temporary = df_format("%s.XXXXXX", path);
	DF_FREE char *directory = NULL;
	DF_CLOSE int lock = -1, fd = temporary ? mkostemp(temporary, O_CLOEXEC) : -1;
	int error;

	if (fd < 0)
		return df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	error = enter(state, &directory, &lock, err);
	if (!error)
		error = collect(state, options, err);
	if (!error)
		error = write_archive(fd, path, options, err);
	if (!error && rename(temporary, path) < 0)
		error = df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	if (error)
		unlink(temporary);
	(void)!chdir("/");
	if (directory)
		df_remove_tree(directory);
	return error;
}

int command_backup(int argc, char **argv)
{
	struct backup_options options = {.no_snapshots = false};
	const struct flag_set sets[] = {{backup_flags, &options}, {0}};
	struct df_err err = {0};
	int next, status = page_flags(&backup_page, sets, argc, argv, &next, &err);
	DF_FREE char *path = status ? NULL : df_path_absolute(argv[next]);
	DF_FREE char *place = status ? NULL : df_place_state();
	DF_FREE char *state = place ? df_path_absolute(place) : NULL;
	struct stat now;

	if (status)
		return page_end(status, &err);
	umask(077);
	if (!path || !state) {
		status = df_err_set(&err, CLI_FAILED, "%s: %s", argv[next], df_errno_text(errno));
	} else {
		progress_begin("writing", argv[next]);
		status = back_up(state, path, &options, &err) ? CLI_FAILED : CLI_OK;
		progress_end();
	}
	if (!status && stat(path, &now) == 0)
		printf("%s: %.1f MiB%s\n", argv[next], (double)now.st_size / (1 << 20),
			options.no_credentials ? "" : ", with the access key; keep it to yourself");
	return page_end(status, &err);
}
