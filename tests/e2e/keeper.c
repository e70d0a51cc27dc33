// SPDX-License-Identifier: Apache-2.0
/*
 * keeper HOW...: a program that goes on, for tests/e2e/services. An HTTP server on port 80 that does what the path says; words:
 *
 *	says TEXT	answers /name with it
 *	stubborn	does not end at SIGTERM
 *	silent		listens to nothing
 *	dies MS		ends so long after its start, with status 3
 *	ends MS		the same, with status 0
 *	late MS		listens so long after its start
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *name = "keeper";
static bool stubborn, silent, sick;
static long dies_ms, ends_ms, late_ms;

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_term(int number)
{
	(void)number;
	if (stubborn) {
		(void)!write(1, "no\n", 3);
		return;
	}
	(void)!write(1, "bye\n", 4);
	_exit(0);
}

/* "/connect/192.0.2.1:80": what becomes of it. */
static const char *try_to_connect(const char *where)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char address[32];
	int port = 0, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (sscanf(where, "%31[0-9.]:%d", address, &port) != 2)
		return "what?";
	to.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		errno = 0;
	close(fd);
	return strerrorname_np(errno);
}

/* Lines of 100 bytes, numbered; or one that is so long; or bytes that are no text. */
static void talk(long lines, long length)
{
	for (long i = 0; i < lines; i++)
		printf("%08ld %.*s\n", i, 90,
			"..........................................................................................");
	for (long i = 0; i < length; i++)
		putchar('a' + (int)(i % 26));
	if (length)
		putchar('\n');
	if (!lines && !length)
		fputs("\xff\xfe\x1b[31mred\r\nand no end", stdout);
	fflush(stdout);
}

static void answer(int fd, const char *path)
{
	const char *text = "ok\n";
	char reply[512];
	int status = 200;

	if (!strcmp(path, "/name"))
		text = name;
	else if (!strcmp(path, "/healthz"))
		status = sick ? 500 : 200;
	else if (!strcmp(path, "/sick"))
		sick = true;
	else if (!strcmp(path, "/secret"))
		text = getenv("SECRET") ? getenv("SECRET") : "none";
	else if (!strncmp(path, "/connect/", 9))
		text = try_to_connect(path + 9);
	else if (!strncmp(path, "/exit/", 6))
		_exit(atoi(path + 6));
	else if (!strncmp(path, "/lines/", 7))
		talk(atol(path + 7), 0);
	else if (!strncmp(path, "/long/", 6))
		talk(0, atol(path + 6));
	else if (!strcmp(path, "/bytes"))
		talk(0, 0);
	snprintf(reply, sizeof(reply), "HTTP/1.0 %d X\r\nContent-Length: %zu\r\n\r\n%s", status,
		strlen(text), text);
	(void)!write(fd, reply, strlen(reply));
}

static void serve(int listener)
{
	char request[4096], path[1024] = "";
	int fd = accept(listener, NULL, NULL);
	ssize_t got = fd < 0 ? 0 : read(fd, request, sizeof(request) - 1);

	if (got > 0) {
		request[got] = 0;
		if (sscanf(request, "GET %1023s", path) == 1)
			answer(fd, path);
	}
	if (fd >= 0)
		close(fd);
}

static int listen_now(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64)) {
		perror("listening");
		exit(1);
	}
	puts("listening");
	fflush(stdout);
	return fd;
}

static void read_words(char **words)
{
	for (; *words; words++) {
		if (!strcmp(*words, "says"))
			name = *++words;
		else if (!strcmp(*words, "stubborn"))
			stubborn = true;
		else if (!strcmp(*words, "silent"))
			silent = true;
		else if (!strcmp(*words, "dies"))
			dies_ms = atol(*++words);
		else if (!strcmp(*words, "ends"))
			ends_ms = atol(*++words);
		else if (!strcmp(*words, "late"))
			late_ms = atol(*++words);
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	long start = now_ms();
	int listener = -1;

	(void)argc;
	read_words(argv + 1);
	signal(SIGTERM, on_term);
	fprintf(stderr, "%s is here\n", name);
	for (;;) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		long ms = now_ms() - start;

		if (dies_ms && ms >= dies_ms)
			return 3;
		if (ends_ms && ms >= ends_ms)
			return 0;
		if (listener < 0 && !silent && ms >= late_ms)
			listener = listen_now();
		else if (poll(&p, 1, 20) > 0)
			serve(listener);
	}
}
