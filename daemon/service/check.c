/* SPDX-License-Identifier: Apache-2.0 */
/* Checks: see check.h. */
#include "daemon/service/check.h"

#include "daemon/clock.h"
#include "host/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATUS_BYTES 12 /* "HTTP/1.1 200" */

void check_end(struct check *check)
{
	if (check->fd >= 0)
		close(check->fd);
	check->fd = -1;
}

static enum check_result bad(struct check *check, const char *why)
{
	snprintf(check->why, sizeof(check->why), "%s", why);
	check_end(check);
	return CHECK_BAD;
}

static enum check_result good(struct check *check)
{
	check_end(check);
	return CHECK_GOOD;
}

void check_begin(struct check *check, const struct df_publish *publish, const char *path,
	uint64_t timeout_ms)
{
	const struct in6_addr any = df_ip_v4(INADDR_ANY), loopback = df_ip_v4(INADDR_LOOPBACK);
	const struct in6_addr *address = &publish->address;
	struct sockaddr_storage to;
	socklen_t size;

	if (IN6_ARE_ADDR_EQUAL(address, &any))
		address = &loopback;
	if (IN6_IS_ADDR_UNSPECIFIED(address))
		address = &in6addr_loopback;
	size = df_ip_to_socket(address, publish->host_port, &to);
	*check = (struct check){.path = path, .until_ns = clock_now_ns() + timeout_ms * 1000000};
	check->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (check->fd < 0 ||
		(connect(check->fd, (const struct sockaddr *)&to, size) < 0 &&
			errno != EINPROGRESS)) {
		snprintf(check->why, sizeof(check->why), "connecting failed: %s",
			df_errno_text(errno));
		check_end(check);
	}
}

short check_events(const struct check *check)
{
	return check->connected ? POLLIN : POLLOUT;
}

uint64_t check_until_ns(const struct check *check)
{
	return check->until_ns;
}

/* The connection stands, or does not. */
static enum check_result connected(struct check *check)
{
	DF_STR struct df_str text = DF_STR_EMPTY;
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
		return bad(check, "the connection was refused");
	check->connected = true;
	if (!check->path)
		return CHECK_GOING_ON;
	df_str_addf(&text,
		"GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: dayfly-health\r\nAccept: */*\r\n"
		"Connection: close\r\n\r\n",
		check->path);
	/* A path is short, a new connection's buffer is not. */
	if (text.failed ||
		send(check->fd, text.data, text.length, MSG_NOSIGNAL) != (ssize_t)text.length)
		return bad(check, "the request could not be sent");
	return CHECK_GOING_ON;
}

static enum check_result judge(struct check *check)
{
	char text[64];
	int status;

	check->answer[STATUS_BYTES] = '\0';
	if (strncmp(check->answer, "HTTP/1.", 7) != 0 || check->answer[8] != ' ')
		return bad(check, "the answer was not HTTP");
	status = atoi(check->answer + 9);
	if (status >= 200 && status < 400)
		return good(check);
	snprintf(text, sizeof(text), "it answered %d", status);
	return bad(check, text);
}

static enum check_result received(struct check *check)
{
	ssize_t got = recv(check->fd, check->answer + check->got, STATUS_BYTES - check->got, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return CHECK_GOING_ON;
	if (got <= 0)
		return bad(check,
			check->path ? "the connection was closed without an answer"
				    : "the connection was refused");
	if (!check->path)
		return good(check);
	check->got += (size_t)got;
	return check->got < STATUS_BYTES ? CHECK_GOING_ON : judge(check);
}

enum check_result check_step(struct check *check, short revents)
{
	enum check_result result = CHECK_GOING_ON;

	if (revents && !check->connected)
		result = connected(check);
	else if (revents)
		result = received(check);
	if (result != CHECK_GOING_ON || clock_now_ns() < check->until_ns)
		return result;
	return bad(check,
		check->connected ? "there was no answer in time" : "nothing was connected in time");
}

enum check_result check_taken(struct check *check)
{
	return check->fd < 0 || check->path ? CHECK_GOING_ON : good(check);
}
