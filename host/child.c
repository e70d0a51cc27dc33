/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program: see child.h. */
#include "host/child.h"

#include "host/cleanup.h"
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Starts the child with its streams on the write ends. Returns 0 or -errno. */
static int start(const struct df_child *child, int output, int errors, pid_t *pid)
{
	char *const nothing[] = {NULL};
	posix_spawn_file_actions_t actions;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	error = -posix_spawn_file_actions_addopen(&actions, 0,
		child->input ? child->input : "/dev/null", O_RDONLY, 0);
	if (!error)
		error = -posix_spawn_file_actions_adddup2(&actions, output, 1);
	if (!error)
		error = -posix_spawn_file_actions_adddup2(&actions, errors, 2);
	if (!error)
		error = df_spawn(child->path, child->arguments,
			child->environment ? child->environment : nothing, &actions, pid);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Reads once from a stream that is ready. Returns 1 when there may be more, 0 at its end, or -errno. */
static int drain(int fd, struct df_str *into, size_t cap, bool *truncated)
{
	char buffer[16384];
	ssize_t got = read(fd, buffer, sizeof(buffer));
	size_t room = cap - into->length;

	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	if ((size_t)got > room)
		*truncated = true;
	df_str_add_bytes(into, buffer, (size_t)got > room ? room : (size_t)got);
	return got > 0;
}

/* Collects both streams until both have ended or the time is up. */
static int collect(const struct df_child *child, const int fds[2], struct df_child_result *result)
{
	struct pollfd polls[2] = {
		{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
	struct df_str *into[2] = {&result->output, &result->errors};
	int64_t deadline = now_ms() + child->time_limit_ms;

	while (polls[0].fd >= 0 || polls[1].fd >= 0) {
		int64_t left = child->time_limit_ms ? deadline - now_ms() : -1;

		if (child->time_limit_ms && left <= 0)
			return -ETIMEDOUT;
		if (poll(polls, 2, left > INT_MAX ? INT_MAX : (int)left) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < 2; i++) {
			int more;

			if (polls[i].fd < 0 || !polls[i].revents)
				continue;
			more = drain(polls[i].fd, into[i], child->output_cap_bytes,
				&result->truncated);
			if (more < 0)
				return more;
			if (!more)
				polls[i].fd = -1; /* poll skips it */
		}
	}
	return 0;
}

static int reap(pid_t pid, int *exit_status)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	*exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

/* Starts, collects, reaps; the read ends are in read_fds, the write ends are closed on the way. */
static int run_child(const struct df_child *child, const int read_fds[2], int write_fds[2],
	struct df_child_result *result)
{
	pid_t pid = -1;
	int error, reap_error;

	error = start(child, write_fds[0], write_fds[1], &pid);
	/* The streams end when the child's copies are closed, so ours must go first. */
	close(df_take_fd(&write_fds[0]));
	close(df_take_fd(&write_fds[1]));
	if (error)
		return error;
	error = collect(child, read_fds, result);
	if (error)
		kill(pid, SIGKILL);
	reap_error = reap(pid, &result->exit_status);
	if (!error && (result->output.failed || result->errors.failed))
		error = -ENOMEM;
	return error ? error : reap_error;
}

int df_child_run(const struct df_child *child, struct df_child_result *result, struct df_err *err)
{
	int output[2] = {-1, -1}, errors[2] = {-1, -1};
	int read_fds[2], write_fds[2], error = 0;

	*result = (struct df_child_result){0};
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		error = -errno;
	read_fds[0] = output[0];
	read_fds[1] = errors[0];
	write_fds[0] = output[1];
	write_fds[1] = errors[1];
	if (!error)
		error = run_child(child, read_fds, write_fds, result);
	for (int i = 0; i < 2; i++) {
		df_cleanup_fd(&read_fds[i]);
		df_cleanup_fd(&write_fds[i]);
	}
	if (error) {
		df_child_result_deinit(result);
		return df_err_set(err, error, "running %s failed: %s", child->path,
			df_errno_text(error));
	}
	return 0;
}

void df_child_result_deinit(struct df_child_result *result)
{
	df_str_deinit(&result->output);
	df_str_deinit(&result->errors);
}
