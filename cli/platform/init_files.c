/* SPDX-License-Identifier: Apache-2.0 */
/* Files for a new manifest: see init_files.h. */
#include "cli/platform/init_files.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 200
#define PRIVATE_MAX 20

static int list_add(struct manifest_list *list, const char *text)
{
	char **items = realloc(list->items, (list->count + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = strdup(text);
	if (!items[list->count])
		return -ENOMEM;
	items[++list->count] = NULL;
	return 0;
}

static bool list_has(const struct manifest_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], text) == 0)
			return true;
	}
	return false;
}

void init_files_deinit(struct init_files *files)
{
	for (size_t i = 0; i < files->private.count; i++)
		free(files->private.items[i]);
	free(files->private.items);
	*files = (struct init_files){.added = 0};
}

/* --- one path --- */

/* What the kernel makes itself, what is every guest's own, and what concerns the host alone. */
static bool is_of_no_use(const char *guest)
{
	static const char *const below[] = {"/proc/", "/sys/", "/dev/", "/run/", "/var/run/"};

	for (size_t i = 0; i < sizeof(below) / sizeof(*below); i++) {
		if (df_starts_with(guest, below[i]))
			return true;
	}
	return strcmp(guest, "/") == 0 || strcmp(guest, "/etc/ld.so.preload") == 0 ||
		strstr(guest, "/..") || strpbrk(guest, "\n:");
}

/* The guest's path as an absolute one, for the caller to free; NULL without memory. */
static char *guest_path(const struct manifest *m, const char *path)
{
	char *guest = *path == '/' ? strdup(path) : df_path_join(m->workdir, path);

	if (guest)
		df_path_clean(guest);
	return guest;
}

/* The argument that means this path of the guest ("data.csv", "--data=data.csv"), or NULL. */
static const char *argument_for(const struct manifest *m, const char *guest)
{
	for (size_t i = 1; i < m->command.count; i++) {
		const char *word = m->command.items[i], *equals = strchr(word, '=');

		for (const char *at = word; at; at = at == word && equals ? equals + 1 : NULL) {
			DF_FREE char *path = *at ? guest_path(m, at) : NULL;

			if (path && strcmp(path, guest) == 0)
				return at;
		}
	}
	return NULL;
}

/*
 * Where the host has it: where the argument says, seen from here; at the same path; or, since the program might have been started in
 * this directory, at the path that it has from the working directory on. NULL: nowhere.
 */
static const char *host_path(const struct manifest *m, const char *guest, const char *argument,
	struct stat *now)
{
	size_t skip = strcmp(m->workdir, "/") == 0 ? 0 : strlen(m->workdir);

	if (argument && stat(argument, now) == 0)
		return argument;
	if (stat(guest, now) == 0)
		return guest;
	if (strncmp(guest, m->workdir, skip) == 0 && guest[skip] == '/' && guest[skip + 1] &&
		stat(guest + skip + 1, now) == 0)
		return guest + skip + 1;
	return NULL;
}

/* Below a dotted directory of somebody's home, or not for everybody to read. */
static bool is_private(const char *host, const struct stat *now)
{
	const char *home = getenv("HOME");
	size_t length = home ? strlen(home) : 0;

	if (length > 1 && strncmp(host, home, length) == 0 && df_starts_with(host + length, "/."))
		return true;
	return !(now->st_mode & S_IROTH);
}

/* 1: added. */
static int consider(struct init_files *files, struct manifest *m, const char *path)
{
	DF_FREE char *guest = guest_path(m, path);
	DF_FREE char *entry = NULL;
	const char *argument, *host;
	struct stat now;
	int error;

	if (!guest)
		return -ENOMEM;
	if (is_of_no_use(guest) || m->files.count >= FILES_MAX)
		return 0;
	argument = argument_for(m, guest);
	host = host_path(m, guest, argument, &now);
	/* A directory that nobody has named may be anything, and large. */
	if (!host || !(S_ISREG(now.st_mode) || (S_ISDIR(now.st_mode) && argument)))
		return 0;
	if (!argument && is_private(host, &now)) {
		if (files->private.count < PRIVATE_MAX && !list_has(&files->private, host))
			return list_add(&files->private, host);
		return 0;
	}
	entry = strcmp(host, guest) == 0 ? strdup(guest) : df_format("%s:%s", host, guest);
	if (!entry)
		return -ENOMEM;
	if (strpbrk(host, ":\n") || list_has(&m->files, entry))
		return 0;
	error = list_add(&m->files, entry);
	return error ? error : 1;
}

int init_files_add(struct init_files *files, struct manifest *m, char *const *missing, size_t count)
{
	int added = 0;

	for (size_t i = 0; i < count; i++) {
		int result = consider(files, m, missing[i]);

		if (result < 0)
			return result;
		added += result;
	}
	files->added += (size_t)added;
	return added;
}

/* --- short paths --- */

static void shorten(char **text, const char *here)
{
	size_t length = strlen(here);
	char *shorter;

	if (!*text || strncmp(*text, here, length) != 0 || (*text)[length] != '/')
		return;
	shorter = df_format("./%s", *text + length + 1);
	if (!shorter)
		return;
	free(*text);
	*text = shorter;
}

void init_files_shorten(struct manifest *m)
{
	DF_FREE char *here = getcwd(NULL, 0);

	if (!here || strcmp(here, "/") == 0)
		return;
	shorten(&m->root, here);
	for (size_t i = 0; i < m->files.count; i++)
		shorten(&m->files.items[i], here);
}
