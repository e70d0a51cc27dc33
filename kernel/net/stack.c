// SPDX-License-Identifier: Apache-2.0
/*
 * Beneath the sockets: lwIP's memory, its clock, and the packets of the loopback interface.
 *
 * lwIP counts time in ticks of 250 ms and wants to be told each of them. While no connection waits for anything it
 * is not told; the ticks that it missed are added when it goes on. The clock is CLOCK_MONOTONIC, which stands
 * still while the guest is frozen, so a connection finds its timers as it left them.
 */
#include <kernel/net/net.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#define TICK_NS (TCP_TMR_INTERVAL * 1000000ULL)
#define TICKS_PER_COUNT (TCP_SLOW_INTERVAL / TCP_TMR_INTERVAL)
#define NEWLY_CLOSED_NS (20 * TICK_NS) /* a connection in TIME-WAIT has no hurry */
#define SHARE 8 /* of the guest's memory */
#define BYTES_MIN (1ULL << 20)
#define BYTES_MAX (64ULL << 20)

static uint64_t used_bytes, limit_bytes;
static struct timer timer;
static uint64_t told_ns; /* up to here lwIP knows the time */
static bool running;

/* --- memory --- */

void *net_alloc(size_t bytes)
{
	void *p;

	if (used_bytes + bytes > limit_bytes)
		return NULL;
	p = kmalloc(bytes);
	if (p)
		used_bytes += kmalloc_bytes(p);
	return p;
}

void *net_zalloc(size_t count, size_t bytes)
{
	void *p = net_alloc(count * bytes);

	return p ? memset(p, 0, count * bytes) : NULL;
}

void net_free(void *p)
{
	if (p)
		used_bytes -= kmalloc_bytes(p);
	kfree(p);
}

void net_broken(const char *what)
{
	panic("lwip: %s", what);
}

uint32_t net_random(void)
{
	uint32_t r;

	random_bytes(&r, sizeof(r));
	return r;
}

/* --- time --- */

uint32_t sys_now(void)
{
	return (uint32_t)(clock_monotonic() / 1000000);
}

/* Does a connection wait for its next tick? */
static bool waits(const struct tcp_pcb *p)
{
	return (p->state != ESTABLISHED && p->state != CLOSE_WAIT) || p->unsent || p->unacked ||
		p->ooseq || p->refused_data || p->persist_backoff ||
		ip_get_option(p, SOF_KEEPALIVE) || (p->flags & (TF_ACK_DELAY | TF_CLOSEPEND));
}

static uint64_t next_tick(void)
{
	const struct tcp_pcb *p;

	for (p = tcp_active_pcbs; p; p = p->next)
		if (waits(p))
			return TICK_NS;
	return tcp_tw_pcbs ? NEWLY_CLOSED_NS : 0;
}

/* Tells lwIP the time: ticks that nobody waited for only as a number. */
static void tell_time(void)
{
	uint64_t ticks = (clock_monotonic() - told_ns) / TICK_NS;

	told_ns += ticks * TICK_NS;
	if (ticks > 2)
		tcp_ticks += (uint32_t)((ticks - 1) / TICKS_PER_COUNT);
	if (ticks)
		tcp_tmr();
}

static void arm(uint64_t in_ns)
{
	if (in_ns)
		timer_set(&timer, deadline_in(in_ns));
}

static void ticked(struct timer *t)
{
	(void)t;
	tell_time();
	stack_run();
	timer_cancel(&timer);
	arm(next_tick());
}

/* lwIP: there is a connection. */
void tcp_timer_needed(void)
{
	if (!timer.set) {
		tell_time();
		arm(TICK_NS);
	}
}

/* --- packets --- */

void stack_run(void)
{
	if (running)
		return;
	running = true;
	do
		netif_poll_all();
	while (device_receive());
	device_flush();
	running = false;
	if (tcp_active_pcbs && !timer.set)
		tcp_timer_needed();
}

void stack_init(void)
{
	struct netif *lo;

	limit_bytes = min(max(mm_total_bytes() / SHARE, BYTES_MIN), BYTES_MAX);
	list_init(&timer.node);
	timer.fire = ticked;
	told_ns = clock_monotonic();
	lwip_init();
	lo = netif_get_by_index(1);
	kassert(lo);
	NETIF_SET_CHECKSUM_CTRL(lo, NETIF_CHECKSUM_DISABLE_ALL);
	device_init();
}
