/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on, as people write them: "127.0.0.1:8080", "[::1]:8080", "[::]:0". No names, no look-ups. */
#ifndef DAEMON_ADDRESS_H
#define DAEMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_BYTES (INET6_ADDRSTRLEN + 9) /* "[...]:65535" */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} as;
	socklen_t length;
};

/* Returns 0 or -EINVAL. */
int address_parse(const char *text, struct address *address) __attribute__((warn_unused_result));

/* 127.0.0.0/8 or ::1, also as it is mapped into IPv6. */
bool address_is_loopback(const struct sockaddr *address);

/* 0.0.0.0 or ::, which stand for all addresses of the machine. */
bool address_is_any(const struct sockaddr *address);

/*
 * The address without its port as it stands in a URL: "10.0.0.1", "[fd00::1]"; IPv4 ones that are mapped into IPv6 as IPv4. `brackets`: around IPv6
 * ones. Returns `text`, which is empty for other families.
 */
const char *address_text(const struct sockaddr *address, bool brackets,
	char text[ADDRESS_TEXT_BYTES]);

#endif
