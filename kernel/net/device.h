// SPDX-License-Identifier: Apache-2.0
/*
 * The interface to the outside: device.c has the rings, and packets of IP in them; ethernet.c has what is more where
 * they carry frames.
 */
#ifndef KERNEL_NET_DEVICE_H
#define KERNEL_NET_DEVICE_H

#include <kernel/net/net.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

/* Room for a packet that goes out, to be filled before device_put; NULL: it is lost, as on any network. */
uint8_t *device_room(uint32_t bytes);
void device_put(uint32_t bytes);

/* --- ethernet.c --- */
/* For netif_add(), with the struct df_net_config as the interface's state. */
err_t ethernet_begin(struct netif *netif);
/* Gives the interface, which is up, its IPv6 addresses. */
void ethernet_add_ip6(struct netif *netif);
/* Hands over what was held back, because more might have followed. Before the other side is told that there is something. */
void ethernet_release(void);
/* A packet of the ring: prepares the interface for the frame in it. Returns where that begins, 0: it has none. */
uint32_t ethernet_unpack(struct netif *netif, const uint8_t *packet, uint32_t bytes);

#endif
