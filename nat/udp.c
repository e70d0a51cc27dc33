/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams between guest and host: see udp.h. */
#include "nat/udp.h"

#include "host/cleanup.h"
#include "nat/link.h"
#include "nat/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_MS 120000u

struct flow {
	struct source source;
	struct link *link;
	int fd;
	struct ends ends;
	uint64_t used_ms;
};

struct receiver {
	struct source source;
	struct link *link;
	int fd;
	uint16_t guest_port;
};

/* --- flows --- */

static void flow_ready(struct source *source, uint32_t events)
{
	struct flow *flow = (struct flow *)source;
	uint8_t *payload = flow->link->packet + PACKET_UDP_HEAD;

	(void)events;
	/* A refusal of the other side is read, too, and lost: a datagram may be. */
	for (;;) {
		ssize_t n = recv(flow->fd, payload, LINK_PAYLOAD_MAX, MSG_DONTWAIT);

		if (n >= 0)
			link_datagram(flow->link, &flow->ends, (size_t)n);
		else if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH)
			break;
	}
	flow->used_ms = loop_now_ms();
}

static int flow_open(struct flow *flow)
{
	struct sockaddr_storage to;
	socklen_t size = link_host_name(&flow->ends, &to);
	int error;

	flow->fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		return -errno;
	error = connect(flow->fd, (const struct sockaddr *)&to, size) < 0
		? -errno
		: loop_add(flow->fd, EPOLLIN, &flow->source);
	if (error) {
		df_cleanup_fd(&flow->fd);
		flow->fd = -1;
	}
	return error;
}

/* The place for a new one: unused, or that of who rests longest. Places stay, for events in hand may name one. */
static struct flow *flow_place(struct link *link)
{
	struct udp *udp = &link->udp;
	struct flow *oldest = udp->flow_count ? udp->flow[0] : NULL;

	for (unsigned int i = 1; i < udp->flow_count; i++)
		if (udp->flow[i]->used_ms < oldest->used_ms)
			oldest = udp->flow[i];
	if (udp->flow_count < UDP_FLOWS_MAX && (!oldest || oldest->fd >= 0)) {
		oldest = calloc(1, sizeof(*oldest));
		if (!oldest)
			return NULL;
		oldest->fd = -1;
		udp->flow[udp->flow_count++] = oldest;
	}
	df_cleanup_fd(&oldest->fd);
	return oldest;
}

static struct flow *flow_find(struct link *link, const struct ends *ends)
{
	struct flow *flow;

	for (unsigned int i = 0; i < link->udp.flow_count; i++) {
		flow = link->udp.flow[i];
		if (flow->fd >= 0 && ends_same(&flow->ends, ends))
			return flow;
	}
	flow = flow_place(link);
	if (!flow)
		return NULL;
	*flow = (struct flow){.source.ready = flow_ready, .link = link, .fd = -1, .ends = *ends};
	return flow_open(flow) ? NULL : flow;
}

void udp_send(struct link *link, const struct ends *ends, const void *payload, size_t bytes)
{
	struct flow *flow = flow_find(link, ends);

	if (!flow)
		return;
	flow->used_ms = loop_now_ms();
	(void)!send(flow->fd, payload, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void udp_end_all(struct link *link)
{
	for (unsigned int i = 0; i < link->udp.flow_count; i++) {
		df_cleanup_fd(&link->udp.flow[i]->fd);
		link->udp.flow[i]->fd = -1;
		link->udp.flow[i]->used_ms = 0;
	}
	memset(link->udp.peer, 0, sizeof(link->udp.peer));
}

/* --- published ports --- */

/* The place of a peer: its own, else the one that was not used for longest. */
static struct peer *find_peer(struct link *link, const struct ends *ends)
{
	struct peer *oldest = &link->udp.peer[0];

	for (unsigned int i = 0; i < UDP_PEERS_MAX; i++) {
		struct peer *peer = &link->udp.peer[i];

		if (ends_same(&peer->ends, ends))
			return peer;
		if (peer->until_ms < oldest->until_ms)
			oldest = peer;
	}
	return oldest;
}

static void received(struct source *source, uint32_t events)
{
	struct receiver *receiver = (struct receiver *)source;
	struct link *link = receiver->link;

	(void)events;
	for (;;) {
		struct peer from = {.name_size = sizeof(from.name), .fd = receiver->fd};
		ssize_t n = recvfrom(receiver->fd, link->packet + PACKET_UDP_HEAD, LINK_PAYLOAD_MAX,
			MSG_DONTWAIT, (struct sockaddr *)&from.name, &from.name_size);

		if (n < 0)
			return;
		from.ends = link_guest_view(&from.name, receiver->guest_port);
		from.until_ms = loop_now_ms() + PEER_MS;
		*find_peer(link, &from.ends) = from;
		link_datagram(link, &from.ends, (size_t)n);
	}
}

bool udp_answer(struct link *link, const struct ends *ends, const void *payload, size_t bytes)
{
	const struct peer *peer = find_peer(link, ends);

	if (!ends_same(&peer->ends, ends) || peer->until_ms <= loop_now_ms())
		return false;
	(void)!sendto(peer->fd, payload, bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&peer->name, peer->name_size);
	return true;
}

int udp_publish(struct link *link, const struct df_publish *published)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	int error;

	if (!receiver)
		return -ENOMEM;
	receiver->source.ready = received;
	receiver->link = link;
	receiver->guest_port = published->guest_port;
	receiver->fd = link_open_port(published, SOCK_DGRAM);
	error = receiver->fd;
	if (error >= 0)
		error = loop_add(receiver->fd, EPOLLIN, &receiver->source);
	if (error < 0) {
		df_cleanup_fd(&receiver->fd);
		free(receiver);
		return error;
	}
	return 0;
}
