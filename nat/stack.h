/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP, which is all of the outside for the guests: whatever address a guest's TCP talks to, the other end of the connection is here (tcp.h).
 * One for the process; a guest is an address in it, by its number.
 */
#ifndef NAT_STACK_H
#define NAT_STACK_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>
#include <netinet/in.h>
#include <stdbool.h>

/* A packet for guest `number`, whose address in it is not the guest's own yet. ERR_MEM: there is no room, lwIP shall try again. */
typedef err_t stack_output(unsigned int number, const struct pbuf *packet);

void stack_init(stack_output *output);

/* The address that guest `number` has here, in the family of the one it talks to. */
ip_addr_t stack_guest(unsigned int number, const struct in6_addr *outside);
bool stack_is_guest(unsigned int number, const ip_addr_t *address);
/* An address as lwIP has it. */
ip_addr_t stack_address(const struct in6_addr *address);

/* A packet with TCP from guest `number`: the caller's copy, checked (link.c), into which the sender's address here is put. Takes it. */
void stack_input(unsigned int number, struct pbuf *packet);

/* Tells lwIP the time, if it wants to know it. */
void stack_tick(void);
/* Until it does: ms for loop_wait. */
int stack_timeout(void);

#endif
