/* SPDX-License-Identifier: Apache-2.0 */
/* Between the guest and libslirp: see link.h. */
#include "nat/link.h"

#include "host/cleanup.h"

#include <errno.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define DNS_PORT 53
#define PEER_MS 120000u
#define BACKLOG 1024
#define FIRST_FDS 1024 /* those of the start are below */

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t host_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- to the guest --- */

/* A packet without room is lost, as on any network. */
static void to_guest(struct link *link, const void *packet, size_t bytes)
{
	uint8_t *room = bytes && bytes <= DF_NET_PACKET_MAX
		? net_ring_room(&link->to_guest, (uint32_t)bytes)
		: NULL;

	if (!room)
		return;
	memcpy(room, packet, bytes);
	net_ring_put(&link->to_guest, (uint32_t)bytes);
}

void link_flush(struct link *link)
{
	uint64_t one = 1;

	if (net_ring_must_wake(&link->to_guest))
		(void)!write(link->wake_fd, &one, sizeof(one));
}

static uint32_t sum_add(uint32_t sum, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < bytes; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct iphdr ip_header(uint32_t from, uint8_t protocol, size_t payload)
{
	struct iphdr ip = {.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + payload)),
		.ttl = 64,
		.protocol = protocol,
		.saddr = htonl(from),
		.daddr = htonl(DF_NET_GUEST)};

	ip.check = sum_end(sum_add(0, &ip, sizeof(ip)));
	return ip;
}

/* Of TCP and UDP: addresses, protocol and length are part of the sum. */
static uint32_t pseudo_sum(const struct iphdr *ip, size_t payload)
{
	return sum_add(ip->protocol + (uint32_t)payload, &ip->saddr, 8);
}

/* The name server's answer. */
static void dns_answer(void *context, uint16_t port, const void *message, size_t bytes)
{
	struct udphdr udp = {.source = htons(DNS_PORT),
		.dest = htons(port),
		.len = htons((uint16_t)(sizeof(udp) + bytes))};
	struct iphdr ip = ip_header(DF_NET_DNS, IPPROTO_UDP, sizeof(udp) + bytes);
	uint8_t packet[sizeof(ip) + sizeof(udp) + DNS_MESSAGE_MAX];
	uint32_t sum = pseudo_sum(&ip, sizeof(udp) + bytes);

	udp.check = sum_end(sum_add(sum_add(sum, &udp, sizeof(udp)), message, bytes));
	memcpy(packet, &ip, sizeof(ip));
	memcpy(packet + sizeof(ip), &udp, sizeof(udp));
	memcpy(packet + sizeof(ip) + sizeof(udp), message, bytes);
	to_guest(context, packet, sizeof(ip) + sizeof(udp) + bytes);
}

/* A connection that may not be is refused at once, instead of never answered. */
static void reset(struct link *link, const struct iphdr *asked, const struct tcphdr *syn)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = ip_header(ntohl(asked->daddr), IPPROTO_TCP, sizeof(packet.tcp)),
		.tcp = {.source = syn->dest,
			.dest = syn->source,
			.ack_seq = htonl(ntohl(syn->seq) + 1),
			.doff = 5,
			.rst = 1,
			.ack = 1},
	};

	packet.tcp.check = sum_end(sum_add(pseudo_sum(&packet.ip, sizeof(packet.tcp)), &packet.tcp,
		sizeof(packet.tcp)));
	to_guest(link, &packet, sizeof(packet));
}

/* --- refusing --- */

/* Once for each destination: who is refused tries again. */
static bool is_new(struct link *link, uint32_t what)
{
	for (unsigned int i = 0; i < link->told_count; i++)
		if (link->told[i] == what)
			return false;
	if (link->told_count < sizeof(link->told) / sizeof(link->told[0])) {
		link->told[link->told_count++] = what;
		return true;
	}
	return false;
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

static void address_refused(struct link *link, const char *kind, uint32_t address, uint16_t port)
{
	const struct in6_addr in = df_ip_v4(address);
	char text[DF_IP_TEXT_MAX], what[DF_IP_TEXT_MAX + 32];

	if (!is_new(link, address * 2654435761u ^ port))
		return;
	df_ip_text(&in, port, text);
	snprintf(what, sizeof(what), "%s to %s", kind, text);
	say_refused(link, what, text);
}

static void dns_refused(void *context, const char *name)
{
	struct link *link = context;
	uint32_t hash = 5381;
	char what[DF_EGRESS_NAME_MAX + 16];

	for (const char *p = name; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	snprintf(what, sizeof(what), "the name %s", name);
	if (is_new(link, hash))
		say_refused(link, what, name);
}

void link_say_broken(struct link *link)
{
	if (!link->broken)
		fprintf(stderr, "dayfly: %s: the guest broke its network device\n", link->program);
	link->broken = true;
}

static bool is_published(const struct link *link, uint16_t port)
{
	for (unsigned int i = 0; i < link->published_count; i++)
		if (link->published[i].udp && link->published[i].guest_port == port)
			return true;
	return false;
}

/* The place of a peer: its own, else the one that was not used for longest. */
static struct peer *find_peer(struct link *link, uint32_t address, uint16_t port,
	uint16_t guest_port)
{
	struct peer *oldest = &link->peer[0];

	for (unsigned int i = 0; i < LINK_PEERS_MAX; i++) {
		struct peer *peer = &link->peer[i];

		if (peer->address == address && peer->port == port &&
			peer->guest_port == guest_port)
			return peer;
		if (peer->until_ms < oldest->until_ms)
			oldest = peer;
	}
	return oldest;
}

/* A datagram for the guest: if it is for a published port, its sender may be answered. */
static void remember_peer(struct link *link, const uint8_t *packet, size_t bytes)
{
	struct iphdr ip;
	struct udphdr udp;
	uint32_t from;

	if (bytes < sizeof(ip) + sizeof(udp))
		return;
	memcpy(&ip, packet, sizeof(ip));
	if (ip.protocol != IPPROTO_UDP || ip.ihl != 5)
		return;
	memcpy(&udp, packet + sizeof(ip), sizeof(udp));
	if (!is_published(link, ntohs(udp.dest)))
		return;
	from = ntohl(ip.saddr);
	*find_peer(link, from, ntohs(udp.source), ntohs(udp.dest)) =
		(struct peer){from, ntohs(udp.source), ntohs(udp.dest), now_ms() + PEER_MS};
}

static bool is_answer(struct link *link, uint32_t to, const struct udphdr *udp)
{
	const struct peer *peer = find_peer(link, to, ntohs(udp->dest), ntohs(udp->source));

	return peer->address == to && peer->port == ntohs(udp->dest) &&
		peer->guest_port == ntohs(udp->source) && peer->until_ms > now_ms();
}

/* --- from the guest --- */

static bool allows(const struct link *link, uint32_t to, uint16_t port)
{
	const struct in6_addr address = df_ip_v4(to);

	return egress_allows(&link->egress, &address, port, now_ms());
}

static bool tcp_passes(struct link *link, const struct iphdr *ip, const uint8_t *payload,
	size_t bytes)
{
	uint32_t to = ntohl(ip->daddr);
	struct tcphdr tcp;

	if (bytes < sizeof(tcp))
		return false;
	memcpy(&tcp, payload, sizeof(tcp));
	if (link->asked && tcp.syn && tcp.ack) {
		link->asked = false;
		link->taken = true;
	}
	/* Only what opens a connection is a question; libslirp resets the rest when there is no connection. */
	if (!tcp.syn || tcp.ack || allows(link, to, ntohs(tcp.dest)))
		return true;
	address_refused(link, "a connection", to, ntohs(tcp.dest));
	reset(link, ip, &tcp);
	return false;
}

static bool udp_passes(struct link *link, const struct iphdr *ip, const uint8_t *payload,
	size_t bytes)
{
	uint32_t to = ntohl(ip->daddr);
	struct udphdr udp;

	if (bytes < sizeof(udp))
		return false;
	memcpy(&udp, payload, sizeof(udp));
	if (to == DF_NET_DNS && ntohs(udp.dest) == DNS_PORT) {
		dns_ask(&link->dns, ntohs(udp.source), payload + sizeof(udp), bytes - sizeof(udp),
			now_ms());
		return false;
	}
	if (is_answer(link, to, &udp) || allows(link, to, ntohs(udp.dest)))
		return true;
	address_refused(link, "a datagram", to, ntohs(udp.dest));
	return false;
}

/* May this packet go on? It is a copy of ours. */
static bool passes(struct link *link, const uint8_t *packet, size_t bytes)
{
	struct iphdr ip;
	size_t head, total;

	if (bytes < sizeof(ip))
		return false;
	memcpy(&ip, packet, sizeof(ip));
	head = ip.ihl * 4u;
	total = ntohs(ip.tot_len);
	/* A fragment hides its ports; the guest makes none. */
	if (ip.version != 4 || head < sizeof(ip) || total < head || total > bytes ||
		ip.saddr != htonl(DF_NET_GUEST) || (ntohs(ip.frag_off) & (IP_MF | IP_OFFMASK)))
		return false;
	switch (ip.protocol) {
	case IPPROTO_TCP:
		return tcp_passes(link, &ip, packet + head, total - head);
	case IPPROTO_UDP:
		return udp_passes(link, &ip, packet + head, total - head);
	case IPPROTO_ICMP:
		return allows(link, ntohl(ip.daddr), 0);
	default:
		return false;
	}
}

bool link_receive(struct link *link)
{
	const uint8_t *from;
	uint32_t bytes;

	for (int i = 0; i < BATCH; i++) {
		from = net_ring_next(&link->from_guest, &bytes);
		if (!from)
			return false;
		memcpy(link->frame + LINK_ETHERNET, from, bytes);
		net_ring_taken(&link->from_guest, bytes);
		if (passes(link, link->frame + LINK_ETHERNET, bytes))
			slirp_input(link->slirp, link->frame, (int)(LINK_ETHERNET + bytes));
	}
	return true;
}

/* --- libslirp --- */

static void ethernet(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint16_t type)
{
	struct ether_header head = {.ether_type = htons(type)};

	memcpy(head.ether_dhost, to, 6);
	memcpy(head.ether_shost, from, 6);
	memcpy(frame, &head, sizeof(head));
}

/* Where is the guest? Here. */
static void announce(struct link *link)
{
	uint8_t frame[LINK_ETHERNET + sizeof(struct ether_arp)];
	const uint32_t guest = htonl(DF_NET_GUEST), gateway = htonl(DF_NET_GATEWAY);
	struct ether_arp arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
					.ar_pro = htons(ETHERTYPE_IP),
					.ar_hln = 6,
					.ar_pln = 4,
					.ar_op = htons(ARPOP_REPLY)}};

	memcpy(arp.arp_sha, guest_mac, 6);
	memcpy(arp.arp_spa, &guest, 4);
	memcpy(arp.arp_tha, host_mac, 6);
	memcpy(arp.arp_tpa, &gateway, 4);
	ethernet(frame, host_mac, guest_mac, ETHERTYPE_ARP);
	memcpy(frame + LINK_ETHERNET, &arp, sizeof(arp));
	slirp_input(link->slirp, frame, sizeof(frame));
}

static ssize_t from_slirp(const void *frame, size_t bytes, void *context)
{
	struct link *link = context;
	struct ether_header head;

	if (bytes < sizeof(head))
		return 0;
	memcpy(&head, frame, sizeof(head));
	if (ntohs(head.ether_type) == ETHERTYPE_IP) {
		remember_peer(link, (const uint8_t *)frame + sizeof(head), bytes - sizeof(head));
		to_guest(link, (const uint8_t *)frame + sizeof(head), bytes - sizeof(head));
	} else if (ntohs(head.ether_type) == ETHERTYPE_ARP) {
		announce(link);
	}
	return (ssize_t)bytes;
}

static int64_t clock_get_ns(void *context)
{
	struct timespec t;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Malformed packets are the guest's own affair. */
static void guest_error(const char *text, void *context)
{
	(void)text, (void)context;
}

/* Timers are for IPv6, which is off. */
static void *timer_new(SlirpTimerCb call, void *argument, void *context)
{
	static char none;

	(void)call, (void)argument, (void)context;
	return &none;
}

static void timer_free(void *timer, void *context)
{
	(void)timer, (void)context;
}

static void timer_mod(void *timer, int64_t expire_ms, void *context)
{
	(void)timer, (void)expire_ms, (void)context;
}

static void poll_fd(int fd, void *context)
{
	(void)fd, (void)context;
}

static void notify(void *context)
{
	(void)context;
}

static const SlirpCb callbacks = {
	.send_packet = from_slirp,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

/* libslirp lets a single connection wait to be accepted; the next one's client would only ask again after a second. Says so for
 * the socket that listens there, which libslirp keeps to itself. */
static void let_wait(const struct df_publish *p)
{
	struct sockaddr_in name;
	socklen_t bytes = sizeof(name), value_bytes = sizeof(int);

	for (int fd = 3, listens; fd < FIRST_FDS; fd++, bytes = sizeof(name)) {
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &value_bytes) < 0 ||
			!listens || getsockname(fd, (struct sockaddr *)&name, &bytes) < 0)
			continue;
		if (name.sin_family == AF_INET && name.sin_port == htons(p->host_port) &&
			name.sin_addr.s_addr == p->address.s_addr)
			(void)!listen(fd, BACKLOG);
	}
}

static int publish(struct link *link, const struct df_publish *p, struct df_err *err)
{
	const struct in_addr guest = {htonl(DF_NET_GUEST)};
	char text[INET_ADDRSTRLEN];

	if (slirp_add_hostfwd(link->slirp, p->udp, p->address, p->host_port, guest,
		    p->guest_port) == 0) {
		if (!p->udp)
			let_wait(p);
		return 0;
	}
	return df_err_set(err, -errno, "%s:%u cannot be listened on: %s",
		inet_ntop(AF_INET, &p->address, text, sizeof(text)), p->host_port,
		df_errno_text(errno));
}

static int open_slirp(struct link *link)
{
	const SlirpConfig config = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = {htonl(DF_NET_GATEWAY & DF_NET_MASK)},
		.vnetmask = {htonl(DF_NET_MASK)},
		.vhost = {htonl(DF_NET_GATEWAY)},
		.vnameserver = {htonl(DF_NET_DNS)},
		.vdhcp_start = {htonl(DF_NET_GUEST)},
		.if_mtu = DF_NET_MTU,
		.if_mru = DF_NET_MTU,
		/* Answers to who came over loopback must pass; what the guest begins is egress.c's business. */
		.disable_host_loopback = false,
		.disable_dns = true,
		.disable_dhcp = true,
	};

	link->slirp = slirp_new(&config, &callbacks, link);
	if (!link->slirp)
		return -ENOMEM;
	ethernet(link->frame, host_mac, guest_mac, ETHERTYPE_IP);
	announce(link);
	return 0;
}

int link_init(struct link *link, struct df_err *err)
{
	link->dns.answer = dns_answer;
	link->dns.refused = dns_refused;
	link->dns.context = link;
	if (open_slirp(link))
		return df_err_set(err, -ENOMEM, "libslirp could not be started");
	for (unsigned int i = 0; i < link->published_count; i++) {
		int error = publish(link, &link->published[i], err);

		if (error)
			return error;
	}
	return 0;
}

int link_reset(struct link *link)
{
	slirp_cleanup(link->slirp);
	dns_reset(&link->dns);
	egress_reset(&link->egress);
	memset(link->peer, 0, sizeof(link->peer));
	return open_slirp(link);
}
