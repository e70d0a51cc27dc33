// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor's part of the network device (dayfly/net.h): it maps the memory that guest and dayfly-net share, and hands
 * wake-ups on. It reads no packet, and has no network itself.
 */
#ifndef MONITOR_NET_H
#define MONITOR_NET_H

#include <host/err.h>
#include <stdbool.h>

/* Descriptors that the CLI leaves open: the shared memory, two eventfds, and a socket. */
struct net {
	bool there;
	int memory_fd;
	int kick_fd; /* written here: dayfly-net has packets to take */
	int wake_fd; /* readable: there are packets for the guest */
	struct df_net_host *host; /* when it is mapped */
	uint32_t phase; /* host->phase, which is ours alone */
	int life_fd; /* dayfly-net ends when this is closed */
};

struct vm;

/* Maps the device into the guest's memory. Without a device, nothing. When windows can be made. */
int net_map(struct vm *vm, struct df_err *err);
/* Shows it in the guest's page tables; these are part of a snapshot. */
int net_show(struct vm *vm);
/* Wakes dayfly-net, and opens the device first if this is the first time since it was closed. */
void net_kick(struct vm *vm);
/* Takes back what made wake_fd readable. */
void net_woken(const struct vm *vm);

#endif
