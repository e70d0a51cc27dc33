/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event program for tests/e2e/function-network: opens what it is told to. The event's body is "WORD PORT TEXT"; all of it is at
 * 10.0.2.2, the host's loopback.
 *
 *	fetch    a connection: sends the text, answers the line that comes
 *	leave    the same, but nothing is read and nothing closed
 *	burst    sends 1000 bytes, closes, is done
 *	keep     as fetch, over a connection that outlives the event (mode warm)
 *	udp      a datagram, and the answer to it
 *	say      a datagram
 *	raw      a datagram, written into the device past the kernel; dayfly-net is not told
 *	sayraw   udp, and then raw
 *	peek     how many bytes of the device are not zero
 *	boot     what the connection of the start (BOOT_PORT) reads now
 *
 * What fails is answered by its errno.
 */
#include <dayfly.h>
#include <dayfly/layout.h>
#include <dayfly/net.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct order {
	char word[16], text[64];
	unsigned int port;
};

static int boot = -1, kept = -1;

static int open_socket(int type, unsigned int port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(DF_NET_GATEWAY)}};
	const struct timeval limit = {10, 0};
	int s = socket(AF_INET, type, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
		connect(s, (const struct sockaddr *)&to, sizeof(to)))
		return -1;
	return s;
}

static void answer_errno(void)
{
	printf("%s\n", strerrorname_np(errno));
}

static int ask(int s, const char *text)
{
	char line[256];
	ssize_t n =
		send(s, text, strlen(text), MSG_NOSIGNAL) < 0 ? -1 : recv(s, line, sizeof(line), 0);

	if (n < 0)
		return -1;
	printf("%.*s", (int)n, line);
	return 0;
}

static int fetch(const struct order *order, int *s)
{
	char line[80];

	if (*s < 0)
		*s = open_socket(SOCK_STREAM, order->port);
	snprintf(line, sizeof(line), "%s\n", order->text);
	return *s < 0 ? -1 : ask(*s, line);
}

static int leave(const struct order *order)
{
	int s = open_socket(SOCK_STREAM, order->port);

	if (s < 0 || send(s, order->text, strlen(order->text), 0) < 0)
		return -1;
	printf("left\n");
	return 0;
}

static int burst(const struct order *order)
{
	char bytes[1000];
	int s = open_socket(SOCK_STREAM, order->port);

	memset(bytes, 'b', sizeof(bytes));
	if (s < 0 || send(s, bytes, sizeof(bytes), 0) != sizeof(bytes) || close(s))
		return -1;
	printf("sent\n");
	return 0;
}

static int say(const struct order *order)
{
	int s = open_socket(SOCK_DGRAM, order->port);

	if (s < 0 || send(s, order->text, strlen(order->text), 0) < 0)
		return -1;
	printf("said\n");
	return 0;
}

static int udp(const struct order *order)
{
	int s = open_socket(SOCK_DGRAM, order->port);

	return s < 0 ? -1 : ask(s, order->text);
}

static int raw(const struct order *order)
{
	struct df_net_ring *ring = &((struct df_net_control *)DF_VA_NET)->ring[DF_NET_TO_HOST];
	uint8_t *at = (uint8_t *)DF_VA_NET + DF_NET_RING_OFFSET(DF_NET_TO_HOST) + ring->tail;
	const size_t bytes = strlen(order->text);
	const struct udphdr udp = {.source = htons(4000),
		.dest = htons((uint16_t)order->port),
		.len = htons((uint16_t)(sizeof(udp) + bytes))};
	const struct iphdr ip = {.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + sizeof(udp) + bytes)),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(DF_NET_GUEST),
		.daddr = htonl(DF_NET_GATEWAY)};
	const struct df_net_packet head = {.bytes = (uint32_t)(sizeof(ip) + sizeof(udp) + bytes)};

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &ip, sizeof(ip));
	memcpy(at + sizeof(head) + sizeof(ip), &udp, sizeof(udp));
	memcpy(at + sizeof(head) + sizeof(ip) + sizeof(udp), order->text, bytes);
	__atomic_store_n(&ring->tail,
		ring->tail + (uint32_t)sizeof(head) +
			((head.bytes + DF_NET_ALIGN - 1) & ~(DF_NET_ALIGN - 1)),
		__ATOMIC_SEQ_CST);
	printf("written\n");
	return 0;
}

static int peek(void)
{
	const volatile uint8_t *device = (const uint8_t *)DF_VA_NET;
	size_t found = 0;

	for (size_t i = 0; i < DF_NET_GUEST_BYTES; i++)
		found += device[i] != 0;
	printf("%zu\n", found);
	return 0;
}

static int read_boot(void)
{
	char bytes[64];
	ssize_t n = recv(boot, bytes, sizeof(bytes), 0);

	if (n < 0)
		return -1;
	printf("%zd bytes\n", n);
	return 0;
}

static int obey(const struct order *order)
{
	int one = -1;

	if (!strcmp(order->word, "fetch"))
		return fetch(order, &one);
	if (!strcmp(order->word, "keep"))
		return fetch(order, &kept);
	if (!strcmp(order->word, "leave"))
		return leave(order);
	if (!strcmp(order->word, "burst"))
		return burst(order);
	if (!strcmp(order->word, "udp"))
		return udp(order);
	if (!strcmp(order->word, "say"))
		return say(order);
	if (!strcmp(order->word, "raw"))
		return raw(order);
	if (!strcmp(order->word, "sayraw"))
		return udp(order) ? -1 : raw(order);
	if (!strcmp(order->word, "peek"))
		return peek();
	if (!strcmp(order->word, "boot"))
		return read_boot();
	errno = EINVAL;
	return -1;
}

static void answer(const struct df_event_view *event)
{
	struct order order = {.port = 0};
	char text[128];

	snprintf(text, sizeof(text), "%.*s", (int)event->body_bytes, (const char *)event->body);
	(void)sscanf(text, "%15s %u %63[^\n]", order.word, &order.port, order.text);
	if (obey(&order))
		answer_errno();
}

int main(void)
{
	const char *port = getenv("BOOT_PORT");
	struct df_event_view event;

	if (port) {
		char some[3];

		/* The rest of what comes stays unread. */
		boot = open_socket(SOCK_STREAM, (unsigned int)atoi(port));
		if (boot < 0 || send(boot, "boot\n", 5, 0) != 5 || recv(boot, some, 3, 0) != 3)
			return 1;
	}
	while (df_next_event(&event) > 0) {
		answer(&event);
		fflush(stdout);
	}
	return 0;
}
