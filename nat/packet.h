/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for the guest that dayfly-net makes itself. */
#ifndef NAT_PACKET_H
#define NAT_PACKET_H

#include "nat/ends.h"

#define PACKET_UDP_HEAD 48u /* of IPv6, which has the larger one, and of UDP */
#define PACKET_RESET 60u

/* The guest, and the host as it calls it, in IPv6. */
extern const struct in6_addr packet_guest6, packet_gateway6;

/*
 * The heads of a datagram to the guest, for `bytes` of payload behind them. They end where `room` ends; returns their length.
 */
size_t packet_udp(uint8_t room[PACKET_UDP_HEAD], const struct ends *ends, size_t bytes);

struct packet_reset {
	uint8_t bytes[PACKET_RESET];
};

/* What refuses a connection that the guest's packet `syn` asks for, of which heads are checked. Returns its length. */
size_t packet_reset(struct packet_reset *reset, const void *syn);

/* Makes a packet one for the guest, whoever it was for. */
void packet_set_guest(void *packet);

#endif
