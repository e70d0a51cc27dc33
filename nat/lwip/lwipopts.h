/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How lwIP is built into dayfly-net, where it is the other end of the guests' connections (nat/stack.h): TCP alone, in one thread,
 * through its callback interface.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include <base/lwip_options.h>
#include <stddef.h>
#include <stdint.h>

/* Memory is the C library's; RLIMIT_DATA bounds it (jail.c). */

/* --- protocols --- */
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_ICMP 0
#define LWIP_ICMP6 1 /* or ip6.c cannot be linked */
#define LWIP_UDP 0
#define IP_REASSEMBLY 0
#define LWIP_IPV6_REASS 0
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

/* Nothing can change a packet on its way through memory. */
#define CHECKSUM_GEN_IP 0
#define CHECKSUM_GEN_TCP 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_TCP 0

/* Whatever address a packet is for, it is for us: link.c has looked at it by then. */
struct pbuf;
struct netif;
int stack_take_address(struct pbuf *p, struct netif *netif);
int stack_take_address6(struct pbuf *p, struct netif *netif);
#define LWIP_HOOK_IP4_INPUT(p, netif) stack_take_address(p, netif)
#define LWIP_HOOK_IP6_INPUT(p, netif) stack_take_address6(p, netif)

/* --- TCP --- */
#define TCP_WND 524280 /* so many bytes of the guest may wait for a slow host */
#define TCP_SND_BUF 524288 /* twice what the guest takes at a time */
#define TCP_SND_QUEUELEN 1024
#define TCP_OVERSIZE 0 /* what is sent is not copied */
#define TCP_MSL 5000 /* TIME-WAIT: there is no packet that could be late */
#define TCP_LISTEN_BACKLOG 0

#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, optlen, opt1len, opt2, p) \
	(lwip_take_end(pcb, header, (p)->tot_len), ERR_OK)

uint32_t stack_random(void);
#define LWIP_RAND() stack_random()
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) stack_random()

#endif
