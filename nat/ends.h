/* SPDX-License-Identifier: Apache-2.0 */
/* Who talks to whom. */
#ifndef NAT_ENDS_H
#define NAT_ENDS_H

#include "host/ip.h"

/* A connection or a flow of datagrams, as the guest sees it. */
struct ends {
	struct in6_addr outside;
	uint16_t outside_port, guest_port;
};

bool ends_same(const struct ends *a, const struct ends *b);

#endif
