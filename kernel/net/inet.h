// SPDX-License-Identifier: Apache-2.0
/* What TCP and UDP sockets share: addresses in lwIP's form and the program's, ports, error numbers. */
#ifndef KERNEL_INET_H
#define KERNEL_INET_H

#include <kernel/net/net.h>
#include <lwip/ip_addr.h>
#include <lwip/err.h>

struct inet_name {
	ip_addr_t ip;
	uint16_t port; /* host order */
};

/* The address that a program passed for a socket of this family; IPv4 in IPv6 becomes IPv4. -EINVAL,
 * -EAFNOSUPPORT. */
int inet_from_address(const struct socket *s, const struct address *a,
	struct inet_name *out) must_check;
/* As the program sees it through a socket of this family. */
void inet_to_address(const struct socket *s, const struct inet_name *n, struct address *a);
/* Any address of the socket's family, port 0. */
struct inet_name inet_any(const struct socket *s);
/* Where a packet to n goes: to an unspecified address means to ourselves. */
void inet_reach(struct inet_name *n);
/* May a socket be bound there? -EADDRNOTAVAIL. */
int inet_check_local(const ip_addr_t *ip) must_check;
/* Is there a way to it? -ENETUNREACH, -ECONNREFUSED: among our own addresses, but not one we have. */
int inet_check_route(const ip_addr_t *ip) must_check;
/* Whose name we have there, when we have chosen none. */
ip_addr_t inet_source(const ip_addr_t *to);
/* Binds by `try` (0, -EADDRINUSE...) to the port, or, for port 0, to one that chance finds. */
int inet_bind_port(void *pcb, const ip_addr_t *ip, uint16_t *port,
	int (*try)(void *pcb, const ip_addr_t *ip, uint16_t port)) must_check;
int inet_error(err_t e);
/* SO_REUSEADDR and SO_REUSEPORT, for lwIP the same, among a connection's options. */
void inet_apply_reuse(const struct socket *s, uint8_t *so_options);

/* Options that both kinds have. */
int inet_set(struct socket *s, int level, int option, int value);
int inet_get(struct socket *s, int level, int option, int *value);

/* --- the outside --- */

/* Are packets to this address for the device (device.c)? */
bool device_leads_to(const ip_addr_t *ip);
/* Before a freeze: connections with the outside are reset, as if their peers had done it; datagrams from there are lost. */
void tcp_reset_outside(void);
void udp_forget_outside(void);

#endif
