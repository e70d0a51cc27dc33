/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of either family: see ip.h. */
#include "host/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define V4_AT 12u /* in the mapped form */

struct in6_addr df_ip_v4(uint32_t address)
{
	struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	address = htonl(address);
	memcpy(&a.s6_addr[V4_AT], &address, sizeof(address));
	return a;
}

bool df_ip_parse(const char *text, struct in6_addr *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = df_ip_v4(ntohl(v4.s_addr));
		return true;
	}
	return inet_pton(AF_INET6, text, out) == 1 && !IN6_IS_ADDR_V4MAPPED(out);
}

bool df_ip_in(const struct in6_addr *address, const struct in6_addr *network, unsigned int bits)
{
	const unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(address, network, whole) != 0)
		return false;
	return !rest || (address->s6_addr[whole] ^ network->s6_addr[whole]) >> (8 - rest) == 0;
}

char *df_ip_text(const struct in6_addr *address, uint16_t port, char *text)
{
	const bool v4 = IN6_IS_ADDR_V4MAPPED(address);
	char bare[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &address->s6_addr[V4_AT] : address->s6_addr, bare,
		sizeof(bare));
	if (!port)
		snprintf(text, DF_IP_TEXT_MAX, "%s", bare);
	else
		snprintf(text, DF_IP_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", bare, port);
	return text;
}

socklen_t df_ip_to_socket(const struct in6_addr *address, uint16_t port,
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

struct in6_addr df_ip_from_socket(const struct sockaddr_storage *name, uint16_t *port)
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
