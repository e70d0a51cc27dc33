/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams: a flow is a port of the guest and whom it talks to, with a socket of the host. Those that rest longest give way. */
#ifndef NAT_UDP_H
#define NAT_UDP_H

#include "host/publish.h"
#include "nat/ends.h"

#define UDP_FLOWS_MAX 256
#define UDP_PEERS_MAX 256

struct link;
struct flow;

/* Who sent a datagram to a published port, and may be answered from there. */
struct peer {
	struct ends ends;
	uint64_t until_ms; /* 0: free */
	struct sockaddr_storage name;
	socklen_t name_size;
	int fd; /* of the published port */
};

struct udp {
	struct flow *flow[UDP_FLOWS_MAX];
	unsigned int flow_count;
	struct peer peer[UDP_PEERS_MAX];
};

/* Receives on the host for the guest's port. 0 or -errno. */
int udp_publish(struct link *link, const struct df_publish *published)
	__attribute__((warn_unused_result));

/* The guest answers somebody who sent to a published port: true, and it is done. Nobody did: false. */
bool udp_answer(struct link *link, const struct ends *ends, const void *payload, size_t bytes);

/* The guest sends to somebody the rules allow. What cannot be sent is lost. */
void udp_send(struct link *link, const struct ends *ends, const void *payload, size_t bytes);

/* Ends all flows of a guest, and forgets its peers. */
void udp_end_all(struct link *link);

#endif
