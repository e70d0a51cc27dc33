/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest with a network needs in its root: see program_add_net in program.h. */
#include "cli/program.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A file of ours for the guest's root, in the cache beside the images. */
static int add_file(struct program_options *options, const char *name, const char *guest,
	const char *text)
{
	DF_FREE char *roots = roots_directory();
	DF_FREE char *folder = roots ? df_path_join(roots, "../net") : NULL;
	char *path = folder ? df_path_join(folder, name) : NULL;
	DF_CLOSE int fd = -1;
	struct stat now;

	if (!path || options->file_count >= PROGRAM_LIST_MAX)
		return -ENOMEM;
	if (stat(path, &now) < 0) {
		if (df_make_dirs(folder, 0700) < 0)
			return -errno;
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || df_write(fd, text, strlen(text)) < 0)
			return -errno;
	}
	options->files[options->file_count++] = (struct root_file){path, strdup(guest)};
	return 0;
}

#define NAME_SERVER "10.0.2.3" /* DF_NET_DNS */

static int add_resolv_conf(struct program_options *options, const char *name_server)
{
	DF_FREE char *name = df_format("resolv.conf-%s", name_server);
	DF_FREE char *text = *name_server ? df_format("nameserver %s\n", name_server)
					  : strdup("# there is no name server\n");

	return name && text ? add_file(options, name, "/etc/resolv.conf", text) : -ENOMEM;
}

int program_add_net(struct program_options *options, const char *name_server, struct df_err *err)
{
	int error;

	options->features[FEATURE_NET] = true;
	/* A prepared root brings its own. */
	if (options->root || !options->features[FEATURE_FILES])
		return 0;
	error = add_resolv_conf(options, name_server ? name_server : NAME_SERVER);
	if (error == 0)
		error = add_file(options, "hosts", "/etc/hosts",
			"127.0.0.1 localhost\n::1 localhost\n");
	return error ? df_err_set(err, CLI_FAILED, "writing the files of the network failed: %s",
			       df_errno_text(error))
		     : 0;
}
