/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly restore`: a state directory from a file that `dayfly backup` wrote. Unpacked beside its place, made durable, renamed: it is
 * there whole or not at all. What is there already is never touched.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct page restore_page = {"restore FILE",
	"Makes a state directory from what dayfly backup wrote. There must be none yet: move an\n"
	"old one away, or set DAYFLY_STATE. Then start the daemon.\n",
	1, 1, WORDS_FILES, NULL};

static int no_backup(const char *path, struct df_err *err)
{
	return df_err_set(err, -EINVAL, "%s is nothing that dayfly backup wrote", path);
}

static int archive_failed(struct archive *archive, const char *path, struct df_err *err)
{
	if (archive_errno(archive) == EILSEQ)
		return no_backup(path, err);
	return df_err_set(err, -EUCLEAN, "%s: %s", path, backup_why(archive));
}

/* The first member says what this is. */
static int check_header(struct archive *in, const char *path, struct df_err *err)
{
	struct archive_entry *entry;
	char text[BACKUP_HEADER_MAX];
	la_ssize_t length;
	json_t *json;
	json_int_t format;

	if (archive_read_next_header(in, &entry) != ARCHIVE_OK ||
		strcmp(archive_entry_pathname(entry), BACKUP_HEADER) != 0)
		return no_backup(path, err);
	length = archive_read_data(in, text, sizeof(text));
	json = length > 0 ? json_loadb(text, (size_t)length, 0, NULL) : NULL;
	format = json_integer_value(json_object_get(json, "format"));
	if (format > BACKUP_FORMAT)
		df_err_set(err, -EOPNOTSUPP,
			"%s was written by a newer dayfly (%s, format %lld; this one reads %d)",
			path, json_string_value(json_object_get(json, "version")),
			(long long)format, BACKUP_FORMAT);
	else if (format < 1)
		df_err_set(err, -EINVAL, "%s is damaged: its header makes no sense", path);
	json_decref(json);
	return err->code;
}

/* Files and directories below here, and second names of files; nothing that leads elsewhere. */
static int check_entry(struct archive_entry *entry, const char *path, struct df_err *err)
{
	const char *name = archive_entry_pathname(entry);
	mode_t type = archive_entry_filetype(entry);

	if (!name || (!archive_entry_hardlink(entry) && type != AE_IFREG && type != AE_IFDIR))
		return df_err_set(err, -EINVAL, "%s holds something that is no file: %s", path,
			name ? name : "(without a name)");
	/* Nobody else's business, whatever the archive says. */
	archive_entry_set_perm(entry, archive_entry_perm(entry) & 0700);
	return 0;
}

/* Either the archive is to blame, or the disk. */
static int extract_failed(struct archive *in, struct archive *out, const char *path,
	const char *member, struct df_err *err)
{
	struct archive *failed = archive_error_string(in) ? in : out;
	int number = archive_errno(failed);

	if (number > 0 && number != EILSEQ && number != EINVAL)
		return df_err_set(err, -number, "cannot unpack %s: %s", path, backup_why(failed));
	return df_err_set(err, -EUCLEAN, "%s is damaged, at %s: %s", path, member,
		backup_why(failed));
}

static int unpack(struct archive *in, const char *path, struct df_err *err)
{
	struct archive *out = archive_write_disk_new();
	struct archive_entry *entry;
	int error = check_header(in, path, err), got = ARCHIVE_OK;

	archive_write_disk_set_options(out,
		ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
			ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
			ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_TIME);
	while (!error && (got = archive_read_next_header(in, &entry)) == ARCHIVE_OK) {
		error = check_entry(entry, path, err);
		if (!error && archive_read_extract2(in, entry, out) != ARCHIVE_OK)
			error = extract_failed(in, out, path, archive_entry_pathname(entry), err);
	}
	if (!error && got != ARCHIVE_EOF)
		error = extract_failed(in, out, path, "its next member", err);
	if (archive_write_close(out) != ARCHIVE_OK && !error)
		error = archive_failed(out, path, err);
	archive_write_free(out);
	return error;
}

static int unpack_file(const char *path, struct df_err *err)
{
	struct archive *in = archive_read_new();
	int error = 0;

	if (!in)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (archive_read_support_format_tar(in) != ARCHIVE_OK ||
		archive_read_support_filter_zstd(in) != ARCHIVE_OK ||
		archive_read_open_filename(in, path, 1 << 16) != ARCHIVE_OK)
		error = archive_failed(in, path, err);
	if (!error)
		error = unpack(in, path, err);
	archive_read_free(in);
	return error;
}

/* `path` and `state` are absolute. */
static int restore(const char *path, const char *state, struct df_err *err)
{
	DF_FREE char *above = df_dir_name(state), *temporary = df_format("%s.XXXXXX", state);
	DF_CLOSE int directory = -1;
	int error;

	if (!above || !temporary)
		return df_err_set(err, -ENOMEM, "out of memory");
	/* An empty one is as good as none. */
	if (rmdir(state) < 0 && errno != ENOENT)
		return df_err_set(err, -EEXIST,
			"%s is there already; move it away, or set DAYFLY_STATE to another directory",
			state);
	error = df_make_dirs(above, 0700);
	if (error || !mkdtemp(temporary))
		return df_err_set(err, error ? error : -errno, "%s: %s", state,
			df_errno_text(error ? error : errno));
	directory = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || fchdir(directory) < 0)
		error = df_err_set(err, -errno, "%s: %s", temporary, df_errno_text(errno));
	if (!error)
		error = unpack_file(path, err);
	if (!error && access("state.db", F_OK) < 0)
		error = df_err_set(err, -EINVAL, "%s holds no functions", path);
	if (!error && (syncfs(directory) < 0 || rename(temporary, state) < 0))
		error = df_err_set(err, -errno, "%s: %s", state, df_errno_text(errno));
	(void)!chdir("/");
	if (error)
		df_remove_tree(temporary);
	return error;
}

int command_restore(int argc, char **argv)
{
	const struct flag_set sets[] = {{0}};
	struct df_err err = {0};
	int next, status = page_flags(&restore_page, sets, argc, argv, &next, &err);
	DF_FREE char *path = status ? NULL : df_path_absolute(argv[next]);
	DF_FREE char *place = status ? NULL : df_place_state();
	DF_FREE char *state = place ? df_path_absolute(place) : NULL;

	if (status)
		return page_end(status, &err);
	umask(077);
	if (!path || !state) {
		status = df_err_set(&err, CLI_FAILED, "%s: %s", argv[next], df_errno_text(errno));
	} else {
		progress_begin("reading", argv[next]);
		status = restore(path, state, &err) ? CLI_FAILED : CLI_OK;
		progress_end();
	}
	if (!status)
		printf("%s is restored; start the daemon: dayfly up\n", state);
	return page_end(status, &err);
}
