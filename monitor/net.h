// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor's part of the network device (dayfly/net.h): it maps the memory that guest and dayfly-net share, and hands
 * wake-ups on. It reads no packet, and has no network itself.
 */
#ifndef MONITOR_NET_H
#define MONITOR_NET_H

#include <host/err.h>
#include <stdbool.h>

/* Descriptors that the CLI leaves open: the shared memory, and two eventfds. */
struct net {
	bool there;
	int memory_fd;
	int kick_fd; /* written here: dayfly-net has packets to take */
	int wake_fd; /* readable: there are packets for the guest */
};

struct vm;

/* Maps the device into the guest. Without a device, nothing. When page tables and windows can be made. */
int net_map(struct vm *vm, struct df_err *err);
void net_kick(const struct vm *vm);
/* Takes back what made wake_fd readable. */
void net_woken(const struct vm *vm);

#endif
