// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's clock: its CLOCK_MONOTONIC is the host's, computed in the guest from the time-stamp
 * counter with the numbers filled in here.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "vm.h"

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

static uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

int clock_fill(struct vm *vm, struct df_time *t, struct df_err *err)
{
	int khz = ioctl(vm->vcpu_fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		return df_err_set(err, -ENODEV,
			"KVM does not tell the frequency of the time-stamp counter");
	t->mult = (uint64_t)(((__uint128_t)1000000 << 32) / (unsigned)khz);
	/* All clocks at one moment: the counter is read between two readings of the same clock. */
	uint64_t before = clock_now_ns();
	t->tsc_base = tsc();
	t->monotonic_base_ns = before + (clock_now_ns() - before) / 2;
	t->realtime_base_ns = read_ns(CLOCK_REALTIME);
	t->boottime_base_ns = read_ns(CLOCK_BOOTTIME);
	return 0;
}
