// SPDX-License-Identifier: Apache-2.0
/*
 * bench-http-cgi COMMAND...: starts COMMAND for each request, as CGI does: the body is its standard input, what it writes is the answer. The HTTP
 * library of dayflyd, set up as in http-static.c. Prints its port; ends with its standard input.
 *
 * Bodies and answers are small (they fit into a pipe), so that one side can be written before the other is read. All else is 500.
 */
#include "http_serve.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_MAX 4096 /* what fits into any pipe */

struct request {
	char body[BODY_MAX];
	size_t bytes;
};

extern char **environ;
static char **command;

static pid_t start(int in, int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (posix_spawn(&pid, command[0], &actions, NULL, command, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* The request's body is replaced by the answer. */
static int run(struct request *r)
{
	int in[2], out[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	pid = start(in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (write(in[1], r->body, r->bytes) != (ssize_t)r->bytes)
		status = 1;
	close(in[1]);
	r->bytes = 0;
	while (r->bytes < BODY_MAX &&
		(n = read(out[0], r->body + r->bytes, BODY_MAX - r->bytes)) > 0)
		r->bytes += (size_t)n;
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_bytes, void **state)
{
	struct request *r = *state;
	struct MHD_Response *response;
	enum MHD_Result result;
	unsigned int code;

	(void)context, (void)url, (void)method, (void)version;
	if (!r) {
		*state = calloc(1, sizeof(*r));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*body_bytes) {
		if (*body_bytes > BODY_MAX - r->bytes)
			return MHD_NO;
		memcpy(r->body + r->bytes, body, *body_bytes);
		r->bytes += *body_bytes;
		*body_bytes = 0;
		return MHD_YES;
	}
	code = run(r) == 0 ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR;
	response = MHD_create_response_from_buffer(r->bytes, r->body, MHD_RESPMEM_MUST_COPY);
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static void done(void *context, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode how)
{
	(void)context, (void)connection, (void)how;
	free(*state);
	*state = NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: bench-http-cgi COMMAND...\n");
		return 2;
	}
	command = argv + 1;
	return http_serve(answer, done);
}
