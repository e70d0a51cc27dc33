/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing: see freeze.h. */
#include "daemon/function/freeze.h"

#include "host/cleanup.h"
#include "host/monitor.h"
#include "host/monitor_words.h"
#include "host/net.h"
#include "host/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* What the monitor may take for reading, checking and writing, beside the program's own time. */
#define MARGIN_MS 60000u

/* A monitor that is waited for. */
struct freezing {
	LIST_ENTRY(freezing) link;
	pid_t pid;
};

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	bool aborting;
	LIST_HEAD(, freezing) list;
} freezes = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Not reaped before `leave`, so its id is its own. */
static void enter(struct freezing *freezing, pid_t pid)
{
	freezing->pid = pid;
	pthread_mutex_lock(&freezes.lock);
	LIST_INSERT_HEAD(&freezes.list, freezing, link);
	if (freezes.aborting)
		kill(pid, SIGKILL);
	pthread_mutex_unlock(&freezes.lock);
}

static void leave(struct freezing *freezing)
{
	pthread_mutex_lock(&freezes.lock);
	LIST_REMOVE(freezing, link);
	pthread_mutex_unlock(&freezes.lock);
}

void freeze_abort(void)
{
	struct freezing *freezing;

	pthread_mutex_lock(&freezes.lock);
	freezes.aborting = true;
	LIST_FOREACH(freezing, &freezes.list, link)
	kill(freezing->pid, SIGKILL);
	pthread_mutex_unlock(&freezes.lock);
}

bool freeze_is_aborted(void)
{
	bool aborting;

	pthread_mutex_lock(&freezes.lock);
	aborting = freezes.aborting;
	pthread_mutex_unlock(&freezes.lock);
	return aborting;
}

static int make_slot(const struct deployment *deployment, struct df_slot *slot, struct df_err *err)
{
	const struct function_config *config = deployment->config;
	int error = df_slot_init(slot, df_slot_window(config->body_max), err);

	if (!error && deployment->event_bytes > config->body_max)
		error = df_err_set(err, -E2BIG, "the event is larger than body_max");
	if (!error)
		error = df_slot_put_body(slot, deployment->event, deployment->event_bytes);
	return error ? error
		     : df_slot_seal(slot, slot->in_bytes, df_slot_window(config->reply_max), err);
}

static char **program_words(const struct deploy_settings *settings,
	const struct function_config *config, const char *root_path, const char *features,
	const char *const *flags)
{
	struct df_monitor_words words = {.name = "freeze",
		.host_cache = settings->host_cache,
		.kernel = settings->kernel_path,
		.flags = flags};

	function_config_words(config, root_path, &words);
	words.features = features;
	return df_monitor_words(&words);
}

static int start(const struct deploy_settings *settings, const struct deployment *deployment,
	const char *root_path, struct df_monitor *monitor, struct df_err *err)
{
	const struct function_config *config = deployment->config;
	bool http = config->wait == FUNCTION_WAIT_HTTP;
	DF_FREE char *features = df_format("%s%s%s,freeze", config->features,
		http && !strstr(config->features, ",net") ? ",net" : "", http ? ",http" : "");
	DF_FREE char *port = df_format("%u", config->port);
	const char *flags[4] = {NULL};
	DF_FREE char **environment = function_config_variables(config);
	DF_FREE char **words = NULL;
	size_t count = 0;

	if (settings->no_jail)
		flags[count++] = "--no-jail";
	if (http) {
		flags[count++] = "--http";
		flags[count++] = port;
	}
	words = port && features ? program_words(settings, config, root_path, features, flags)
				 : NULL;
	if (!words || !environment)
		return df_err_set(err, -ENOMEM, "out of memory");
	return df_monitor_start(monitor, settings->monitor_path, words, environment, err);
}

/* The network of the boot and the rehearsal. What it says goes into a pipe: *said is the end to read it from. */
static int start_net(const struct deploy_settings *settings, const struct function_config *config,
	struct df_net *net, int *said, struct df_err *err)
{
	int ends[2] = {-1, -1};
	DF_CLOSE int errors = -1;
	struct df_net_options options = {
		.path = settings->net_path,
		.program = config->name,
		.deployed = true,
		.rules = (const char *const *)config->egress,
		.rule_count = function_egress_count(config),
		.guests = 1,
	};

	/* It says little; should the pipe be full all the same, it must not wait. */
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return df_err_set(err, -errno, "no pipe: %s", df_errno_text(errno));
	*said = ends[0];
	options.errors = errors = ends[1];
	return df_net_start(net, &options, err);
}

/* Ends it; what it said becomes part of what the program wrote. */
static void end_net(struct df_net *net, int said, struct df_str *output)
{
	char text[4096];
	ssize_t n;

	df_net_end(net);
	while (said >= 0 && (n = read(said, text, sizeof(text))) > 0)
		df_str_add_bytes(output, text, (size_t)n);
}

static int send_start(const struct function_config *config, struct df_monitor *monitor,
	struct df_slot *slot, const struct df_net *net, int fd, struct df_err *err)
{
	const struct df_slot_limits limits = {.wall_ns = config->boot_timeout_ms * 1000000ull};
	int descriptors[DF_START_DESCRIPTORS_MAX] = {
		fd, slot->control_fd, slot->in_fd, slot->out_fd};
	size_t count = 4;
	struct df_start start = {
		.flags = config->egress ? DF_START_NET : 0,
		.instances = 1,
		.in_bytes = slot->in_bytes,
		.out_bytes = slot->out_bytes,
		.boot_limit_ms = config->boot_timeout_ms,
	};

	df_slot_describe(slot, &limits);
	if (config->egress)
		count += df_net_describe(net, &descriptors[count]);
	return df_monitor_send(monitor, &start, descriptors, count, err);
}

/* The monitor's report has lines: those that are indented are the details, what the others say is the error. */
static void split_report(const char *text, struct df_str *report, struct df_err *err)
{
	static const char own[] = "dayfly: ";
	bool first = true;

	df_err_set(err, err->code, "%s", "");
	while (*text) {
		size_t length = strcspn(text, "\n");
		DF_FREE char *line = df_format("%.*s", (int)length, text);
		char *at = line ? strstr(line, own) : NULL;

		if (*text == ' ') {
			df_str_addf(report, "%s\n", line ? line : "");
		} else if (line) {
			if (at)
				memmove(at, at + sizeof(own) - 1, strlen(at + sizeof(own) - 1) + 1);
			df_err_add(err, "%s%s", first ? "" : "; ", line);
			first = false;
		}
		text += length + (text[length] == '\n');
	}
}

/* Does it stand where the deployment wants it? */
static int check_wait_point(const struct function_config *config, const struct df_ready *ready,
	struct df_err *err)
{
	static const struct {
		const char *name, *does;
	} points[DF_WAIT_POINT_COUNT] = {
		[DF_WAIT_POINT_ENTRY] = {"entry", "ended without asking for an event"},
		[DF_WAIT_POINT_STDIO] = {"stdio", "asked for its standard input"},
		[DF_WAIT_POINT_SDK] = {"sdk", "called df_next_event()"},
		[DF_WAIT_POINT_HTTP] = {"http", "waited for a connection"},
	};
	static const uint32_t wanted[] = {[FUNCTION_WAIT_ANY] = 0,
		[FUNCTION_WAIT_STDIO] = DF_WAIT_POINT_STDIO,
		[FUNCTION_WAIT_SDK] = DF_WAIT_POINT_SDK,
		[FUNCTION_WAIT_HTTP] = DF_WAIT_POINT_HTTP};
	uint32_t is = ready->wait_point, want = wanted[config->wait];

	if (is >= DF_WAIT_POINT_COUNT || !points[is].name)
		return df_err_set(err, -EIO, "the monitor names a wait point that there is not");
	if (want && want != is)
		return df_err_set(err, -EINVAL, "wait_point is %s, but the program %s",
			points[want].name, points[is].does);
	if (config->mode == FUNCTION_WARM && is != DF_WAIT_POINT_SDK)
		return df_err_set(err, -EINVAL,
			"mode warm is for programs that call df_next_event(); this one %s",
			points[is].does);
	return 0;
}

int freeze_program(const struct deploy_settings *settings, const struct deployment *deployment,
	const char *root_path, int fd, struct df_ready *ready, struct df_str *output,
	struct df_str *report, struct df_err *err)
{
	const struct function_config *config = deployment->config;
	DF_MONITOR struct df_monitor monitor = DF_MONITOR_NONE;
	struct df_slot slot = DF_SLOT_NONE;
	struct df_net net = DF_NET_NONE;
	DF_CLOSE int said = -1;
	struct freezing freezing;
	int error = make_slot(deployment, &slot, err);

	if (!error && config->egress)
		error = start_net(settings, config, &net, &said, err);
	if (!error)
		error = start(settings, deployment, root_path, &monitor, err);
	if (!error)
		error = send_start(config, &monitor, &slot, &net, fd, err);
	if (error)
		goto out_slot;
	enter(&freezing, monitor.pid);
	error = df_monitor_receive(&monitor, 2 * config->boot_timeout_ms + MARGIN_MS, ready, err);
	leave(&freezing);
	if (error && ready->error)
		split_report(*ready->text ? ready->text : df_errno_text(ready->error), report, err);
	if (err->code != -EPROTO && ready->log_bytes)
		df_str_add_bytes(output, slot.out + DF_OUT_LOG, ready->log_bytes);
	if (!error && df_monitor_stop(&monitor, DF_MONITOR_GRACE_MS) != 0)
		error = df_err_set(err, -EIO, "the monitor failed after it had frozen the program");
	if (!error)
		error = check_wait_point(config, ready, err);
	/* What it says about itself is no fault of ours. */
	if (error)
		error = 1;
out_slot:
	df_monitor_deinit(&monitor);
	end_net(&net, said, output);
	df_slot_deinit(&slot);
	return error;
}
