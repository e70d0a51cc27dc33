/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of packets: see packet.h. Sums are left out: nothing can change a packet on its way through memory, and the guest looks at none.
 */
#include "nat/packet.h"

#include <arpa/inet.h>
#include <dayfly/net.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <string.h>

#define TTL 64

_Static_assert(PACKET_UDP_HEAD == sizeof(struct ip6_hdr) + sizeof(struct udp_hdr), "both heads");
_Static_assert(PACKET_RESET == sizeof(struct ip6_hdr) + sizeof(struct tcp_hdr), "both heads");

const struct in6_addr packet_guest6 = {.s6_addr = {DF_NET_PREFIX6, [15] = DF_NET_GUEST6}};
const struct in6_addr packet_gateway6 = {.s6_addr = {DF_NET_PREFIX6, [15] = DF_NET_GATEWAY6}};

/* A head of IP from there to the guest, in front of `payload` bytes. Returns its length. */
static size_t put_ip(uint8_t *to, const struct in6_addr *from, uint8_t protocol, size_t payload)
{
	struct ip_hdr v4 = {._v_hl = 0x45, ._ttl = TTL, ._proto = protocol};
	struct ip6_hdr v6 = {._nexth = protocol, ._hoplim = TTL};

	if (IN6_IS_ADDR_V4MAPPED(from)) {
		IPH_LEN_SET(&v4, htons((uint16_t)(sizeof(v4) + payload)));
		memcpy(&v4.src, &from->s6_addr[12], sizeof(v4.src));
		memcpy(to, &v4, sizeof(v4));
	} else {
		IP6H_VTCFL_SET(&v6, 6, 0, 0);
		IP6H_PLEN_SET(&v6, (uint16_t)payload);
		memcpy(&v6.src, from, sizeof(v6.src));
		memcpy(to, &v6, sizeof(v6));
	}
	packet_set_guest(to);
	return IN6_IS_ADDR_V4MAPPED(from) ? sizeof(v4) : sizeof(v6);
}

void packet_set_guest(void *packet)
{
	const uint32_t guest = htonl(DF_NET_GUEST);
	uint8_t *at = packet;

	if (IPH_V((const struct ip_hdr *)packet) == 4)
		memcpy(at + offsetof(struct ip_hdr, dest), &guest, sizeof(guest));
	else
		memcpy(at + offsetof(struct ip6_hdr, dest), &packet_guest6, sizeof(packet_guest6));
}

size_t packet_udp(uint8_t room[PACKET_UDP_HEAD], const struct ends *ends, size_t bytes)
{
	const struct udp_hdr udp = {.src = htons(ends->outside_port),
		.dest = htons(ends->guest_port),
		.len = htons((uint16_t)(sizeof(udp) + bytes))};
	uint8_t ip[sizeof(struct ip6_hdr)], *at = room + PACKET_UDP_HEAD - sizeof(udp);
	const size_t head = put_ip(ip, &ends->outside, IPPROTO_UDP, sizeof(udp) + bytes);

	memcpy(at, &udp, sizeof(udp));
	memcpy(at - head, ip, head);
	return head + sizeof(udp);
}

/* Whom a packet of the guest is for, and how long its head is. */
static size_t read_ip(const void *packet, struct in6_addr *to)
{
	struct ip6_hdr v6;
	struct ip_hdr v4;

	memcpy(&v4, packet, sizeof(v4));
	if (IPH_V(&v4) == 4) {
		*to = df_ip_v4(ntohl(v4.dest.addr));
		return IPH_HL_BYTES(&v4);
	}
	memcpy(&v6, packet, sizeof(v6));
	memcpy(to, &v6.dest, sizeof(*to));
	return sizeof(v6);
}

size_t packet_reset(struct packet_reset *reset, const void *syn)
{
	struct tcp_hdr tcp = {0}, asked;
	struct in6_addr to;
	size_t head = read_ip(syn, &to);

	memcpy(&asked, (const uint8_t *)syn + head, sizeof(asked));
	tcp.src = asked.dest;
	tcp.dest = asked.src;
	tcp.ackno = htonl(ntohl(asked.seqno) + 1);
	TCPH_HDRLEN_FLAGS_SET(&tcp, sizeof(tcp) / 4, TCP_RST | TCP_ACK);
	head = put_ip(reset->bytes, &to, IPPROTO_TCP, sizeof(tcp));
	memcpy(reset->bytes + head, &tcp, sizeof(tcp));
	return head + sizeof(tcp);
}
