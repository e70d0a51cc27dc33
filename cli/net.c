/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network: see net.h. */
#include "cli/net.h"

#include "host/cleanup.h"
#include "host/path.h"
#include "host/place.h"
#include "host/str.h"
#include "host/write.h"
#include "image/roots.h"

#include <dayfly/net.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int add(const char **list, size_t *count, const char *value, const char *flag,
	struct df_err *err)
{
	if (*count == NET_RULES_MAX)
		return df_err_set(err, -E2BIG, "there are more than %d %s flags", NET_RULES_MAX,
			flag);
	list[(*count)++] = value;
	return 0;
}

static int set_net(void *into, const char *value, struct df_err *err)
{
	struct net_options *net = into;

	net->wanted = true;
	return value ? add(net->rules, &net->rule_count, value, "--net", err) : 0;
}

static int set_published(void *into, const char *value, struct df_err *err)
{
	struct net_options *net = into;

	net->wanted = true;
	return add(net->published, &net->published_count, value, "-p", err);
}

const struct flag net_flags[] = {
	{"--net", "[=RULE]", "a network; RULE opens any, NAME[:PORT] or ADDRESS[/BITS][:PORT]",
		set_net},
	{"-p", "[ADDR:]PORT:PORT",
		"publish a port of the guest, on 127.0.0.1 or ADDR; /udp behind it", set_published},
	{0},
};

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

int net_prepare(const struct net_options *net, struct program_options *options, struct df_err *err)
{
	int error;

	if (!net->wanted)
		return 0;
	options->features[FEATURE_NET] = true;
	/* A prepared root brings its own. */
	if (options->root || !options->features[FEATURE_FILES])
		return 0;
	error = add_file(options, "resolv.conf", "/etc/resolv.conf", "nameserver 10.0.2.3\n");
	if (error == 0)
		error = add_file(options, "hosts", "/etc/hosts",
			"127.0.0.1 localhost\n::1 localhost\n");
	return error ? df_err_set(err, CLI_FAILED, "writing the files of the network failed: %s",
			       df_errno_text(error))
		     : 0;
}

struct link {
	int memory, kick, wake;
	int life[2]; /* dayfly-net sees our end close */
	int ready[2];
};

static int open_link(struct link *link)
{
	link->memory = memfd_create("dayfly-net", MFD_ALLOW_SEALING);
	link->kick = eventfd(0, EFD_NONBLOCK);
	link->wake = eventfd(0, EFD_NONBLOCK);
	if (link->memory < 0 || link->kick < 0 || link->wake < 0 ||
		ftruncate(link->memory, (off_t)DF_NET_BYTES) < 0 ||
		fcntl(link->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
		pipe(link->life) < 0 || pipe(link->ready) < 0)
		return -errno;
	/* The other ends are not for the child, nor these for what we become. */
	fcntl(link->life[1], F_SETFD, FD_CLOEXEC);
	fcntl(link->ready[0], F_SETFD, FD_CLOEXEC);
	return 0;
}

static char **net_words(const struct net_options *net, const struct link *link, const char *program)
{
	const size_t most = 14 + 2 * (net->rule_count + net->published_count);
	char **words = calloc(most, sizeof(*words));
	size_t n = 0;

	if (!words)
		return NULL;
	words[n++] = (char *)"dayfly-net";
	words[n++] = df_format("--memory=%d", link->memory);
	words[n++] = df_format("--kick=%d", link->kick);
	words[n++] = df_format("--wake=%d", link->wake);
	words[n++] = df_format("--life=%d", link->life[0]);
	words[n++] = df_format("--ready=%d", link->ready[1]);
	words[n++] = df_format("--program=%s", df_base_name(program));
	for (size_t i = 0; i < net->rule_count; i++)
		words[n++] = df_format("--allow=%s", net->rules[i]);
	for (size_t i = 0; i < net->published_count; i++)
		words[n++] = df_format("--publish=%s", net->published[i]);
	return words;
}

int net_start(const struct net_options *net, const char *program, char **word, struct df_err *err)
{
	char *path = df_place_program("dayfly-net"), *const nothing[] = {NULL};
	struct link link;
	char **words, ready;
	pid_t pid;
	posix_spawn_file_actions_t actions;
	int error = open_link(&link);

	/* Standard input and output are the program's alone. */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	words = error ? NULL : net_words(net, &link, program);
	if (error == 0)
		error = -posix_spawn(&pid, path, &actions, NULL, words, nothing);
	if (error)
		return df_err_set(err, CLI_FAILED, "%s cannot be started: %s", path,
			df_errno_text(error));
	close(link.life[0]);
	close(link.ready[1]);
	if (read(link.ready[0], &ready, 1) != 1)
		return CLI_FAILED;
	close(link.ready[0]);
	/* The monitor keeps it open, and nothing else does. */
	fcntl(link.life[1], F_SETFD, 0);
	*word = df_format("%d,%d,%d", link.memory, link.kick, link.wake);
	return 0;
}
