// SPDX-License-Identifier: Apache-2.0
/*
 * webserver HOW [PORT]: an HTTP server of one thread (HOW: accept, poll, select, epoll), or one for each connection (threads),
 * that answers well and badly, as the path says. For tests/e2e/servers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (16 << 20)

static int calls; /* requests that this process has seen */

static void put(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

static void answer(int fd, const char *type, const char *body, size_t bytes)
{
	char head[256];
	ssize_t n;

	snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\nX-Calls: %d\r\n\r\n",
		type, bytes, calls);
	put(fd, head);
	for (; bytes > 0 && (n = write(fd, body, bytes)) > 0; body += n)
		bytes -= (size_t)n;
}

/* A connection of this program with itself, made before it waits. */
static int before[2];

static void connect_to_itself(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&a, sizeof(a));
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&a, &length);
	before[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(before[0], (struct sockaddr *)&a, sizeof(a));
	before[1] = accept(listener, NULL, NULL);
	put(before[0], "sent before, ");
}

static void from_itself(int fd)
{
	char text[100];
	ssize_t n;

	put(before[0], "sent behind");
	shutdown(before[0], SHUT_WR);
	n = recv(before[1], text, sizeof(text), MSG_WAITALL);
	answer(fd, "text/plain", text, n > 0 ? (size_t)n : 0);
}

/* The whole request, zero-ended; *body is where its body begins. */
static char *read_request(int fd, size_t *bytes, char **body)
{
	static char *buffer;
	size_t used = 0, want = 0;

	buffer = buffer ? buffer : malloc(REQUEST_MAX + 1);
	for (;;) {
		ssize_t n = read(fd, buffer + used, REQUEST_MAX - used);
		char *end, *length;

		if (n <= 0)
			return NULL;
		used += (size_t)n;
		buffer[used] = '\0';
		end = strstr(buffer, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(buffer, "\r\nContent-Length:");
		want = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
		if (used < (size_t)(end + 4 - buffer) + want)
			continue;
		*body = end + 4;
		*bytes = want;
		return buffer;
	}
}

static void large(int fd, size_t bytes)
{
	char *text = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)('a' + i % 26);
	answer(fd, "text/plain", text, bytes);
	free(text);
}

static void port_of_client(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[64];

	getpeername(fd, (struct sockaddr *)&a, &length);
	answer(fd, "text/plain", text,
		(size_t)snprintf(text, sizeof(text), "%s %d", inet_ntoa(a.sin_addr),
			ntohs(a.sin_port)));
}

static void badly(int fd, const char *how)
{
	struct linger reset = {1, 0};

	if (strcmp(how, "nothing") == 0)
		return;
	if (strcmp(how, "reset") == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else if (strcmp(how, "short") == 0)
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
	else if (strcmp(how, "both") == 0)
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	else if (strcmp(how, "noise") == 0)
		put(fd, "this is no answer\r\n\r\n");
	else if (strcmp(how, "exit") == 0)
		exit(7);
	else if (strcmp(how, "wait") == 0)
		pause();
	else if (strcmp(how, "crash") == 0)
		*(volatile int *)8 = 1;
}

static void serve(int fd)
{
	char *body, *request, *path, *end;
	size_t bytes;

	request = read_request(fd, &bytes, &body);
	path = request ? strchr(request, ' ') : NULL;
	if (!path++)
		return;
	calls++;
	if (strncmp(path, "/bad/", 5) == 0) {
		end = strchr(path, ' ');
		*end = '\0';
		badly(fd, path + 5);
	} else if (strncmp(path, "/request", 8) == 0) {
		answer(fd, "text/plain", request, (size_t)(body - request));
	} else if (strncmp(path, "/echo", 5) == 0) {
		answer(fd, "application/octet-stream", body, bytes);
	} else if (strncmp(path, "/large/", 7) == 0) {
		large(fd, strtoul(path + 7, NULL, 10));
	} else if (strncmp(path, "/chunks", 7) == 0) {
		put(fd, "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n3\r\none\r\n");
		put(fd, "8\r\ntwothree\r\n0\r\nTrailer: x\r\n\r\n");
	} else if (strncmp(path, "/until-end", 10) == 0) {
		put(fd, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil ");
		put(fd, "the end");
	} else if (strncmp(path, "/continue", 9) == 0) {
		put(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
	} else if (strncmp(path, "/keep", 5) == 0) {
		answer(fd, "text/plain", "kept", 4);
		serve(fd); /* until the client closes */
	} else if (strncmp(path, "/sleep", 6) == 0) {
		usleep(50000);
		answer(fd, "text/plain", "slept", 5);
	} else if (strncmp(path, "/print", 6) == 0) {
		printf("printed\n");
		fflush(stdout);
		answer(fd, "text/plain", "answered", 8);
		fprintf(stderr, "logged behind it\n");
	} else if (strncmp(path, "/input", 6) == 0) {
		answer(fd, "text/plain", read(0, body, 1) == 0 ? "empty" : "not empty",
			read(0, body, 1) == 0 ? 5 : 9);
	} else if (strncmp(path, "/itself", 7) == 0) {
		from_itself(fd);
	} else if (strncmp(path, "/port", 5) == 0) {
		port_of_client(fd);
	} else {
		answer(fd, "text/plain", "hello\n", 6);
	}
}

static void wait_for(const char *how, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event e = {.events = EPOLLIN};
	static int ep = -1;
	fd_set set;

	if (strcmp(how, "poll") == 0) {
		poll(&p, 1, -1);
	} else if (strcmp(how, "select") == 0) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		select(fd + 1, &set, NULL, NULL, NULL);
	} else if (strcmp(how, "epoll") == 0) {
		if (ep < 0) {
			ep = epoll_create1(0);
			epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
		}
		epoll_wait(ep, &e, 1, 60000);
	} else if (strcmp(how, "spin") == 0) {
		while (poll(&p, 1, 0) == 0)
			;
	}
}

static void *serve_and_close(void *arg)
{
	int fd = (int)(long)arg;

	serve(fd);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	const char *how = argc > 1 ? argv[1] : "accept";

	a.sin6_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 80));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 8) < 0) {
		perror("webserver");
		return 1;
	}
	connect_to_itself();
	if (strcmp(how, "leave") == 0)
		return 5;
	for (;;) {
		pthread_t thread;
		int fd;

		wait_for(how, listener);
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (strcmp(how, "threads") == 0 &&
			pthread_create(&thread, NULL, serve_and_close, (void *)(long)fd) == 0)
			continue;
		serve_and_close((void *)(long)fd);
	}
}
