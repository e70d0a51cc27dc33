// SPDX-License-Identifier: Apache-2.0
/*
 * One end of a ring of packets (dayfly/net.h). The other end is hostile: nothing of what it writes is read twice, and no count
 * of its leads out of the ring. Freestanding; one thread each.
 */
#ifndef BASE_NET_RING_H
#define BASE_NET_RING_H

#include <dayfly/net.h>
#include <stdbool.h>

struct net_ring {
	struct df_net_ring *shared;
	uint8_t *data; /* DF_NET_RING_BYTES */
	uint32_t at; /* our own count; the one in `shared` is for the other side */
	uint32_t touched; /* producer: so much of the ring, from its start, was ever written */
	bool broken; /* the other side does not keep to the rules: nothing goes through any more */
};

/* One end of ring `direction` in the DF_NET_BYTES at `memory`, which are zero. */
void net_ring_init(struct net_ring *r, void *memory, enum df_net_direction direction);

/*
 * Producer: room for a packet of `bytes` (1 to DF_NET_PACKET_MAX), to be filled before net_ring_put with this number or a smaller one, or
 * left. NULL: the ring is full or broken.
 */
uint8_t *net_ring_room(struct net_ring *r, uint32_t bytes);
void net_ring_put(struct net_ring *r, uint32_t bytes);
/* Producer, after the last packet of a batch: must the other side be woken? It is asked once. */
bool net_ring_must_wake(struct net_ring *r);
/* Producer: the other side will look soon by itself. */
bool net_ring_naps(const struct net_ring *r);

/*
 * Consumer: the next packet's bytes, which may change while they are read, or NULL: there is none. *bytes is 1 to
 * DF_NET_PACKET_MAX. net_ring_taken gives its room back.
 */
const uint8_t *net_ring_next(struct net_ring *r, uint32_t *bytes);
void net_ring_taken(struct net_ring *r, uint32_t bytes);
/* Consumer: before it sleeps, DF_NET_ASLEEP or DF_NET_NAPS. False: there is a packet now. */
bool net_ring_sleep(struct net_ring *r, enum df_net_sleep how);
/* Consumer: it is awake, whoever woke it; the producer need not. */
void net_ring_awake(struct net_ring *r);

/* Zeroes what this end has written and the counts of both, and begins anew. The other end does not look meanwhile. */
void net_ring_clear(struct net_ring *r);

#endif
