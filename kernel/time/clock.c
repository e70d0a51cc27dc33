// SPDX-License-Identifier: Apache-2.0
/* Time from the boot page and the counter: see clock.h. No exit, no lock: one vCPU. */
#include <kernel/arch/x86_64/arch.h>
#include <kernel/core/hypercall.h>
#include <kernel/time/clock.h>

static uint64_t since_base(void)
{
	const struct df_time *t = &boot_info->time;
	uint64_t ticks = arch_tsc() - t->tsc_base;

	return (uint64_t)(((unsigned __int128)ticks * t->mult) >> 32);
}

uint64_t clock_monotonic(void)
{
	return boot_info->time.monotonic_base_ns + since_base();
}

uint64_t clock_realtime(void)
{
	return boot_info->time.realtime_base_ns + since_base();
}

uint64_t clock_boottime(void)
{
	return boot_info->time.boottime_base_ns + since_base();
}

uint64_t clock_process_cpu(void)
{
	struct thread *t;
	uint64_t sum = 0;

	list_for_each(t, &thread_list, all)
		sum += t->cpu_ns;
	return sum + clock_monotonic() - current->switched_in_ns;
}
