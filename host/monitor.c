/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor processes: see monitor.h. */
#include "host/monitor.h"

#include "host/cleanup.h"
#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors 0 to 3 are the child's to fill: this end of the socket must not lie there. */
static int move_up(int *fd)
{
	int moved;

	if (*fd > DF_WIRE_SOCKET)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, DF_WIRE_SOCKET + 1);
	if (moved < 0)
		return -errno;
	close(*fd);
	*fd = moved;
	return 0;
}

static int add_actions(posix_spawn_file_actions_t *actions, int socket)
{
	int error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	if (!error)
		error = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, socket, DF_WIRE_SOCKET);
	return -error;
}

static int spawn(const char *path, char *const *arguments, char *const *environment, int socket,
	pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	error = add_actions(&actions, socket);
	if (!error)
		error = df_spawn(path, arguments, environment, &actions, pid);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int df_monitor_start(struct df_monitor *monitor, const char *path, char *const *arguments,
	char *const *environment, struct df_err *err)
{
	int ends[2] = {-1, -1}, error = 0;
	DF_CLOSE int ours = -1;
	DF_CLOSE int theirs = -1;

	*monitor = DF_MONITOR_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		error = -errno;
	ours = ends[0];
	theirs = ends[1];
	if (!error)
		error = move_up(&theirs);
	if (!error)
		error = spawn(path, arguments, environment, theirs, &monitor->pid);
	if (error) {
		monitor->pid = -1;
		return error == -ENOENT
			? df_err_set(err, error,
				  "%s was not found; it belongs beside dayfly: build it with `make build`",
				  path)
			: df_err_set(err, error, "%s cannot be started: %s", path,
				  df_errno_text(error));
	}
	monitor->socket = df_take_fd(&ours);
	return 0;
}

int df_monitor_send(struct df_monitor *monitor, struct df_start *start, const int *descriptors,
	size_t count, struct df_err *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(DF_START_DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec part = {start, sizeof(*start)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	start->magic = DF_WIRE_MAGIC;
	start->version = DF_WIRE_VERSION;
	if (count > DF_START_DESCRIPTORS_MAX)
		return df_err_set(err, -E2BIG, "a monitor can not take %zu descriptors", count);
	if (count) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
	}
	if (sendmsg(monitor->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
			(ssize_t)sizeof(*start) ||
		errno == EPIPE || errno == ECONNRESET)
		return 0;
	return df_err_set(err, -errno, "speaking to the monitor failed: %s", df_errno_text(errno));
}

/* Fits what a monitor of ours would say. Ends the text. */
static bool check_ready(struct df_ready *ready)
{
	ready->text[sizeof(ready->text) - 1] = '\0';
	return ready->error <= 0 && ready->wait_point < DF_WAIT_POINT_COUNT &&
		ready->log_bytes <= DF_OUT_LOG_MAX && ready->exit_status <= 255;
}

static ssize_t receive_bytes(int socket, struct df_ready *ready)
{
	const int flags = MSG_TRUNC | MSG_DONTWAIT;
	ssize_t got = recv(socket, ready, sizeof(*ready), flags);

	/* It ended without having read all; what it said before that lies behind this error. */
	if (got < 0 && errno == ECONNRESET)
		got = recv(socket, ready, sizeof(*ready), flags);
	return got;
}

/* One message, checked as far as its form goes. Returns 0 or a negative error with *err set. */
static int receive(struct df_monitor *monitor, unsigned int limit_ms, struct df_ready *ready,
	struct df_err *err)
{
	int waited = df_spawn_poll(monitor->socket, limit_ms);
	ssize_t got;

	if (waited == 0)
		return df_err_set(err, -ETIMEDOUT, "the monitor was not ready after %u s",
			(limit_ms + 999) / 1000);
	got = waited < 0 ? -1 : receive_bytes(monitor->socket, ready);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return df_monitor_ended(monitor, err);
	if (got < 0)
		return df_err_set(err, -errno, "listening to the monitor failed: %s",
			df_errno_text(errno));
	if (got < 8 || ready->magic != DF_WIRE_MAGIC)
		return df_err_set(err, -EPROTO,
			"what was started as the monitor is none; dayfly and dayfly-monitor must be "
			"installed together");
	if (ready->version != DF_WIRE_VERSION || got != (ssize_t)sizeof(*ready))
		return df_err_set(err, -EPROTO,
			"dayfly-monitor is of another version than dayfly; install both again");
	if (!check_ready(ready))
		return df_err_set(err, -EPROTO,
			"the monitor's answer makes no sense; please report it");
	return 0;
}

int df_monitor_receive(struct df_monitor *monitor, unsigned int limit_ms, struct df_ready *ready,
	struct df_err *err)
{
	int error = receive(monitor, limit_ms, ready, err);

	if (error) {
		memset(ready, 0, sizeof(*ready));
		return error;
	}
	if (ready->error)
		return df_err_set(err, ready->error, "%s",
			*ready->text ? ready->text : df_errno_text(ready->error));
	return 0;
}

bool df_monitor_is_alive(const struct df_monitor *monitor)
{
	struct pollfd poll_fd = {.fd = monitor->socket};

	/* POLLHUP is reported unasked. */
	return monitor->socket >= 0 && poll(&poll_fd, 1, 0) == 0;
}

int df_monitor_stop(struct df_monitor *monitor, unsigned int grace_ms)
{
	pid_t pid = monitor->pid;

	df_cleanup_fd(&monitor->socket);
	monitor->socket = -1;
	monitor->pid = -1;
	return pid < 0 ? -ECHILD : df_spawn_end(pid, grace_ms);
}

int df_monitor_ended(struct df_monitor *monitor, struct df_err *err)
{
	int status = df_monitor_stop(monitor, DF_MONITOR_GRACE_MS);

	if (status > 128)
		return df_err_set(err, -EPIPE, "the monitor was ended by signal %d (%s)",
			status - 128, strsignal(status - 128));
	return df_err_set(err, -EPIPE, "the monitor ended with status %d", status);
}

void df_monitor_deinit(struct df_monitor *monitor)
{
	if (monitor->pid >= 0 || monitor->socket >= 0)
		(void)df_monitor_stop(monitor, DF_MONITOR_GRACE_MS);
}
