// SPDX-License-Identifier: Apache-2.0
/*
 * rings NAME [SEED]: breaks the rules of the network device (dayfly/net.h) from within a guest, past the kernel, which has the same ring
 * and is not asked. Says "survived" at the end; tests/hostile/rings knows what dayfly-net must say to it.
 *
 * While it is at work it makes no system call: the kernel would take packets that come, and answer into the ring that is ours here.
 * An attack that leaves the ring in order ends with a datagram "end SEED" to 10.0.2.2:7000, which must arrive.
 */
#include "guest.h"

#include <dayfly/net.h>

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPEN_PORT 7000 /* what the rules allow, at the gateway */
#define CLOSED_PORT 7001
#define RACED_BYTES 48 /* what each packet takes that is changed while it is read */
#define HEAD sizeof(struct df_net_packet)

static uint64_t patience_us = 10000000; /* until dayfly-net has given up */
static uint32_t at; /* how far we have filled the ring to the host */

static void fail(const char *why)
{
	printf("%s\n", why);
	exit(1);
}

static struct df_net_ring *ring(int r)
{
	return &((struct df_net_control *)DF_VA_NET)->ring[r];
}

static uint8_t *data(int r)
{
	return (uint8_t *)DF_VA_NET + DF_NET_RING_OFFSET(r);
}

static struct df_net_packet *header(uint32_t count)
{
	return (struct df_net_packet *)(void *)(data(DF_NET_TO_HOST) + count % DF_NET_RING_BYTES);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* no system call */
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void kick(void)
{
	request(DF_CALL_NET_KICK, 0, 0, 0, 0);
}

static void set_tail(uint32_t value)
{
	__atomic_store_n(&ring(DF_NET_TO_HOST)->tail, value, __ATOMIC_SEQ_CST);
}

static uint32_t head(void)
{
	return __atomic_load_n(&ring(DF_NET_TO_HOST)->head, __ATOMIC_SEQ_CST);
}

/* Publishes what was filled, and wakes the other side if it sleeps; the first kick opens the device. */
static void publish(void)
{
	static bool opened;

	set_tail(at);
	if (__atomic_exchange_n(&ring(DF_NET_TO_HOST)->sleeping, 0, __ATOMIC_SEQ_CST) || !opened) {
		opened = true;
		kick();
	}
}

/* False: it does not come to that in time. Kicks anew now and then: who changes flags at random may have taken a wake-up away. */
static bool wait_for_room(uint32_t bytes)
{
	uint64_t start = now_us(), next = start + 100000;

	publish();
	while (DF_NET_RING_BYTES - (at - head()) < bytes) {
		uint64_t now = now_us();

		if (now > start + patience_us)
			return false;
		if (now > next) {
			kick();
			next = now + 100000;
		}
	}
	return true;
}

static void taken(void)
{
	if (!wait_for_room(DF_NET_RING_BYTES))
		fail("dayfly-net takes no packets any more");
}

/* A packet by the rules, except for what is in it. */
static void put(const void *packet, uint32_t bytes)
{
	uint32_t need = (uint32_t)HEAD + ((bytes + 7) & ~7u),
		 left = DF_NET_RING_BYTES - at % DF_NET_RING_BYTES, skip = need > left ? left : 0;

	if (DF_NET_RING_BYTES - (at - head()) < need + skip && !wait_for_room(need + skip))
		fail("dayfly-net takes no packets any more");
	if (skip) {
		header(at)->bytes = DF_NET_SKIP;
		at += skip;
	}
	header(at)->bytes = bytes;
	memcpy(header(at) + 1, packet, bytes);
	at += need;
}

/* --- packets --- */

static uint32_t sum(const void *from, size_t bytes, uint32_t start)
{
	const uint8_t *p = from;

	for (size_t i = 0; i < bytes; i++)
		start += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return start;
}

static uint16_t sum_end(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

struct packet {
	union {
		struct {
			struct iphdr ip;
			union {
				struct tcphdr tcp;
				struct udphdr udp;
				struct icmphdr icmp;
			};
		};
		uint8_t raw[2048];
	};
	uint32_t bytes;
};

/* Makes the sums of a packet right, as far as its lengths make sense. */
static void seal(struct packet *p)
{
	size_t length = p->ip.ihl * 4u, rest = p->bytes > length ? p->bytes - length : 0;
	uint8_t *inner = p->raw + length;
	uint32_t s = sum(&p->ip.saddr, 8, (uint32_t)rest + p->ip.protocol);

	if (length < sizeof(p->ip) || length > p->bytes)
		return;
	p->ip.check = 0;
	p->ip.check = sum_end(sum(p->raw, length, 0));
	if (p->ip.protocol == IPPROTO_TCP && rest >= 18) {
		memset(inner + 16, 0, 2);
		memcpy(inner + 16, &(uint16_t){sum_end(sum(inner, rest, s))}, 2);
	} else if (p->ip.protocol == IPPROTO_UDP && rest >= 8) {
		memset(inner + 6, 0, 2);
		memcpy(inner + 6, &(uint16_t){sum_end(sum(inner, rest, s))}, 2);
	} else if (p->ip.protocol == IPPROTO_ICMP && rest >= 4) {
		memset(inner + 2, 0, 2);
		memcpy(inner + 2, &(uint16_t){sum_end(sum(inner, rest, 0))}, 2);
	}
}

static struct packet make(uint8_t protocol, uint32_t to, const void *inner, size_t bytes)
{
	struct packet p = {.ip = {.version = 4,
				   .ihl = 5,
				   .ttl = 64,
				   .protocol = protocol,
				   .saddr = htonl(DF_NET_GUEST),
				   .daddr = htonl(to)},
		.bytes = (uint32_t)(sizeof(struct iphdr) + bytes)};

	p.ip.tot_len = htons((uint16_t)p.bytes);
	memcpy(p.raw + sizeof(p.ip), inner, bytes);
	seal(&p);
	return p;
}

static struct packet udp(uint32_t to, uint16_t from_port, uint16_t port, const void *text,
	size_t bytes)
{
	struct {
		struct udphdr head;
		uint8_t text[1500];
	} d = {.head = {.source = htons(from_port),
		       .dest = htons(port),
		       .len = htons((uint16_t)(8 + bytes))}};

	memcpy(d.text, text, bytes);
	return make(IPPROTO_UDP, to, &d, 8 + bytes);
}

static struct packet tcp(uint32_t to, uint16_t from_port, uint16_t port, uint8_t flags,
	uint32_t seq, uint32_t ack)
{
	struct tcphdr t = {.source = htons(from_port),
		.dest = htons(port),
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
		.doff = 5,
		.window = htons(60000)};

	((uint8_t *)&t)[13] = flags;
	return make(IPPROTO_TCP, to, &t, sizeof(t));
}

static void put_packet(const struct packet *p)
{
	put(p->raw, p->bytes);
}

static void send_udp(uint32_t to, uint16_t from_port, uint16_t port)
{
	struct packet p = udp(to, from_port, port, "x", 1);

	put_packet(&p);
}

static void send_syn(uint32_t to, uint16_t from_port, uint16_t port)
{
	struct packet p = tcp(to, from_port, port, TH_SYN, 1000, 0);

	put_packet(&p);
}

static uint32_t any_of(const uint32_t *list, size_t count)
{
	return list[random_next() % count];
}

static uint32_t some_address(void)
{
	static const uint32_t list[] = {DF_NET_GATEWAY, DF_NET_GATEWAY, DF_NET_GATEWAY, DF_NET_DNS,
		DF_NET_GUEST, 0x7f000001, 0x7f000035, 0xc0000207, 0xa9fea9fe, 0x0a0002ff,
		0x0a000200, 0, 0xffffffff, 0xe0000001};
	uint32_t n = any_of(list, sizeof(list) / sizeof(list[0]));

	return random_next() % 16 ? n : (uint32_t)random_next();
}

static uint16_t some_port(void)
{
	static const uint32_t list[] = {
		OPEN_PORT, OPEN_PORT, CLOSED_PORT, 53, 67, 69, 80, 0, 65535};

	return (uint16_t)(random_next() % 8 ? any_of(list, sizeof(list) / sizeof(list[0]))
					    : random_next());
}

static size_t dns_question(uint8_t *to)
{
	static const char *const names[] = {
		"\3www\4test", "\7refused\7example", "\1a\300\14", "\77", "\300\14", ""};
	const char *name = names[random_next() % 6];
	size_t n = strlen(name);

	memcpy(to, "\1\2\1\0\0\1\0\0\0\0\0\0", 12);
	memcpy(to + 12, name, n + 1);
	memcpy(to + 13 + n, "\0\1\0\1", 4);
	return 17 + n;
}

/* A packet that is right at first, and then changed here and there. */
static struct packet some_packet(void)
{
	uint8_t text[1500];
	struct packet p;
	size_t n = random_next() % 10 ? random_next() % 64 : random_next() % 1400;

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)random_next();
	switch (random_next() % 4) {
	case 0:
		p = tcp(some_address(), (uint16_t)(2000 + random_next() % 50), some_port(),
			(uint8_t)random_next(), (uint32_t)random_next(), (uint32_t)random_next());
		break;
	case 1:
		p = udp(some_address(), (uint16_t)(2000 + random_next() % 50), some_port(), text,
			n);
		break;
	case 2:
		n = dns_question(text);
		p = udp(DF_NET_DNS, (uint16_t)(2000 + random_next() % 50), 53, text, n);
		break;
	default:
		text[0] = random_next() % 2 ? ICMP_ECHO : (uint8_t)(random_next() % 20);
		p = make(IPPROTO_ICMP, some_address(), text, n > 8 ? n : 8);
	}
	for (unsigned changes = (unsigned)(random_next() % 4); changes; changes--)
		p.raw[random_next() % (random_next() % 2 ? 40 : p.bytes)] = (uint8_t)random_next();
	if (random_next() % 8)
		seal(&p);
	if (random_next() % 16 == 0)
		p.bytes = 1 + (uint32_t)random_next() % p.bytes;
	return p;
}

/* The same in IPv6, with heads between that one and the rest now and then. */
static struct packet some_packet6(void)
{
	static const uint8_t guest[16] = {DF_NET_PREFIX6, [15] = DF_NET_GUEST6};
	static const uint8_t to[][16] = {{DF_NET_PREFIX6, [15] = DF_NET_GATEWAY6},
		{DF_NET_PREFIX6, [15] = DF_NET_GATEWAY6}, {DF_NET_PREFIX6, [15] = DF_NET_GUEST6},
		{[15] = 1}, {[10] = 0xff, 0xff, 127, 0, 0, 1}, {[10] = 0xff, 0xff, 10, 0, 2, 2},
		{0xfe, 0x80, [15] = 1}, {0xff, 2, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 1}, {0}};
	static const uint8_t heads[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
		IPPROTO_DSTOPTS, IPPROTO_NONE, IPPROTO_ICMPV6};
	struct packet inner = some_packet(), p = {0};
	size_t head = inner.bytes > sizeof(struct iphdr) ? sizeof(struct iphdr) : inner.bytes;
	struct ip6_hdr ip = {.ip6_plen = htons((uint16_t)(inner.bytes - head)),
		.ip6_nxt = inner.ip.protocol,
		.ip6_hlim = 64};

	ip.ip6_vfc = 0x60;
	memcpy(&ip.ip6_src, guest, 16);
	memcpy(&ip.ip6_dst, to[random_next() % (sizeof(to) / sizeof(to[0]))], 16);
	if (random_next() % 8 == 0)
		ip.ip6_nxt = heads[random_next() % sizeof(heads)];
	if (random_next() % 16 == 0)
		ip.ip6_plen = (uint16_t)random_next();
	memcpy(p.raw, &ip, sizeof(ip));
	memcpy(p.raw + sizeof(ip), inner.raw + head, inner.bytes - head);
	p.bytes = (uint32_t)(sizeof(ip) + inner.bytes - head);
	if (random_next() % 4 == 0)
		p.raw[random_next() % sizeof(ip)] = (uint8_t)random_next();
	if (random_next() % 16 == 0)
		p.bytes = 1 + (uint32_t)random_next() % p.bytes;
	return p;
}

/* --- counts that are wrong --- */

static void tail_is(uint32_t value)
{
	set_tail(value);
	kick();
}

static void tail_far(void)
{
	tail_is(0x7ffffff8);
}
static void tail_beyond(void)
{
	tail_is(DF_NET_RING_BYTES + 8);
}
static void tail_unaligned(void)
{
	tail_is(4);
}
static void tail_before(void)
{
	tail_is(0xfffffff8);
}

static void tail_back(void)
{
	send_udp(DF_NET_GATEWAY, 2000, OPEN_PORT);
	taken();
	tail_is(at - 16);
}

/* --- packets that are wrong: their header says `bytes`, and `there` are there --- */

static void packet_says(uint32_t bytes, uint32_t there)
{
	header(at)->bytes = bytes;
	tail_is(at + there);
}

static void bytes_zero(void)
{
	packet_says(0, 16);
}
static void bytes_too_many(void)
{
	packet_says(DF_NET_PACKET_MAX + 1, 1 << 18);
}
static void bytes_negative(void)
{
	packet_says(0xfffffffe, 1 << 18);
}
static void bytes_wrap(void)
{
	packet_says(0xfffffff8, 16);
}
static void bytes_behind_tail(void)
{
	packet_says(1000, 16);
}
static void bytes_one_more(void)
{
	packet_says(9, 16);
}
static void skip_nothing_behind(void)
{
	packet_says(DF_NET_SKIP, DF_NET_RING_BYTES);
}
static void skip_short(void)
{
	packet_says(DF_NET_SKIP, 16);
}

/* Up to 64 bytes before the ring's end. */
static void go_to_end(void)
{
	static const uint8_t zero[8000];

	while (at % DF_NET_RING_BYTES < DF_NET_RING_BYTES - 9000)
		put(zero, 8000);
	put(zero, DF_NET_RING_BYTES - 64 - at % DF_NET_RING_BYTES - (uint32_t)HEAD);
	taken();
}

static void bytes_past_end(void)
{
	go_to_end();
	packet_says(200, 256);
}

static void skip_twice(void)
{
	go_to_end();
	header(at)->bytes = DF_NET_SKIP;
	header(at + 64)->bytes = DF_NET_SKIP;
	tail_is(at + 256);
}

/* By the rules: the next packet may be at the start, however much room there is before the end. */
static void skip_early(void)
{
	send_udp(DF_NET_GATEWAY, 2000, OPEN_PORT);
	taken();
	header(at)->bytes = DF_NET_SKIP;
	at += DF_NET_RING_BYTES - at % DF_NET_RING_BYTES;
	send_udp(DF_NET_GATEWAY, 2000, OPEN_PORT);
	taken();
}

/* --- the ring to the guest, whose consumer we are --- */

static void ask_for_answers(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		send_syn(DF_NET_GATEWAY, (uint16_t)(2000 + i),
			CLOSED_PORT); /* answered by a reset */
	publish();
}

static void head_is(uint32_t value)
{
	__atomic_store_n(&ring(DF_NET_TO_GUEST)->head, value, __ATOMIC_SEQ_CST);
	ask_for_answers(10);
	taken();
}

static void head_far(void)
{
	head_is(0x80000000);
}
static void head_before(void)
{
	head_is(0x00100000);
}
static void head_unaligned(void)
{
	head_is(0xffffffff - DF_NET_RING_BYTES / 2);
}

/* Nobody takes what comes. */
static void head_stays(void)
{
	for (unsigned i = 0; i < 60; i++)
		ask_for_answers(500);
	taken();
}

static void head_jumps(void)
{
	for (unsigned i = 0; i < 3000; i++) {
		__atomic_store_n(&ring(DF_NET_TO_GUEST)->head, (uint32_t)random_next(),
			__ATOMIC_SEQ_CST);
		if (i % 64 == 0)
			ask_for_answers(1);
	}
}

/* --- flags and wake-ups --- */

static void sleeping_storm(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		for (int r = 0; r < DF_NET_RINGS; r++)
			__atomic_store_n(&ring(r)->sleeping,
				(uint32_t)random_next() & (i & 1 ? 1 : UINT32_MAX),
				__ATOMIC_SEQ_CST);
		if (i % 4 == 0)
			ask_for_answers(1);
	}
	taken();
}

static void kick_storm(void)
{
	for (unsigned i = 0; i < 10000; i++)
		kick();
}

/* --- changes while they are read --- */

/* Repeats change() while the other side takes what was put, for some time. */
static void race(void (*fill)(void), void (*change)(uint32_t place))
{
	uint64_t until = now_us() + 700000;

	while (now_us() < until) {
		uint32_t first, last;

		while (at % DF_NET_RING_BYTES > DF_NET_RING_BYTES - 65 * RACED_BYTES)
			send_syn(DF_NET_GATEWAY, 2000, CLOSED_PORT);
		first = at;
		fill();
		last = at;
		publish();
		for (uint64_t next = now_us() + 3000; now_us() < next && head() != last;)
			for (uint32_t place = first; place != last; place += RACED_BYTES)
				change(place);
		if (!wait_for_room(DF_NET_RING_BYTES))
			return; /* it has had enough */
	}
}

static void fill_udp(void)
{
	for (unsigned i = 0; i < 64; i++) {
		struct packet p =
			udp(DF_NET_GATEWAY, (uint16_t)(2000 + i), OPEN_PORT, "raced over.", 11);

		put_packet(&p);
	}
}

static void fill_syn(void)
{
	for (unsigned i = 0; i < 64; i++)
		send_syn(DF_NET_GATEWAY, (uint16_t)(2000 + i), OPEN_PORT);
}

static struct packet *packet_at(uint32_t place)
{
	return (struct packet *)(void *)(header(place) + 1);
}

static void change_bytes(uint32_t place)
{
	header(place)->bytes ^= 0xffd0;
}

static void change_port(uint32_t place)
{
	packet_at(place)->udp.dest ^= htons(OPEN_PORT ^ CLOSED_PORT);
}

static void change_address(uint32_t place)
{
	packet_at(place)->ip.daddr ^= htonl(DF_NET_GATEWAY ^ 0x7f000001);
}

static void change_length(uint32_t place)
{
	packet_at(place)->ip.ihl ^= 10;
	packet_at(place)->ip.tot_len ^= 0xffff;
}

static void change_tail(uint32_t place)
{
	set_tail(at + (place & 16 ? 0 : (uint32_t)random_next()));
	set_tail(at);
}

static void race_bytes(void)
{
	patience_us = 500000;
	race(fill_udp, change_bytes);
}
static void race_port(void)
{
	race(fill_udp, change_port);
}
static void race_syn_port(void)
{
	race(fill_syn, change_port);
}
static void race_address(void)
{
	race(fill_udp, change_address);
}
static void race_syn_address(void)
{
	race(fill_syn, change_address);
}
static void race_length(void)
{
	race(fill_syn, change_length);
}
static void race_tail(void)
{
	patience_us = 500000;
	race(fill_udp, change_tail);
}

static void scribble(uint64_t first, uint64_t bytes)
{
	uint64_t until = now_us() + 500000;

	for (unsigned i = 0; now_us() < until; i++) {
		*(volatile uint64_t *)(DF_VA_NET + first + random_next() % (bytes / 8) * 8) =
			random_next();
		if (i % 4096 == 0)
			kick();
	}
}

static void scribble_control(void)
{
	scribble(0, 4096);
}
static void scribble_all(void)
{
	scribble(0, DF_NET_GUEST_BYTES);
}

/* The packets, while others come and go. */
static void scribble_packets(void)
{
	ask_for_answers(200);
	scribble(DF_NET_RING_OFFSET(0), DF_NET_RINGS * DF_NET_RING_BYTES);
}

/* What is between the counts and the packets. */
static void scribble_between(void)
{
	scribble(sizeof(struct df_net_control), DF_NET_RING_BYTES - sizeof(struct df_net_control));
}

/* --- packets that are wrong --- */

static void random_packets(void)
{
	for (unsigned i = 0; i < 100000; i++) {
		struct packet p = some_packet();

		put_packet(&p);
		if (i % 64 == 0)
			publish();
	}
}

static void random_packets6(void)
{
	for (unsigned i = 0; i < 100000; i++) {
		struct packet p = some_packet6();

		put_packet(&p);
		if (i % 64 == 0)
			publish();
	}
}

static void noise(void)
{
	uint8_t bytes[256];

	for (unsigned i = 0; i < 30000; i++) {
		uint32_t n = 1 + (uint32_t)random_next() % 256;

		for (uint32_t b = 0; b < n; b++)
			bytes[b] = (uint8_t)random_next();
		if (random_next() % 2)
			bytes[0] = random_next() % 4 ? 0x45 : 0x60;
		put(bytes, n);
	}
}

static void short_packets(void)
{
	struct packet p = tcp(DF_NET_GATEWAY, 2000, OPEN_PORT, TH_SYN, 1, 0);

	for (unsigned i = 0; i < 20000; i++)
		put(p.raw, 1 + i % p.bytes);
}

static void large_packets(void)
{
	static struct {
		struct iphdr ip;
		struct udphdr udp;
		uint8_t rest[DF_NET_PACKET_MAX];
	} p = {.ip = {.version = 4, .ihl = 5, .protocol = IPPROTO_UDP}};

	p.ip.saddr = htonl(DF_NET_GUEST);
	p.ip.daddr = htonl(DF_NET_GATEWAY);
	p.udp.dest = htons(OPEN_PORT);
	p.udp.source = htons(2000);
	for (unsigned i = 0; i < 300; i++) {
		p.ip.tot_len = htons((uint16_t)(DF_NET_PACKET_MAX - i));
		p.udp.len = htons((uint16_t)(DF_NET_PACKET_MAX - i - 20 + i % 3 - 1));
		p.ip.check = 0;
		p.ip.check = sum_end(sum(&p, sizeof(p.ip), 0));
		put(&p, DF_NET_PACKET_MAX - i % 7);
	}
}

static void false_sources(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		struct packet p = i & 1 ? tcp(DF_NET_GATEWAY, 2000, OPEN_PORT, TH_SYN, 1, 0)
					: udp(DF_NET_GATEWAY, 2000, OPEN_PORT, "false", 5);

		p.ip.saddr = htonl(some_address());
		if (p.ip.saddr == htonl(DF_NET_GUEST))
			continue;
		seal(&p);
		put_packet(&p);
	}
}

static void fragments(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct packet p =
			udp(DF_NET_GATEWAY, 2000, i & 1 ? OPEN_PORT : CLOSED_PORT, "fragment", 8);

		p.ip.frag_off = htons((uint16_t)(random_next() | (i & 2 ? IP_MF : 1)) & ~IP_DF);
		p.ip.id = htons((uint16_t)(random_next() % 8));
		seal(&p);
		put_packet(&p);
	}
}

static void ip_options(void)
{
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t inner[100];
		struct packet p;

		for (unsigned b = 0; b < sizeof(inner); b++)
			inner[b] = (uint8_t)random_next();
		p = make(i & 1 ? IPPROTO_TCP : IPPROTO_UDP, some_address(), inner, sizeof(inner));
		p.ip.ihl = 5 + random_next() % 11;
		/* Ports that are open where they would be without options, and the other way round. */
		memcpy(p.raw + 22, &(uint16_t){htons(i & 2 ? OPEN_PORT : CLOSED_PORT)}, 2);
		memcpy(p.raw + p.ip.ihl * 4 + 2, &(uint16_t){htons(CLOSED_PORT)}, 2);
		seal(&p);
		put_packet(&p);
	}
}

/* --- floods of what is allowed --- */

static void syn_flood(void)
{
	for (unsigned i = 0; i < 6000; i++)
		send_syn(DF_NET_GATEWAY, (uint16_t)(1024 + i), OPEN_PORT);
}

static void datagram_flood(void)
{
	for (unsigned i = 0; i < 20000; i++)
		send_udp(DF_NET_GATEWAY, (uint16_t)(1024 + i), OPEN_PORT);
}

static void question_flood(void)
{
	uint8_t text[64];

	for (unsigned i = 0; i < 20000; i++) {
		struct packet p =
			udp(DF_NET_DNS, (uint16_t)(1024 + i), 53, text, dns_question(text));

		put_packet(&p);
	}
}

static void ping_flood(void)
{
	static const uint8_t echo[64] = {ICMP_ECHO};

	for (unsigned i = 0; i < 5000; i++) {
		struct packet p = make(IPPROTO_ICMP, some_address(), echo, sizeof(echo));

		put_packet(&p);
	}
}

/* --- connections that are right at first; what comes for all of them fits into the ring, which nobody empties --- */

/* The next packet that has come, from *seen on, which goes on behind it. False: there is none. */
static bool next_packet(uint32_t *seen, struct packet *p)
{
	const uint8_t *from = data(DF_NET_TO_GUEST) + *seen % DF_NET_RING_BYTES;
	uint32_t bytes;

	if (*seen == __atomic_load_n(&ring(DF_NET_TO_GUEST)->tail, __ATOMIC_SEQ_CST))
		return false;
	memcpy(&bytes, from, sizeof(bytes));
	p->bytes = bytes < 200 ? bytes : 200;
	memcpy(p->raw, from + HEAD, p->bytes);
	*seen += (uint32_t)HEAD + ((bytes + 7) & ~7u);
	return true;
}

/* What the other side's next number is, from its answer to our SYN; 0: none came. */
static uint32_t open_connection(uint16_t port)
{
	uint32_t seen = __atomic_load_n(&ring(DF_NET_TO_GUEST)->tail, __ATOMIC_SEQ_CST);
	uint64_t until = now_us() + patience_us;
	struct packet p;

	send_syn(DF_NET_GATEWAY, port, OPEN_PORT);
	publish();
	while (now_us() < until)
		if (next_packet(&seen, &p) && p.ip.protocol == IPPROTO_TCP &&
			ntohs(p.tcp.dest) == port && p.tcp.syn)
			return ntohl(p.tcp.seq) + 1;
	return 0;
}

static uint16_t next_port(void)
{
	static uint16_t port = 30000;

	return port++;
}

static void connection(unsigned segments, unsigned wild)
{
	uint16_t port = next_port();
	uint32_t ack = open_connection(port), seq = 1001;

	if (!ack)
		fail("no answer to a SYN");
	for (unsigned i = 0; i < segments; i++) {
		uint8_t inner[20 + 40 + 200];
		struct packet p = tcp(DF_NET_GATEWAY, port, OPEN_PORT, TH_ACK, seq, ack);
		size_t bytes = sizeof(struct tcphdr) + random_next() % 200;

		memset(inner, 'x', sizeof(inner));
		memcpy(inner, &p.tcp, sizeof(p.tcp));
		p = make(IPPROTO_TCP, DF_NET_GATEWAY, inner, bytes);
		if (random_next() % wild == 0)
			p.raw[33] = (uint8_t)random_next();
		if (random_next() % wild == 0)
			p.tcp.seq = htonl(seq + (uint32_t)random_next() % 200000 - 100000);
		if (random_next() % wild == 0)
			p.tcp.ack_seq = htonl((uint32_t)random_next());
		if (random_next() % wild == 0)
			p.tcp.doff = random_next() & 15;
		if (random_next() % wild == 0)
			p.tcp.window = (uint16_t)random_next();
		if (random_next() % wild == 0)
			p.tcp.urg_ptr = (uint16_t)random_next();
		seal(&p);
		put_packet(&p);
		publish();
		seq += (uint32_t)(bytes - sizeof(struct tcphdr));
	}
}

static void connections_wild(void)
{
	for (unsigned i = 0; i < 15; i++)
		connection(60, 4);
}

static void connections_odd(void)
{
	for (unsigned i = 0; i < 15; i++)
		connection(60, 50);
}

/* Opened, filled, and left. */
static void connections_left(void)
{
	for (unsigned i = 0; i < 100; i++)
		connection(5, UINT32_MAX);
}

static void send_part(uint16_t port, uint32_t seq, uint32_t ack, const char *text, uint16_t window)
{
	uint8_t inner[sizeof(struct tcphdr) + 100];
	struct packet p = tcp(DF_NET_GATEWAY, port, OPEN_PORT, TH_ACK | TH_PUSH, seq, ack);

	p.tcp.window = htons(window);
	memcpy(inner, &p.tcp, sizeof(p.tcp));
	memcpy(inner + sizeof(p.tcp), text, strlen(text));
	p = make(IPPROTO_TCP, DF_NET_GATEWAY, inner, sizeof(p.tcp) + strlen(text));
	put_packet(&p);
}

/* Much is asked for in each, and nothing of it is taken. */
static void connections_hungry(void)
{
	for (unsigned i = 0; i < 600; i++) {
		uint16_t port = next_port();
		uint32_t ack = open_connection(port);

		if (!ack)
			break; /* so many are enough */
		send_part(port, 1001, ack, "give", 0);
	}
}

/* Every other byte of a window, again and again. */
static void connection_holes(void)
{
	uint16_t port = next_port();
	uint32_t ack = open_connection(port);

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 1; i < 60000; i += 2)
			send_part(port, 1001 + i, ack, "x", 60000);
}

/* Options at random, windows of a byte, and data for those. */
static void connection_options(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		uint16_t port = next_port();
		uint8_t inner[sizeof(struct tcphdr) + 40];
		struct packet p = tcp(DF_NET_GATEWAY, port, OPEN_PORT, TH_SYN, 1000, 0);

		memcpy(inner, &p.tcp, sizeof(p.tcp));
		for (unsigned b = 0; b < 40; b++)
			inner[sizeof(p.tcp) + b] = (uint8_t)(random_next() % (i & 1 ? 8 : 256));
		memcpy(inner + sizeof(p.tcp), "\2\4\0\1", 4);
		p = make(IPPROTO_TCP, DF_NET_GATEWAY, inner, sizeof(inner));
		p.tcp.doff = i % 4 ? 15 : 6;
		seal(&p);
		put_packet(&p);
		/* Its answer is not looked at: the number is guessed, which is good for resets. */
		send_part(port, 1001, (uint32_t)random_next(), "x", 1);
	}
}

/* Whoever comes to a published port is answered: with anything. */
static void published(void)
{
	uint64_t until = now_us() + 3000000;
	uint32_t seen = __atomic_load_n(&ring(DF_NET_TO_GUEST)->tail, __ATOMIC_SEQ_CST);

	publish();
	while (now_us() < until && seen < DF_NET_RING_BYTES / 2) {
		struct packet p, answer;
		uint32_t ack, seq = 5000;

		if (!next_packet(&seen, &p) || p.ip.protocol != IPPROTO_TCP)
			continue;
		ack = ntohl(p.tcp.seq) + p.tcp.syn;
		answer = tcp(ntohl(p.ip.saddr), ntohs(p.tcp.dest), ntohs(p.tcp.source),
			p.tcp.syn ? TH_SYN | TH_ACK : TH_ACK, p.tcp.syn ? seq : seq + 1, ack);
		if (random_next() % 4 == 0)
			answer.raw[33] = (uint8_t)random_next();
		if (random_next() % 4 == 0)
			answer.tcp.ack_seq = (uint32_t)random_next();
		if (random_next() % 8 == 0)
			answer.tcp.doff = random_next() & 15;
		if (random_next() % 8 == 0)
			answer.tcp.window = 0;
		if (random_next() % 2)
			answer.ip.tot_len = htons((uint16_t)(answer.bytes += random_next() % 1000));
		put_packet(&answer);
		publish();
	}
}

/* Packets of many sizes across the ring's end. */
static void ring_end(void)
{
	for (unsigned i = 0; i < 20; i++) {
		go_to_end();
		send_udp(DF_NET_GATEWAY, 2000, OPEN_PORT);
		if (i & 1)
			send_syn(DF_NET_GATEWAY, 2000, CLOSED_PORT);
		put((const uint8_t[1500]){0}, 1 + (uint32_t)random_next() % 1500);
		taken();
	}
}

struct attack {
	const char *name;
	void (*run)(void);
	bool in_order; /* the ring is, afterwards */
};

static const struct attack attacks[] = {
	{"tail_far", tail_far, false},
	{"tail_beyond", tail_beyond, false},
	{"tail_unaligned", tail_unaligned, false},
	{"tail_before", tail_before, false},
	{"tail_back", tail_back, false},
	{"bytes_zero", bytes_zero, false},
	{"bytes_too_many", bytes_too_many, false},
	{"bytes_negative", bytes_negative, false},
	{"bytes_wrap", bytes_wrap, false},
	{"bytes_behind_tail", bytes_behind_tail, false},
	{"bytes_one_more", bytes_one_more, false},
	{"bytes_past_end", bytes_past_end, false},
	{"skip_nothing_behind", skip_nothing_behind, false},
	{"skip_short", skip_short, false},
	{"skip_twice", skip_twice, false},
	{"skip_early", skip_early, true},
	{"head_far", head_far, false},
	{"head_before", head_before, false},
	{"head_unaligned", head_unaligned, false},
	{"head_stays", head_stays, true},
	{"head_jumps", head_jumps, false},
	{"sleeping_storm", sleeping_storm, true},
	{"kick_storm", kick_storm, true},
	{"race_bytes", race_bytes, false},
	{"race_port", race_port, true},
	{"race_syn_port", race_syn_port, true},
	{"race_address", race_address, true},
	{"race_syn_address", race_syn_address, true},
	{"race_length", race_length, true},
	{"race_tail", race_tail, false},
	{"scribble_control", scribble_control, false},
	{"scribble_all", scribble_all, false},
	{"scribble_packets", scribble_packets, false},
	{"scribble_between", scribble_between, true},
	{"random_packets", random_packets, true},
	{"random_packets6", random_packets6, true},
	{"noise", noise, true},
	{"short_packets", short_packets, true},
	{"large_packets", large_packets, true},
	{"false_sources", false_sources, true},
	{"fragments", fragments, true},
	{"ip_options", ip_options, true},
	{"syn_flood", syn_flood, true},
	{"datagram_flood", datagram_flood, true},
	{"question_flood", question_flood, true},
	{"ping_flood", ping_flood, true},
	{"connections_wild", connections_wild, true},
	{"connections_odd", connections_odd, true},
	{"connections_left", connections_left, true},
	{"connections_hungry", connections_hungry, true},
	{"connection_holes", connection_holes, true},
	{"connection_options", connection_options, true},
	{"published", published, true},
	{"ring_end", ring_end, true},
};

/* Does dayfly-net still serve? It may have lost a datagram of a flood, so there are some. */
static void say_end(const char *which)
{
	char text[64];

	snprintf(text, sizeof(text), "end %s", which);
	for (unsigned i = 0; i < 10; i++) {
		struct packet p =
			udp(DF_NET_GATEWAY, (uint16_t)(61000 + i), OPEN_PORT, text, strlen(text));

		put_packet(&p);
		taken();
	}
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (argc < 2)
			printf("%s %d\n", attacks[i].name, attacks[i].in_order);
		else if (!strcmp(attacks[i].name, argv[1])) {
			seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
			/* Of those who come to a published port some were there before us. */
			at = __atomic_load_n(&ring(DF_NET_TO_HOST)->tail, __ATOMIC_SEQ_CST);
			attacks[i].run();
			if (attacks[i].in_order) {
				taken();
				say_end(argc > 2 ? argv[2] : "");
			} else {
				/* Time to see it. */
				for (uint64_t until = now_us() + 100000; now_us() < until;)
					;
				kick();
			}
			printf("survived\n");
			return 0;
		}
	}
	return argc < 2 ? 0 : 99;
}
