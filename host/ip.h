/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of either family in one type: an IPv4 address is ::ffff:a.b.c.d, as sockets of IPv6 have it. */
#ifndef HOST_IP_H
#define HOST_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define DF_IP_TEXT_MAX 64u

/* Of an IPv4 address in host byte order. */
struct in6_addr df_ip_v4(uint32_t address);

/* Reads 192.0.2.1 or 2001:db8::1; ::ffff:192.0.2.1 is not a way to write the first. False: it is neither. */
bool df_ip_parse(const char *text, struct in6_addr *out) __attribute__((warn_unused_result));

/* Are the first `bits` (at most 128) of both the same? */
bool df_ip_in(const struct in6_addr *address, const struct in6_addr *network, unsigned int bits);

/* As a rule has it: 192.0.2.1:80, [2001:db8::1]:80; without the port if that is 0. Returns `text`, of DF_IP_TEXT_MAX bytes. */
char *df_ip_text(const struct in6_addr *address, uint16_t port, char *text);

/* As the socket interface has it; returns the size of what is in *out. */
socklen_t df_ip_to_socket(const struct in6_addr *address, uint16_t port,
	struct sockaddr_storage *out);
/* And back. Returns the address, with *port set. */
struct in6_addr df_ip_from_socket(const struct sockaddr_storage *name, uint16_t *port);

#endif
