/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's wire: the rings of its network device (dayfly/net.h) on one side, the host's sockets on the other. Each packet of the guest is copied
 * once and looked at; what the rules allow goes to lwIP (TCP), to a socket (UDP) or to the name server, the rest is refused.
 */
#ifndef NAT_LINK_H
#define NAT_LINK_H

#include "base/net_ring.h"
#include "host/publish.h"
#include "nat/dns.h"
#include "nat/egress.h"
#include "nat/loop.h"
#include "nat/packet.h"
#include "nat/tcp.h"
#include "nat/udp.h"

#define LINK_PAYLOAD_MAX 65507u /* of a datagram of IPv4 */

struct link {
	struct net_ring from_guest, to_guest;
	int wake_fd; /* written when the guest sleeps and there are packets for it */
	unsigned int number; /* of this process's guests */
	struct egress egress;
	struct df_publish published[DF_PUBLISH_MAX];
	unsigned int published_count;
	const char *program; /* for messages */
	bool deployed; /* they name the manifest's key, not the flag */

	struct dns dns;
	struct source dns_source;
	struct conn_list conns;
	unsigned int conn_count;
	struct udp udp;
	bool asked; /* to say that the guest takes a connection to a published port */
	bool taken; /* it has, since */
	bool broken; /* the guest does not keep to the rings' rules, and that was said */
	uint32_t told[64]; /* addresses and ports that were refused and said so */
	unsigned int told_count;
	bool sent; /* packets to the guest, since link_flush */
	uint64_t active_ms; /* when there was a packet, one way or the other */
	uint8_t packet[PACKET_UDP_HEAD + LINK_PAYLOAD_MAX]; /* a datagram in hand */
};

/* Opens what is published. The fields above `dns` are set. -errno with *err set. */
int link_init(struct link *link, struct df_err *err) __attribute__((warn_unused_result));

/* Takes what the guest has sent, up to a batch. True: there may be more. */
bool link_receive(struct link *link);

/*
 * Ends all connections, questions and whatever else is remembered of the guest, but for what was said about it. Its rings are the caller's.
 */
void link_reset(struct link *link);

/* Says so, once: the guest broke its rings, and has no network any more. */
void link_say_broken(struct link *link);

/* Wakes the guest if it sleeps and there is something for it. */
void link_flush(struct link *link);

/* For stack_init. */
err_t link_output(unsigned int number, const struct pbuf *packet);

/* --- for tcp.c and udp.c --- */

/* A packet for the guest. False: there is no room. */
bool link_send(struct link *link, const void *packet, size_t bytes);

/* A datagram for the guest: `bytes` that lie in link->packet behind PACKET_UDP_HEAD. */
void link_datagram(struct link *link, const struct ends *ends, size_t bytes);

/* Tells the guest that its connection is refused: the packet with which it asked. */
void link_refuse(struct link *link, const struct pbuf *syn);

bool link_guest_is_awake(const struct link *link);

/* Whom the guest means, as the host names it: its gateway is the host's loopback. Returns the name's size. */
socklen_t link_host_name(const struct ends *ends, struct sockaddr_storage *name);

/* Who comes to a published port, as the guest sees it: from the host's loopback, the gateway. */
struct ends link_guest_view(const struct sockaddr_storage *name, uint16_t guest_port);

/* A socket that is bound to what is published. Its descriptor, or -errno. */
int link_open_port(const struct df_publish *published, int type);

#endif
