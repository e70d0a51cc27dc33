// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor's part of the network device (dayfly/net.h): it maps the memory that guest and dayfly-net share, and hands
 * wake-ups on. It reads no packet, and has no network itself.
 *
 * For a guest that is put back after each event it closes the device behind one that used it (net_close), and waits before the next one is entered
 * until dayfly-net has emptied its side (net_settle). What the guest wrote there is put back like other memory (instance.c), after that.
 */
#ifndef MONITOR_NET_H
#define MONITOR_NET_H

#include <dayfly/net.h>
#include <host/err.h>
#include <stdbool.h>

struct net {
	bool there;
	/* Open descriptors: the shared memory (-1: it is mapped), and two eventfds. */
	int memory_fd;
	int kick_fd; /* written here: dayfly-net has packets to take */
	int wake_fd; /* readable: there are packets for the guest */
	uint8_t *memory; /* DF_NET_BYTES */
	struct df_net_host *host; /* in it */
	uint32_t phase; /* host->phase, which is ours alone */
	bool settling; /* dayfly-net was told that the event is over */
	int life_fd; /* `run`: dayfly-net ends when this is closed; -1: somebody else sees to that */
};

struct vm;

/* Maps and closes the file. -errno with *err set: it is not what it should be. */
int net_open(struct net *net, struct df_err *err);
/* Plugs the device into the guest's memory. Without a device, nothing. */
int net_plug(struct vm *vm, struct df_err *err);
/* Shows it in the guest's page tables; these are part of a snapshot. */
int net_show(struct vm *vm);

/* Wakes dayfly-net, and opens the device first if this is the first time since it was closed. */
void net_kick(struct net *net);
/* Takes back what made wake_fd readable. */
void net_woken(const struct net *net);

/* The event is over. Costs nothing if it did not use the network. */
void net_close(struct net *net);
/* Before the guest is entered again. -ETIMEDOUT: dayfly-net does not answer. */
int net_settle(struct net *net);
/* Both, and wipes all that the guest can see, whoever wrote it. */
int net_empty(struct net *net);

#endif
