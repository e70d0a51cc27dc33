/* SPDX-License-Identifier: Apache-2.0 */
/* Who talks to whom: see ends.h. */
#include "nat/ends.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_AT 12u /* in the mapped form */

socklen_t ends_to_socket(const struct in6_addr *address, uint16_t port,
	struct sockaddr_storage *out)
{
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *address};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (!IN6_IS_ADDR_V4MAPPED(address)) {
		memcpy(out, &v6, sizeof(v6));
		return sizeof(v6);
	}
	memcpy(&v4.sin_addr, &address->s6_addr[V4_AT], sizeof(v4.sin_addr));
	memcpy(out, &v4, sizeof(v4));
	return sizeof(v4);
}

struct in6_addr ends_from_socket(const struct sockaddr_storage *name, uint16_t *port)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (name->ss_family == AF_INET6) {
		memcpy(&v6, name, sizeof(v6));
		*port = ntohs(v6.sin6_port);
		return v6.sin6_addr;
	}
	memcpy(&v4, name, sizeof(v4));
	*port = ntohs(v4.sin_port);
	return df_ip_v4(ntohl(v4.sin_addr.s_addr));
}

bool ends_same(const struct ends *a, const struct ends *b)
{
	return a->guest_port == b->guest_port && a->outside_port == b->outside_port &&
		IN6_ARE_ADDR_EQUAL(&a->outside, &b->outside);
}
