/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule about what a guest may reach, as it is written on the command line and in a manifest:
 *
 *   any                       every address, but for those near the host (nat/egress.h)
 *   ADDRESS[/BITS][:PORT]     these addresses, whatever they are; of IPv6 with a port [ADDRESS[/BITS]]:PORT
 *   NAME[:PORT]               what the name server says that NAME is, as long as it says so
 */
#ifndef HOST_EGRESS_RULE_H
#define HOST_EGRESS_RULE_H

#include "host/ip.h"
#include "host/err.h"

#define DF_EGRESS_RULES_MAX 64
#define DF_EGRESS_NAME_MAX 253
#define DF_EGRESS_RULE_SHAPES \
	"any, NAME[:PORT], ADDRESS[/BITS][:PORT] or [IPV6-ADDRESS[/BITS]]:PORT"

struct df_egress_rule {
	enum { DF_EGRESS_ANY, DF_EGRESS_ADDRESS, DF_EGRESS_NAME } kind;
	struct in6_addr address;
	unsigned int bits; /* of the address that count */
	uint16_t port; /* 0: all */
	char name[DF_EGRESS_NAME_MAX + 1]; /* lower case */
};

/* Reads one. -EINVAL with *err (may be NULL) set, and *rule untouched: it is none. */
int df_egress_rule_parse(const char *text, struct df_egress_rule *rule, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
