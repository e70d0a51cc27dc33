// SPDX-License-Identifier: Apache-2.0
/*
 * bench-http PORT PATH BODY CONNECTIONS REQUESTS: posts the same body to 127.0.0.1 again and again, on
 * connections that stay open, one thread each. BODY is a number of bytes, or @FILE. Prints one line of JSON: p50 and p99 in ns of one request, and
 * requests a second. Any answer but 200 ends it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/clock.h"

#define ANSWER_MAX 65536

struct client {
	pthread_t thread;
	const char *request;
	size_t request_bytes;
	unsigned short port;
	unsigned count;
	uint64_t *ns;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(unsigned short port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Reads one answer with a Content-Length. What is behind the headers is not kept. */
static void read_answer(int fd)
{
	char answer[ANSWER_MAX + 1];
	size_t have = 0, whole = 0;

	while (!whole || have < whole) {
		char *at = whole ? answer : answer + have, *end, *length;
		ssize_t n = read(fd, at, (size_t)(answer + ANSWER_MAX - at));

		if (n <= 0)
			die("read");
		have += (size_t)n;
		if (whole)
			continue;
		answer[have] = 0;
		end = strstr(answer, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(answer, "\r\ncontent-length:");
		if (strncmp(answer, "HTTP/1.1 200", 12) || !length) {
			fprintf(stderr, "bench-http: %.*s\n", (int)(end - answer), answer);
			exit(1);
		}
		whole = (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
	}
}

static void write_all(int fd, const char *at, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n <= 0)
			die("write");
		at += n;
		bytes -= (size_t)n;
	}
}

static void *run(void *arg)
{
	struct client *c = arg;
	int fd = connect_to(c->port);

	for (unsigned i = 0; i < c->count; i++) {
		uint64_t start = now_ns();

		write_all(fd, c->request, c->request_bytes);
		read_answer(fd);
		c->ns[i] = now_ns() - start;
	}
	close(fd);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	unsigned connections, each;
	struct client *clients;
	size_t body, head, total;
	char *request;
	uint64_t *ns, start, took;
	FILE *file = NULL;

	if (argc != 6) {
		fprintf(stderr, "usage: bench-http PORT PATH BODY CONNECTIONS REQUESTS\n");
		return 2;
	}
	if (*argv[3] == '@') {
		file = fopen(argv[3] + 1, "rb");
		if (!file || fseek(file, 0, SEEK_END))
			die(argv[3]);
		body = (size_t)ftell(file);
		rewind(file);
	} else {
		body = strtoul(argv[3], NULL, 10);
	}
	connections = (unsigned)atoi(argv[4]);
	each = (unsigned)atoi(argv[5]) / connections;
	total = (size_t)connections * each;
	request = malloc(body + 512);
	head = (size_t)sprintf(request,
		"POST %.200s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Length: %zu\r\n\r\n",
		argv[2], argv[1], body);
	memset(request + head, 'x', body);
	if (file && fread(request + head, 1, body, file) != body)
		die(argv[3]);
	clients = calloc(connections, sizeof(*clients));
	ns = calloc(total, sizeof(*ns));
	start = now_ns();
	for (unsigned i = 0; i < connections; i++) {
		clients[i] = (struct client){.request = request,
			.request_bytes = head + body,
			.port = (unsigned short)atoi(argv[1]),
			.count = each,
			.ns = ns + (size_t)i * each};
		if (pthread_create(&clients[i].thread, NULL, run, &clients[i]))
			die("pthread_create");
	}
	for (unsigned i = 0; i < connections; i++)
		pthread_join(clients[i].thread, NULL);
	took = now_ns() - start;
	qsort(ns, total, sizeof(*ns), compare);
	printf("{\"p50\": %llu, \"p99\": %llu, \"rate\": %.0f}\n",
		(unsigned long long)ns[total / 2], (unsigned long long)ns[(total - 1) * 99 / 100],
		(double)total * 1e9 / (double)took);
	return 0;
}
