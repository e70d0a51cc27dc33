// SPDX-License-Identifier: Apache-2.0
/* The least that an HTTP server does: waits with epoll on port 8000, reads a request, sends its body back. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char request[65536], reply[sizeof(request) + 256];

static void serve(int fd)
{
	ssize_t n = read(fd, request, sizeof(request) - 1);
	char *body;
	int bytes;

	if (n > 0) {
		request[n] = '\0';
		body = strstr(request, "\r\n\r\n");
		body = body ? body + 4 : request + n;
		bytes = snprintf(reply, sizeof(reply),
			"HTTP/1.1 200 OK\r\nContent-Length: %zd\r\n\r\n%s", request + n - body,
			body);
		if (write(fd, reply, (size_t)bytes) != bytes)
			perror("write");
	}
	close(fd);
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(8000)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};

	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 16) < 0 ||
		epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) < 0)
		return 1;
	while (epoll_wait(ep, &e, 1, -1) == 1) {
		if (e.data.fd == listener) {
			e.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			e.events = EPOLLIN;
			if (e.data.fd >= 0)
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
		} else {
			serve(e.data.fd);
		}
	}
	return 1;
}
