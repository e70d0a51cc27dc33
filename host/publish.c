/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports: see publish.h. */
#include "host/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A port, and `end` behind it. */
static bool take_port(const char **text, char end, uint16_t *port)
{
	unsigned int number = 0;
	const char *at = *text;

	for (; *at >= '0' && *at <= '9' && number <= UINT16_MAX; at++)
		number = 10 * number + (unsigned int)(*at - '0');
	if (at == *text || number == 0 || number > UINT16_MAX || *at != end)
		return false;
	*port = (uint16_t)number;
	*text = at + (end != '\0');
	return true;
}

/* "127.0.0.1:" or "[::1]:", if it is there. */
static bool take_address(const char **text, struct in6_addr *address)
{
	const bool v6 = **text == '[';
	const char *end = strchr(*text, v6 ? ']' : ':');
	char copy[INET6_ADDRSTRLEN];
	size_t length;

	*address = df_ip_v4(INADDR_LOOPBACK);
	if (!end || (!v6 && !strchr(end + 1, ':')))
		return !v6;
	*text += v6;
	length = (size_t)(end - *text);
	if (length >= sizeof(copy) || (v6 && end[1] != ':'))
		return false;
	memcpy(copy, *text, length);
	copy[length] = '\0';
	*text = end + 1 + v6;
	return df_ip_parse(copy, address) && !IN6_IS_ADDR_V4MAPPED(address) == v6;
}

static bool parse(const char *text, struct df_publish *p)
{
	const char *slash = strchr(text, '/');

	if (slash && strcmp(slash, "/udp") != 0 && strcmp(slash, "/tcp") != 0)
		return false;
	p->udp = slash && slash[1] == 'u';
	return take_address(&text, &p->address) && take_port(&text, ':', &p->host_port) &&
		take_port(&text, slash ? '/' : '\0', &p->guest_port);
}

int df_publish_parse(const char *text, struct df_publish *publish, struct df_err *err)
{
	struct df_publish made;

	if (!parse(text, &made))
		return df_err_set(err, -EINVAL,
			"%.100s is no published port; write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 8080:80 or [::1]:8080:80",
			text);
	*publish = made;
	return 0;
}
