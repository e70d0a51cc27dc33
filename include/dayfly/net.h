// SPDX-License-Identifier: Apache-2.0
/*
 * The network device: memory that the guest's kernel shares with dayfly-net, which passes IP packets on to the host's
 * network, or Ethernet frames on to a TAP device. The monitor maps it and hands wake-ups from one to the other; it looks into
 * no packet.
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
 * Packets have no sums (of IP, TCP, UDP): nothing can change one on its way through memory, so neither side makes or checks them.
 *
 * A consumer that is about to sleep sets `sleeping` (enum df_net_sleep), and looks once more; a producer that finds it set after it
 * has published clears it and wakes the other side.
 */
#ifndef DAYFLY_NET_H
#define DAYFLY_NET_H

#include <dayfly/types.h>

enum df_net_direction { DF_NET_TO_HOST, DF_NET_TO_GUEST, DF_NET_RINGS };

/* How a consumer sleeps. One that naps looks again within a millisecond: a producer that has more to do need not wake it before it sleeps itself. */
enum df_net_sleep { DF_NET_AWAKE, DF_NET_ASLEEP, DF_NET_NAPS };

struct df_net_ring {
	uint32_t tail; /* the producer's count */
	uint8_t pad0[60];
	uint32_t head; /* the consumer's */
	uint32_t sleeping; /* enum df_net_sleep; the consumer sets it, the producer clears it */
	uint8_t pad1[56];
};

/*
 * What the guest is told about its network. Written before it starts; it reads this once, when it boots, and the host never.
 * All zero: the rings carry IP packets, and the addresses are those below.
 */
struct df_net_config {
	uint32_t frames; /* 1: the rings carry Ethernet frames, each behind a struct df_net_frame */
	uint32_t mtu; /* of an IP packet in a frame; larger ones are for the host to divide */
	uint8_t mac[6];
	uint8_t prefix, prefix6; /* bits of the networks' addresses */
	/* Zero: none. */
	uint8_t address[4], gateway[4];
	uint8_t address6[16], gateway6[16];
};

struct df_net_control {
	struct df_net_ring ring[DF_NET_RINGS];
	struct df_net_config config;
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

/* Ahead of an Ethernet frame, as virtio has it, since TAP devices do. */
struct df_net_frame {
	uint8_t flags; /* DF_NET_SUM_* */
	uint8_t kind; /* DF_NET_WHOLE, or how to divide a frame that is larger than the MTU */
	uint16_t header_bytes; /* then: what each part repeats of it; else 0 */
	uint16_t part_bytes; /* then: of what follows them in each part; else 0 */
	uint16_t sum_start, sum_offset; /* DF_NET_SUM_MISSING: sum from here on, and put it there */
};
_Static_assert(sizeof(struct df_net_frame) == 10, "struct virtio_net_hdr");
enum {
	DF_NET_SUM_MISSING = 1, /* of TCP or UDP: there is that of the pseudo-header alone */
	DF_NET_SUM_CHECKED = 2, /* from the host only */
};
enum { DF_NET_WHOLE = 0, DF_NET_TCP4 = 1, DF_NET_UDP = 3, DF_NET_TCP6 = 4 };

#define DF_NET_ALIGN 8u
#define DF_NET_SKIP UINT32_MAX
#define DF_NET_RING_BYTES (1u << 20)
#define DF_NET_RING_OFFSET(r) ((uint64_t)((r) + 1) * DF_NET_RING_BYTES)
#define DF_NET_GUEST_BYTES DF_NET_RING_OFFSET(DF_NET_RINGS)
#define DF_NET_BYTES (4ULL << 20)
#define DF_NET_MTU 65520u /* large, because a packet may cost a wake-up */
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
