// SPDX-License-Identifier: Apache-2.0
/*
 * The interface to the outside, where the monitor gives the guest one: packets go through two rings in shared memory
 * (dayfly/net.h) to and from dayfly-net. They are of IP, and there is no neighbour to be found: whatever is sent is dayfly-net's to
 * bring on its way; or they are frames (ethernet.c). Sending costs an exit only when the other side sleeps, and once for all packets
 * that one call of the stack makes. The first packet opens the device (struct df_net_host), whoever sleeps: after a thaw too, where
 * this memory is as it was at the freeze, and the device empty.
 */
#include <base/lwip_port.h>
#include <base/net_ring.h>
#include <kernel/net/device.h>
#include <kernel/net/inet.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <netif/ethernet.h>

/* So many packets are taken in a row; then the program has a chance to read. */
#define BATCH 64

static struct netif device;
static struct net_ring in, out;
static struct df_net_config config;
static bool there, sent, opened;
static bool events; /* a frozen guest: nothing comes before it has sent something */

uint8_t *device_room(uint32_t bytes)
{
	return net_ring_room(&out, bytes);
}

void device_put(uint32_t bytes)
{
	net_ring_put(&out, bytes);
	sent = true;
}

static bool is_tcp(const struct pbuf *packet)
{
	const struct ip_hdr *v4 = packet->payload;
	const struct ip6_hdr *v6 = packet->payload;

	return (IPH_V(v4) == 4 ? IPH_PROTO(v4) : IP6H_NEXTH(v6)) == IP_PROTO_TCP;
}

/* Without room for it lwIP keeps what is TCP's, and tries again; other packets are lost, as on any network. */
static err_t send(struct pbuf *p)
{
	uint8_t *room = device_room(p->tot_len);

	if (!room)
		return is_tcp(p) ? ERR_MEM : ERR_OK;
	pbuf_copy_partial(p, room, p->tot_len, 0);
	device_put(p->tot_len);
	return ERR_OK;
}

static err_t send4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)netif, (void)to;
	return send(p);
}

static err_t send6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)netif, (void)to;
	return send(p);
}

static err_t begin(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = DF_NET_MTU;
	netif->output = send4;
	netif->output_ip6 = send6;
	/* Nothing can change a packet on its way through memory, and dayfly-net ends its connections. */
	NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_DISABLE_ALL);
	return ERR_OK;
}

static bool is_ours(const ip6_addr_t *a)
{
	return ip6_addr_isloopback(a) || ip6_addr_isipv4mappedipv6(a) ||
		netif_get_ip6_addr_match(&device, a) >= 0;
}

/* Nothing comes from outside in the name of our own addresses, which programs trust. */
static bool acceptable(const uint8_t *packet, uint32_t bytes)
{
	ip6_addr_t source6 = {0};
	ip4_addr_t source;

	if (bytes < IP_HLEN)
		return false;
	if (packet[0] >> 4 == 4) {
		memcpy(&source, packet + offsetof(struct ip_hdr, src), sizeof(source));
		return !ip4_addr_isloopback(&source) &&
			!ip4_addr_cmp(&source, netif_ip4_addr(&device));
	}
	if (bytes < IP6_HLEN)
		return false;
	memcpy(source6.addr, packet + offsetof(struct ip6_hdr, src), sizeof(source6.addr));
	return !is_ours(&source6);
}

/* Dayfly-net makes no fragments. */
static bool acceptable_whole(const uint8_t *packet, uint32_t bytes)
{
	if (!acceptable(packet, bytes))
		return false;
	return packet[0] >> 4 == 4 ? !((packet[6] << 8 | packet[7]) & (IP_MF | IP_OFFMASK))
				   : packet[6] != IP6_NEXTH_FRAGMENT;
}

/* The packet in a frame, if it has one of IP. */
static bool acceptable_frame(const uint8_t *frame, uint32_t bytes)
{
	unsigned type = bytes >= SIZEOF_ETH_HDR ? (unsigned)frame[12] << 8 | frame[13] : 0;

	return (type != ETHTYPE_IP && type != ETHTYPE_IPV6) ||
		acceptable(frame + SIZEOF_ETH_HDR, bytes - SIZEOF_ETH_HDR);
}

/* True when there was one. */
static bool take(void)
{
	uint32_t bytes, head = 0;
	const uint8_t *from = net_ring_next(&in, &bytes);
	struct pbuf *p = NULL;

	if (!from)
		return false;
	if (config.frames)
		head = ethernet_unpack(&device, from, bytes);
	if (head || !config.frames)
		p = lwip_packet_new(bytes - head);
	if (p)
		memcpy(p->payload, from + head, bytes - head);
	net_ring_taken(&in, bytes);
	if (p &&
		(!(head ? acceptable_frame : acceptable_whole)(p->payload, bytes - head) ||
			device.input(p, &device) != ERR_OK))
		pbuf_free(p);
	return true;
}

bool device_receive(void)
{
	unsigned count = 0;

	if (!there || (events && !opened))
		return false;
	net_ring_awake(&in);
	while (count < BATCH && take())
		count++;
	return count;
}

/* Must the other side be told of what was sent? */
static bool take_sent(void)
{
	bool kick;

	ethernet_release();
	kick = sent && (net_ring_must_wake(&out) || !opened);

	opened |= kick;
	sent = false;
	return kick;
}

/* Whoever naps is told when we wait. */
void device_flush(void)
{
	ethernet_release();
	if (!sent || (opened && net_ring_naps(&out)))
		return;
	if (take_sent())
		hypercall(DF_CALL_NET_KICK, 0, 0, 0, 0);
}

/* What the program has not answered by now is acknowledged without an answer: the other side may be waiting for it
 * before it sends more, and lwIP's own timer would be a quarter of a second. */
static void acknowledge(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->flags & TF_ACK_DELAY) {
			tcp_ack_now(p);
			tcp_output(p);
		}
}

/* A program that never waits has no other place where the stack's timers could run. */
static void arrived(void)
{
	timers_run();
	stack_run();
}

static unsigned sleeps(void)
{
	bool kick;

	if (events && !opened && !sent)
		return DF_WAIT_NET;
	acknowledge();
	kick = take_sent();
	if (net_ring_sleep(&in, DF_NET_ASLEEP))
		return DF_WAIT_NET | (kick ? DF_WAIT_KICK : 0);
	if (kick)
		hypercall(DF_CALL_NET_KICK, 0, 0, 0, 0);
	return 0;
}

bool device_leads_to(const ip_addr_t *ip)
{
	if (!there || ip_addr_isloopback(ip))
		return false;
	return IP_IS_V6_VAL(*ip) ? netif_get_ip6_addr_match(&device, ip_2_ip6(ip)) < 0
				 : !ip4_addr_cmp(ip_2_ip4(ip), netif_ip4_addr(&device));
}

/* Behind the thaw there are another device, which is empty, and other connections at the other side: none. */
static void freeze(void)
{
	tcp_reset_outside();
	udp_forget_outside();
	/* Who is reset hears of it. */
	stack_run();
	if (take_sent())
		hypercall(DF_CALL_NET_KICK, 0, 0, 0, 0);
	opened = false;
	net_ring_init(&out, (void *)DF_VA_NET, DF_NET_TO_HOST);
	net_ring_init(&in, (void *)DF_VA_NET, DF_NET_TO_GUEST);
}

/* As dayfly-net has it, unless we were told otherwise. */
static void add_interface(void)
{
	ip4_addr_t guest = {lwip_htonl(DF_NET_GUEST)}, mask = {lwip_htonl(DF_NET_MASK)};
	ip4_addr_t gateway = {lwip_htonl(DF_NET_GATEWAY)};
	const uint8_t guest6[16] = {DF_NET_PREFIX6, [15] = DF_NET_GUEST6};
	ip6_addr_t address6 = {0};

	if (!netif_add(&device, &guest, &mask, &gateway, NULL, begin, ip_input))
		panic("no interface");
	memcpy(address6.addr, guest6, sizeof(guest6));
	netif_ip6_addr_set(&device, 0, &address6);
	netif_ip6_addr_set_state(&device, 0, IP6_ADDR_PREFERRED);
}

static void add_ethernet(void)
{
	ip4_addr_t guest, gateway;
	ip4_addr_t mask = {config.prefix ? lwip_htonl(~0u << (32 - config.prefix)) : 0};

	memcpy(&guest, config.address, sizeof(guest));
	memcpy(&gateway, config.gateway, sizeof(gateway));
	if (!netif_add(&device, &guest, &mask, &gateway, &config, ethernet_begin, ethernet_input))
		panic("no interface");
	ethernet_add_ip6(&device);
}

void device_init(void)
{
	const struct df_net_control *control = (const void *)DF_VA_NET;

	if (!(boot_info->flags & DF_BOOT_NET))
		return;
	config = control->config;
	net_ring_init(&out, (void *)DF_VA_NET, DF_NET_TO_HOST);
	net_ring_init(&in, (void *)DF_VA_NET, DF_NET_TO_GUEST);
	if (config.frames)
		add_ethernet();
	else
		add_interface();
	netif_set_default(&device);
	there = true;
	netif_set_up(&device);
	netif_set_link_up(&device);
	device_hooks.arrived = arrived;
	device_hooks.sleeps = sleeps;
	device_hooks.freeze = freeze;
	events = boot_info->flags & DF_BOOT_EVENTS;
}
