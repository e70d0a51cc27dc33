/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of packets: see packet.h. Sums are left out: nothing can change a packet on its way through memory, and the guest looks at none.
 */
#include "nat/packet.h"

#include <arpa/inet.h>
#include <dayfly/net.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <string.h>

_Static_assert(PACKET_UDP_HEAD == sizeof(struct ip_hdr) + sizeof(struct udp_hdr), "both heads");
_Static_assert(PACKET_RESET == sizeof(struct ip_hdr) + sizeof(struct tcp_hdr), "both heads");

static struct ip_hdr ip_head(uint8_t protocol, size_t payload)
{
	struct ip_hdr ip = {._v_hl = 0x45, ._ttl = 64, ._proto = protocol};

	IPH_LEN_SET(&ip, htons((uint16_t)(sizeof(ip) + payload)));
	ip.dest.addr = htonl(DF_NET_GUEST);
	return ip;
}

void packet_udp(uint8_t head[PACKET_UDP_HEAD], const struct ends *ends, size_t bytes)
{
	const struct udp_hdr udp = {.src = htons(ends->outside_port),
		.dest = htons(ends->guest_port),
		.len = htons((uint16_t)(sizeof(udp) + bytes))};
	struct ip_hdr ip = ip_head(IPPROTO_UDP, sizeof(udp) + bytes);

	memcpy(&ip.src, &ends->outside.s6_addr[12], sizeof(ip.src));
	memcpy(head, &ip, sizeof(ip));
	memcpy(head + sizeof(ip), &udp, sizeof(udp));
}

void packet_reset(struct packet_reset *reset, const void *syn)
{
	struct ip_hdr ip = ip_head(IPPROTO_TCP, sizeof(struct tcp_hdr)), asked_ip;
	struct tcp_hdr tcp = {0}, asked;

	memcpy(&asked_ip, syn, sizeof(asked_ip));
	memcpy(&asked, (const uint8_t *)syn + IPH_HL_BYTES(&asked_ip), sizeof(asked));
	ip.src = asked_ip.dest;
	tcp.src = asked.dest;
	tcp.dest = asked.src;
	tcp.ackno = htonl(ntohl(asked.seqno) + 1);
	TCPH_HDRLEN_FLAGS_SET(&tcp, sizeof(tcp) / 4, TCP_RST | TCP_ACK);
	memcpy(reset->bytes, &ip, sizeof(ip));
	memcpy(reset->bytes + sizeof(ip), &tcp, sizeof(tcp));
}
