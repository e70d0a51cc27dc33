/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest may reach. Closed unless a rule opens it (host/egress_rule.h).
 *
 * The host itself (its loopback, which a guest calls 10.0.2.2, and its own addresses), link-local, multicast and
 * unspecified addresses, and where clouds keep their credentials, are open only to rules that name an address.
 *
 * Addresses are of either family (host/ip.h). A packet of IPv6 to the mapped form of an IPv4 address is none of these: who asks
 * refuses it.
 */
#ifndef NAT_EGRESS_H
#define NAT_EGRESS_H

#include "host/egress_rule.h"
#include "nat/own.h"

#define EGRESS_PINS_MAX 256

/* An address that the name server gave for the name of a rule. */
struct egress_pin {
	struct in6_addr address;
	uint64_t until_ms; /* 0: free */
	const struct df_egress_rule *rule;
};

struct egress {
	struct df_egress_rule rule[DF_EGRESS_RULES_MAX];
	unsigned int rule_count;
	struct egress_pin pin[EGRESS_PINS_MAX];
	const struct own *own; /* the host's addresses; NULL: it has none */
};

/* Adds a rule. -EINVAL with *err set: it is none. */
int egress_add(struct egress *egress, const char *text, struct df_err *err)
	__attribute__((warn_unused_result));

/* May this name be asked for? */
bool egress_allows_name(const struct egress *egress, const char *name);

/* The name server says that `name` is `address` for `seconds` more. */
void egress_pin(struct egress *egress, const char *name, const struct in6_addr *address,
	uint32_t seconds, uint64_t now_ms);

/* Forgets all pins. */
void egress_reset(struct egress *egress);

/* May the guest send to this address and port (0: a protocol without ports)? */
bool egress_allows(const struct egress *egress, const struct in6_addr *address, uint16_t port,
	uint64_t now_ms);

#endif
