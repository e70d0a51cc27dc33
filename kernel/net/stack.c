// SPDX-License-Identifier: Apache-2.0
/*
 * Beneath the sockets: lwIP's memory, its clock, and the packets of the loopback interface.
 *
 * lwIP's clock is CLOCK_MONOTONIC, which stands still while the guest is frozen, so a connection finds its timers as it left them.
 */
#include <base/lwip_port.h>
#include <kernel/net/net.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#define SHARE 8 /* of the guest's memory */
#define BYTES_MIN (1ULL << 20)
#define BYTES_MAX (64ULL << 20)

static uint64_t used_bytes, limit_bytes;
static struct timer timer;
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

static void tell_time(void)
{
	lwip_clock_tell(clock_monotonic());
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
	arm(lwip_clock_next());
}

/* lwIP: there is a connection. */
void tcp_timer_needed(void)
{
	if (!timer.set) {
		tell_time();
		arm(LWIP_TICK_NS);
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
	lwip_init();
	tell_time();
	lo = netif_get_by_index(1);
	kassert(lo);
	NETIF_SET_CHECKSUM_CTRL(lo, NETIF_CHECKSUM_DISABLE_ALL);
	device_init();
}
