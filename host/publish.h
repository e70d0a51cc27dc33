/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports, as people write them: [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], an address of IPv6 in brackets. */
#ifndef HOST_PUBLISH_H
#define HOST_PUBLISH_H

#include "host/err.h"
#include "host/ip.h"

#define DF_PUBLISH_MAX 64 /* of one guest */

struct df_publish {
	bool udp;
	struct in6_addr address; /* of the host (host/ip.h); 127.0.0.1 unless one is given */
	uint16_t host_port, guest_port;
};

/* Returns 0, or -EINVAL with *err set. */
int df_publish_parse(const char *text, struct df_publish *publish, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
