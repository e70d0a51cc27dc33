// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor's half of a backtrace: see backtrace.h. Runs when the instance has ended, in the only
 * thread. The helper gets a socket, its standard output is a pipe, and it has LIMIT_MS; whatever
 * happens to it costs lines of the report and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backtrace.h"
#include "report.h"

#define LIMIT_MS 5000
#define TEXT_MAX (64u << 10)
#define PAGES_MAX 100000 /* requests that are served: more than any stack has */
#define HELPER "dayfly-backtrace"
#define SOCKET_IN_HELPER 3

struct helper {
	pid_t pid;
	int socket, output;
	char *text; /* what it has written so far */
	size_t length;
};

unsigned backtrace_modules(const char *maps, struct backtrace_module *out, unsigned max)
{
	unsigned n = 0;

	for (const char *line = maps; *line && n < max;) {
		struct backtrace_module *m = &out[n];
		size_t length = strcspn(line, "\n"), path;
		char *end;

		memset(m, 0, sizeof(*m));
		m->start = strtoull(line, &end, 16);
		if (*end == '-')
			m->end = strtoull(end + 1, &end, 16);
		if (*end == ' ')
			m->offset = strtoull(end + 1, &end, 16);
		path = *end == ' ' ? (size_t)(end + 1 - line) : length;
		if (path < length && length - path < sizeof(m->path) && m->end > m->start) {
			memcpy(m->path, line + path, length - path);
			n++;
		}
		line += length;
		line += *line == '\n';
	}
	return n;
}

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
	/* A group of its own: Ctrl-C is for the monitor, which ends it. */
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
static bool helper_start(struct helper *h, const char *kind, const char *file)
{
	char path[4096], *argv[] = {(char *)HELPER, (char *)kind, (char *)file, NULL};
	int sockets[2], pipes[2], e;

	if (!helper_path(path, sizeof(path)) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return false;
	if (pipe2(pipes, O_CLOEXEC)) {
		close(sockets[0]);
		close(sockets[1]);
		return false;
	}
	e = spawn(path, argv, sockets[1], pipes[1], &h->pid);
	close(sockets[1]);
	close(pipes[1]);
	if (e) {
		close(sockets[0]);
		close(pipes[0]);
		return false;
	}
	h->socket = sockets[0];
	h->output = pipes[0];
	fcntl(h->socket, F_SETFL, O_NONBLOCK);
	fcntl(h->output, F_SETFL, O_NONBLOCK);
	return true;
}

/* Sends what fits into an empty socket buffer. A helper that does not read loses the connection. */
static bool send_all(int fd, const void *data, size_t bytes)
{
	return send(fd, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static bool serve_page(const struct vm *vm, int fd)
{
	uint8_t reply[1 + DF_PAGE_SIZE] = {0};
	int pipes[2];
	const void *page;
	gva_t va;
	gpa_t gpa;

	if (recv(fd, &va, sizeof(va), 0) != sizeof(va))
		return false;
	va = df_page_down(va);
	page = tables_find(&vm->tables, va, &gpa) ? memory_at(&vm->memory, gpa, DF_PAGE_SIZE, false)
						  : NULL;
	/* A page of a file that shrank meanwhile can not be read; a pipe finds out without a fault. */
	if (page && !pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		if (write(pipes[1], page, DF_PAGE_SIZE) == (ssize_t)DF_PAGE_SIZE &&
			read(pipes[0], reply + 1, DF_PAGE_SIZE) == (ssize_t)DF_PAGE_SIZE)
			reply[0] = 1;
		close(pipes[0]);
		close(pipes[1]);
	}
	return send_all(fd, reply, reply[0] ? sizeof(reply) : 1);
}

/* More text. False at its end. */
static bool take_text(struct helper *h)
{
	char buffer[4096];
	ssize_t n = read(h->output, buffer, sizeof(buffer));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > (ssize_t)(TEXT_MAX - h->length))
		n = (ssize_t)(TEXT_MAX - h->length);
	memcpy(h->text + h->length, buffer, (size_t)n);
	h->length += (size_t)n;
	return n > 0;
}

/* Serves the helper until it has closed its output or its time is up. */
static bool serve(const struct vm *vm, struct helper *h)
{
	struct pollfd p[2] = {
		{.fd = h->output, .events = POLLIN}, {.fd = h->socket, .events = POLLIN}};
	uint64_t end = clock_now_ns() + LIMIT_MS * 1000000ULL;

	for (unsigned pages = 0;;) {
		uint64_t now = clock_now_ns();

		if (now >= end)
			return false;
		if (poll(p, 2, (int)((end - now) / 1000000) + 1) < 0 && errno != EINTR)
			return false;
		if (p[0].revents && !take_text(h))
			return true;
		if (p[1].revents && (pages++ >= PAGES_MAX || !serve_page(vm, h->socket)))
			p[1].fd = -1;
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

/* One backtrace. False when there is none, and the reader needs to see something else. */
static bool backtrace(const struct vm *vm, const struct backtrace_head *head, const char *kind,
	const char *file)
{
	struct helper h = {.text = malloc(TEXT_MAX + 1)};
	bool whole = false, shown;
	int status = 0;

	if (!h.text || !helper_start(&h, kind, file)) {
		free(h.text);
		return false;
	}
	if (send_all(h.socket, head, sizeof(*head)))
		whole = serve(vm, &h);
	if (!whole)
		kill(h.pid, SIGKILL);
	close(h.socket);
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

static void start_head(struct backtrace_head *head, const struct df_regs *regs)
{
	memset(head, 0, sizeof(*head));
	head->magic = BACKTRACE_MAGIC;
	head->regs = *regs;
}

void backtrace_program(struct vm *vm, const struct df_regs *regs, const char *maps)
{
	const struct options *o = vm->options;
	struct backtrace_head head;

	start_head(&head, regs);
	head.module_count = backtrace_modules(maps, head.module, BACKTRACE_MODULES);
	/* Without the helper the mappings at least let the reader look the addresses up. */
	if (!backtrace(vm, &head, o->raw_root ? BACKTRACE_RAW : BACKTRACE_IMAGE, o->root))
		fprintf(stderr, "  no backtrace; the code was mapped at\n%s", maps);
}

void backtrace_kernel(struct vm *vm, const struct df_regs *regs)
{
	struct backtrace_head head;

	start_head(&head, regs);
	head.module_count = 1;
	head.module[0].start = DF_VA_KERNEL;
	head.module[0].end = DF_VA_SYSTEM + DF_PAGE_SIZE;
	head.module[0].offset = BACKTRACE_AS_LINKED;
	strcpy(head.module[0].path, "dayfly-kernel");
	backtrace(vm, &head, BACKTRACE_RAW, vm->options->kernel);
}
