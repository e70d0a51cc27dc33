/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a webhook may reach. IPv4 addresses are looked at as IPv6 ones that hold them (::ffff:0:0/96), and IPv6 addresses that hold an IPv4 one
 * in another way (NAT64, 6to4, IPv4-compatible) are refused with what they hold.
 */
#include "daemon/event/destination_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* IANA's registries of special-purpose addresses: what is not globally reachable, and multicast. */
static const char *const special[] = {
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/3",
};

static bool parse_bits(const char *text, unsigned int max, unsigned int *bits)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value > max)
		return false;
	*bits = (unsigned int)value;
	return true;
}

int destination_network_parse(const char *text, struct destination_network *network)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct destination_network made = {.bits = 128};
	struct in_addr four;

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &four) == 1) {
		memset(made.address.s6_addr + 10, 0xff, 2);
		memcpy(made.address.s6_addr + 12, &four, 4);
		if (text[length] && !parse_bits(text + length + 1, 32, &made.bits))
			return -EINVAL;
		made.bits = text[length] ? made.bits + 96 : 128;
	} else if (inet_pton(AF_INET6, address, &made.address) != 1 ||
		(text[length] && !parse_bits(text + length + 1, 128, &made.bits))) {
		return -EINVAL;
	}
	*network = made;
	return 0;
}

static bool contains(const struct destination_network *network, const struct in6_addr *address)
{
	unsigned int bytes = network->bits / 8, bits = network->bits % 8;

	if (memcmp(&network->address, address, bytes) != 0)
		return false;
	return bits == 0 ||
		((network->address.s6_addr[bytes] ^ address->s6_addr[bytes]) >> (8 - bits)) == 0;
}

static bool is_special_four(const struct in6_addr *mapped)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		struct destination_network network;

		if (destination_network_parse(special[i], &network) < 0 ||
			contains(&network, mapped))
			return true;
	}
	return false;
}

static bool is_public(const struct in6_addr *address)
{
	const uint8_t *bytes = address->s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(address))
		return !is_special_four(address);
	/* Global unicast is 2000::/3. Of it: 2001::/23 (Teredo, ORCHID and the like), 2001:db8::/32, 2002::/16 (6to4), 3fff::/20 (documentation). */
	if (bytes[0] >> 5 != 1)
		return false;
	if (bytes[0] == 0x20 && bytes[1] == 0x01 &&
		(bytes[2] < 2 || (bytes[2] == 0x0d && bytes[3] == 0xb8)))
		return false;
	return !(bytes[0] == 0x20 && bytes[1] == 0x02) &&
		!(bytes[0] == 0x3f && bytes[1] == 0xff && bytes[2] < 0x10);
}

bool destination_address_ok(const struct destination_settings *settings,
	const struct sockaddr *address)
{
	struct in6_addr six = {0};

	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		memset(six.s6_addr + 10, 0xff, 2);
		memcpy(six.s6_addr + 12, &in.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, address, sizeof(in));
		six = in.sin6_addr;
	} else {
		return false;
	}
	for (size_t i = 0; i < settings->allowed_count; i++) {
		if (contains(&settings->allowed[i], &six))
			return true;
	}
	return is_public(&six);
}
