/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor processes of functions: see process.h. */
#include "daemon/dispatch/process.h"

#include "daemon/dispatch/net_log.h"
#include "host/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a monitor gets to end by itself. */
#define GRACE_MS 300u

static int make_slots(struct process *process, struct df_err *err)
{
	const struct function_config *config = process->function->config;
	uint64_t in_bytes = df_slot_window(config->body_max);
	uint64_t out_bytes = df_slot_window(config->reply_max);

	for (unsigned int i = 0; i < process->count; i++) {
		struct df_slot *slot = &process->instance[i].slot;
		int error = df_slot_init(slot, in_bytes, err);

		if (!error)
			error = df_slot_seal(slot, in_bytes, out_bytes, err);
		if (error)
			return error;
	}
	return 0;
}

static int start_net(struct process *process, const char *path, struct df_err *err)
{
	const struct function_config *config = process->function->config;
	DF_CLOSE int errors = net_log_open(process->function);
	const struct df_net_options options = {
		.path = path,
		.program = config->name,
		.deployed = true,
		.rules = (const char *const *)config->egress,
		.rule_count = function_egress_count(config),
		.guests = process->count,
		.errors = errors,
	};

	return errors < 0 ? df_err_set(err, errors, "the network's log cannot be opened: %s",
				    df_errno_text(errors))
			  : df_net_start(&process->net, &options, err);
}

static int open_file(const char *path, struct df_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		df_err_set(err, -errno, "%s: %s", path, df_errno_text(errno));
	return fd;
}

static int send_start(struct process *process, struct df_err *err)
{
	const struct function *function = process->function;
	DF_CLOSE int snapshot_fd = open_file(function->snapshot_path, err);
	DF_CLOSE int root_fd = snapshot_fd < 0 ? -1 : open_file(function->root_path, err);
	struct df_start start = {
		.instances = process->count,
		.flags = DF_START_ROOT |
			(function->config->mode == FUNCTION_WARM ? DF_START_WARM : 0) |
			(function->config->egress ? DF_START_NET : 0),
		.in_bytes = process->instance[0].slot.in_bytes,
		.out_bytes = process->instance[0].slot.out_bytes,
	};
	int descriptors[DF_START_DESCRIPTORS_MAX] = {snapshot_fd, root_fd};
	size_t count = 2;

	if (root_fd < 0)
		return err->code;
	for (unsigned int i = 0; i < process->count; i++) {
		descriptors[count++] = process->instance[i].slot.control_fd;
		descriptors[count++] = process->instance[i].slot.in_fd;
		descriptors[count++] = process->instance[i].slot.out_fd;
	}
	if (function->config->egress)
		count += df_net_describe(&process->net, &descriptors[count]);
	if (df_monitor_send(&process->monitor, &start, descriptors, count, err))
		return err->code;
	df_net_give(&process->net);
	return 0;
}

struct process *process_start(struct function *function, struct df_monitor *monitor,
	const char *net_path, unsigned int count, struct df_err *err)
{
	struct process *process =
		calloc(1, sizeof(*process) + count * sizeof(process->instance[0]));
	int error;

	if (!process) {
		df_monitor_deinit(monitor);
		df_err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	process->function = function_ref(function);
	process->monitor = *monitor;
	*monitor = DF_MONITOR_NONE;
	process->pid = process->monitor.pid;
	process->net = DF_NET_NONE;
	process->count = count;
	for (unsigned int i = 0; i < count; i++) {
		process->instance[i].process = process;
		process->instance[i].slot = DF_SLOT_NONE;
	}
	error = make_slots(process, err);
	if (!error && function->config->egress)
		error = start_net(process, net_path, err);
	if (!error)
		error = send_start(process, err);
	if (error) {
		process_end(process);
		return NULL;
	}
	return process;
}

/* Its monitor ends with it. */
static bool net_has_ended(const struct process *process)
{
	int heard = process->net.pid < 0 ? 0 : df_net_heard(&process->net);

	/* That it was ready lies before the end. */
	if (heard > 0)
		heard = df_net_heard(&process->net);
	return heard < 0;
}

void process_explain(struct process *process, char *text, size_t size, bool *refused)
{
	struct df_ready ready;
	struct df_err err = {0};

	*refused = false;
	/* What it said about its set-up lies before the end of the socket. */
	for (int i = 0; i < 2; i++) {
		if (df_monitor_receive(&process->monitor, GRACE_MS, &ready, &err) == 0)
			continue;
		*refused = ready.error != 0;
		break;
	}
	if (!*refused && net_has_ended(process))
		snprintf(text, size, "its network (dayfly-net) has ended");
	else
		snprintf(text, size, "%s", err.code ? err.text : "the monitor talks too much");
}

void process_end(struct process *process)
{
	(void)df_monitor_stop(&process->monitor, GRACE_MS);
	df_net_end(&process->net);
	for (unsigned int i = 0; i < process->count; i++)
		df_slot_deinit(&process->instance[i].slot);
	function_unref(process->function);
	free(process);
}
