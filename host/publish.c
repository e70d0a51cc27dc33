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

/* "127.0.0.1:", if it is there. */
static bool take_address(const char **text, struct in_addr *address)
{
	const char *colon = strchr(*text, ':');
	char copy[INET_ADDRSTRLEN];

	address->s_addr = htonl(INADDR_LOOPBACK);
	if (!colon || !strchr(colon + 1, ':'))
		return true;
	if ((size_t)(colon - *text) >= sizeof(copy))
		return false;
	memcpy(copy, *text, (size_t)(colon - *text));
	copy[colon - *text] = '\0';
	*text = colon + 1;
	return inet_pton(AF_INET, copy, address) == 1;
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
			"%.100s is no published port; write [ADDRESS:]HOST_PORT:GUEST_PORT[/udp], such as 8080:80",
			text);
	*publish = made;
	return 0;
}
