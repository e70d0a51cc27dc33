/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire between the guest's rings (dayfly/net.h) and libslirp, which opens the host's sockets. Each packet of the guest is
 * copied once, looked at, and goes on, is answered here, or is refused. libslirp wants Ethernet; the guest has none, so
 * the headers are made here, and libslirp's question where the guest is gets its answer.
 */
#ifndef NAT_LINK_H
#define NAT_LINK_H

#include "base/net_ring.h"
#include "host/publish.h"
#include "nat/dns.h"
#include "nat/egress.h"

#include <slirp/libslirp.h>

#define LINK_PEERS_MAX 256
#define LINK_ETHERNET 14u

/* Who sent a datagram to a published port, and may be answered from there. */
struct peer {
	uint32_t address;
	uint16_t port, guest_port;
	uint64_t until_ms; /* 0: free */
};

struct link {
	struct net_ring from_guest, to_guest;
	int wake_fd; /* written when the guest sleeps and there are packets for it */
	Slirp *slirp;
	struct egress egress;
	struct dns dns;
	struct df_publish published[DF_PUBLISH_MAX];
	unsigned int published_count;
	struct peer peer[LINK_PEERS_MAX];
	const char *program; /* for messages */
	bool deployed; /* they name the manifest's key, not the flag */
	bool asked; /* to say that the guest takes a connection to a published port */
	bool taken; /* it has, since */
	bool broken; /* the guest does not keep to the rings' rules, and that was said */
	uint32_t told[64]; /* addresses and ports that were refused and said so */
	unsigned int told_count;
	uint8_t frame[LINK_ETHERNET + DF_NET_PACKET_MAX]; /* the packet in hand */
};

/* Makes libslirp and opens what is published. link's other fields are set. -errno with *err set. */
int link_init(struct link *link, struct df_err *err) __attribute__((warn_unused_result));

/* Takes what the guest has sent, up to a batch. True: there may be more. */
bool link_receive(struct link *link);

/*
 * Ends all connections, questions and whatever else is remembered of the guest, but for what was said about it. Its rings are the caller's. What
 * is published is not open any more. -errno: there is no network any more.
 */
int link_reset(struct link *link) __attribute__((warn_unused_result));

/* Says so, once: the guest broke its rings, and has no network any more. */
void link_say_broken(struct link *link);

/* Wakes the guest if it sleeps and there is something for it. */
void link_flush(struct link *link);

#endif
