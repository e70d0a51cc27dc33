/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP's interface, memory and clock: see stack.h. */
#include "nat/stack.h"

#include "base/lwip_port.h"
#include "nat/loop.h"

#include <dayfly/net.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <string.h>
#include <sys/random.h>

#define GUESTS 0xf0000000u /* 240.0.0.0/4, and 100::/64: nobody else has these */
#define GUESTS6 0x01

static struct netif wire;
static stack_output *output;
static uint64_t due_ns; /* when lwIP wants to be told the time; 0: it does not */

/* --- what lwIP asks for --- */

uint32_t stack_random(void)
{
	uint32_t value = 0;

	(void)!getrandom(&value, sizeof(value), 0);
	return value;
}

uint32_t sys_now(void)
{
	return (uint32_t)loop_now_ms();
}

void tcp_timer_needed(void)
{
	if (due_ns)
		return;
	lwip_clock_tell(loop_now_ns());
	due_ns = loop_now_ns() + LWIP_TICK_NS;
}

int stack_take_address6(struct pbuf *p, struct netif *netif)
{
	const struct ip6_hdr *head = p->payload;

	ip6_addr_copy_from_packed(*ip_2_ip6(&netif->ip6_addr[0]), head->dest);
	return 0;
}

int stack_take_address(struct pbuf *p, struct netif *netif)
{
	const struct ip_hdr *head = p->payload;

	ip4_addr_copy(*ip_2_ip4(&netif->ip_addr), head->dest);
	return 0;
}

static err_t put_out(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)netif;
	return output(ntohl(to->addr) - GUESTS, p);
}

static err_t put_out6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)netif;
	return output(ntohl(to->addr[3]), p);
}

static err_t begin(struct netif *netif)
{
	netif->name[0] = 'd';
	netif->name[1] = 'f';
	netif->mtu = UINT16_MAX;
	netif->output = put_out;
	netif->output_ip6 = put_out6;
	return ERR_OK;
}

/* --- what the others ask for --- */

void stack_init(stack_output *to)
{
	/* Not 0.0.0.0, or lwIP takes it for down; each packet brings another one. */
	const ip4_addr_t own = {htonl(DF_NET_GATEWAY)}, all = {UINT32_MAX};

	output = to;
	lwip_init();
	lwip_clock_tell(loop_now_ns());
	netif_add(&wire, &own, &all, &own, NULL, begin, ip_input);
	netif_ip6_addr_set_state(&wire, 0, IP6_ADDR_PREFERRED);
	netif_set_default(&wire);
	netif_set_up(&wire);
	netif_set_link_up(&wire);
}

static uint32_t guests6(void)
{
	return htonl(GUESTS6 << 24);
}

ip_addr_t stack_guest(unsigned int number, const struct in6_addr *outside)
{
	const ip_addr_t v4 = IPADDR4_INIT(htonl(GUESTS + number));
	const ip_addr_t v6 = IPADDR6_INIT(guests6(), 0, 0, htonl(number));

	return IN6_IS_ADDR_V4MAPPED(outside) ? v4 : v6;
}

bool stack_is_guest(unsigned int number, const ip_addr_t *address)
{
	return IP_IS_V6(address) ? ip_2_ip6(address)->addr[0] == guests6() &&
			ntohl(ip_2_ip6(address)->addr[3]) == number
				 : ntohl(ip_2_ip4(address)->addr) == GUESTS + number;
}

ip_addr_t stack_address(const struct in6_addr *address)
{
	ip_addr_t out = {0};
	uint32_t v4;

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		memcpy(&v4, &address->s6_addr[12], sizeof(v4));
		ip_2_ip4(&out)->addr = v4;
	} else {
		IP_SET_TYPE_VAL(out, IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(&out)->addr, address, sizeof(*address));
	}
	return out;
}

void stack_input(unsigned int number, struct pbuf *packet)
{
	struct ip_hdr *v4 = packet->payload;
	struct ip6_hdr *v6 = packet->payload;

	if (IPH_V(v4) == 4) {
		v4->src.addr = htonl(GUESTS + number);
	} else {
		memset(&v6->src, 0, sizeof(v6->src));
		v6->src.addr[0] = guests6();
		v6->src.addr[3] = htonl(number);
	}
	if (wire.input(packet, &wire) != ERR_OK)
		pbuf_free(packet);
}

void stack_tick(void)
{
	uint64_t next;

	if (!due_ns && tcp_active_pcbs)
		tcp_timer_needed();
	if (!due_ns || loop_now_ns() < due_ns)
		return;
	due_ns = 0;
	lwip_clock_tell(loop_now_ns());
	next = lwip_clock_next();
	due_ns = next ? loop_now_ns() + next : 0;
}

int stack_timeout(void)
{
	uint64_t now = loop_now_ns();

	if (!due_ns)
		return -1;
	return due_ns > now ? (int)((due_ns - now) / 1000000) + 1 : 0;
}
