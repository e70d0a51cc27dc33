// SPDX-License-Identifier: Apache-2.0
/*
 * The process outside the jail: see outside.h. What it is asked may come from a monitor that was taken over, and is believed in
 * nothing. The files that a backtrace takes apart may be hostile as well, so that is the work of a one-shot program
 * (backtrace/), which locks itself down first. It has LIMIT_MS; whatever happens to it costs lines of a report and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backtrace/wire.h"
#include "outside.h"
#include "report.h"
#include "vm.h"

#define LIMIT_MS 5000
#define TEXT_MAX (64u << 10)
#define HELPER "dayfly-backtrace"
#define SOCKET_IN_HELPER 3

struct helper {
	pid_t pid;
	int output;
	char *text; /* what it has written so far */
	size_t length;
};

/* --- Backtraces --- */

/* The helper lies beside this program. */
static bool helper_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - sizeof(HELPER) - 1);
	char *slash;

	if (n <= 0)
		return false;
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	strcpy(slash + 1, HELPER);
	return true;
}

static int spawn(const char *path, char *const argv[], int socket, int output, pid_t *pid)
{
	char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int e;

	if (posix_spawn_file_actions_init(&actions))
		return ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	/* A group of its own: Ctrl-C is for the monitor. When that has gone, we end the helper. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	e = e ? e : posix_spawn_file_actions_adddup2(&actions, output, 1);
	e = e ? e : posix_spawn_file_actions_adddup2(&actions, 0, 2);
	e = e ? e : posix_spawn_file_actions_adddup2(&actions, socket, SOCKET_IN_HELPER);
	e = e ? e : posix_spawn(pid, path, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return e;
}

/* Starts the helper on a file. The descriptors it must not have are all close-on-exec. */
static bool helper_start(struct helper *h, int socket, const char *kind, const char *file)
{
	char path[4096], *argv[] = {(char *)HELPER, (char *)kind, (char *)file, NULL};
	int pipes[2], e;

	if (!helper_path(path, sizeof(path)) || pipe2(pipes, O_CLOEXEC))
		return false;
	e = spawn(path, argv, socket, pipes[1], &h->pid);
	close(pipes[1]);
	if (e) {
		close(pipes[0]);
		return false;
	}
	h->output = pipes[0];
	return true;
}

/* More text. False at its end. */
static bool take_text(struct helper *h)
{
	char buffer[4096];
	ssize_t n = read(h->output, buffer, sizeof(buffer));

	if (n < 0)
		return errno == EINTR;
	if (n > (ssize_t)(TEXT_MAX - h->length))
		n = (ssize_t)(TEXT_MAX - h->length);
	memcpy(h->text + h->length, buffer, (size_t)n);
	h->length += (size_t)n;
	return n > 0;
}

/* Collects text until the helper has closed its output, its time is up, or nobody is left to read it. */
static bool collect(struct helper *h, int socket)
{
	struct pollfd p[2] = {{.fd = h->output, .events = POLLIN}, {.fd = socket}};
	uint64_t end = clock_now_ns() + LIMIT_MS * 1000000ULL;

	for (;;) {
		uint64_t now = clock_now_ns();

		if (now >= end)
			return false;
		if (poll(p, 2, (int)((end - now) / 1000000) + 1) < 0 && errno != EINTR)
			return false;
		if (p[0].revents && !take_text(h))
			return true;
		if (p[1].revents)
			return false;
		p[0].revents = p[1].revents = 0;
	}
}

static void print_text(char *text, size_t length)
{
	text[length] = 0;
	report_clean(text);
	fputs(text, stderr);
	if (length && text[length - 1] != '\n')
		fputc('\n', stderr);
}

/* False when nothing was printed. */
static bool backtrace(int socket, const char *kind, const char *file)
{
	struct helper h = {.text = malloc(TEXT_MAX + 1)};
	bool whole, shown;
	int status = 0;

	if (!h.text || !helper_start(&h, socket, kind, file)) {
		free(h.text);
		return false;
	}
	whole = collect(&h, socket);
	if (!whole)
		kill(h.pid, SIGKILL);
	close(h.output);
	while (waitpid(h.pid, &status, 0) < 0 && errno == EINTR)
		;
	print_text(h.text, h.length);
	if (!whole || status)
		fprintf(stderr, "  (the backtrace was cut short)\n");
	shown = h.length > 0;
	free(h.text);
	return shown;
}

/* --- Files that are missing --- */

/* The monitor must not learn whether it is there. */
static void name_missing(const char *path)
{
	char line[2 * OUTSIDE_PATH_MAX + 128];

	if (access(path, F_OK))
		return;
	snprintf(line, sizeof(line),
		"dayfly: the program looked for %s, which is not in its root file system;"
		" add it with --file %s\n",
		path, path);
	report_clean(line);
	fputs(line, stderr);
}

/* --- The process --- */

/* What the terminal, or a service manager, sends to a group of processes is for the monitor: it ends, then this does. */
static void keep_little(int socket)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, "dayfly-outside");
	/* The program's input and output must not stay open for us; the numbers must not become something else's. */
	dup2(STDERR_FILENO, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	syscall(SYS_close_range, 3, socket - 1, 0);
	syscall(SYS_close_range, socket + 1, ~0u, 0);
}

static void serve(const struct options *o, int socket)
{
	char request[1 + OUTSIDE_PATH_MAX] = {0};

	for (;;) {
		ssize_t n = outside_receive(socket, request, sizeof(request) - 1);
		char what = request[0];
		bool shown = false;

		if (n <= 0 || what == OUTSIDE_END)
			return;
		request[n] = 0;
		if (what == OUTSIDE_MISSING)
			name_missing(request + 1);
		else if (what == OUTSIDE_PROGRAM)
			shown = backtrace(socket, o->raw_root ? BACKTRACE_RAW : BACKTRACE_IMAGE,
				o->root);
		else if (what == OUTSIDE_KERNEL)
			shown = backtrace(socket, BACKTRACE_RAW, o->kernel);
		/* A monitor that does not listen loses us, and sees that. */
		if (send(socket, &shown, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 ||
			what != OUTSIDE_MISSING)
			return;
	}
}

int outside_start(const struct options *o, int *socket, struct df_err *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return df_err_set(err, -errno, "no socket: %s", df_errno_text(errno));
	/* It ends first, as a rule, and nobody is to wait for it. */
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid < 0)
		return df_err_set(err, -errno, "can not start a second process: %s",
			df_errno_text(errno));
	if (!pid) {
		keep_little(pair[1]);
		serve(o, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	*socket = pair[0];
	return 0;
}

/* --- In the monitor --- */

bool outside_ask(int socket, char what, const char *text)
{
	char request[1 + OUTSIDE_PATH_MAX] = {what};
	size_t length = text ? strlen(text) : 0;

	if (!socket || length >= OUTSIDE_PATH_MAX)
		return false;
	if (length)
		memcpy(request + 1, text, length + 1);
	return send(socket, request, 1 + length, MSG_NOSIGNAL) == (ssize_t)(1 + length);
}

ssize_t outside_receive(int socket, void *message, size_t size)
{
	ssize_t n;

	do
		n = recv(socket, message, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}
