// SPDX-License-Identifier: Apache-2.0
/*
 * bench-http-static: the HTTP library of dayflyd, set up as dayflyd does (a thread per connection), with nothing behind it: takes
 * a body and answers with 100 bytes, or with the file that it is given. Prints its port; ends with its standard input.
 */
#include "http_serve.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path; /* NULL: 100 bytes */

/* Opened for every answer, as a server of files does. */
static struct MHD_Response *respond(void)
{
	static char reply[100] = {'x'};
	struct stat file;
	int fd;

	if (!path)
		return MHD_create_response_from_buffer(sizeof(reply), reply,
			MHD_RESPMEM_PERSISTENT);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &file) == 0
		? MHD_create_response_from_fd64((uint64_t)file.st_size, fd)
		: NULL;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_bytes, void **state)
{
	static int seen;
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)context, (void)url, (void)method, (void)version, (void)body;
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*body_bytes) {
		*body_bytes = 0;
		return MHD_YES;
	}
	response = respond();
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

int main(int argc, char **argv)
{
	path = argc > 1 ? argv[1] : NULL;
	return http_serve(answer, NULL);
}
