// SPDX-License-Identifier: Apache-2.0
/* What both lwipopts.h have in common (base/lwip_port.h): no threads, no timers of its own, its callback interface alone, TCP over large packets. */
#ifndef BASE_LWIP_OPTIONS_H
#define BASE_LWIP_OPTIONS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_STATS 0

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_RAW 0
#define LWIP_TCP 1
#define IP_FRAG 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_IPV6_SCOPES 0
#define IP_DEFAULT_TTL 64

#define TCP_MSS 32768 /* a packet may cost a wake-up */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* of marks that only lwIP's own sockets look at */
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_OOSEQ_MAX_BYTES TCP_WND
/* lwIP walks over all of them for each that comes: small ones, with holes between them, must not be work without end. */
#define TCP_OOSEQ_MAX_PBUFS 512
#define SO_REUSE 1

/* To be called before lwIP looks at a segment with so many bytes of data (LWIP_HOOK_TCP_INPACKET_PCB). The peer's end takes no room, but lwIP cuts it
 * off behind data that fill the window, and the peer sends it again after 1.5 s. */
struct tcp_pcb;
struct tcp_hdr;
void lwip_take_end(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned bytes);

#endif
