/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports, as people write them: [ADDRESS:]HOST_PORT:GUEST_PORT[/udp]. */
#ifndef HOST_PUBLISH_H
#define HOST_PUBLISH_H

#include "host/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DF_PUBLISH_MAX 64 /* of one guest */

struct df_publish {
	bool udp;
	struct in_addr address; /* of the host, network byte order; 127.0.0.1 unless one is given */
	uint16_t host_port, guest_port;
};

/* Returns 0, or -EINVAL with *err set. */
int df_publish_parse(const char *text, struct df_publish *publish, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
