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

int clock_init(struct vm *vm, struct df_err *err)
{
	int khz = ioctl(vm->vcpu_fd, KVM_GET_TSC_KHZ, 0);

	if (khz <= 0)
		return df_err_set(err, -ENODEV,
			"KVM does not tell the frequency of the time-stamp counter");
	vm->clock_mult = (uint64_t)(((__uint128_t)1000000 << 32) / (unsigned)khz);
	return 0;
}

int clock_fill(struct vm *vm, struct df_time *t, struct df_err *err)
{
	int r = clock_init(vm, err);

	if (r)
		return r;
	t->mult = vm->clock_mult;
	/* All clocks at one moment: the counter is read between two readings of the same clock. */
	uint64_t before = clock_now_ns();
	t->tsc_base = tsc();
	t->monotonic_base_ns = before + (clock_now_ns() - before) / 2;
	t->realtime_base_ns = read_ns(CLOCK_REALTIME);
	t->boottime_base_ns = read_ns(CLOCK_BOOTTIME);
	return 0;
}

static uint64_t since(const struct df_time *t, uint64_t now)
{
	return (uint64_t)(((__uint128_t)(now - t->tsc_base) * t->mult) >> 32);
}

void clock_rebase(struct df_time *t)
{
	uint64_t now = tsc(), ns = since(t, now);

	t->tsc_base = now;
	t->monotonic_base_ns += ns;
	t->realtime_base_ns += ns;
	t->boottime_base_ns += ns;
}

/* The host's clock is disciplined, the guest's between two readings is not: less than so much is not a
 * step back that someone made. */
#define DRIFT_NS 1000000000u

static uint64_t not_before(uint64_t now, uint64_t frozen)
{
	return now < frozen && frozen - now < DRIFT_NS ? frozen : now;
}

void clock_thaw(struct vm *vm, const struct df_time *frozen, struct df_time *t)
{
	uint64_t mono = clock_now_ns();

	t->mult = vm->clock_mult;
	t->tsc_base = tsc();
	t->monotonic_base_ns = frozen->monotonic_base_ns;
	t->realtime_base_ns = not_before(read_ns(CLOCK_REALTIME), frozen->realtime_base_ns);
	t->boottime_base_ns = not_before(read_ns(CLOCK_BOOTTIME), frozen->boottime_base_ns);
	vm->clock_ahead_ns = mono - frozen->monotonic_base_ns;
}
