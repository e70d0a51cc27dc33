/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How lwIP is built into the feature `net`: without threads of its own (NO_SYS), called from kernel context only,
 * through its callback interface. Memory comes from the kernel's heap through stack.c, which bounds it; timers are
 * stack.c's and ethernet.c's, so that nothing ticks while nothing is pending. Fragments are put together, and never made: packets
 * between us and dayfly-net may be as large as they are, and a TAP device divides them.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include <base/lwip_options.h>
#include <stddef.h>
#include <stdint.h>

/* --- memory --- */
void *net_alloc(size_t bytes);
void *net_zalloc(size_t count, size_t bytes);
void net_free(void *p);
#define mem_clib_malloc net_alloc
#define mem_clib_calloc net_zalloc
#define mem_clib_free net_free

/* --- protocols --- */
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define ARP_TABLE_SIZE 64
#define ARP_QUEUEING 1
#define LWIP_ICMP 1
#define LWIP_UDP 1
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 256
#define LWIP_IPV6_REASS 1
#define IPV6_FRAG_COPYHEADER 1 /* our pointers are large */
#define LWIP_ND6_QUEUEING 1
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
struct netif;
const struct ip6_addr *ethernet_gateway6(struct netif *netif);
#define LWIP_HOOK_ND6_GET_GW(netif, to) ethernet_gateway6(netif)

/* --- interfaces: packets to ourselves wait in a list that stack.c empties, and need no checksums --- */
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* --- TCP. A segment on the loopback interface is as large as it may be; others have the MTU's. --- */
#define TCP_WND 262144
/* Below the 64 KiB that a peer without scaling sees, or it would never hear that there is room again. */
#define TCP_WND_UPDATE_THRESHOLD 16384
#define TCP_SND_BUF 262144
#define TCP_SND_QUEUELEN 512
#define TCP_OVERSIZE 1024
#define TCP_MSL 30000 /* TIME-WAIT takes a minute */
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_KEEPALIVE 1
#define SO_REUSE_RXTOALL 0
#define TCP_LOCAL_PORT_RANGE_START 32768
#define TCP_LOCAL_PORT_RANGE_END 60999
#define TCP_ENSURE_LOCAL_PORT_RANGE(port) ((uint16_t)(32768 + (port) % (60999 - 32768)))
#define UDP_LOCAL_PORT_RANGE_START 32768
#define UDP_LOCAL_PORT_RANGE_END 60999
#define UDP_ENSURE_LOCAL_PORT_RANGE(port) ((uint16_t)(32768 + (port) % (60999 - 32768)))
#define LWIP_MULTICAST_TX_OPTIONS 0

/* tcp_event.c looks at a segment before lwIP does; an err_t. */
struct tcp_pcb;
struct tcp_hdr;
signed char net_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned bytes);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, optlen, opt1len, opt2, p) \
	net_segment(pcb, header, (p)->tot_len)

/* Not guessed from a clock that stands still while the guest is frozen: random, and the generator has a new seed
 * behind each thaw. */
uint32_t net_random(void);
#define LWIP_RAND() net_random()
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) net_random()

#endif
