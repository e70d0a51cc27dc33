// SPDX-License-Identifier: Apache-2.0
/*
 * The feature `freeze`: the guest stops where the program waits for its event, and goes on from there once per
 * event, in a pristine instance each time (DF_CALL_FREEZE).
 *
 * What can be done once is done before the hypercall (settle), so that the way from a thaw to the program is
 * short and writes little: the monitor has to put back every page that an event writes. The CPU's vector,
 * x87 and segment state is not the monitor's to reset; it is whatever an earlier event left. So the first
 * thing behind the hypercall is to load all of it, in code that uses none.
 */
#include <dayfly/event.h>
#include <kernel/arch/x86_64/arch.h>
#include <kernel/arch/x86_64/thaw.h>
#include <kernel/core/feature.h>
#include <kernel/core/freeze.h>
#include <kernel/freeze/freeze.h>
#include <kernel/mm/map.h>
#include <kernel/sys/table.h>
#include <kernel/time/clock.h>

#define PROT_RW (DF_PROT_READ | DF_PROT_WRITE)
/* An event loop that has work left asks without waiting; so often in a row it may do so. */
#define LOOPS_MAX 1000

static void *vector_state;

/* Memory that a copy of the program must not share (MADV_WIPEONFORK). */
static void wipe(struct vma *v)
{
	bool locked = (v->flags & VMA_LINEAR) && !(v->prot & DF_PROT_WRITE);
	uint64_t pages = (v->end - v->start) >> DF_PAGE_SHIFT;
	unsigned prot = v->prot;

	if (locked) {
		map_add(v->start, pages, arena_gpa((void *)v->start), PROT_RW);
		map_flush();
		v->prot = PROT_RW;
	}
	if (vma_forget(v, v->start, v->end))
		panic("can not wipe %lx", v->start);
	if (locked) {
		v->prot = prot;
		map_add(v->start, pages, arena_gpa((void *)v->start), prot);
		map_flush();
	}
}

static bool idle(void), polled(void);

/* Which hooks the core has: to find the wait point while booting, to learn behind it. */
static void set_hooks(bool booting)
{
	freeze_hooks.idle = booting ? idle : NULL;
	freeze_hooks.polled = booting ? polled : NULL;
	freeze_hooks.trap = booting ? NULL : learn_trap;
	freeze_hooks.fault = booting ? NULL : learn_fault;
}

/* Brings the guest into the state in which every event finds it. */
static void settle(void)
{
	struct vma *v;

	set_hooks(false);
	if (device_hooks.freeze)
		device_hooks.freeze();
	thread_stop_ticks();
	request_page->out.stopped = DF_STOP_NONE;
	list_for_each(v, &vma_list, node)
		if (v->flags & VMA_WIPE)
			wipe(v);
	table_report_missing(false);
}

static void suspend(enum df_wait_point at)
{
	uint64_t fs = arch_fs_base(), gs = arch_gs_base(), log = request_page->out.log_bytes;
	int64_t r;

	request_page->out.log_bytes = 0;
	arch_xsave(vector_state);
	r = hypercall(DF_CALL_FREEZE, at, log, 0, 0);
	if (r == DF_MAP_APPLY)
		arch_apply();
	arch_reload(vector_state, fs, gs);
}

/* The clocks of the day and of the host's boot have jumped since the freeze; CLOCK_MONOTONIC has not. */
static void clocks_jumped(void)
{
	struct thread *t;

	list_for_each(t, &thread_list, all)
		if (t->follows_clock)
			thread_wake(t);
	if (event_hooks.clock_jumped)
		event_hooks.clock_jumped();
	if (signal_hooks.clock_jumped)
		signal_hooks.clock_jumped();
}

void freeze_at(enum df_wait_point at)
{
	settle();
	/* Behind the entry the boot may go on, with the generator that it has. */
	if (at != DF_WAIT_POINT_ENTRY)
		random_forget();
	for (suspend(at); boot_info->event.mode == DF_MODE_PREPARE; suspend(at))
		learn_apply();
	if (boot_info->event.mode == DF_MODE_BOOT)
		return;
	if (boot_info->event.mode == DF_MODE_REHEARSE)
		learn_start();
	if (boot_info->flags & DF_BOOT_VERIFY)
		hypercall(DF_CALL_THAWED, 0, 0, 0, 0);
	clocks_jumped();
	if (http_hooks)
		http_hooks->arrived();
	else
		input_arrived();
}

void freeze_next(void)
{
	uint64_t start = clock_monotonic();

	thread_stop_ticks();
	hypercall(DF_CALL_NEXT, 0, 0, 0, 0);
	request_page->out = (struct df_out){.reply_bytes = 0};
	thread_idle_since(start);
	thread_start_ticks();
	streams_next();
}

/* --- the hooks --- */

static void entry(void)
{
	freeze_at(DF_WAIT_POINT_ENTRY);
	/* Nobody has asked for an id yet. */
	thread_take_pid();
	if (event_there())
		random_forget();
	else
		set_hooks(true);
}

static bool idle(void)
{
	bool own;

	if (!input_awaited(&own))
		return false;
	freeze_at(http_hooks          ? DF_WAIT_POINT_HTTP
			: sdk_waits() ? DF_WAIT_POINT_SDK
				      : DF_WAIT_POINT_STDIO);
	return true;
}

/*
 * Whoever looks at standard input itself will do nothing else before it has some. Who looks at an epoll file
 * with standard input among others is an event loop, perhaps still busy.
 */
static bool polled(void)
{
	static unsigned loops;
	bool own;

	if (!input_awaited(&own)) {
		loops = 0;
		return false;
	}
	if (thread_runnable() > 1) {
		thread_yield();
		return event_there();
	}
	if (!own && ++loops < LOOPS_MAX)
		return false;
	freeze_at(http_hooks ? DF_WAIT_POINT_HTTP : DF_WAIT_POINT_STDIO);
	return true;
}

static void add_window(gva_t start, uint64_t bytes, unsigned prot)
{
	if (!vma_add(start, start + bytes, prot, VMA_SHARED | VMA_WINDOW, NULL, 0))
		panic("no memory to freeze");
}

static void freeze_init(void)
{
	if (!(boot_info->flags & DF_BOOT_EVENTS))
		return;
	/* A block of a page or more is page aligned. */
	vector_state = kmalloc(max((uint64_t)boot_info->xsave_bytes, DF_PAGE_SIZE));
	if (!vector_state)
		panic("no memory to freeze");
	add_window(DF_VA_IN, boot_info->in_bytes, DF_PROT_READ);
	add_window(DF_VA_OUT, boot_info->out_bytes, PROT_RW);
	streams_init();
	sdk_init();
	freeze_hooks.stream = stream_file;
	freeze_hooks.entry = entry;
}

static const struct feature_call no_calls[] = {};
FEATURE(freeze, "", freeze_init, no_calls);
