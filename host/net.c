/* SPDX-License-Identifier: Apache-2.0 */
/* Starting dayfly-net: see net.h. */
#include "host/net.h"

#include "host/cleanup.h"
#include "host/spawn.h"
#include "host/str.h"

#include <dayfly/net.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define GRACE_MS 2000u
#define FIXED_WORDS 6

static int open_device(struct df_net_device *device)
{
	device->memory = memfd_create("dayfly-net", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	device->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	device->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return device->memory < 0 || device->kick < 0 || device->wake < 0 ||
			ftruncate(device->memory, (off_t)DF_NET_BYTES) < 0 ||
			fcntl(device->memory, F_ADD_SEALS,
				F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0
		? -errno
		: 0;
}

static int open_devices(struct df_net *net, unsigned int guests)
{
	int error = 0;

	for (; net->guests < guests && !error; net->guests++) {
		net->device[net->guests] = (struct df_net_device){-1, -1, -1};
		error = open_device(&net->device[net->guests]);
	}
	return error;
}

static int tell_guest(const struct df_net *net, const struct df_net_config *config)
{
	const off_t at = offsetof(struct df_net_control, config);

	if (!config)
		return 0;
	return pwrite(net->device[0].memory, config, sizeof(*config), at) == sizeof(*config) ? 0
											     : -EIO;
}

/* The descriptor stays open in the child, under its number. */
static int keep(posix_spawn_file_actions_t *actions, int fd)
{
	return -posix_spawn_file_actions_adddup2(actions, fd, fd);
}

/* Standard input and output are the program's alone. */
static int add_actions(posix_spawn_file_actions_t *actions, const struct df_net *net,
	const struct df_net_options *o, int life)
{
	int error = -posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	error = error ? error
		      : -posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
	if (!error && o->errors >= 0)
		error = -posix_spawn_file_actions_adddup2(actions, o->errors, 2);
	if (!error && o->tap)
		error = keep(actions, o->tap_fd);
	error = error ? error : keep(actions, life);
	for (unsigned int i = 0; i < net->guests && !error; i++) {
		error = keep(actions, net->device[i].memory);
		error = error ? error : keep(actions, net->device[i].kick);
		error = error ? error : keep(actions, net->device[i].wake);
	}
	return error;
}

size_t df_net_describe(const struct df_net *net, int *descriptors)
{
	size_t count = 0;

	descriptors[count++] = net->life;
	for (unsigned int i = 0; i < net->guests; i++) {
		descriptors[count++] = net->device[i].memory;
		descriptors[count++] = net->device[i].kick;
		descriptors[count++] = net->device[i].wake;
	}
	return count;
}

static void free_words(char **words)
{
	for (size_t i = 1; words && words[i]; i++)
		free(words[i]);
	free(words);
}

static char *tap_word(const struct df_net_options *o)
{
	const uint8_t *m = o->tap->mac;

	return df_format("--tap=%d,%02x:%02x:%02x:%02x:%02x:%02x,%u", o->tap_fd, m[0], m[1], m[2],
		m[3], m[4], m[5], o->tap->mtu);
}

/* Its command line (nat/main.c). */
static char **make_words(const struct df_net *net, const struct df_net_options *o, int life)
{
	size_t count = FIXED_WORDS + net->guests + o->rule_count + o->published_count, n = 0;
	char **words = calloc(count, sizeof(*words));

	if (!words)
		return NULL;
	words[n++] = (char *)"dayfly-net";
	words[n++] = df_format("--life=%d", life);
	words[n++] = df_format("--program=%s", o->program);
	for (unsigned int i = 0; i < net->guests; i++)
		words[n++] = df_format("--guest=%d,%d,%d", net->device[i].memory,
			net->device[i].kick, net->device[i].wake);
	for (size_t i = 0; i < o->rule_count; i++)
		words[n++] = df_format("--allow=%s", o->rules[i]);
	for (size_t i = 0; i < o->published_count; i++)
		words[n++] = df_format("--publish=%s", o->published[i]);
	if (o->tap)
		words[n++] = tap_word(o);
	if (o->deployed)
		words[n++] = strdup("--deployed");
	for (size_t i = 0; i < n; i++) {
		if (words[i])
			continue;
		free_words(words);
		return NULL;
	}
	return words;
}

static int spawn(struct df_net *net, const struct df_net_options *o, int life)
{
	char **words = make_words(net, o, life), *const nothing[] = {NULL};
	posix_spawn_file_actions_t actions;
	int error = words ? -posix_spawn_file_actions_init(&actions) : -ENOMEM;

	if (!error) {
		error = add_actions(&actions, net, o, life);
		if (!error)
			error = df_spawn(o->path, words, nothing, &actions, &net->pid);
		posix_spawn_file_actions_destroy(&actions);
	}
	free_words(words);
	return error;
}

int df_net_start(struct df_net *net, const struct df_net_options *options, struct df_err *err)
{
	int ends[2] = {-1, -1}, error = 0;
	DF_CLOSE int theirs = -1;

	*net = DF_NET_NONE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		error = -errno;
	net->life = ends[0];
	theirs = ends[1];
	error = error ? error : open_devices(net, options->guests);
	error = error ? error : tell_guest(net, options->tap);
	if (!error) {
		error = spawn(net, options, theirs);
		if (error)
			net->pid = -1;
	}
	if (!error)
		return 0;
	df_net_end(net);
	return error == -ENOENT
		? df_err_set(err, error,
			  "%s was not found; it belongs beside dayfly: build it with `make build`",
			  options->path)
		: df_err_set(err, error, "%s cannot be started: %s", options->path,
			  df_errno_text(error));
}

int df_net_wait(struct df_net *net, unsigned int limit_ms, struct df_err *err)
{
	int ready = df_spawn_poll(net->life, limit_ms);
	char byte;

	if (ready == 0)
		return df_err_set(err, -ETIMEDOUT, "the network was not ready after %u s",
			(limit_ms + 999) / 1000);
	if (ready < 0)
		return df_err_set(err, ready, "waiting for the network failed: %s",
			df_errno_text(ready));
	return read(net->life, &byte, 1) == 1
		? 0
		: df_err_set(err, -EPIPE, "the network could not be set up; dayfly-net says why");
}

void df_net_ask(const struct df_net *net)
{
	(void)!send(net->life, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int df_net_heard(const struct df_net *net)
{
	char bytes[16];
	ssize_t got = recv(net->life, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0)
		return 1;
	return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EPIPE;
}

void df_net_inherit(const struct df_net *net)
{
	fcntl(net->life, F_SETFD, 0);
	fcntl(net->device[0].memory, F_SETFD, 0);
	fcntl(net->device[0].kick, F_SETFD, 0);
	fcntl(net->device[0].wake, F_SETFD, 0);
}

void df_net_give(struct df_net *net)
{
	for (unsigned int i = 0; i < net->guests; i++) {
		df_cleanup_fd(&net->device[i].memory);
		df_cleanup_fd(&net->device[i].kick);
		df_cleanup_fd(&net->device[i].wake);
	}
	net->guests = 0;
}

void df_net_end(struct df_net *net)
{
	df_cleanup_fd(&net->life);
	df_net_give(net);
	if (net->pid >= 0)
		(void)df_spawn_end(net->pid, GRACE_MS);
	*net = DF_NET_NONE;
}
