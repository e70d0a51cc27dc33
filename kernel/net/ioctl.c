// SPDX-License-Identifier: Apache-2.0
/* ioctl on sockets: how much there is to read, and what interfaces there are. */
#include <kernel/net/net.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <lwip/netif.h>

#define IFREQ_NAME 16
#define IFREQ_BYTES 40
#define INTERFACES_MAX 8
#define IFF_UP 0x1u
#define IFF_BROADCAST 0x2u
#define IFF_LOOPBACK 0x8u
#define IFF_RUNNING 0x40u
#define IFF_MULTICAST 0x1000u
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772

struct ifreq {
	char name[IFREQ_NAME];
	union {
		struct {
			uint16_t family, port;
			uint8_t address[4], zero[8];
		} in;
		int16_t flags;
		int32_t number;
		uint8_t bytes[24];
	};
};
_Static_assert(sizeof(struct ifreq) == IFREQ_BYTES, "struct ifreq");

bool interface_get(int index, struct interface *i)
{
	struct netif *n = index > 0 && index < 256 ? netif_get_by_index((uint8_t)index) : NULL;
	bool loopback = index == 1;
	uint32_t mask;

	if (!n)
		return false;
	memset(i, 0, sizeof(*i));
	i->index = index;
	memcpy(i->name, loopback ? "lo" : "eth0", loopback ? 3 : 5);
	i->flags = IFF_UP | IFF_RUNNING | (loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
	i->mtu = loopback ? 65536 : n->mtu;
	memcpy(i->address, &netif_ip4_addr(n)->addr, 4);
	for (mask = lwip_ntohl(netif_ip4_netmask(n)->addr); mask; mask <<= 1)
		i->prefix++;
	memcpy(i->hardware, n->hwaddr, min(sizeof(i->hardware), (size_t)n->hwaddr_len));
	memcpy(i->address6, netif_ip6_addr(n, ip6_addr_isvalid(netif_ip6_addr_state(n, 1)))->addr,
		16);
	i->prefix6 = loopback ? 128 : 64;
	return true;
}

static bool find_by_name(const char *name, struct interface *i)
{
	for (int index = 1; index < INTERFACES_MAX; index++)
		if (interface_get(index, i) && !strncmp(i->name, name, IFREQ_NAME))
			return true;
	return false;
}

static void put_in(struct ifreq *q, uint32_t address)
{
	memset(&q->in, 0, sizeof(q->in));
	q->in.family = AF_INET;
	memcpy(q->in.address, &address, 4);
}

static int list_interfaces(gva_t arg)
{
	struct {
		int32_t bytes, pad;
		gva_t at;
	} conf;
	struct interface i;
	int done = 0;

	if (user_get(&conf, arg))
		return -EFAULT;
	for (int index = 1; index < INTERFACES_MAX; index++) {
		struct ifreq q = {.name = {0}};
		uint32_t address;

		if (!interface_get(index, &i))
			continue;
		memcpy(&address, i.address, 4);
		memcpy(q.name, i.name, IFREQ_NAME);
		put_in(&q, address);
		if (conf.at && conf.bytes - done >= IFREQ_BYTES &&
			user_put(conf.at + (unsigned)done, &q))
			return -EFAULT;
		if (!conf.at || conf.bytes - done >= IFREQ_BYTES)
			done += IFREQ_BYTES;
	}
	conf.bytes = done;
	return user_put(arg, &conf);
}

static int by_index(gva_t arg)
{
	struct interface i;
	struct ifreq q;

	if (user_get(&q, arg))
		return -EFAULT;
	if (!interface_get(q.number, &i))
		return -ENODEV;
	memcpy(q.name, i.name, IFREQ_NAME);
	return user_put(arg, &q);
}

static int answer(unsigned long request, const struct interface *i, struct ifreq *q)
{
	uint32_t address, mask = i->prefix ? lwip_htonl(~0u << (32 - i->prefix)) : 0;

	memcpy(&address, i->address, 4);
	switch (request) {
	case SIOCGIFFLAGS:
		q->flags = (int16_t)i->flags;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
		put_in(q, address);
		return 0;
	case SIOCGIFBRDADDR:
		put_in(q, i->flags & IFF_BROADCAST ? address | ~mask : 0);
		return 0;
	case SIOCGIFNETMASK:
		put_in(q, mask);
		return 0;
	case SIOCGIFMETRIC:
		q->number = 0;
		return 0;
	case SIOCGIFMTU:
		q->number = (int32_t)i->mtu;
		return 0;
	case SIOCGIFHWADDR:
		memset(q->bytes, 0, sizeof(q->bytes));
		q->in.family = i->index == 1 ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(&q->bytes[sizeof(q->in.family)], i->hardware, sizeof(i->hardware));
		return 0;
	case SIOCGIFINDEX:
		q->number = i->index;
		return 0;
	case SIOCGIFTXQLEN:
		q->number = 1000;
		return 0;
	default:
		return -ENOTTY;
	}
}

static int by_name(unsigned long request, gva_t arg)
{
	struct interface i;
	struct ifreq q;
	int r;

	if (user_get(&q, arg))
		return -EFAULT;
	q.name[IFREQ_NAME - 1] = 0;
	if (!find_by_name(q.name, &i))
		return -ENODEV;
	r = answer(request, &i, &q);
	return r ? r : user_put(arg, &q);
}

int64_t socket_ioctl(struct file *f, unsigned long request, gva_t arg)
{
	struct socket *s = f->data;
	int n;

	switch (request) {
	case FIONREAD:
		if (s->listening || !s->ops->queued)
			return -EINVAL;
		n = (int)s->ops->queued(s);
		return user_put(arg, &n);
	case SIOCOUTQ:
	case SIOCATMARK:
		n = 0;
		return user_put(arg, &n);
	case SIOCGIFCONF:
		return list_interfaces(arg);
	case SIOCGIFNAME:
		return by_index(arg);
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
		return by_name(request, arg);
	default:
		return -ENOTTY;
	}
}
