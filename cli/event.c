/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing programs and having events answered: see event.h. */
#include "cli/event.h"
#include "cli/progress.h"

#include "host/cleanup.h"
#include "host/outcome.h"
#include "host/slot_state.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a monitor takes to set up instances, on a slow machine. */
#define SETUP_LIMIT_MS 30000u
/* How often it is looked at whether the monitor still lives while it works. */
#define STEP_NS 100000000ull
/* What a monitor may take beyond a wall limit before it is taken for broken. */
#define WALL_GRACE_NS 10000000000ull

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void event_fill_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The wrong way round: reading from it, or writing to it, fails as it should. */
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

void event_refuse_terminal(void)
{
	int nothing;

	if (!isatty(STDIN_FILENO))
		return;
	dprintf(STDERR_FILENO, "dayfly: standard input is a terminal: the event's body is empty\n");
	nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (nothing >= 0) {
		dup2(nothing, STDIN_FILENO);
		close(nothing);
	}
}

int event_read_input(struct df_slot *slot, struct df_err *err)
{
	char text[UNITS_BYTES];
	int error;

	event_refuse_terminal();
	error = df_slot_read_body(slot, STDIN_FILENO);
	if (error == -EBADF)
		error = 0; /* closed: nothing to read */
	if (error == -E2BIG)
		return df_err_set(err, CLI_FAILED,
			"standard input is larger than the largest body an event can have here, %s",
			units_size(slot->in_bytes - DF_IN_BODY, text));
	return error ? df_err_set(err, CLI_FAILED, "reading standard input failed: %s",
			       df_errno_text(error))
		     : CLI_OK;
}

const char *event_wait_point(uint32_t wait_point)
{
	switch (wait_point) {
	case DF_WAIT_POINT_ENTRY:
		return "its entry (it does not read standard input)";
	case DF_WAIT_POINT_STDIO:
		return "read(0)";
	case DF_WAIT_POINT_SDK:
		return "df_next_event()";
	case DF_WAIT_POINT_HTTP:
		return "the wait for a connection";
	default:
		return "a place that dayfly does not know";
	}
}

/* --- monitors --- */

static int start_monitor(const struct monitor_command *command, char *const *environment,
	struct df_monitor *monitor, struct df_err *err)
{
	char *path = monitor_path();
	char **words = monitor_words(command);

	if (!path || !words)
		return df_err_set(err, CLI_FAILED, "starting the monitor failed: %s",
			df_errno_text(errno));
	return df_monitor_start(monitor, path, words, environment, err) ? CLI_FAILED : CLI_OK;
}

static const char *const no_jail[] = {"--no-jail", NULL};

int event_start_server(const struct event_options *options, struct df_monitor *monitor,
	struct df_err *err)
{
	const struct monitor_command command = {
		.name = "serve", .flags = options->no_jail ? no_jail : NULL};
	char *const nothing[] = {NULL};

	return start_monitor(&command, nothing, monitor, err);
}

int event_send_server(struct df_monitor *monitor, const struct event_serving *serving,
	struct df_err *err)
{
	struct df_start start = {
		.instances = serving->slot_count,
		.flags = serving->flags | (serving->root_fd >= 0 ? DF_START_ROOT : 0) |
			(serving->net ? DF_START_NET : 0),
		.in_bytes = serving->slots[0].in_bytes,
		.out_bytes = serving->slots[0].out_bytes,
	};
	int descriptors[DF_START_DESCRIPTORS_MAX];
	size_t count = 0;

	descriptors[count++] = serving->snapshot_fd;
	if (serving->root_fd >= 0)
		descriptors[count++] = serving->root_fd;
	for (uint32_t i = 0; i < serving->slot_count; i++) {
		descriptors[count++] = serving->slots[i].control_fd;
		descriptors[count++] = serving->slots[i].in_fd;
		descriptors[count++] = serving->slots[i].out_fd;
	}
	if (serving->net)
		count += df_net_describe(serving->net, &descriptors[count]);
	return df_monitor_send(monitor, &start, descriptors, count, err) ? CLI_FAILED : CLI_OK;
}

int event_wait_ready(struct df_monitor *monitor, struct df_ready *ready, struct df_err *err)
{
	return df_monitor_receive(monitor, SETUP_LIMIT_MS, ready, err) ? CLI_FAILED : CLI_OK;
}

int event_await(struct df_slot *slot, const struct df_monitor *monitor, uint64_t wall_ns,
	struct df_slot_reply *reply, struct df_err *err)
{
	uint64_t start = now_ns(), now = start;

	for (;;) {
		int result = df_slot_wait_reply(slot, now + STEP_NS);

		if (result == 0)
			return df_slot_reply(slot, reply, err) ? CLI_FAILED : CLI_OK;
		now = now_ns();
		if (result == -EPIPE || !df_monitor_is_alive(monitor)) {
			df_err_set(err, -EPIPE, "the monitor has ended");
			return CLI_FAILED;
		}
		if (wall_ns && now - start > wall_ns && now - start - wall_ns > WALL_GRACE_NS) {
			df_err_set(err, -ETIMEDOUT,
				"the monitor did not keep the time limit; please report it");
			return CLI_FAILED;
		}
	}
}

int event_explain_end(struct df_monitor *monitor, struct df_err *err)
{
	struct df_ready ready;

	/* Its end was explained already. */
	if (monitor->socket < 0)
		return CLI_FAILED;
	/* An answer to the set-up may lie before the end of the socket. */
	for (int i = 0; i < 2; i++) {
		if (df_monitor_receive(monitor, DF_MONITOR_GRACE_MS, &ready, err))
			break;
	}
	(void)df_monitor_stop(monitor, DF_MONITOR_GRACE_MS);
	return CLI_FAILED;
}

/* --- freezing --- */

static int send_freezing(struct df_monitor *monitor, const struct event_freezing *freezing,
	const struct df_net *net, struct df_err *err)
{
	struct df_slot *slot = freezing->slot;
	const struct df_slot_limits limits = {
		.wall_ns = freezing->rehearsal_wall_ns,
		.cpu_ns = freezing->options->limits.cpu_ns,
		.reply_bytes = freezing->options->limits.reply_bytes,
		.log_bytes = freezing->options->limits.log_bytes,
	};
	struct df_start start = {
		.instances = 1,
		.in_bytes = slot->in_bytes,
		.out_bytes = slot->out_bytes,
		.boot_limit_ms = freezing->options->boot_limit_ms,
		.flags = freezing->net->wanted ? DF_START_NET : 0,
	};
	int descriptors[DF_START_DESCRIPTORS_MAX] = {
		freezing->snapshot_fd, slot->control_fd, slot->in_fd, slot->out_fd};
	size_t count = 4;

	df_slot_describe(slot, &limits);
	if (freezing->net->wanted)
		count += df_net_describe(net, &descriptors[count]);
	return df_monitor_send(monitor, &start, descriptors, count, err) ? CLI_FAILED : CLI_OK;
}

/* A report of several lines is printed here; an error is one line. Returns the exit status. */
static int explain_refusal(const struct df_ready *ready, struct df_err *err)
{
	if (ready->error && strchr(ready->text, '\n')) {
		df_outcome_print(ready->text);
		err->text[0] = '\0';
	}
	return ready->exit_status ? (int)ready->exit_status : CLI_FAILED;
}

/* With the network of the boot and the rehearsal, `net`, if there is to be one. */
static int freeze(const struct event_freezing *freezing, const struct df_net *net,
	struct df_ready *ready, struct df_err *err)
{
	const struct event_options *options = freezing->options;
	const char *flags[4] = {NULL};
	const struct monitor_command command = {
		.name = "freeze",
		.flags = flags,
		.options = freezing->program_options,
		.program = freezing->program,
		.more_features = !options->http                            ? ",freeze"
			: freezing->program_options->features[FEATURE_NET] ? ",freeze,http"
									   : ",net,freeze,http",
	};
	DF_MONITOR struct df_monitor monitor = DF_MONITOR_NONE;
	size_t flag_count = 0;
	int status;

	if (options->no_jail)
		flags[flag_count++] = no_jail[0];
	if (options->http) {
		flags[flag_count++] = "--http";
		flags[flag_count++] = options->http;
	}
	status = start_monitor(&command, (char *const *)freezing->program_options->env, &monitor,
		err);

	if (!status)
		status = send_freezing(&monitor, freezing, net, err);
	if (status)
		return status;
	/* It keeps the limits of boot and rehearsal itself; there may be none. */
	memset(ready, 0, sizeof(*ready));
	progress_begin("freezing", freezing->program->typed);
	status = df_monitor_receive(&monitor, DF_MONITOR_NO_LIMIT, ready, err);
	progress_end();
	if (status)
		status = explain_refusal(ready, err);
	/* What the program said before it was frozen, also if it was not. */
	if (err->code != -EPROTO)
		df_write_error(freezing->slot->out + DF_OUT_LOG, ready->log_bytes);
	if (!status && df_monitor_stop(&monitor, DF_MONITOR_GRACE_MS) != 0)
		status = df_err_set(err, CLI_FAILED,
			"the monitor failed after it had frozen the program");
	if (!status)
		status = df_slot_wipe_out(freezing->slot, err) ? CLI_FAILED : CLI_OK;
	return status;
}

int event_freeze(const struct event_freezing *freezing, struct df_ready *ready, struct df_err *err)
{
	struct df_net net = DF_NET_NONE;
	int status = CLI_OK;

	if (freezing->net->wanted)
		status = net_start_beside(freezing->net, freezing->program->typed, 1, &net, err);
	if (!status)
		status = freeze(freezing, &net, ready, err);
	df_net_end(&net);
	return status;
}
