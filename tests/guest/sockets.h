/*
 * sockets.h - what the socket cases share. All of it stays on the machine: loopback addresses and Unix sockets.
 */
#ifndef TESTS_GUEST_SOCKETS_H
#define TESTS_GUEST_SOCKETS_H

#include "case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static inline socklen_t loopback(union address *a, int family)
{
	memset(a, 0, sizeof *a);
	a->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof a->in;
	}
	a->in6.sin6_addr = in6addr_loopback;
	return sizeof a->in6;
}

/* A socket bound to a free port of the loopback address, which *a then holds. */
static inline int bound(int family, int type, union address *a)
{
	int fd = socket(family, type, 0);
	socklen_t length = loopback(a, family);

	if (fd < 0 || bind(fd, &a->any, length) < 0)
		return -1;
	length = sizeof *a;
	getsockname(fd, &a->any, &length);
	return fd;
}

static inline socklen_t length_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof a->in : sizeof a->in6;
}

/* fds[0] connected, fds[1] accepted; the listener is closed. */
static inline bool tcp_pair(int family, int fds[2])
{
	union address a;
	int listener = bound(family, SOCK_STREAM, &a);

	fds[0] = fds[1] = -1;
	if (listener < 0 || listen(listener, 1) < 0)
		return false;
	fds[0] = socket(family, SOCK_STREAM, 0);
	if (connect(fds[0], &a.any, length_of(&a)) < 0)
		return false;
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
	return fds[1] >= 0;
}

static inline const char *events_text(int events)
{
	static char text[8][64];
	static unsigned next;
	char *out = text[next++ % 8];

	snprintf(out, sizeof text[0], "%s%s%s%s%s%s", events & POLLIN ? "in," : "",
		events & POLLOUT ? "out," : "", events & POLLERR ? "err," : "",
		events & POLLHUP ? "hup," : "", events & POLLRDHUP ? "rdhup," : "",
		events & POLLNVAL ? "nval," : "");
	return out;
}

/* What poll says about one descriptor within `wait_ms`. */
static inline const char *polled(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	poll(&p, 1, wait_ms);
	return events_text(p.revents);
}

/* As polled, once it is ready for `events`. */
static inline const char *polled_for(int fd, int events)
{
	struct pollfd p = {.fd = fd, .events = (short)events};

	poll(&p, 1, 5000);
	return events_text(p.revents);
}

static inline int option(int fd, int level, int name)
{
	int value = -99;
	socklen_t length = sizeof value;

	return getsockopt(fd, level, name, &value, &length) < 0 ? -errno : value;
}

static inline const char *set_option(int fd, int level, int name, int value)
{
	return rc(setsockopt(fd, level, name, &value, sizeof value));
}

static inline void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

#endif
