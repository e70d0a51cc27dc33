// SPDX-License-Identifier: Apache-2.0
/* See inet.h. */
#include <kernel/net/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <lwip/ip.h>
#include <lwip/netif.h>

#define PORT_FIRST 32768u /* Linux: net.ipv4.ip_local_port_range */
#define PORT_LAST 60999u
#define PORT_TRIES 4096

static uint16_t swap(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static bool is_mapped(const struct in6_addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(a, prefix, sizeof(prefix));
}

static int from_v6(const struct address *a, struct inet_name *out)
{
	const struct sockaddr_in6 *in6 = (const void *)a->bytes;

	/* RFC 2133 had no scope id, and Linux still takes it. */
	if (a->used < offsetof(struct sockaddr_in6, sin6_scope_id))
		return -EINVAL;
	out->port = swap(in6->sin6_port);
	if (is_mapped(&in6->sin6_addr)) {
		IP_SET_TYPE_VAL(out->ip, IPADDR_TYPE_V4);
		memcpy(&ip_2_ip4(&out->ip)->addr, (const char *)&in6->sin6_addr + 12, 4);
		return 0;
	}
	IP_SET_TYPE_VAL(out->ip, IPADDR_TYPE_V6);
	memcpy(ip_2_ip6(&out->ip)->addr, &in6->sin6_addr, 16);
	return 0;
}

int inet_from_address(const struct socket *s, const struct address *a, struct inet_name *out)
{
	const struct sockaddr_in *in = (const void *)a->bytes;

	memset(out, 0, sizeof(*out));
	if (a->used < sizeof(a->family))
		return -EINVAL;
	if (s->family == AF_INET6 && a->family == AF_INET6)
		return from_v6(a, out);
	if (s->family == AF_INET && a->used < sizeof(*in))
		return -EINVAL;
	if (a->family != AF_INET || a->used < sizeof(*in))
		return s->family == AF_INET6 && a->used < sizeof(struct sockaddr_in6)
			? -EINVAL
			: -EAFNOSUPPORT;
	/* A socket of IPv6 takes IPv4 addresses for sending, not for its name. */
	IP_SET_TYPE_VAL(out->ip, IPADDR_TYPE_V4);
	ip_2_ip4(&out->ip)->addr = in->sin_addr.s_addr;
	out->port = swap(in->sin_port);
	return 0;
}

static void to_v6(const struct inet_name *n, struct address *a)
{
	struct sockaddr_in6 *in6 = (void *)a->bytes;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = swap(n->port);
	a->used = sizeof(*in6);
	if (IP_IS_V4_VAL(n->ip)) {
		if (ip4_addr_isany_val(*ip_2_ip4(&n->ip)))
			return;
		memset((char *)&in6->sin6_addr + 10, 0xff, 2);
		memcpy((char *)&in6->sin6_addr + 12, &ip_2_ip4(&n->ip)->addr, 4);
	} else {
		memcpy(&in6->sin6_addr, ip_2_ip6(&n->ip)->addr, 16);
	}
}

void inet_to_address(const struct socket *s, const struct inet_name *n, struct address *a)
{
	struct sockaddr_in *in = (void *)a->bytes;

	memset(a, 0, sizeof(*a));
	if (s->family == AF_INET6) {
		to_v6(n, a);
		return;
	}
	in->sin_family = AF_INET;
	in->sin_port = swap(n->port);
	if (IP_IS_V4_VAL(n->ip))
		in->sin_addr.s_addr = ip_2_ip4(&n->ip)->addr;
	a->used = sizeof(*in);
}

struct inet_name inet_any(const struct socket *s)
{
	struct inet_name n = {.port = 0};

	IP_SET_TYPE_VAL(n.ip, s->family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
	return n;
}

void inet_reach(struct inet_name *n)
{
	if (!ip_addr_isany(&n->ip))
		return;
	if (IP_IS_V4_VAL(n->ip))
		ip_addr_set_loopback_val(0, n->ip);
	else
		ip_addr_set_loopback_val(1, n->ip);
}

int inet_check_local(const ip_addr_t *ip)
{
	struct netif *netif;

	if (ip_addr_isany(ip) || ip_addr_ismulticast(ip))
		return 0;
	NETIF_FOREACH(netif)
	{
		if (IP_IS_V4(ip) && ip4_addr_cmp(ip_2_ip4(ip), netif_ip4_addr(netif)))
			return 0;
		if (IP_IS_V6(ip) && netif_get_ip6_addr_match(netif, ip_2_ip6(ip)) >= 0)
			return 0;
	}
	return -EADDRNOTAVAIL;
}

/* The interface that leads there; there is none without a router for what is no neighbour. NULL. */
static struct netif *route(const ip_addr_t *to)
{
	struct netif *netif;

	if (IP_IS_V6(to)) {
		netif = ip6_route(IP6_ADDR_ANY6, ip_2_ip6(to));
		/* lwIP takes the only one there is, wherever it leads. */
		return netif && netif_get_index(netif) != 1 ? netif : NULL;
	}
	netif = ip4_route(ip_2_ip4(to));
	if (netif && !ip4_addr_isany(netif_ip4_gw(netif)))
		return netif;
	return netif &&
			(ip4_addr_netcmp(ip_2_ip4(to), netif_ip4_addr(netif),
				 netif_ip4_netmask(netif)) ||
				ip_addr_isbroadcast(to, netif) || ip_addr_ismulticast(to))
		? netif
		: NULL;
}

int inet_check_route(const ip_addr_t *ip)
{
	if (inet_check_local(ip) == 0)
		return 0;
	if (ip_addr_isloopback(ip))
		return -ECONNREFUSED;
	return route(ip) ? 0 : -ENETUNREACH;
}

ip_addr_t inet_source(const ip_addr_t *to)
{
	struct netif *netif = route(to);
	const ip_addr_t *source = netif ? ip_netif_get_local_ip(netif, to) : NULL;

	return inet_check_local(to) && source ? *source : *to;
}

int inet_bind_port(void *pcb, const ip_addr_t *ip, uint16_t *port,
	int (*try)(void *pcb, const ip_addr_t *ip, uint16_t port))
{
	int r = -EADDRINUSE;

	if (*port)
		return try(pcb, ip, *port);
	for (unsigned i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
		uint32_t any;

		random_bytes(&any, sizeof(any));
		any = PORT_FIRST + any % (PORT_LAST - PORT_FIRST + 1);
		r = try(pcb, ip, (uint16_t)any);
		if (r == 0)
			*port = (uint16_t)any;
	}
	return r;
}

int inet_error(err_t e)
{
	switch (e) {
	case ERR_OK:
		return 0;
	case ERR_MEM:
		return -ENOBUFS;
	case ERR_BUF:
		return -ENOBUFS;
	case ERR_TIMEOUT:
		return -ETIMEDOUT;
	case ERR_RTE:
		return -ENETUNREACH;
	case ERR_INPROGRESS:
		return -EINPROGRESS;
	case ERR_USE:
		return -EADDRINUSE;
	case ERR_ALREADY:
		return -EALREADY;
	case ERR_ISCONN:
		return -EISCONN;
	case ERR_CONN:
		return -ENOTCONN;
	case ERR_IF:
		return -ENETDOWN;
	case ERR_ABRT:
		return -ECONNABORTED;
	case ERR_RST:
	case ERR_CLSD:
		return -ECONNRESET;
	default:
		return -EINVAL;
	}
}

/* --- options --- */

void inet_apply_reuse(const struct socket *s, uint8_t *so_options)
{
	if (s->reuse_address || s->reuse_port)
		*so_options |= SOF_REUSEADDR;
	else
		*so_options &= (uint8_t)~SOF_REUSEADDR;
}

#define IPPROTO_IPV6_LEVEL 41

int inet_set(struct socket *s, int level, int option, int value)
{
	if (level == IPPROTO_IP) {
		switch (option) {
		case IP_TOS:
		case IP_TTL:
		case IP_MTU_DISCOVER:
		case IP_RECVERR:
		case IP_FREEBIND:
		case IP_BIND_ADDRESS_NO_PORT:
		case IP_MULTICAST_TTL:
		case IP_MULTICAST_LOOP:
			return 0; /* nothing on a way without routers depends on them */
		default:
			return -ENOPROTOOPT;
		}
	}
	if (level == IPPROTO_IPV6_LEVEL && s->family == AF_INET6) {
		switch (option) {
		case IPV6_V6ONLY:
			s->only_v6 = value;
			return 0;
		case IPV6_UNICAST_HOPS:
		case IPV6_MULTICAST_HOPS:
		case IPV6_MULTICAST_LOOP:
		case IPV6_TCLASS:
		case IPV6_MTU_DISCOVER:
		case IPV6_RECVERR:
			return 0;
		default:
			return -ENOPROTOOPT;
		}
	}
	return -ENOPROTOOPT;
}

int inet_get(struct socket *s, int level, int option, int *value)
{
	if (level == IPPROTO_IP) {
		switch (option) {
		case IP_TTL:
			*value = IP_DEFAULT_TTL;
			return 0;
		case IP_TOS:
		case IP_RECVERR:
			*value = 0;
			return 0;
		case IP_MTU_DISCOVER:
			*value = 1; /* IP_PMTUDISC_WANT */
			return 0;
		default:
			return -ENOPROTOOPT;
		}
	}
	if (level == IPPROTO_IPV6_LEVEL && s->family == AF_INET6) {
		switch (option) {
		case IPV6_V6ONLY:
			*value = s->only_v6;
			return 0;
		case IPV6_UNICAST_HOPS:
			*value = IP_DEFAULT_TTL;
			return 0;
		default:
			return -ENOPROTOOPT;
		}
	}
	return -ENOPROTOOPT;
}
