/* SPDX-License-Identifier: Apache-2.0 */
/* Who talks to whom. */
#ifndef NAT_ENDS_H
#define NAT_ENDS_H

#include "host/ip.h"

#include <sys/socket.h>

/* A connection or a flow of datagrams, as the guest sees it. */
struct ends {
	struct in6_addr outside;
	uint16_t outside_port, guest_port;
};

bool ends_same(const struct ends *a, const struct ends *b);

/* An address as the socket interface has it; returns its size. */
socklen_t ends_to_socket(const struct in6_addr *address, uint16_t port,
	struct sockaddr_storage *out);
/* And back. Returns the address, with *port set. */
struct in6_addr ends_from_socket(const struct sockaddr_storage *name, uint16_t *port);

#endif
