// SPDX-License-Identifier: Apache-2.0
/* lwIP's ticks and packets: see lwip_port.h. */
#include <base/lwip_port.h>
#include <lwip/priv/tcp_priv.h>

#define TICKS_PER_COUNT (TCP_SLOW_INTERVAL / TCP_TMR_INTERVAL)
#define NEWLY_CLOSED_NS (20 * LWIP_TICK_NS) /* a connection in TIME-WAIT has no hurry */

static uint64_t told_ns; /* up to here lwIP knows the time */

/* Does a connection wait for its next tick? */
static int waits(const struct tcp_pcb *p)
{
	return (p->state != ESTABLISHED && p->state != CLOSE_WAIT) || p->unsent || p->unacked ||
		p->ooseq || p->refused_data || p->persist_backoff ||
		ip_get_option(p, SOF_KEEPALIVE) || (p->flags & (TF_ACK_DELAY | TF_CLOSEPEND));
}

uint64_t lwip_clock_next(void)
{
	const struct tcp_pcb *p;

	for (p = tcp_active_pcbs; p; p = p->next)
		if (waits(p))
			return LWIP_TICK_NS;
	return tcp_tw_pcbs ? NEWLY_CLOSED_NS : 0;
}

void lwip_clock_tell(uint64_t now_ns)
{
	uint64_t ticks = (now_ns - told_ns) / LWIP_TICK_NS;

	told_ns += ticks * LWIP_TICK_NS;
	if (ticks > 2)
		tcp_ticks += (uint32_t)((ticks - 1) / TICKS_PER_COUNT);
	if (ticks)
		tcp_tmr();
}

void lwip_take_end(struct tcp_pcb *pcb, const struct tcp_hdr *header, unsigned bytes)
{
	if ((TCPH_FLAGS(header) & TCP_FIN) && pcb->state >= ESTABLISHED &&
		pcb->state != TIME_WAIT && header->seqno == pcb->rcv_nxt && bytes == pcb->rcv_wnd)
		pcb->rcv_wnd++;
}

struct pbuf *lwip_packet_new(uint32_t bytes)
{
	/* With a byte to spare, rounded up or added: lwIP reads one behind TCP options that are cut off (tcp_parseopt). */
	struct pbuf *p =
		pbuf_alloc(PBUF_RAW, (uint16_t)(bytes < UINT16_MAX ? bytes + 1 : bytes), PBUF_RAM);

	if (p)
		pbuf_realloc(p, (uint16_t)bytes);
	return p;
}
