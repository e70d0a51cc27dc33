/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a service's process: see launch.h. */
#include "daemon/service/launch.h"

#include "host/cleanup.h"
#include "host/monitor_words.h"
#include "host/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child has to know. It is a copy of this process with one thread, so between fork and execve only system calls are safe. */
struct child {
	const char *path;
	char **words, **environment;
	pid_t parent;
	int in_fd, out_fd, error_fd; /* become 0, 1 and 2 */
	int report_fd; /* an errno, should it fail */
	const struct df_net_device *device; /* inherited under its numbers; NULL: none */
};

static _Noreturn void be_child(const struct child *c)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	/* A group of its own: Ctrl-C at the daemon's terminal is for the daemon, which then asks services to end. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->parent)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (c->device) {
		fcntl(c->device->memory, F_SETFD, 0);
		fcntl(c->device->kick, F_SETFD, 0);
		fcntl(c->device->wake, F_SETFD, 0);
	}
	if (dup2(c->in_fd, STDIN_FILENO) >= 0 && dup2(c->out_fd, STDOUT_FILENO) >= 0 &&
		dup2(c->error_fd, STDERR_FILENO) >= 0)
		execve(c->path, c->words, c->environment);
	error = errno;
	(void)!write(c->report_fd, &error, sizeof(error));
	_exit(1);
}

/* Returns the pid or -errno, also that of the child's execve. */
static pid_t spawn(struct child *c)
{
	int report[2], error = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	c->report_fd = report[1];
	c->parent = getpid();
	pid = fork();
	if (pid == 0)
		be_child(c);
	error = pid < 0 ? errno : 0;
	close(report[1]);
	if (!error && read(report[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
		waitpid(pid, NULL, 0);
	else if (pid > 0)
		error = 0;
	close(report[0]);
	return error ? -error : pid;
}

/* --- the network --- */

static bool has_net(const struct function_config *config)
{
	return config->egress || config->service.publish[0] || strstr(config->features, ",net");
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static int start_net(const struct service_settings *settings, const struct function_config *config,
	struct launched *l, struct df_err *err)
{
	const struct df_net_options options = {
		.path = settings->net_path,
		.program = config->name,
		.deployed = true,
		.rules = (const char *const *)config->egress,
		.rule_count = count(config->egress),
		.published = (const char *const *)config->service.publish,
		.published_count = count(config->service.publish),
		.guests = 1,
		.errors = l->error_end,
	};

	return df_net_start(&l->net, &options, err);
}

/* --- the first step --- */

/* A pipe whose reading end does not block. */
static int make_pipe(int *read_fd, int *write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*read_fd = ends[0];
	*write_fd = ends[1];
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int launch_begin(const struct service_settings *settings, const struct function *function,
	struct launched *l, bool *waits, struct df_err *err)
{
	const struct function_config *config = function->config;
	bool net = has_net(config);
	int error;

	*l = LAUNCHED_NONE;
	l->features = df_format("%s%s", config->features,
		net && !strstr(config->features, ",net") ? ",net" : "");
	error = l->features ? make_pipe(&l->out_fd, &l->out_end) : -ENOMEM;
	if (!error)
		error = make_pipe(&l->error_fd, &l->error_end);
	if (error)
		return df_err_set(err, error, "starting it failed: %s", df_errno_text(error));
	*waits = net;
	return net ? start_net(settings, config, l, err) : 0;
}

/* --- the second --- */

static char **make_words(const struct service_settings *settings, const struct function *function,
	const struct launched *l, char device[64])
{
	const char *flags[4] = {NULL};
	struct df_monitor_words words = {.name = "run",
		.host_cache = settings->host_cache,
		.kernel = settings->kernel_path,
		.flags = flags};
	size_t n = 0;

	if (settings->no_jail)
		flags[n++] = "--no-jail";
	if (l->net.pid > 0) {
		/* `life` stays here alone: this process sees the monitor end. */
		snprintf(device, 64, "%d,%d,%d,-1", l->net.device[0].memory, l->net.device[0].kick,
			l->net.device[0].wake);
		flags[n++] = "--net";
		flags[n++] = device;
	}
	function_config_words(function->config, function->root_path, &words);
	words.features = l->features;
	return df_monitor_words(&words);
}

static void close_end(int *fd)
{
	df_cleanup_fd(fd);
	*fd = -1;
}

static int start_monitor(const struct service_settings *settings, const struct function *function,
	struct launched *l)
{
	char device[64];
	DF_FREE char **words = make_words(settings, function, l, device);
	DF_FREE char **environment = function_config_variables(function->config);
	DF_CLOSE int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct child child = {
		.path = settings->monitor_path,
		.words = words,
		.environment = environment,
		.in_fd = in,
		.out_fd = l->out_end,
		.error_fd = l->error_end,
		.device = l->net.pid > 0 ? &l->net.device[0] : NULL,
	};
	pid_t pid;

	if (!words || !environment)
		return -ENOMEM;
	if (in < 0)
		return -errno;
	pid = spawn(&child);
	if (pid < 0)
		return pid;
	l->pid = pid;
	/* It is not reaped yet, so the id is its own. */
	l->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return l->pid_fd < 0 ? -errno : 0;
}

int launch_monitor(const struct service_settings *settings, const struct function *function,
	struct launched *l, struct df_err *err)
{
	int error = l->net.pid > 0 ? df_net_wait(&l->net, 0, err) : 0;

	if (error)
		return error;
	error = start_monitor(settings, function, l);
	close_end(&l->out_end);
	close_end(&l->error_end);
	if (!error)
		return 0;
	if (l->pid > 0)
		kill(l->pid, SIGKILL);
	return df_err_set(err, error, "%s cannot be started: %s", settings->monitor_path,
		df_errno_text(error));
}

/* --- its end --- */

bool launched_is_there(const struct launched *launched)
{
	return launched->pid > 0 || launched->net.pid > 0;
}

int launched_reap(struct launched *l)
{
	int status = 0;

	while (l->pid > 0 && waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
		;
	l->pid = -1;
	close_end(&l->pid_fd);
	close_end(&l->out_end);
	close_end(&l->error_end);
	df_net_end(&l->net);
	return status;
}

void launched_end(struct launched *l)
{
	df_cleanup_fd(&l->out_fd);
	df_cleanup_fd(&l->error_fd);
	free(l->features);
	*l = LAUNCHED_NONE;
}
