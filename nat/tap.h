/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the guest's rings and a TAP device, in place of link.h: frames are copied, and those of the guest looked at, since its header
 * tells the host's kernel what to do with them. Where they may go is for whoever made the device. No sockets.
 */
#ifndef NAT_TAP_H
#define NAT_TAP_H

#include "base/net_ring.h"
#include "host/err.h"

struct tap {
	struct net_ring from_guest, to_guest;
	int fd; /* the device, with struct df_net_frame ahead of frames */
	int kick_fd, life_fd, wake_fd;
	uint8_t mac[6]; /* the guest's: it sends as nobody else */
	uint32_t mtu;
	const char *program; /* for messages */
	unsigned int quiet; /* so often nothing has come */
	uint8_t packet[DF_NET_PACKET_MAX]; /* the one in hand */
};

/* Reads DESCRIPTOR,MAC,MTU. -EINVAL with *err set. */
int tap_parse(struct tap *tap, const char *text, struct df_err *err)
	__attribute__((warn_unused_result));

/* May this packet of the guest's, a copy of ours, go to the device? */
bool tap_good(const struct tap *tap, const uint8_t *packet, size_t bytes);

/* Until the monitor or the device is gone, or the guest breaks its rings. The other fields are set. */
void tap_run(struct tap *tap);

#endif
