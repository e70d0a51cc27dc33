// SPDX-License-Identifier: Apache-2.0
/*
 * Ethernet frames to and from a TAP device. ARP and neighbour discovery are lwIP's; here is what the device does for us
 * (checksums, dividing what is larger than the MTU), which the header ahead of each frame tells it; TCP's segments, which for that are
 * put together again where they follow each other; and the clock of lwIP's tables: it ticks as long as there is traffic, and some
 * time more. Ticks that nobody waited for are made up for.
 */
#include <kernel/net/device.h>
#include <dayfly/net.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/inet_chksum.h>
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

#define FRAME_MAX (DF_NET_PACKET_MAX - (uint32_t)sizeof(struct df_net_frame))
#define HEAD_MAX (SIZEOF_ETH_HDR + IP6_HLEN + TCP_HLEN)
#define PART_LEAST 256u /* dayfly-net takes no smaller ones */

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
	unsigned protocol = v6 ? ip[6] : ip[9];
	bool tcp = protocol == IP_PROTO_TCP;

	f->flags = DF_NET_SUM_MISSING;
	f->sum_start = (uint16_t)ports;
	f->sum_offset = tcp ? 16 : 6;
	put_pseudo_sum(frame + ports + f->sum_offset, ip + (v6 ? 8 : 12), v6 ? 32 : 8, protocol,
		bytes - ports);
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

/* --- out, segments of one connection in one frame: the device divides it again, or nobody has to --- */

struct segment {
	bool v6, push;
	unsigned head, payload;
	uint32_t sequence;
	uint8_t key[HEAD_MAX]; /* the head, without what differs between neighbours */
};

/* Bytes of the head that differ from one segment to the next: lengths, identification, sums, sequence numbers. */
static void make_key(struct segment *s)
{
	uint8_t *ip = s->key + SIZEOF_ETH_HDR, *tcp = s->key + s->head - TCP_HLEN;

	memset(ip + (s->v6 ? 4 : 2), 0, s->v6 ? 2 : 4);
	if (!s->v6)
		memset(ip + 10, 0, 2);
	memset(tcp + 4, 0, 4);
	tcp[13] &= (uint8_t)~TCP_PSH;
	memset(tcp + 16, 0, 2);
}

/* True: a segment with data, and with nothing special about it. */
static bool read_segment(const struct pbuf *p, struct segment *s)
{
	const uint8_t *frame = p->payload, *ip = frame + SIZEOF_ETH_HDR, *tcp;

	s->v6 = p->len > SIZEOF_ETH_HDR && get16(frame + 12) == ETHTYPE_IPV6;
	s->head = SIZEOF_ETH_HDR + (s->v6 ? IP6_HLEN : IP_HLEN) + TCP_HLEN;
	if (p->len < s->head || p->tot_len == s->head ||
		(!s->v6 && (get16(frame + 12) != ETHTYPE_IP || ip[0] != 0x45)) ||
		(s->v6 ? ip[6] : ip[9]) != IP_PROTO_TCP)
		return false;
	tcp = frame + s->head - TCP_HLEN;
	if (tcp[12] >> 4 != TCP_HLEN / 4 || (tcp[13] & ~(unsigned)TCP_PSH) != TCP_ACK)
		return false;
	s->payload = p->tot_len - s->head;
	s->push = tcp[13] & TCP_PSH;
	s->sequence = get16(tcp + 4) << 16 | get16(tcp + 6);
	memcpy(s->key, frame, s->head);
	make_key(s);
	return true;
}

/* What is in the ring and not yet handed over. */
static struct {
	uint8_t *frame; /* behind the room for its header; NULL: nothing */
	unsigned bytes, part, mtu;
	uint32_t next; /* the sequence number that goes on */
	struct segment first;
} held;

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void ethernet_release(void)
{
	uint8_t *frame = held.frame, *ip;
	struct df_net_frame f;

	if (!frame)
		return;
	held.frame = NULL;
	ip = frame + SIZEOF_ETH_HDR;
	if (held.first.v6) {
		put16(ip + 4, held.bytes - SIZEOF_ETH_HDR - IP6_HLEN);
	} else {
		uint16_t sum;

		put16(ip + 2, held.bytes - SIZEOF_ETH_HDR);
		memset(ip + 10, 0, 2);
		sum = inet_chksum(ip, IP_HLEN);
		memcpy(ip + 10, &sum, sizeof(sum));
	}
	pack(&f, frame, held.bytes, held.mtu);
	if (held.bytes > held.first.head + held.part) {
		f.kind = held.first.v6 ? DF_NET_TCP6 : DF_NET_TCP4;
		f.header_bytes = (uint16_t)held.first.head;
		f.part_bytes = (uint16_t)held.part;
	}
	memcpy(frame - sizeof(f), &f, sizeof(f));
	device_put((uint32_t)sizeof(f) + held.bytes);
}

/* Adds a segment to the frame that is held, if it goes on where that ends. */
static bool append(const struct pbuf *p, const struct segment *s)
{
	if (!held.frame || s->sequence != held.next || s->payload > held.part ||
		held.bytes + s->payload > FRAME_MAX || s->head != held.first.head ||
		memcmp(s->key, held.first.key, s->head) != 0)
		return false;
	pbuf_copy_partial(p, held.frame + held.bytes, (uint16_t)s->payload, (uint16_t)s->head);
	held.bytes += s->payload;
	held.next += s->payload;
	if (s->push)
		held.frame[held.first.head - TCP_HLEN + 13] |= TCP_PSH;
	/* None but the last may be smaller. */
	if (s->push || s->payload < held.part)
		ethernet_release();
	return true;
}

/* Begins with one, if there is room for what may follow. */
static bool hold(const struct netif *netif, const struct pbuf *p, const struct segment *s)
{
	uint8_t *room;

	if (s->push || s->payload < PART_LEAST)
		return false;
	room = device_room(sizeof(struct df_net_frame) + FRAME_MAX);
	if (!room)
		return false;
	held.frame = room + sizeof(struct df_net_frame);
	held.bytes = p->tot_len;
	held.part = s->payload;
	held.mtu = netif->mtu;
	held.next = s->sequence + s->payload;
	held.first = *s;
	pbuf_copy_partial(p, held.frame, p->tot_len, 0);
	return true;
}

static err_t send_frame(struct netif *netif, struct pbuf *p)
{
	struct segment segment;
	bool has_data = read_segment(p, &segment);
	struct df_net_frame f;
	uint8_t *room;

	if (p->tot_len > FRAME_MAX)
		return ERR_BUF;
	traffic();
	if (has_data && append(p, &segment))
		return ERR_OK;
	ethernet_release();
	if (has_data && hold(netif, p, &segment))
		return ERR_OK;
	room = device_room((uint32_t)sizeof(f) + p->tot_len);
	/* lwIP keeps what it has not got rid of, and tries again; what else there is no room for is lost. */
	if (!room)
		return has_data ? ERR_MEM : ERR_OK;
	pbuf_copy_partial(p, room + sizeof(f), p->tot_len, 0);
	pack(&f, room + sizeof(f), p->tot_len, netif->mtu);
	memcpy(room, &f, sizeof(f));
	device_put((uint32_t)sizeof(f) + p->tot_len);
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
