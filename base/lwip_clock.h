// SPDX-License-Identifier: Apache-2.0
/*
 * lwIP's time, where lwIP is built without timers of its own (LWIP_TIMERS 0): it counts in ticks of 250 ms and wants to be told each of them.
 * While no connection waits for anything it is not told; the ticks that it missed are added when it goes on. Compiled with the lwipopts.h of who
 * uses it.
 */
#ifndef BASE_LWIP_CLOCK_H
#define BASE_LWIP_CLOCK_H

#include <dayfly/types.h>

#define LWIP_TICK_NS 250000000ULL

/* Tells lwIP the time: ticks that nobody waited for only as a number. `now_ns` never goes back. May call any of lwIP's callbacks. */
void lwip_clock_tell(uint64_t now_ns);

/* How long from now lwIP does not need to be told, ns; 0: nothing waits, until lwIP calls tcp_timer_needed. */
uint64_t lwip_clock_next(void);

#endif
