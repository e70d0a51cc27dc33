// SPDX-License-Identifier: Apache-2.0
/*
 * The interface to the outside, where the monitor gives the guest one: packets go through two rings in shared memory
 * (dayfly/net.h) to and from dayfly-net. Sending costs an exit only when the other side sleeps, and once for all packets
 * that one call of the stack makes. The first packet opens the device (struct df_net_host), whoever sleeps: after a thaw too, where
 * this memory is as it was at the freeze, and the device empty.
 */
#include <base/net_ring.h>
#include <kernel/net/net.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>

/* So many packets are taken in a row; then the program has a chance to read. */
#define BATCH 64

static struct netif device;
static struct net_ring in, out;
static bool there, sent, opened;

/* A packet for which there is no room is lost, as on any network. */
static err_t send(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	uint8_t *room = net_ring_room(&out, p->tot_len);

	(void)netif, (void)to;
	if (!room)
		return ERR_OK;
	pbuf_copy_partial(p, room, p->tot_len, 0);
	net_ring_put(&out, p->tot_len);
	sent = true;
	return ERR_OK;
}

static err_t begin(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->mtu = DF_NET_GUEST_MTU;
	netif->output = send;
	/* Nothing can change a packet on its way through memory; its sums are for what lies behind. */
	NETIF_SET_CHECKSUM_CTRL(netif,
		NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_UDP | NETIF_CHECKSUM_GEN_TCP |
			NETIF_CHECKSUM_GEN_ICMP);
	return ERR_OK;
}

/* Nothing comes from outside in the name of our own addresses, which programs trust. */
static bool acceptable(const uint8_t *packet, uint32_t bytes)
{
	uint32_t source;

	if (bytes < IP_HLEN || packet[0] >> 4 != 4)
		return bytes >= IP_HLEN;
	memcpy(&source, packet + offsetof(struct ip_hdr, src), sizeof(source));
	source = lwip_ntohl(source);
	return source >> 24 != IP_LOOPBACKNET && source != DF_NET_GUEST;
}

/* True when there was one. */
static bool take(void)
{
	uint32_t bytes;
	const uint8_t *from = net_ring_next(&in, &bytes);
	struct pbuf *p;

	if (!from)
		return false;
	p = pbuf_alloc(PBUF_RAW, (uint16_t)bytes, PBUF_RAM);
	if (p)
		memcpy(p->payload, from, bytes);
	net_ring_taken(&in, bytes);
	if (p && (!acceptable(p->payload, bytes) || device.input(p, &device) != ERR_OK))
		pbuf_free(p);
	return true;
}

bool device_receive(void)
{
	unsigned count = 0;

	if (!there)
		return false;
	net_ring_awake(&in);
	while (count < BATCH && take())
		count++;
	return count;
}

void device_flush(void)
{
	if (sent && (net_ring_must_wake(&out) || !opened)) {
		opened = true;
		hypercall(DF_CALL_NET_KICK, 0, 0, 0, 0);
	}
	sent = false;
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

static bool sleeps(void)
{
	acknowledge();
	device_flush();
	return net_ring_sleep(&in);
}

void device_init(void)
{
	ip4_addr_t guest = {lwip_htonl(DF_NET_GUEST)}, mask = {lwip_htonl(DF_NET_MASK)};
	ip4_addr_t gateway = {lwip_htonl(DF_NET_GATEWAY)};

	if (!(boot_info->flags & DF_BOOT_NET))
		return;
	net_ring_init(&out, (void *)DF_VA_NET, DF_NET_TO_HOST);
	net_ring_init(&in, (void *)DF_VA_NET, DF_NET_TO_GUEST);
	if (!netif_add(&device, &guest, &mask, &gateway, NULL, begin, ip_input))
		panic("no interface");
	netif_set_default(&device);
	netif_set_up(&device);
	netif_set_link_up(&device);
	device_hooks.arrived = arrived;
	device_hooks.sleeps = sleeps;
	there = true;
}
