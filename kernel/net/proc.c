// SPDX-License-Identifier: Apache-2.0
/* The texts of /proc/net: the feature `files` shows them, and asks here for what is in them. */
#include <kernel/core/program.h>
#include <kernel/net/net.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/un.h>

#define INTERFACES_MAX 8
#define TCP_ESTABLISHED 1
#define TCP_CLOSE 7
#define TCP_LISTEN 10

struct out {
	char *to;
	size_t used, size;
};

static void add(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct out *o, const char *fmt, ...)
{
	size_t room = o->used < o->size ? o->size - o->used : 0;
	va_list args;

	va_start(args, fmt);
	o->used += (size_t)kvsnprintf(room ? o->to + o->used : NULL, room, fmt, args);
	va_end(args);
}

/* "0100007F:0050": each word of the address as this machine stores it. */
static void add_name(struct out *o, struct socket *s, bool peer)
{
	const struct sockaddr_in *in;
	const struct sockaddr_in6 *in6;
	struct address a;
	uint16_t port;

	memset(&a, 0, sizeof(a));
	if (s->ops->name(s, peer, &a))
		memset(&a, 0, sizeof(a));
	in = (const void *)a.bytes;
	in6 = (const void *)a.bytes;
	port = s->family == AF_INET6 ? in6->sin6_port : in->sin_port;
	for (int i = 0; s->family == AF_INET6 && i < 4; i++)
		add(o, "%08X", in6->sin6_addr.s6_addr32[i]);
	if (s->family == AF_INET)
		add(o, "%08X", in->sin_addr.s_addr);
	add(o, ":%04X", (unsigned)(uint16_t)(port << 8 | port >> 8));
}

static unsigned state_of(struct socket *s)
{
	struct address a;

	if (s->listening)
		return TCP_LISTEN;
	return s->ops->name(s, true, &a) ? TCP_CLOSE : TCP_ESTABLISHED;
}

static void add_sockets(struct out *o, int family, int type)
{
	struct socket *s;
	unsigned n = 0;

	add(o,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt"
		"   uid  timeout inode\n");
	list_for_each(s, &socket_list, all) {
		if (s->family != family || s->type != type)
			continue;
		add(o, "%4u: ", n++);
		add_name(o, s, false);
		add(o, " ");
		add_name(o, s, true);
		add(o, " %02X %08X:%08X 00:00000000 00000000 %5u %8d %u\n", state_of(s), 0u,
			s->listening ? 0u : (unsigned)s->ops->queued(s), 0u, 0, s->number);
	}
}

static void add_unix(struct out *o)
{
	struct socket *s;

	add(o, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	list_for_each(s, &socket_list, all) {
		struct address a;
		const char *path = (const char *)a.bytes + offsetof(struct sockaddr_un, sun_path);

		if (s->family != AF_UNIX)
			continue;
		s->ops->name(s, false, &a);
		add(o, "%016lX: %08X %08X %08X %04X %02X %5u", 0ul, 2u, 0u,
			s->listening ? 0x10000u : 0u, (unsigned)s->type,
			state_of(s) == TCP_ESTABLISHED ? 3u : 1u, s->number);
		if (a.used > offsetof(struct sockaddr_un, sun_path))
			add(o, " %s%s", *path ? "" : "@", *path ? path : path + 1);
		add(o, "\n");
	}
}

/* As /proc/net/if_inet6 counts: the host, the link, the world. */
static unsigned scope6(const struct interface *i)
{
	return i->index == 1 ? 0x10 : i->address6[0] == 0xfe ? 0x20 : 0;
}

static void add_interfaces(struct out *o, bool addresses)
{
	struct interface i;

	if (!addresses)
		add(o,
			"Inter-|   Receive                                                |  Transmit\n"
			" face |bytes    packets errs drop fifo frame compressed multicast|"
			"bytes    packets errs drop fifo colls carrier compressed\n");
	for (int index = 1; index < INTERFACES_MAX; index++) {
		if (!interface_get(index, &i))
			continue;
		if (!addresses) {
			add(o, "%6s: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", i.name);
			continue;
		}
		for (int b = 0; b < 16; b++)
			add(o, "%02x", i.address6[b]);
		add(o, " %02x %02x %02x %02x %8s\n", (unsigned)index, (unsigned)i.prefix6,
			scope6(&i), 0x80u, i.name);
	}
}

size_t net_proc_text(enum net_text which, char *to, size_t size)
{
	struct out o = {.to = to, .size = size};

	switch (which) {
	case NET_TEXT_DEV:
	case NET_TEXT_IF_INET6:
		add_interfaces(&o, which == NET_TEXT_IF_INET6);
		break;
	case NET_TEXT_ROUTE:
		add(&o, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
		break;
	case NET_TEXT_TCP:
	case NET_TEXT_TCP6:
		add_sockets(&o, which == NET_TEXT_TCP ? AF_INET : AF_INET6, SOCK_STREAM);
		break;
	case NET_TEXT_UDP:
	case NET_TEXT_UDP6:
		add_sockets(&o, which == NET_TEXT_UDP ? AF_INET : AF_INET6, SOCK_DGRAM);
		break;
	case NET_TEXT_UNIX:
		add_unix(&o);
		break;
	}
	return o.used;
}
