/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that any program may expect to find: gather_base() and gather_directories() of gather.h.
 *
 * Users, groups and host names are generated instead of copied: a program that looks up root or nobody gets the
 * answer it gets on Debian, and the host's accounts stay private.
 */
#include "image/gather.h"

#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *path, *text;
} generated[] = {
	{"/etc/passwd",
		"root:x:0:0:root:/root:/bin/sh\n"
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"/etc/group",
		"root:x:0:\n"
		"nogroup:x:65534:\n"},
	{"/etc/hosts",
		"127.0.0.1\tlocalhost\n"
		"::1\tlocalhost ip6-localhost ip6-loopback\n"},
	{"/etc/nsswitch.conf",
		"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
		"networks: files\nprotocols: files\nservices: files\n"},
};

static const struct {
	const char *path;
	uint32_t mode;
} directories[] = {
	{"/tmp", 01777},
	{"/dev", 0755},
	{"/proc", 0555},
	{"/root", 0700},
	{"/var", 0755},
	{"/var/tmp", 01777},
	{"/run", 0755},
};

/* Taken from the host when they are there, with the links on the way. */
static const char *const copied[] = {
	"/etc/localtime",
	"/etc/ssl/certs/ca-certificates.crt",
};

/* A host file that is nice to have. That it is missing is remembered, so that its arrival is noticed. */
static int gather_optional(struct gather *g, const char *path)
{
	int error = gather_host_path(g, path, WATCH_ALL, NULL, NULL);

	if (error == -ENOENT || error == -ENOTDIR)
		return gather_watch(g, path, NULL);
	/* Not readable, a device, a loop: then the guest has none. */
	return error == -ENOMEM ? error : 0;
}

/* TZ=Europe/Berlin or TZ=:Europe/Berlin names a file; TZ=CET-1CEST does not. */
static int gather_time_zone(struct gather *g, const char *zone)
{
	DF_FREE char *path = NULL;

	if (*zone == ':')
		zone++;
	if (*zone == '\0' || strstr(zone, ".."))
		return 0;
	if (*zone == '/')
		return gather_optional(g, zone);
	path = df_format("/usr/share/zoneinfo/%s", zone);
	return path ? gather_optional(g, path) : -ENOMEM;
}

int gather_base(struct gather *g)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]) && !error; i++)
		error = tree_add_text(&g->tree, generated[i].path, generated[i].text);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]) && !error; i++)
		error = gather_optional(g, copied[i]);
	if (!error && g->options.time_zone)
		error = gather_time_zone(g, g->options.time_zone);
	if (error)
		return df_err_set(g->err, error, "gathering the base files failed: %s",
			df_errno_text(error));
	return 0;
}

int gather_directories(struct gather *g)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]) && !error; i++)
		error = tree_ensure_dir(&g->tree, directories[i].path, directories[i].mode);
	if (error)
		return df_err_set(g->err, error, "adding the base directories failed: %s",
			df_errno_text(error));
	return 0;
}
