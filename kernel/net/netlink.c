// SPDX-License-Identifier: Apache-2.0
/*
 * Netlink sockets, as far as programs ask them what interfaces, addresses and routes there are (getifaddrs, Go's net
 * package): dumps of RTM_GETLINK, RTM_GETADDR and RTM_GETROUTE. Anything else is refused. An answer is made
 * when it is asked for, and waits, one message after the other, until it is received.
 */
#include <kernel/net/net.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define ANSWER_MAX 4096u /* what is waiting; interfaces are few */
#define REQUEST_MAX 256u
#define INTERFACES_MAX 8
#define ARPHRD_LOOPBACK 772
#define IFF_LOOPBACK 0x8u
#define SOL_NETLINK 270

struct netlink_socket {
	struct socket s;
	uint32_t port;
	unsigned used, taken; /* of `answer` */
	char answer[ANSWER_MAX];
};

static struct netlink_socket *netlink_of(struct socket *s)
{
	return (struct netlink_socket *)s;
}

/* --- making answers --- */

/* Room for a message with a body of these bytes, zeroed; NULL: there is none. */
static void *add_message(struct netlink_socket *n, const struct nlmsghdr *q, unsigned type,
	unsigned flags, unsigned bytes)
{
	struct nlmsghdr *h = (void *)(n->answer + n->used);
	unsigned all = NLMSG_SPACE(bytes);

	if (all > ANSWER_MAX - n->used)
		return NULL;
	memset(h, 0, all);
	h->nlmsg_len = NLMSG_LENGTH(bytes);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)flags;
	h->nlmsg_seq = q->nlmsg_seq;
	h->nlmsg_pid = n->port;
	n->used += all;
	return NLMSG_DATA(h);
}

/* Adds an attribute to the message that begins at `start`. */
static void add_attribute(struct netlink_socket *n, unsigned start, unsigned type,
	const void *value, unsigned bytes)
{
	struct nlmsghdr *h = (void *)(n->answer + start);
	struct rtattr *a = (void *)(n->answer + n->used);
	unsigned all = RTA_SPACE(bytes);

	if (all > ANSWER_MAX - n->used)
		return;
	memset(a, 0, all);
	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(a), value, bytes);
	n->used += all;
	h->nlmsg_len = n->used - start;
}

static void add_link(struct netlink_socket *n, const struct nlmsghdr *q, const struct interface *i)
{
	unsigned start = n->used, queue = 1000;
	struct ifinfomsg *m = add_message(n, q, RTM_NEWLINK, NLM_F_MULTI, sizeof(*m));
	static const uint8_t none[6], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	bool loopback = i->flags & IFF_LOOPBACK;
	uint8_t state = 0;

	if (!m)
		return;
	m->ifi_family = AF_UNSPEC;
	m->ifi_type = loopback ? ARPHRD_LOOPBACK : 1;
	m->ifi_index = i->index;
	m->ifi_flags = i->flags | 0x10000; /* IFF_LOWER_UP */
	add_attribute(n, start, IFLA_IFNAME, i->name, (unsigned)strlen(i->name) + 1);
	add_attribute(n, start, IFLA_TXQLEN, &queue, sizeof(queue));
	add_attribute(n, start, IFLA_OPERSTATE, &state, sizeof(state));
	add_attribute(n, start, IFLA_MTU, &i->mtu, sizeof(i->mtu));
	add_attribute(n, start, IFLA_ADDRESS, i->hardware, sizeof(i->hardware));
	add_attribute(n, start, IFLA_BROADCAST, loopback ? none : all, sizeof(all));
}

static void add_address(struct netlink_socket *n, const struct nlmsghdr *q,
	const struct interface *i, int family)
{
	unsigned start = n->used, bytes = family == AF_INET ? 4 : 16;
	struct ifaddrmsg *m = add_message(n, q, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));
	const uint8_t *address = family == AF_INET ? i->address : i->address6;

	if (!m)
		return;
	m->ifa_family = (uint8_t)family;
	m->ifa_prefixlen = family == AF_INET ? i->prefix : i->prefix6;
	m->ifa_flags = 0x80; /* IFA_F_PERMANENT */
	m->ifa_scope = i->flags & IFF_LOOPBACK                      ? RT_SCOPE_HOST
		: family == AF_INET6 && (address[0] & 0xfe) == 0xfe ? RT_SCOPE_LINK
								    : RT_SCOPE_UNIVERSE;
	m->ifa_index = (uint32_t)i->index;
	add_attribute(n, start, IFA_ADDRESS, address, bytes);
	if (family == AF_INET) {
		add_attribute(n, start, IFA_LOCAL, address, bytes);
		add_attribute(n, start, IFA_LABEL, i->name, (unsigned)strlen(i->name) + 1);
	}
}

static void add_addresses(struct netlink_socket *n, const struct nlmsghdr *q, int family)
{
	static const uint8_t none[16];
	struct interface i;

	for (int index = 1; index < INTERFACES_MAX; index++)
		if (family != AF_INET6 && interface_get(index, &i))
			add_address(n, q, &i, AF_INET);
	for (int index = 1; index < INTERFACES_MAX; index++)
		if (family != AF_INET && interface_get(index, &i) && memcmp(i.address6, none, 16))
			add_address(n, q, &i, AF_INET6);
}

static int refuse(struct netlink_socket *n, const struct nlmsghdr *q, int error)
{
	struct nlmsgerr *e = add_message(n, q, NLMSG_ERROR, 0, sizeof(*e));

	if (!e)
		return -ENOBUFS;
	e->error = error;
	e->msg = *q;
	return 0;
}

static int answer(struct netlink_socket *n, const struct nlmsghdr *q, int family)
{
	struct interface i;
	int *done;

	if (n->taken == n->used)
		n->taken = n->used = 0;
	if (!(q->nlmsg_flags & NLM_F_REQUEST))
		return 0;
	if ((q->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		return refuse(n, q, -EOPNOTSUPP);
	switch (q->nlmsg_type) {
	case RTM_GETLINK:
		for (int index = 1; index < INTERFACES_MAX; index++)
			if (interface_get(index, &i))
				add_link(n, q, &i);
		break;
	case RTM_GETADDR:
		add_addresses(n, q, family);
		break;
	case RTM_GETROUTE:
		break;
	default:
		return refuse(n, q, -EOPNOTSUPP);
	}
	done = add_message(n, q, NLMSG_DONE, NLM_F_MULTI, sizeof(*done));
	return done ? 0 : -ENOBUFS;
}

/* --- the socket --- */

static int bind(struct socket *s, const struct address *a)
{
	struct netlink_socket *n = netlink_of(s);
	const struct sockaddr_nl *nl = (const void *)a->bytes;

	if (a->used < sizeof(*nl) || nl->nl_family != AF_NETLINK)
		return -EINVAL;
	if (n->port && nl->nl_pid && nl->nl_pid != n->port)
		return -EINVAL;
	n->port = nl->nl_pid ? nl->nl_pid : n->port ? n->port : boot_info->pid + s->number;
	return 0;
}

static int connect(struct socket *s, const struct address *a)
{
	return a->used >= sizeof(a->family) && a->family == AF_NETLINK ? netlink_of(s)->port
			? 0
			: bind(s,
				  &(struct address){
					  .family = AF_NETLINK, .used = sizeof(struct sockaddr_nl)})
								       : -EINVAL;
}

static int connected(struct socket *s)
{
	s->connecting = false;
	return 0;
}

static int name(struct socket *s, bool peer, struct address *a)
{
	struct sockaddr_nl *nl = (void *)a->bytes;

	memset(a, 0, sizeof(*a));
	nl->nl_family = AF_NETLINK;
	nl->nl_pid = peer ? 0 : netlink_of(s)->port;
	a->used = sizeof(*nl);
	return 0;
}

static int64_t send(struct socket *s, struct message *m)
{
	struct netlink_socket *n = netlink_of(s);
	char request[REQUEST_MAX];
	const struct nlmsghdr *q = (const void *)request;
	int r;

	if (m->bytes > sizeof(request))
		return -EMSGSIZE;
	r = message_take(m, request, m->bytes);
	if (r)
		return r;
	if (!n->port)
		n->port = boot_info->pid + s->number;
	if (m->bytes >= sizeof(*q) && q->nlmsg_len >= sizeof(*q) && q->nlmsg_len <= m->bytes) {
		r = answer(n, q,
			m->bytes > NLMSG_HDRLEN ? (uint8_t)request[NLMSG_HDRLEN] : AF_UNSPEC);
		if (r)
			return r;
		socket_wake_readers(s, NET_IN);
	}
	return (int64_t)m->bytes;
}

/* As Linux, several messages in one, but the end of a dump by itself. */
static unsigned next_part(const struct netlink_socket *n)
{
	unsigned at = n->taken;

	while (at < n->used) {
		const struct nlmsghdr *h = (const void *)(n->answer + at);

		if (h->nlmsg_type == NLMSG_DONE && at > n->taken)
			break;
		at += NLMSG_ALIGN(h->nlmsg_len);
		if (h->nlmsg_type == NLMSG_DONE)
			break;
	}
	return at - n->taken;
}

static int64_t receive(struct socket *s, struct message *m)
{
	struct netlink_socket *n = netlink_of(s);
	struct sockaddr_nl *nl = (void *)m->address.bytes;
	unsigned bytes = next_part(n);
	int r;

	if (!bytes)
		return -EAGAIN;
	r = message_put(m, n->answer + n->taken, min((size_t)bytes, m->bytes));
	if (r)
		return r;
	memset(&m->address, 0, sizeof(m->address));
	nl->nl_family = AF_NETLINK;
	m->address.used = sizeof(*nl);
	if (bytes > m->bytes)
		m->out_flags |= MSG_TRUNC;
	if (!(m->flags & MSG_PEEK))
		n->taken += bytes;
	return (int64_t)(m->flags & MSG_TRUNC ? bytes : min((size_t)bytes, m->bytes));
}

static unsigned poll(struct socket *s)
{
	struct netlink_socket *n = netlink_of(s);

	return NET_OUT | (n->taken < n->used ? NET_IN : 0);
}

static uint64_t queued(struct socket *s)
{
	return next_part(netlink_of(s));
}

static void release(struct socket *s)
{
	socket_end(s);
}

static int set(struct socket *s, int level, int option, int value)
{
	(void)s, (void)option, (void)value;
	return level == 1 || level == SOL_NETLINK ? 0 : -ENOPROTOOPT; /* SOL_SOCKET */
}

static const struct socket_ops netlink_ops = {
	.bind = bind,
	.connect = connect,
	.connected = connected,
	.name = name,
	.send = send,
	.receive = receive,
	.set = set,
	.poll = poll,
	.queued = queued,
	.release = release,
};

int netlink_socket(int type, int protocol, struct socket **out)
{
	struct netlink_socket *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	socket_init(&n->s, &netlink_ops, AF_NETLINK, type, protocol);
	*out = &n->s;
	return 0;
}
