// SPDX-License-Identifier: Apache-2.0
/* Rings of packets: see net_ring.h. */
#include <base/net_ring.h>
#include <stddef.h>
#include <string.h>

#define HEAD sizeof(struct df_net_packet)

void net_ring_init(struct net_ring *r, void *memory, enum df_net_direction direction)
{
	struct df_net_control *c = memory;

	r->shared = &c->ring[direction];
	r->data = (uint8_t *)memory + DF_NET_RING_OFFSET(direction);
	r->at = r->touched = 0;
	r->broken = false;
}

static uint32_t record_bytes(uint32_t bytes)
{
	return (uint32_t)HEAD + ((bytes + DF_NET_ALIGN - 1) & ~(DF_NET_ALIGN - 1));
}

static struct df_net_packet *packet_at(const struct net_ring *r)
{
	return (struct df_net_packet *)(void *)(r->data + r->at % DF_NET_RING_BYTES);
}

static uint32_t to_end(const struct net_ring *r)
{
	return DF_NET_RING_BYTES - r->at % DF_NET_RING_BYTES;
}

uint8_t *net_ring_room(struct net_ring *r, uint32_t bytes)
{
	uint32_t used = r->at - __atomic_load_n(&r->shared->head, __ATOMIC_ACQUIRE);
	uint32_t need = record_bytes(bytes), skip = need > to_end(r) ? to_end(r) : 0;

	if (used > DF_NET_RING_BYTES)
		r->broken = true;
	if (r->broken || need + skip > DF_NET_RING_BYTES - used)
		return NULL;
	if (skip) {
		packet_at(r)->bytes = DF_NET_SKIP;
		r->at += skip;
	}
	return (uint8_t *)packet_at(r) + HEAD;
}

void net_ring_put(struct net_ring *r, uint32_t bytes)
{
	packet_at(r)->bytes = bytes;
	r->at += record_bytes(bytes);
	/* The count goes round, this does not: a packet is shorter than the ring, so the end is not missed. */
	if (r->touched < DF_NET_RING_BYTES)
		r->touched = r->at < DF_NET_RING_BYTES ? r->at : DF_NET_RING_BYTES;
	__atomic_store_n(&r->shared->tail, r->at, __ATOMIC_SEQ_CST);
}

bool net_ring_must_wake(struct net_ring *r)
{
	return __atomic_load_n(&r->shared->sleeping, __ATOMIC_SEQ_CST) &&
		__atomic_exchange_n(&r->shared->sleeping, 0, __ATOMIC_SEQ_CST);
}

bool net_ring_naps(const struct net_ring *r)
{
	return __atomic_load_n(&r->shared->sleeping, __ATOMIC_RELAXED) == DF_NET_NAPS;
}

/* How much there is; 0 when the producer's count is nonsense. */
static uint32_t filled(struct net_ring *r)
{
	uint32_t bytes = __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE) - r->at;

	if (bytes > DF_NET_RING_BYTES || bytes % DF_NET_ALIGN)
		r->broken = true;
	return r->broken ? 0 : bytes;
}

const uint8_t *net_ring_next(struct net_ring *r, uint32_t *bytes)
{
	uint32_t there = filled(r), n;

	if (!there)
		return NULL;
	n = __atomic_load_n(&packet_at(r)->bytes, __ATOMIC_RELAXED);
	if (n == DF_NET_SKIP && to_end(r) < there) {
		there -= to_end(r);
		r->at += to_end(r);
		n = __atomic_load_n(&packet_at(r)->bytes, __ATOMIC_RELAXED);
	}
	if (!n || n > DF_NET_PACKET_MAX || record_bytes(n) > there || record_bytes(n) > to_end(r)) {
		r->broken = true;
		return NULL;
	}
	*bytes = n;
	return (uint8_t *)packet_at(r) + HEAD;
}

void net_ring_taken(struct net_ring *r, uint32_t bytes)
{
	r->at += record_bytes(bytes);
	__atomic_store_n(&r->shared->head, r->at, __ATOMIC_RELEASE);
}

bool net_ring_sleep(struct net_ring *r, enum df_net_sleep how)
{
	__atomic_store_n(&r->shared->sleeping, how, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&r->shared->tail, __ATOMIC_SEQ_CST) == r->at || r->broken)
		return true;
	__atomic_store_n(&r->shared->sleeping, 0, __ATOMIC_SEQ_CST);
	return false;
}

void net_ring_awake(struct net_ring *r)
{
	if (__atomic_load_n(&r->shared->sleeping, __ATOMIC_RELAXED))
		__atomic_store_n(&r->shared->sleeping, 0, __ATOMIC_SEQ_CST);
}

void net_ring_clear(struct net_ring *r)
{
	memset(r->data, 0, r->touched);
	memset(r->shared, 0, sizeof(*r->shared));
	r->at = r->touched = 0;
	r->broken = false;
}
