/* SPDX-License-Identifier: Apache-2.0 */
/* Between the guest's rings and the host's sockets: see link.h. */
#include "nat/link.h"

#include "base/lwip_port.h"
#include "nat/stack.h"

#include <dayfly/wire.h>
#include <errno.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 256
#define DNS_PORT 53

/* --- to the guest --- */

bool link_send(struct link *link, const void *packet, size_t bytes)
{
	uint8_t *room = net_ring_room(&link->to_guest, (uint32_t)bytes);

	if (!room)
		return false;
	memcpy(room, packet, bytes);
	net_ring_put(&link->to_guest, (uint32_t)bytes);
	link->sent = true;
	return true;
}

static struct link *links[DF_INSTANCES_MAX]; /* by number */

/* The packet goes into the ring, and there it gets the guest's own address. */
err_t link_output(unsigned int number, const struct pbuf *packet)
{
	struct link *link = number < DF_INSTANCES_MAX ? links[number] : NULL;
	uint8_t *room = link ? net_ring_room(&link->to_guest, packet->tot_len) : NULL;

	if (!room)
		return ERR_MEM;
	pbuf_copy_partial(packet, room, packet->tot_len, 0);
	packet_set_guest(room);
	net_ring_put(&link->to_guest, packet->tot_len);
	link->sent = true;
	return ERR_OK;
}

void link_flush(struct link *link)
{
	uint64_t one = 1;

	if (link->sent)
		link->active_ms = loop_now_ms();
	if (link->sent && net_ring_must_wake(&link->to_guest))
		(void)!write(link->wake_fd, &one, sizeof(one));
	link->sent = false;
}

bool link_guest_is_awake(const struct link *link)
{
	return !__atomic_load_n(&link->to_guest.shared->sleeping, __ATOMIC_RELAXED);
}

void link_datagram(struct link *link, const struct ends *ends, size_t bytes)
{
	const size_t head = packet_udp(link->packet, ends, bytes);

	if (head + bytes <= DF_NET_PACKET_MAX)
		(void)link_send(link, link->packet + PACKET_UDP_HEAD - head,
			head + bytes); /* or it is lost */
}

void link_refuse(struct link *link, const struct pbuf *syn)
{
	struct packet_reset reset;

	(void)link_send(link, reset.bytes, packet_reset(&reset, syn->payload));
}

/* --- the other way round: names --- */

socklen_t link_host_name(const struct ends *ends, struct sockaddr_storage *name)
{
	const struct in6_addr gateway = df_ip_v4(DF_NET_GATEWAY);
	const struct in6_addr loopback = df_ip_v4(INADDR_LOOPBACK);
	const struct in6_addr *to = &ends->outside;

	if (IN6_ARE_ADDR_EQUAL(to, &gateway))
		to = &loopback;
	else if (IN6_ARE_ADDR_EQUAL(to, &packet_gateway6))
		to = &in6addr_loopback;
	return df_ip_to_socket(to, ends->outside_port, name);
}

struct ends link_guest_view(const struct sockaddr_storage *name, uint16_t guest_port)
{
	const struct in6_addr loopback = df_ip_v4(INADDR_LOOPBACK);
	struct ends ends = {.guest_port = guest_port};

	ends.outside = df_ip_from_socket(name, &ends.outside_port);
	/* From ::1, too: more servers listen on IPv4. */
	if (df_ip_in(&ends.outside, &loopback, 96 + 8) || IN6_IS_ADDR_LOOPBACK(&ends.outside))
		ends.outside = df_ip_v4(DF_NET_GATEWAY);
	return ends;
}

int link_open_port(const struct df_publish *published, int type)
{
	struct sockaddr_storage name;
	socklen_t size = df_ip_to_socket(&published->address, published->host_port, &name);
	const int fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;
	int error;

	if (fd >= 0 &&
		(type != SOCK_STREAM ||
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
		bind(fd, (const struct sockaddr *)&name, size) == 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* --- refusing --- */

/* Once for each destination: who is refused tries again. */
static bool is_new(struct link *link, const void *what, size_t bytes, uint16_t port)
{
	uint32_t hash = 5381u + port;

	for (size_t i = 0; i < bytes; i++)
		hash = hash * 33 + ((const unsigned char *)what)[i];
	for (unsigned int i = 0; i < link->told_count; i++)
		if (link->told[i] == hash)
			return false;
	if (link->told_count == sizeof(link->told) / sizeof(link->told[0]))
		return false;
	link->told[link->told_count++] = hash;
	return true;
}

/* And what would allow it. */
static void say_refused(const struct link *link, const char *what, const char *rule)
{
	if (link->deployed)
		fprintf(stderr,
			"dayfly: %s: %s was refused; egress: [\"%s\"] in its manifest would allow it\n",
			link->program, what, rule);
	else
		fprintf(stderr, "dayfly: %s: %s was refused; --net=%s would allow it\n",
			link->program, what, rule);
}

static void ends_refused(struct link *link, const char *kind, const struct ends *ends)
{
	char text[DF_IP_TEXT_MAX], what[DF_IP_TEXT_MAX + 32];

	if (!is_new(link, &ends->outside, sizeof(ends->outside), ends->outside_port))
		return;
	df_ip_text(&ends->outside, ends->outside_port, text);
	snprintf(what, sizeof(what), "%s to %s", kind, text);
	say_refused(link, what, text);
}

void link_say_broken(struct link *link)
{
	if (!link->broken)
		fprintf(stderr, "dayfly: %s: the guest broke its network device\n", link->program);
	link->broken = true;
}

static bool allows(const struct link *link, const struct ends *ends)
{
	return egress_allows(&link->egress, &ends->outside, ends->outside_port, loop_now_ms());
}

/* --- names --- */

static void dns_refused(void *context, const char *name)
{
	struct link *link = context;
	char what[DF_EGRESS_NAME_MAX + 16];

	snprintf(what, sizeof(what), "the name %s", name);
	if (is_new(link, name, strlen(name), 0))
		say_refused(link, what, name);
}

static void dns_answer(void *context, uint16_t port, const void *message, size_t bytes)
{
	struct link *link = context;
	const struct ends ends = {df_ip_v4(DF_NET_DNS), DNS_PORT, port};

	memcpy(link->packet + PACKET_UDP_HEAD, message, bytes);
	link_datagram(link, &ends, bytes);
}

static int dns_watch(void *context, int fd)
{
	struct link *link = context;

	return loop_add(fd, EPOLLIN, &link->dns_source);
}

static void dns_ready(struct source *source, uint32_t events)
{
	struct link *link =
		(struct link *)(void *)((char *)source - offsetof(struct link, dns_source));

	(void)events;
	dns_run(&link->dns, loop_now_ms());
}

/* --- from the guest --- */

static bool is_dns(const struct ends *ends)
{
	const struct in6_addr server = df_ip_v4(DF_NET_DNS);

	return ends->outside_port == DNS_PORT && IN6_ARE_ADDR_EQUAL(&ends->outside, &server);
}

/* A packet that asks for a connection; others are lwIP's, which resets what is none. Takes it. */
static void take_syn(struct link *link, const struct ends *ends, struct pbuf *packet)
{
	bool drop = false;

	if (tcp_knows(link, ends, &drop)) {
		if (drop)
			pbuf_free(packet);
		else
			stack_input(link->number, packet);
	} else if (allows(link, ends)) {
		tcp_begin(link, ends, packet);
	} else {
		ends_refused(link, "a connection", ends);
		link_refuse(link, packet);
		pbuf_free(packet);
	}
}

/* Takes the packet. */
static void take_tcp(struct link *link, struct ends *ends, struct pbuf *packet, size_t head)
{
	struct tcp_hdr tcp;

	if (packet->len - head < sizeof(tcp)) {
		pbuf_free(packet);
		return;
	}
	memcpy(&tcp, (const uint8_t *)packet->payload + head, sizeof(tcp));
	ends->outside_port = ntohs(tcp.dest);
	ends->guest_port = ntohs(tcp.src);
	if (link->asked && (TCPH_FLAGS(&tcp) & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		link->asked = false;
		link->taken = true;
	}
	if ((TCPH_FLAGS(&tcp) & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
		take_syn(link, ends, packet);
	else
		stack_input(link->number, packet);
}

static void take_udp(struct link *link, struct ends *ends, const uint8_t *datagram, size_t bytes)
{
	struct udp_hdr udp;
	size_t length;

	if (bytes < sizeof(udp))
		return;
	memcpy(&udp, datagram, sizeof(udp));
	length = ntohs(udp.len);
	if (length < sizeof(udp) || length > bytes)
		return;
	ends->outside_port = ntohs(udp.dest);
	ends->guest_port = ntohs(udp.src);
	datagram += sizeof(udp);
	length -= sizeof(udp);
	if (is_dns(ends)) {
		dns_ask(&link->dns, ends->guest_port, datagram, length, loop_now_ms());
	} else if (!udp_answer(link, ends, datagram, length)) {
		if (allows(link, ends))
			udp_send(link, ends, datagram, length);
		else
			ends_refused(link, "a datagram", ends);
	}
}

static size_t read_head4(struct pbuf *packet, struct ends *ends, uint8_t *protocol)
{
	struct ip_hdr ip;
	size_t head, total;

	memcpy(&ip, packet->payload, sizeof(ip));
	head = IPH_HL_BYTES(&ip);
	total = ntohs(IPH_LEN(&ip));
	/* A fragment hides its ports; the guest makes none. */
	if (head < sizeof(ip) || total < head || total > packet->len ||
		ip.src.addr != htonl(DF_NET_GUEST) || (IPH_OFFSET(&ip) & htons(IP_MF | IP_OFFMASK)))
		return 0;
	pbuf_realloc(packet, (uint16_t)total);
	*protocol = IPH_PROTO(&ip);
	ends->outside = df_ip_v4(ntohl(ip.dest.addr));
	return head;
}

/* Heads between this one and the ports hide these, too; and an IPv4 address that is written like this is none. */
static size_t read_head6(struct pbuf *packet, struct ends *ends, uint8_t *protocol)
{
	struct ip6_hdr ip;
	size_t total;

	if (packet->len < sizeof(ip))
		return 0;
	memcpy(&ip, packet->payload, sizeof(ip));
	total = sizeof(ip) + IP6H_PLEN(&ip);
	memcpy(&ends->outside, &ip.dest, sizeof(ends->outside));
	if (total > packet->len || memcmp(&ip.src, &packet_guest6, sizeof(packet_guest6)) != 0 ||
		IN6_IS_ADDR_V4MAPPED(&ends->outside))
		return 0;
	pbuf_realloc(packet, (uint16_t)total);
	*protocol = IP6H_NEXTH(&ip);
	return sizeof(ip);
}

/* What the guest's packet, a copy of ours, is. Returns the length of its head, with *protocol and ->outside set; 0: it is nothing. */
static size_t read_head(struct pbuf *packet, struct ends *ends, uint8_t *protocol)
{
	const struct ip_hdr *ip = packet->payload;

	if (packet->len < sizeof(*ip))
		return 0;
	switch (IPH_V(ip)) {
	case 4:
		return read_head4(packet, ends, protocol);
	case 6:
		return read_head6(packet, ends, protocol);
	default:
		return 0;
	}
}

/* Takes it. */
static void take(struct link *link, struct pbuf *packet)
{
	struct ends ends = {0};
	uint8_t protocol = 0;
	const size_t head = read_head(packet, &ends, &protocol);

	if (head && protocol == IPPROTO_TCP) {
		take_tcp(link, &ends, packet, head);
		return;
	}
	if (head && protocol == IPPROTO_UDP)
		take_udp(link, &ends, (const uint8_t *)packet->payload + head, packet->len - head);
	pbuf_free(packet);
}

bool link_receive(struct link *link)
{
	for (int i = 0; i < BATCH; i++) {
		uint32_t bytes;
		const uint8_t *from = net_ring_next(&link->from_guest, &bytes);
		struct pbuf *packet;

		if (!from) {
			link->active_ms = i ? loop_now_ms() : link->active_ms;
			return false;
		}
		packet = lwip_packet_new(bytes);
		if (packet)
			memcpy(packet->payload, from, bytes);
		net_ring_taken(&link->from_guest, bytes);
		if (packet)
			take(link, packet);
	}
	return true;
}

/* --- the beginning --- */

static int publish(struct link *link, const struct df_publish *published, struct df_err *err)
{
	char text[DF_IP_TEXT_MAX];
	int error = published->udp ? udp_publish(link, published) : tcp_publish(link, published);

	return error < 0 ? df_err_set(err, error, "%s cannot be listened on: %s",
				   df_ip_text(&published->address, published->host_port, text),
				   df_errno_text(error))
			 : 0;
}

int link_init(struct link *link, struct df_err *err)
{
	LIST_INIT(&link->conns);
	links[link->number] = link;
	dns_init(&link->dns, &link->egress);
	link->dns_source.ready = dns_ready;
	link->dns.answer = dns_answer;
	link->dns.refused = dns_refused;
	link->dns.watch = dns_watch;
	link->dns.context = link;
	for (unsigned int i = 0; i < link->published_count; i++) {
		int error = publish(link, &link->published[i], err);

		if (error)
			return error;
	}
	return 0;
}

void link_reset(struct link *link)
{
	tcp_end_all(link);
	udp_end_all(link);
	dns_reset(&link->dns);
	egress_reset(&link->egress);
}
