// SPDX-License-Identifier: Apache-2.0
/*
 * The network device: memory that the guest's kernel shares with dayfly-net, which passes IP packets on to the host's
 * network. The monitor maps it and hands wake-ups from one to the other; it looks into no packet.
 *
 *   0                        struct df_net_control
 *   DF_NET_RING_OFFSET(r)    the packets of ring r, DF_NET_RING_BYTES
 *   DF_NET_GUEST_BYTES       struct df_net_host, which the guest does not see
 *
 * A ring has one producer and one consumer. Each counts bytes, and the counts never go back, modulo 2^32; the
 * place in the ring is the count modulo its size. A packet is a struct df_net_packet, its bytes, and padding to
 * DF_NET_ALIGN; it does not wrap: where it would, a header with DF_NET_SKIP says that the next one is at the ring's
 * start. Who reads from the other side copies once, checks the copy and uses it (base/net_ring.h).
 *
 * A consumer that is about to sleep sets `sleeping`, and looks once more; a producer that finds it set after it
 * has published clears it and wakes the other side.
 */
#ifndef DAYFLY_NET_H
#define DAYFLY_NET_H

#include <dayfly/types.h>

enum df_net_direction { DF_NET_TO_HOST, DF_NET_TO_GUEST, DF_NET_RINGS };

struct df_net_ring {
	uint32_t tail; /* the producer's count */
	uint8_t pad0[60];
	uint32_t head; /* the consumer's */
	uint32_t sleeping; /* the consumer sets it, the producer clears it */
	uint8_t pad1[56];
};

struct df_net_control {
	struct df_net_ring ring[DF_NET_RINGS];
};
_Static_assert(sizeof(struct df_net_control) <= 4096, "one page");

/*
 * Between the monitor and dayfly-net. A guest that is put back after each event must find an empty device, and nothing of one event may
 * leave in the next.
 *
 * `phase` is the monitor's. Odd: the guest has made a DF_CALL_NET_KICK in this event, the device is open. Even: it is closed, and dayfly-net
 * neither looks into the rings nor writes to them. When an event ends whose phase is odd, the monitor counts on: dayfly-net then takes what is still
 * in the ring, ends all that it does for the guest, zeroes what it wrote, and sets `settled` (futex) to the phase. Before that no
 * guest is entered with this device.
 */
struct df_net_host {
	uint32_t phase;
	uint32_t settled;
};

struct df_net_packet {
	uint32_t bytes; /* 1 to DF_NET_PACKET_MAX, or DF_NET_SKIP */
	uint32_t reserved;
};

#define DF_NET_ALIGN 8u
#define DF_NET_SKIP UINT32_MAX
#define DF_NET_RING_BYTES (1u << 20)
#define DF_NET_RING_OFFSET(r) ((uint64_t)((r) + 1) * DF_NET_RING_BYTES)
#define DF_NET_GUEST_BYTES DF_NET_RING_OFFSET(DF_NET_RINGS)
#define DF_NET_BYTES (4ULL << 20)
#define DF_NET_MTU \
	65520u /* what either side sends at most; large, because a packet may cost a wake-up */
/* What the guest sends at most, and its TCP asks for: libslirp has a window of 64 KiB and says that there is room again
 * when two whole segments fit into what was read since, so there must be more than three in it. */
#define DF_NET_GUEST_MTU 16424u
#define DF_NET_PACKET_MAX 65535u

/* Addresses, host byte order: the guest's; its way out; its name server. The network is a /24. */
#define DF_NET_GUEST 0x0a00020fu /* 10.0.2.15 */
#define DF_NET_GATEWAY 0x0a000202u
#define DF_NET_DNS 0x0a000203u
#define DF_NET_MASK 0xffffff00u
/* The same in IPv6: the network's first 8 bytes, and the last byte of the address in it. */
#define DF_NET_PREFIX6 0xfd, 0x44, 0x61, 0x79, 0x66, 0x6c, 0, 0
#define DF_NET_GUEST6 0x15
#define DF_NET_GATEWAY6 2

#endif
