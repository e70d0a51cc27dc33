/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own addresses: see own.h. */
#include "nat/own.h"

#include "host/cleanup.h"
#include "nat/loop.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_MS 5000
#define MESSAGES_MAX 32768u

static struct {
	struct source source;
	struct own *own;
	int fd;
} watch;

/* --- the list --- */

static struct in6_addr *find(struct own *own, const struct in6_addr *address)
{
	for (unsigned int i = 0; i < own->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&own->address[i], address))
			return &own->address[i];
	return NULL;
}

bool own_has(const struct own *own, const struct in6_addr *address)
{
	for (unsigned int i = 0; i < own->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&own->address[i], address))
			return true;
	return own->unknown;
}

static int change(struct own *own, const struct in6_addr *address, bool there)
{
	struct in6_addr *place = find(own, address);

	if (there && !place) {
		if (own->count == OWN_MAX)
			return -E2BIG;
		own->address[own->count++] = *address;
	} else if (!there && place) {
		*place = own->address[--own->count];
	}
	return 0;
}

/* --- what the kernel says --- */

/* The address that a message is about. False: none that we know. */
static bool read_address(const struct nlmsghdr *message, struct in6_addr *out)
{
	const struct ifaddrmsg *about = NLMSG_DATA(message);
	int left = (int)IFA_PAYLOAD(message);
	const struct rtattr *a = IFA_RTA(about);
	uint32_t v4;
	bool found = false;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		/* Where both are there, IFA_ADDRESS is the other end's. */
		if (a->rta_type != IFA_LOCAL && (a->rta_type != IFA_ADDRESS || found))
			continue;
		if (about->ifa_family == AF_INET && RTA_PAYLOAD(a) == sizeof(v4)) {
			memcpy(&v4, RTA_DATA(a), sizeof(v4));
			*out = df_ip_v4(ntohl(v4));
			found = true;
		} else if (about->ifa_family == AF_INET6 && RTA_PAYLOAD(a) == sizeof(*out)) {
			memcpy(out, RTA_DATA(a), sizeof(*out));
			found = true;
		}
		if (found && a->rta_type == IFA_LOCAL)
			break;
	}
	return found;
}

int own_take(struct own *own, const void *messages, size_t bytes)
{
	const struct nlmsghdr *m = messages;
	int error = 0;

	for (unsigned int left = (unsigned int)bytes; !error && NLMSG_OK(m, left);
		m = NLMSG_NEXT(m, left)) {
		struct in6_addr address;

		if (m->nlmsg_type == NLMSG_DONE)
			return 1;
		if (m->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if ((m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_DELADDR) &&
			m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)) &&
			read_address(m, &address))
			error = change(own, &address, m->nlmsg_type == RTM_NEWADDR);
	}
	return error;
}

static int ask(void)
{
	const struct {
		struct nlmsghdr head;
		struct ifaddrmsg about;
	} question = {.head = {.nlmsg_len = sizeof(question),
			      .nlmsg_type = RTM_GETADDR,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};

	return send(watch.fd, &question, sizeof(question), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* All that has come. 1: among it the end of a list. */
static int take(void)
{
	_Alignas(struct nlmsghdr) char messages[MESSAGES_MAX];
	struct sockaddr_nl from;
	int ended = 0, result;

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(watch.fd, messages, sizeof(messages), MSG_DONTWAIT,
			(struct sockaddr *)&from, &size);

		/* Some were lost: what is new is in a new list. */
		if (n < 0 && errno == ENOBUFS && ask() == 0)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? ended : -errno;
		if (from.nl_pid != 0)
			continue; /* not the kernel */
		result = own_take(watch.own, messages, (size_t)n);
		if (result < 0)
			return result;
		ended |= result;
	}
}

static void changed(struct source *source, uint32_t events)
{
	(void)source, (void)events;
	if (take() >= 0 || watch.own->unknown)
		return;
	watch.own->unknown = true;
	fprintf(stderr,
		"dayfly: the host's addresses cannot be followed any more: only rules with addresses open anything\n");
}

/* --- the beginning --- */

static int begin(void)
{
	const struct sockaddr_nl name = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	struct pollfd wait;
	int result;

	watch.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (watch.fd < 0 || bind(watch.fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		return -errno;
	result = ask();
	while (result == 0) {
		wait = (struct pollfd){watch.fd, POLLIN, 0};
		if (poll(&wait, 1, LIMIT_MS) == 0)
			return -ETIMEDOUT;
		result = take();
	}
	watch.source.ready = changed;
	return result < 0 ? result : loop_add(watch.fd, EPOLLIN, &watch.source);
}

int own_watch(struct own *own, struct df_err *err)
{
	int error;

	watch.own = own;
	error = begin();
	if (error == 0)
		return 0;
	df_cleanup_fd(&watch.fd);
	return df_err_set(err, error, "the host's addresses cannot be listed: %s",
		df_errno_text(error));
}
