/* SPDX-License-Identifier: Apache-2.0 */
/* Checks against servers of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/clock.h"
#include "daemon/service/check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener;
static struct df_publish port;

static int open_listener(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 8) ||
		getsockname(listener, (struct sockaddr *)&at, &size))
		return -1;
	port = (struct df_publish){
		.address = df_ip_v4(INADDR_LOOPBACK), .host_port = ntohs(at.sin_port)};
	return 0;
}

static int close_listener(void **state)
{
	(void)state;
	return close(listener);
}

/* Drives it to its end. The server, once it has the request, answers so and closes; NULL: it says nothing; "": it closes. */
static enum check_result drive(struct check *check, const char *answer)
{
	enum check_result result = CHECK_GOING_ON;
	char request[1024];
	int peer = -1;

	while (result == CHECK_GOING_ON) {
		struct pollfd fds[2] = {{check->fd, check_events(check), 0},
			{peer < 0 ? listener : peer, POLLIN, 0}};
		uint64_t now_ns = clock_now_ns(), until_ns = check_until_ns(check);

		if (peer >= 0 && !answer)
			fds[1].fd = -1;
		poll(fds, 2, until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0);
		result = check_step(check, fds[0].revents);
		if (fds[1].revents && peer < 0) {
			peer = accept(listener, NULL, NULL);
		} else if (fds[1].revents && answer) {
			assert_true(recv(peer, request, sizeof(request), 0) > 0);
			assert_memory_equal(request, "GET /well HTTP/1.1\r\n", 20);
			/* In two parts, as it may come. */
			for (size_t i = 0, half = strlen(answer) / 2; i < 2 && *answer; i++)
				(void)!send(peer, answer + (i ? half : 0),
					i ? strlen(answer) - half : half, MSG_NOSIGNAL);
			close(peer);
			peer = -1;
			answer = NULL;
		}
	}
	if (peer >= 0)
		close(peer);
	assert_int_equal(check->fd, -1);
	return result;
}

static enum check_result ask(const char *answer, struct check *check)
{
	check_begin(check, &port, "/well", answer ? 20000 : 50);
	return drive(check, answer);
}

static void http(void **state)
{
	struct check check;

	(void)state;
	assert_int_equal(ask("HTTP/1.1 200 OK\r\n\r\n", &check), CHECK_GOOD);
	assert_int_equal(ask("HTTP/1.0 204 \r\n\r\nbody", &check), CHECK_GOOD);
	assert_int_equal(ask("HTTP/1.1 399 \r\n\r\n", &check), CHECK_GOOD);
	assert_int_equal(ask("HTTP/1.1 400 \r\n\r\n", &check), CHECK_BAD);
	assert_string_equal(check.why, "it answered 400");
	assert_int_equal(ask("HTTP/1.1 503 Service Unavailable\r\n\r\n", &check), CHECK_BAD);
	assert_int_equal(ask("HTTP/1.1 100 Continue\r\n\r\n", &check), CHECK_BAD);
	assert_int_equal(ask("HTTP/1.1 2", &check), CHECK_BAD);
	assert_string_equal(check.why, "the connection was closed without an answer");
	assert_int_equal(ask("SSH-2.0-OpenSSH_9.2p1\r\n", &check), CHECK_BAD);
	assert_string_equal(check.why, "the answer was not HTTP");
	assert_int_equal(ask("HTTP/1.1xxxxxxxxxxxxxx", &check), CHECK_BAD);
	assert_int_equal(ask("", &check), CHECK_BAD);
	assert_int_equal(ask(NULL, &check), CHECK_BAD);
	assert_string_equal(check.why, "there was no answer in time");
}

static void connecting(void **state)
{
	struct check check;

	(void)state;
	/* That the host's end takes it says nothing. */
	check_begin(&check, &port, NULL, 50);
	assert_int_equal(drive(&check, NULL), CHECK_BAD);
	check_begin(&check, &port, NULL, 20000);
	assert_int_equal(check_taken(&check), CHECK_GOOD);
	assert_int_equal(check.fd, -1);
	assert_int_equal(check_taken(&check), CHECK_GOING_ON);
	/* A question is not answered by that. */
	check_begin(&check, &port, "/well", 20000);
	assert_int_equal(check_taken(&check), CHECK_GOING_ON);
	check_end(&check);
	check_end(&check);
}

static void nobody(void **state)
{
	struct df_publish closed = {.address = df_ip_v4(INADDR_LOOPBACK), .host_port = 1};
	struct check check;

	(void)state;
	check_begin(&check, &closed, "/well", 20000);
	if (check.fd >= 0)
		assert_int_equal(drive(&check, NULL), CHECK_BAD);
	assert_non_null(strstr(check.why, "refused"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http), cmocka_unit_test(connecting), cmocka_unit_test(nobody)};

	return cmocka_run_group_tests(tests, open_listener, close_listener);
}
