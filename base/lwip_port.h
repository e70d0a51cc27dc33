// SPDX-License-Identifier: Apache-2.0
/*
 * What both places have that lwIP is built into, the kernel and dayfly-net: its clock and its packets. Compiled with the lwipopts.h of who uses it.
 *
 * lwIP has no timers of its own (LWIP_TIMERS 0): it counts in ticks of 250 ms and wants to be told each of them. While no connection waits for
 * anything it is not told; the ticks that it missed are added when it goes on.
 */
#ifndef BASE_LWIP_PORT_H
#define BASE_LWIP_PORT_H

#include <dayfly/types.h>

#define LWIP_TICK_NS 250000000ULL

/* Tells lwIP the time: ticks that nobody waited for only as a number. `now_ns` never goes back. May call any of lwIP's callbacks. */
void lwip_clock_tell(uint64_t now_ns);

/* How long from now lwIP does not need to be told, ns; 0: nothing waits, until lwIP calls tcp_timer_needed. */
uint64_t lwip_clock_next(void);

/* Memory for a packet that came, of 1 to 65535 bytes, in one piece; NULL: there is none. */
struct pbuf *lwip_packet_new(uint32_t bytes);

#endif
