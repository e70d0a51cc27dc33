/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a process and waiting for its end: see spawn.h. */
#include "host/spawn.h"

#include "host/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGTERM);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &defaults);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int df_spawn(const char *path, char *const *arguments, char *const *environment,
	const posix_spawn_file_actions_t *actions, pid_t *pid)
{
	posix_spawnattr_t attributes;
	int error;

	if (posix_spawnattr_init(&attributes) != 0)
		return -ENOMEM;
	set_signals(&attributes);
	error = -posix_spawn(pid, path, actions, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	return error;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int df_spawn_poll(int fd, unsigned int limit_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t deadline = now_ms() + limit_ms;
	int ready;

	do {
		int64_t left = deadline - now_ms();

		if (limit_ms == UINT_MAX)
			left = -1;
		else if (left < 0)
			left = 0;
		ready = poll(&poll_fd, 1, left > INT_MAX ? INT_MAX : (int)left);
	} while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready;
}

/* Returns when the child has ended or the time is up. */
static void await_end(pid_t pid, unsigned int limit_ms)
{
	/* The process is not reaped yet, so the id is its own. */
	DF_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		(void)!df_spawn_poll(fd, limit_ms);
}

int df_spawn_end(pid_t pid, unsigned int grace_ms)
{
	int status;
	pid_t got = waitpid(pid, &status, WNOHANG);

	if (got == 0) {
		await_end(pid, grace_ms);
		got = waitpid(pid, &status, WNOHANG);
	}
	if (got == 0) {
		kill(pid, SIGKILL);
		do {
			got = waitpid(pid, &status, 0);
		} while (got < 0 && errno == EINTR);
	}
	if (got < 0)
		return -ECHILD;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
