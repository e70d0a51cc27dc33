/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dayflyd: serves functions over HTTP. This file reads the command line, starts the parts in order, waits for a signal, and stops
 * them in the other order.
 */
#include "daemon/event/async.h"
#include "daemon/clock.h"
#include "daemon/function/deploy.h"
#include "daemon/http/faces.h"
#include "daemon/http/signed.h"
#include "daemon/lambda/lambda.h"
#include "daemon/lambda/lambda_code.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "host/cleanup.h"
#include "host/place.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_MAX 32
#define NETWORKS_MAX 32
#define ASYNC_WORKERS 16u
#define STOP_LIMIT_MS 30000u

enum exit_status { EXIT_OK = 0, EXIT_START = 1, EXIT_USAGE = 2 };

struct options {
	char address[64];
	uint16_t port;
	char *state;
	const char *hosts[HOSTS_MAX + 1];
	size_t host_count;
	struct destination_network networks[NETWORKS_MAX]; /* that webhooks may reach */
	size_t network_count;
	unsigned int idle_ms, instances, prepared, queue, queue_ms, connections, body_mib;
	enum log_level log_level;
	bool no_jail, help, version;
};

struct paths {
	char *monitor, *kernel, *unzip, *host_cache, *socket;
};

uint64_t daemon_started_ns;

void daemon_stop(void)
{
	kill(getpid(), SIGTERM);
}

/* --- the command line --- */

static void print_help(void)
{
	printf("Usage: dayflyd [FLAGS]\n\n"
	       "Serves functions: http://127.0.0.1:8080/fn/NAME calls one, `dayfly deploy` makes one.\n\n"
	       "  --listen ADDRESS:PORT  where calls are taken (default 127.0.0.1:8080; port 0: any)\n"
	       "  --host NAME            a name that this machine may be called; may be repeated\n"
	       "  --webhook-allow NET    addresses that webhooks may reach although they are not public\n"
	       "  --state DIR            functions and settings (default ~/.local/share/dayfly)\n"
	       "  --idle SECONDS         a function's processes end after that long (default 30)\n"
	       "  --instances COUNT      microVMs at the same time, of all functions (default 128)\n"
	       "  --prepared COUNT       monitors that wait for a function, 0 to 16 (default 2)\n"
	       "  --queue COUNT          callers that wait for one function (default 256)\n"
	       "  --queue-time MS        how long one waits, at most (default 10000)\n"
	       "  --connections COUNT    at the same time (default 512)\n"
	       "  --body-max MIB         largest body of a request (default 6)\n"
	       "  --log-level LEVEL      debug, info, warning or error (default info)\n"
	       "  --no-jail              run monitors without their jail: for tests only\n"
	       "  --version, --help\n");
}

static int usage(const char *word, const char *wrong)
{
	fprintf(stderr, "dayflyd: %s%s; dayflyd --help says more\n", word, wrong);
	return EXIT_USAGE;
}

static bool read_number(const char *text, unsigned int most, unsigned int *into)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number > most)
		return false;
	*into = (unsigned int)number;
	return true;
}

static bool read_listen(struct options *o, const char *text)
{
	const char *colon = strrchr(text, ':');
	unsigned int port;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(o->address) ||
		!read_number(colon + 1, UINT16_MAX, &port))
		return false;
	memcpy(o->address, text, (size_t)(colon - text));
	o->address[colon - text] = '\0';
	o->port = (uint16_t)port;
	return true;
}

static bool read_level(struct options *o, const char *text)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(names[i], text) == 0) {
			o->log_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static bool add_host(struct options *o, const char *name)
{
	if (o->host_count == HOSTS_MAX)
		return false;
	o->hosts[o->host_count++] = name;
	return true;
}

static bool add_network(struct options *o, const char *text)
{
	return o->network_count < NETWORKS_MAX &&
		destination_network_parse(text, &o->networks[o->network_count++]) == 0;
}

static bool set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'l':
		return read_listen(o, value);
	case 'h':
		return add_host(o, value);
	case 'w':
		return add_network(o, value);
	case 's':
		free(o->state);
		o->state = strdup(value);
		return o->state != NULL;
	case 'i':
		if (!read_number(value, 86400, &o->idle_ms))
			return false;
		o->idle_ms *= 1000;
		return true;
	case 'n':
		return read_number(value, 4096, &o->instances) && o->instances > 0;
	case 'p':
		return read_number(value, 16, &o->prepared);
	case 'q':
		return read_number(value, 65536, &o->queue);
	case 't':
		return read_number(value, 600000, &o->queue_ms);
	case 'c':
		return read_number(value, 16384, &o->connections) && o->connections > 0;
	case 'b':
		return read_number(value, 1023, &o->body_mib);
	case 'L':
		return read_level(o, value);
	default:
		return false;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {{"listen", required_argument, NULL, 'l'},
		{"host", required_argument, NULL, 'h'},
		{"webhook-allow", required_argument, NULL, 'w'},
		{"state", required_argument, NULL, 's'}, {"idle", required_argument, NULL, 'i'},
		{"instances", required_argument, NULL, 'n'},
		{"prepared", required_argument, NULL, 'p'}, {"queue", required_argument, NULL, 'q'},
		{"queue-time", required_argument, NULL, 't'},
		{"connections", required_argument, NULL, 'c'},
		{"body-max", required_argument, NULL, 'b'},
		{"log-level", required_argument, NULL, 'L'}, {"no-jail", no_argument, NULL, 'J'},
		{"help", no_argument, NULL, 'H'}, {"version", no_argument, NULL, 'V'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'J')
			o->no_jail = true;
		else if (option == 'H')
			o->help = true;
		else if (option == 'V')
			o->version = true;
		else if (option == '?')
			return usage("", "that is no flag");
		else if (!set_option(o, option, optarg))
			return usage(optarg, " makes no sense there");
	}
	return optind == argc ? EXIT_OK : usage(argv[optind], " is too much");
}

static void init_options(struct options *o)
{
	*o = (struct options){.address = "127.0.0.1",
		.port = 8080,
		.idle_ms = 30000,
		.instances = 128,
		.prepared = 2,
		.queue = 256,
		.queue_ms = 10000,
		.connections = 512,
		.body_mib = 6,
		.log_level = LOG_LEVEL_INFO};
}

/* --- starting --- */

static int find_paths(struct paths *paths, struct df_err *err)
{
	paths->monitor = df_place_program("dayfly-monitor");
	paths->kernel = df_place_program("dayfly-kernel");
	paths->unzip = df_place_program("dayfly-unzip");
	paths->host_cache = state_path("cpuid");
	paths->socket = state_path("socket");
	if (!paths->monitor || !paths->kernel || !paths->unzip || !paths->host_cache ||
		!paths->socket)
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
	free(paths->kernel);
	free(paths->unzip);
	free(paths->host_cache);
	free(paths->socket);
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

static int start_dispatch(const struct options *o, const struct paths *paths, struct df_err *err)
{
	const struct deploy_settings deploying = {
		.monitor_path = paths->monitor,
		.kernel_path = paths->kernel,
		.host_cache = paths->host_cache,
		.no_jail = o->no_jail,
	};
	const struct dispatch_settings dispatching = {
		.monitor_path = paths->monitor,
		.host_cache = paths->host_cache,
		.instances_max = o->instances,
		.prepared = o->prepared,
		.idle_ms = o->idle_ms,
		.queue_max = o->queue,
		.queue_ms = o->queue_ms,
		.no_jail = o->no_jail,
	};

	deploy_init(&deploying);
	lambda_code_init(paths->unzip);
	return dispatch_init(&dispatching, err);
}

static int start_async(const struct options *o, struct df_err *err)
{
	const struct async_options options = {
		.workers = ASYNC_WORKERS,
		.allowed = o->networks,
		.allowed_count = o->network_count,
	};

	return async_init(&options, err);
}

static int start_http(const struct options *o, const struct paths *paths, struct df_err *err)
{
	static const struct route *const tables[] = {
		face_invoke, face_manage, face_stats, face_dead, face_lambda, NULL};
	const struct http_settings settings = {
		.address = o->address,
		.port = o->port,
		.socket_path = paths->socket,
		.connections_max = o->connections,
		.body_max = (uint64_t)o->body_mib << 20,
		.idle_s = 60,
		.hosts = o->hosts,
	};

	return http_start(&settings, tables, err);
}

/* The home directory is shown as people write it. */
static void print_start(const struct options *o)
{
	const char *home = getenv("HOME"), *directory = state_directory();
	size_t length = home ? strlen(home) : 0;
	bool inside = length > 1 && strncmp(directory, home, length) == 0 &&
		(directory[length] == '/' || !directory[length]);

	printf("dayflyd %s: http://%s:%u · state in %s%s · /dev/kvm %s\n", DAYFLY_VERSION,
		o->address, http_port(), inside ? "~" : "", directory + (inside ? length : 0),
		access("/dev/kvm", R_OK | W_OK) == 0 ? "ok" : "cannot be used");
	fflush(stdout);
}

/* SIGTERM and SIGINT are taken here alone: all other threads inherit the mask. */
static void block_signals(sigset_t *stopping)
{
	sigemptyset(stopping);
	sigaddset(stopping, SIGTERM);
	sigaddset(stopping, SIGINT);
	pthread_sigmask(SIG_BLOCK, stopping, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int serve(const struct options *o, const struct paths *paths, const sigset_t *stopping,
	struct df_err *err)
{
	int error = start_dispatch(o, paths, err), number;

	if (error)
		return error;
	error = signed_init(err);
	if (!error)
		error = state_load(err);
	if (!error)
		error = start_async(o, err);
	if (!error)
		error = start_http(o, paths, err);
	if (!error) {
		print_start(o);
		(void)sigwait(stopping, &number);
		log_line(LOG_LEVEL_INFO, "stopping");
		http_stop(STOP_LIMIT_MS);
	}
	async_deinit();
	registry_deinit();
	dispatch_deinit();
	return error;
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0;
}

static int start(const struct options *o, struct df_err *err)
{
	struct paths paths = {0};
	sigset_t stopping;
	int error;

	if (!is_loopback(o->address))
		return df_err_set(err, -EPERM,
			"%s is not loopback; calls are not authenticated, so dayflyd listens on loopback "
			"only",
			o->address);
	umask(077);
	raise_limits();
	block_signals(&stopping);
	error = state_open(o->state, err);
	if (error)
		return error;
	error = find_paths(&paths, err);
	if (!error)
		error = log_init(o->log_level);
	registry_init();
	if (!error)
		error = serve(o, &paths, &stopping, err);
	log_deinit();
	free_paths(&paths);
	state_close();
	return error;
}

int main(int argc, char **argv)
{
	struct df_err err = {0};
	struct options o;
	int status, error;

	daemon_started_ns = clock_now_ns();
	init_options(&o);
	status = read_options(argc, argv, &o);
	if (status)
		return status;
	if (o.help) {
		print_help();
		return EXIT_OK;
	}
	if (o.version) {
		printf("dayflyd %s\n", DAYFLY_VERSION);
		return EXIT_OK;
	}
	if (!o.state)
		o.state = df_place_state();
	error = o.state ? start(&o, &err) : -ENOMEM;
	free(o.state);
	if (!error)
		return EXIT_OK;
	fprintf(stderr, "dayflyd: %s\n", err.code ? err.text : df_errno_text(error));
	return EXIT_START;
}
