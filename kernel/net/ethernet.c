// SPDX-License-Identifier: Apache-2.0
/*
 * Ethernet frames to and from a TAP device. ARP and neighbour discovery are lwIP's; here is what the device does for us
 * (checksums, dividing what is larger than the MTU), which the header ahead of each frame tells it, and the clock of
 * lwIP's tables: it ticks as long as there is traffic, and some time more. Ticks that nobody waited for are made up for.
 */
#include <kernel/net/device.h>
#include <dayfly/net.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <netif/ethernet.h>

#define TICK_NS 1000000000ULL
#define QUIET_TICKS 20 /* longer than fragments are waited for */
#define MADE_UP_MAX 400 /* longer than an ARP entry is kept */

#define SUMS_MADE (NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6)
#define SUMS_LOOKED_AT \
	(NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_ICMP | NETIF_CHECKSUM_CHECK_ICMP6)
#define SUMS_OF_PORTS (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

static ip6_addr_t gateway6;
static struct timer timer;
static uint64_t told_ns; /* lwIP's tables know the time until then */
static unsigned quiet;

/* --- the clock --- */

static void ticked(struct timer *t)
{
	uint64_t ticks = (clock_monotonic() - told_ns) / TICK_NS;

	told_ns += ticks * TICK_NS;
	for (uint64_t i = 0; i < min(ticks, (uint64_t)MADE_UP_MAX); i++) {
		etharp_tmr();
		nd6_tmr();
		ip_reass_tmr();
		ip6_reass_tmr();
	}
	device_flush();
	if (++quiet < QUIET_TICKS && !t->set)
		timer_set(t, deadline_in(TICK_NS));
}

static void traffic(void)
{
	quiet = 0;
	if (!timer.set)
		timer_set(&timer, deadline_in(TICK_NS));
}

/* --- out --- */

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The sum of the pseudo-header, as the device goes on from there. */
static void put_pseudo_sum(uint8_t *at, const uint8_t *addresses, unsigned bytes, unsigned protocol,
	unsigned payload)
{
	uint32_t sum = protocol + payload;

	for (unsigned i = 0; i < bytes; i += 2)
		sum += get16(addresses + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* What the device shall do with a frame of TCP or UDP. `ports` is where its header begins. */
static void label(struct df_net_frame *f, uint8_t *frame, unsigned bytes, unsigned ports, bool v6,
	unsigned mtu)
{
	const uint8_t *ip = frame + SIZEOF_ETH_HDR;
	unsigned protocol = v6 ? ip[6] : ip[9], payload = bytes - ports;
	bool tcp = protocol == IP_PROTO_TCP;

	f->flags = DF_NET_SUM_MISSING;
	f->sum_start = (uint16_t)ports;
	f->sum_offset = tcp ? 16 : 6;
	put_pseudo_sum(frame + ports + f->sum_offset, ip + (v6 ? 8 : 12), v6 ? 32 : 8, protocol,
		payload);
	if (bytes <= mtu + SIZEOF_ETH_HDR || tcp)
		return;
	/* Fragments: each but the last has a multiple of eight bytes. */
	f->kind = DF_NET_UDP;
	f->header_bytes = (uint16_t)(ports + UDP_HLEN);
	f->part_bytes = (uint16_t)((mtu - (ports - SIZEOF_ETH_HDR) - (v6 ? 8 : 0)) & ~7u);
}

static void pack(struct df_net_frame *f, uint8_t *frame, unsigned bytes, unsigned mtu)
{
	const uint8_t *ip = frame + SIZEOF_ETH_HDR;
	unsigned type = get16(frame + 12);
	bool v6 = type == ETHTYPE_IPV6;
	unsigned protocol, ports;

	memset(f, 0, sizeof(*f));
	if ((type != ETHTYPE_IP && !v6) || bytes < SIZEOF_ETH_HDR + (v6 ? IP6_HLEN : IP_HLEN))
		return;
	protocol = v6 ? ip[6] : ip[9];
	ports = SIZEOF_ETH_HDR + (v6 ? IP6_HLEN : (ip[0] & 15u) * 4);
	if ((protocol == IP_PROTO_TCP && bytes >= ports + TCP_HLEN) ||
		(protocol == IP_PROTO_UDP && bytes >= ports + UDP_HLEN))
		label(f, frame, bytes, ports, v6, mtu);
}

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
	struct df_net_frame f;
	uint32_t bytes = (uint32_t)sizeof(f) + p->tot_len;
	uint8_t *room;

	if (bytes > DF_NET_PACKET_MAX)
		return ERR_BUF;
	traffic();
	room = device_room(bytes);
	if (!room)
		return ERR_OK;
	pbuf_copy_partial(p, room + sizeof(f), p->tot_len, 0);
	pack(&f, room + sizeof(f), p->tot_len, netif->mtu);
	memcpy(room, &f, sizeof(f));
	device_put(bytes);
	return ERR_OK;
}

/* --- in --- */

uint32_t ethernet_unpack(struct netif *netif, const uint8_t *packet, uint32_t bytes)
{
	struct df_net_frame f;

	if (bytes <= sizeof(f))
		return 0;
	traffic();
	memcpy(&f, packet, sizeof(f));
	NETIF_SET_CHECKSUM_CTRL(netif,
		SUMS_MADE | SUMS_LOOKED_AT |
			(f.flags & (DF_NET_SUM_MISSING | DF_NET_SUM_CHECKED) ? 0 : SUMS_OF_PORTS));
	return sizeof(f);
}

/* --- the interface --- */

/* lwIP: where do packets for other networks go? NULL: to who says that it is a router. */
const struct ip6_addr *ethernet_gateway6(struct netif *netif)
{
	(void)netif;
	return ip6_addr_isany(&gateway6) ? NULL : &gateway6;
}

err_t ethernet_begin(struct netif *netif)
{
	const struct df_net_config *config = netif->state;

	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = (uint16_t)config->mtu;
	netif->hwaddr_len = sizeof(config->mac);
	memcpy(netif->hwaddr, config->mac, sizeof(config->mac));
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = send_frame;
	NETIF_SET_CHECKSUM_CTRL(netif, SUMS_MADE | SUMS_LOOKED_AT | SUMS_OF_PORTS);
	list_init(&timer.node);
	timer.fire = ticked;
	told_ns = clock_monotonic();
	return ERR_OK;
}

void ethernet_add_ip6(struct netif *netif)
{
	const struct df_net_config *config = netif->state;
	ip6_addr_t address = {0};

	memcpy(gateway6.addr, config->gateway6, sizeof(config->gateway6));
	memcpy(address.addr, config->address6, sizeof(config->address6));
	netif_create_ip6_linklocal_address(netif, 1);
	netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
	if (ip6_addr_isany(&address))
		return;
	netif_ip6_addr_set(netif, 1, &address);
	netif_ip6_addr_set_state(netif, 1, IP6_ADDR_PREFERRED);
}
