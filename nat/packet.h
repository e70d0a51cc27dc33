/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for the guest that dayfly-net makes itself. */
#ifndef NAT_PACKET_H
#define NAT_PACKET_H

#include "nat/ends.h"

#define PACKET_UDP_HEAD 28u /* of IPv4 and of UDP */
#define PACKET_RESET 40u

/* The heads of a datagram to the guest, for `bytes` of payload behind them. */
void packet_udp(uint8_t head[PACKET_UDP_HEAD], const struct ends *ends, size_t bytes);

struct packet_reset {
	uint8_t bytes[PACKET_RESET];
};

/* What refuses a connection that the guest's packet `syn` asks for, of which heads are checked. */
void packet_reset(struct packet_reset *reset, const void *syn);

#endif
