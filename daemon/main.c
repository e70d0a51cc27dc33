/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayflyd: serves functions over HTTP. This file starts the parts in order, waits for signals, and stops them in the other order.
 */
#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/function/deploy.h"
#include "daemon/function/freeze.h"
#include "daemon/function/images.h"
#include "daemon/function/mend.h"
#include "daemon/http/access.h"
#include "daemon/http/address.h"
#include "daemon/http/faces.h"
#include "daemon/http/signed.h"
#include "daemon/lambda/lambda.h"
#include "daemon/lambda/lambda_code.h"
#include "daemon/log.h"
#include "daemon/systemd.h"
#include "daemon/object/store.h"
#include "daemon/service/service.h"
#include "daemon/settings.h"
#include "daemon/state.h"
#include "daemon/trigger/trigger.h"
#include "host/cleanup.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASYNC_WORKERS 32u
#define TIDY_S 60
/* For all that is left to do once what ran was ended. */
#define ABORT_LIMIT_S 20u
#define ANSWER_LIMIT_NS 2000000000ull

enum exit_status { EXIT_OK = 0, EXIT_START = 1, EXIT_USAGE = 2 };

struct command_line {
	int argc;
	char **argv;
};

struct paths {
	char *monitor, *net, *kernel, *unzip, *host_cache, *socket, *token;
};

uint64_t daemon_started_ns;

void daemon_stop(void)
{
	kill(getpid(), SIGTERM);
}

static void print_help(void)
{
	DF_STR struct df_str flags = DF_STR_EMPTY;

	settings_help(&flags);
	printf("Usage: dayflyd [FLAGS]\n\n"
	       "Serves functions: http://127.0.0.1:8080/fn/NAME calls one, `dayfly deploy` makes one.\n\n"
	       "  --settings FILE        these and more, as YAML (default ~/.config/dayfly/dayflyd.yaml, if it is there)\n"
	       "%s"
	       "  --no-jail              run monitors without their jail: for tests only\n"
	       "  --version, --help\n\n"
	       "SIGHUP reads the settings again, SIGTERM stops. docs/operation.md tells the rest.\n",
		df_str_text(&flags));
}

/* --- settings --- */

static struct dispatch_limits limits_of(const struct settings *s)
{
	return (struct dispatch_limits){
		.instances_max = (unsigned int)s->instances,
		.prepared = (unsigned int)s->prepared,
		.idle_ms = (unsigned int)s->idle_ms,
		.queue_max = (unsigned int)s->queue,
		.queue_ms = (unsigned int)s->queue_ms,
	};
}

static struct log_settings logs_of(const struct settings *s)
{
	return (struct log_settings){
		.least = (enum log_level)s->log_level,
		.echo = (enum log_echo)s->logs.echo,
		.quota_bytes = s->logs.quota_bytes,
		.age_ms = s->logs.age_ms,
	};
}

/* All that can change while the daemon runs. */
static int apply(const struct settings *s)
{
	struct destination_network networks[ASYNC_NETWORKS_MAX];
	const struct dispatch_limits limits = limits_of(s);
	const struct access_settings access = {
		.hosts = (const char *const *)s->hosts.items,
		.invoke_token = s->auth.invoke == AUTH_TOKEN,
		.metrics_token = s->auth.metrics == AUTH_TOKEN,
	};
	const struct log_settings logs = logs_of(s);
	size_t count = 0;

	for (size_t i = 0; i < s->webhook_allow.count && count < ASYNC_NETWORKS_MAX; i++) {
		if (destination_network_parse(s->webhook_allow.items[i], &networks[count]) == 0)
			count++;
	}
	async_allow(networks, count);
	queue_change(async_queue(), s->events.count, s->events.bytes, s->events.dead_ms);
	dispatch_change(&limits);
	http_limit_body(s->body_max);
	log_change(&logs);
	images_change(s->images.keep_ms, s->images.quota_bytes);
	return access_change(&access);
}

/* Off loopback nothing is taken for granted. */
static int check(const struct settings *s, struct df_err *err)
{
	struct address address;

	if (s->webhook_allow.count > ASYNC_NETWORKS_MAX)
		return df_err_set(err, -EINVAL, "webhook_allow has %zu networks; there can be %d",
			s->webhook_allow.count, ASYNC_NETWORKS_MAX);
	if (address_parse(s->listen, &address) || address_is_loopback(&address.as.any))
		return 0;
	if (s->auth.invoke != AUTH_UNSET && s->auth.metrics != AUTH_UNSET)
		return 0;
	return df_err_set(err, -EPERM,
		"%s is not loopback: say who may call functions and who may read the metrics, by the "
		"settings auth.invoke and auth.metrics (none: anyone; token: who has the file token of the state directory)",
		s->listen);
}

static void tell_change(const struct setting_row *row)
{
	log_line(LOG_LEVEL_INFO,
		row->live ? "the setting %s is changed"
			  : "the setting %s is changed in the file; it holds from the next start",
		row->name);
}

/* SIGHUP. A file that makes no sense changes nothing. */
static void reload(struct settings *current, const struct command_line *line)
{
	struct df_err err = {0};
	struct settings fresh;
	int error = settings_read(line->argc, line->argv, &fresh, &err);

	if (!error) {
		error = check(&fresh, &err);
		if (!error && apply(&fresh))
			error = df_err_set(&err, -ENOMEM, "out of memory");
		if (error)
			settings_deinit(&fresh);
	}
	if (error) {
		log_line(LOG_LEVEL_ERROR, "the settings stay as they are: %s", err.text);
		return;
	}
	log_line(LOG_LEVEL_INFO, "read the settings again");
	settings_compare(current, &fresh, tell_change);
	settings_deinit(current);
	*current = fresh;
}

/* --- starting --- */

static int find_paths(struct paths *paths, struct df_err *err)
{
	paths->monitor = df_place_program("dayfly-monitor");
	paths->net = df_place_program("dayfly-net");
	paths->kernel = df_place_program("dayfly-kernel");
	paths->unzip = df_place_program("dayfly-unzip");
	paths->host_cache = state_path("cpuid");
	paths->socket = state_path("socket");
	paths->token = state_path("token");
	if (!paths->monitor || !paths->net || !paths->kernel || !paths->unzip ||
		!paths->host_cache || !paths->socket || !paths->token)
		return df_err_set(err, -ENOMEM, "out of memory");
	if (access(paths->monitor, X_OK) < 0 || access(paths->kernel, R_OK) < 0)
		return df_err_set(err, -ENOENT,
			"%s and dayfly-kernel beside it are not there; build them with `make build`, or "
			"install dayfly again",
			paths->monitor);
	return 0;
}

static void free_paths(struct paths *paths)
{
	free(paths->monitor);
	free(paths->net);
	free(paths->kernel);
	free(paths->unzip);
	free(paths->host_cache);
	free(paths->socket);
	free(paths->token);
}

/* Every instance has three descriptors here, every connection one. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start_dispatch(const struct settings *s, const struct paths *paths, struct df_err *err)
{
	const struct deploy_settings deploying = {
		.monitor_path = paths->monitor,
		.net_path = paths->net,
		.kernel_path = paths->kernel,
		.host_cache = paths->host_cache,
		.no_jail = s->no_jail,
	};
	const struct dispatch_settings dispatching = {
		.monitor_path = paths->monitor,
		.net_path = paths->net,
		.host_cache = paths->host_cache,
		.limits = limits_of(s),
		.no_jail = s->no_jail,
	};

	const struct service_settings serving = {
		.monitor_path = paths->monitor,
		.net_path = paths->net,
		.kernel_path = paths->kernel,
		.host_cache = paths->host_cache,
		.no_jail = s->no_jail,
	};
	int error;

	deploy_init(&deploying);
	lambda_code_init(paths->unzip);
	error = dispatch_init(&dispatching, err);
	return error ? error : service_init(&serving, err);
}

static int start_http(const struct settings *s, const struct paths *paths, struct df_err *err)
{
	static const struct route *const tables[] = {
		face_invoke, face_manage, face_stats, face_dead, face_lambda, face_routes, NULL};
	const struct http_settings settings = {
		.listen = s->listen,
		.socket_path = paths->socket,
		.connections_max = (unsigned int)s->connections,
		.idle_s = 60,
	};

	return http_start(&settings, tables, err);
}

/* The home directory is shown as people write it. */
static void print_start(void)
{
	const char *home = getenv("HOME"), *directory = state_directory();
	size_t length = home ? strlen(home) : 0;
	bool inside = length > 1 && strncmp(directory, home, length) == 0 &&
		(directory[length] == '/' || !directory[length]);

	printf("dayflyd %s: %s · state in %s%s · /dev/kvm %s\n", DAYFLY_VERSION, http_url(),
		inside ? "~" : "", directory + (inside ? length : 0),
		access("/dev/kvm", R_OK | W_OK) == 0 ? "ok" : "cannot be used");
	if (*s3_url())
		printf("object store (S3): %s · AWS_SHARED_CREDENTIALS_FILE=%s/credentials\n",
			s3_url(), directory);
	fflush(stdout);
}

/* Signals are taken by the main thread alone: all other threads inherit the mask. */
static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- stopping --- */

/*
 * Takes nothing new, lets what runs come to its end for `limit_ms` (a second signal shortens that), then ends it. Whatever hangs even then
 * hangs with the whole process, which a timer ends: all that was acknowledged is on disk.
 */
static void stop(uint64_t limit_ms, const sigset_t *signals)
{
	const struct timespec step = {0, 10000000};
	uint64_t until_ns = clock_now_ns() + limit_ms * 1000000;
	unsigned int left;

	log_line(LOG_LEVEL_INFO, "stopping");
	systemd_tell("STOPPING=1");
	http_quiesce();
	store_quiesce();
	async_quiesce();
	service_quiesce();
	while ((left = http_active() + store_active() + async_active() + service_active()) > 0 &&
		clock_now_ns() < until_ns) {
		int number = sigtimedwait(signals, NULL, &step);

		if (number == SIGTERM || number == SIGINT)
			break;
	}
	if (left)
		log_line(LOG_LEVEL_WARNING, "%u requests, events and services did not end in time",
			left);
	alarm(ABORT_LIMIT_S);
	freeze_abort();
	dispatch_abort();
	service_abort();
	/* Their answers say so. */
	for (until_ns = clock_now_ns() + ANSWER_LIMIT_NS;
		http_active() && clock_now_ns() < until_ns;)
		nanosleep(&step, NULL);
	mend_stop();
	store_stop();
	http_stop();
}

/* What is removed because it is too old; logs look after themselves. */
static void tidy(void)
{
	int error = queue_sweep(async_queue());

	if (error)
		log_line(LOG_LEVEL_WARNING, "old dead letters could not be removed: %s",
			df_errno_text(error));
	images_tidy();
}

static void run(struct settings *settings, const struct command_line *line, const sigset_t *signals)
{
	const struct timespec interval = {TIDY_S, 0};
	int number = 0;

	while (number != SIGTERM && number != SIGINT) {
		tidy();
		number = sigtimedwait(signals, NULL, &interval);
		if (number == SIGHUP)
			reload(settings, line);
	}
	stop(settings->stop_ms, signals);
}

static int serve(struct settings *s, const struct command_line *line, const struct paths *paths,
	const sigset_t *signals, struct df_err *err)
{
	int error = start_dispatch(s, paths, err);

	if (error)
		return error;
	error = signed_init(err);
	if (!error)
		error = access_init(paths->token, err);
	if (!error)
		error = state_load(err);
	if (!error)
		error = async_init(ASYNC_WORKERS, err);
	if (!error && apply(s))
		error = df_err_set(err, -ENOMEM, "out of memory");
	if (!error)
		error = store_init(s, err);
	if (!error)
		error = triggers_init(err);
	if (!error)
		error = mend_start(err);
	if (!error)
		error = start_http(s, paths, err);
	if (!error)
		error = store_start(s, err);
	if (!error) {
		service_start_all();
		print_start();
		systemd_tell("READY=1");
		run(s, line, signals);
	}
	mend_stop();
	service_deinit();
	triggers_deinit();
	async_deinit();
	store_deinit();
	registry_deinit();
	dispatch_deinit();
	access_deinit();
	return error;
}

static int start_log(const struct settings *s, struct df_err *err)
{
	const struct log_settings logs = logs_of(s);
	DF_FREE char *path = state_path("logs");

	return path ? log_init(path, &logs, err) : df_err_set(err, -ENOMEM, "out of memory");
}

static int start(struct settings *s, const struct command_line *line, struct df_err *err)
{
	DF_FREE char *usual = s->state ? NULL : df_place_state();
	struct paths paths = {0};
	sigset_t signals;
	int error = check(s, err);

	if (error)
		return error;
	umask(077);
	raise_limits();
	block_signals(&signals);
	error = state_open(s->state ? s->state : usual ? usual : "", err);
	if (error)
		return error;
	error = find_paths(&paths, err);
	if (!error)
		error = start_log(s, err);
	registry_init();
	if (!error)
		error = serve(s, line, &paths, &signals, err);
	log_deinit();
	free_paths(&paths);
	state_close();
	return error;
}

int main(int argc, char **argv)
{
	const struct command_line line = {argc, argv};
	struct df_err err = {0};
	struct settings settings = {0};
	int error;

	daemon_started_ns = clock_now_ns();
	error = settings_read(argc, argv, &settings, &err);
	if (error) {
		fprintf(stderr, "dayflyd: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (settings.help)
		print_help();
	else if (settings.version)
		printf("dayflyd %s\n", DAYFLY_VERSION);
	else
		error = start(&settings, &line, &err);
	settings_deinit(&settings);
	if (!error)
		return EXIT_OK;
	fprintf(stderr, "dayflyd: %s\n", err.code ? err.text : df_errno_text(error));
	return EXIT_START;
}
