/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: see address.h. */
#include "daemon/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_port(const char *text, in_port_t *port)
{
	char *end;
	unsigned long number;

	if (*text < '0' || *text > '9')
		return false;
	number = strtoul(text, &end, 10);
	if (*end || number > UINT16_MAX)
		return false;
	*port = htons((uint16_t)number);
	return true;
}

int address_parse(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN + 2];
	bool v6 = *text == '[';
	in_port_t port;

	if (!length || length >= sizeof(host) || !read_port(colon + 1, &port))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	memset(address, 0, sizeof(*address));
	if (!v6) {
		address->as.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		address->length = sizeof(address->as.v4);
		return inet_pton(AF_INET, host, &address->as.v4.sin_addr) == 1 ? 0 : -EINVAL;
	}
	if (host[length - 1] != ']')
		return -EINVAL;
	host[length - 1] = '\0';
	address->as.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
	address->length = sizeof(address->as.v6);
	return inet_pton(AF_INET6, host + 1, &address->as.v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

/* False: it is no IPv4 address in any clothes. */
static bool as_v4(const struct sockaddr *address, struct in_addr *v4)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET) {
		*v4 = ((const struct sockaddr_in *)(const void *)address)->sin_addr;
		return true;
	}
	if (address->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return false;
	memcpy(v4, &v6->sin6_addr.s6_addr[12], sizeof(*v4));
	return true;
}

static const struct in6_addr *as_v6(const struct sockaddr *address)
{
	return &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
}

bool address_is_loopback(const struct sockaddr *address)
{
	struct in_addr v4;

	if (as_v4(address, &v4))
		return ntohl(v4.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(as_v6(address));
}

bool address_is_any(const struct sockaddr *address)
{
	struct in_addr v4;

	if (as_v4(address, &v4))
		return v4.s_addr == INADDR_ANY;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(as_v6(address));
}

const char *address_text(const struct sockaddr *address, bool brackets,
	char text[ADDRESS_TEXT_BYTES])
{
	char plain[INET6_ADDRSTRLEN] = "";
	struct in_addr v4;
	bool v6 = false;

	if (as_v4(address, &v4))
		(void)inet_ntop(AF_INET, &v4, plain, sizeof(plain));
	else if (address->sa_family == AF_INET6)
		v6 = inet_ntop(AF_INET6, as_v6(address), plain, sizeof(plain)) != NULL;
	snprintf(text, ADDRESS_TEXT_BYTES, "%s%s%s", v6 && brackets ? "[" : "", plain,
		v6 && brackets ? "]" : "");
	return text;
}
