// SPDX-License-Identifier: Apache-2.0
/*
 * The vDSO: a shared object that lies in every guest (DF_VA_VDSO) and answers the clock functions
 * without entering the kernel. It reads the boot page, which the monitor fills before each run, and
 * the time-stamp counter; it has no data. Interface: vdso(7).
 */
#include <dayfly/boot.h>
#include <linux/time.h>

struct spec {
	int64_t s, fraction;
};

#define NS 1000000000ULL
#define STUB_SYSCALL_FAST 40 /* on the stub's page: address of the kernel's entry (stub.S) */

int __vdso_clock_gettime(int clock, struct spec *out);
int __vdso_gettimeofday(struct spec *tv, int *zone);
int64_t __vdso_time(int64_t *out);
int __vdso_clock_getres(int clock, struct spec *out);
int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static const struct df_time *times(void)
{
	return &((const struct df_boot_info *)DF_VA_BOOT)->time;
}

static uint64_t since_base(const struct df_time *t)
{
	return (uint64_t)(((unsigned __int128)(__builtin_ia32_rdtsc() - t->tsc_base) * t->mult) >>
		32);
}

/* As a rewritten site (mm/rewrite.c): a jump to the kernel, with the return address in rcx. */
static int64_t system_call(int64_t nr, int64_t a, void *b)
{
	__asm__ volatile("movabs %[entry], %%r11\n\t"
			 "lea 1f(%%rip), %%rcx\n\t"
			 "jmp *(%%r11)\n"
			 "1:"
			 : "+a"(nr)
			 : "D"(a), "S"(b), [entry] "i"(DF_VA_STUB + STUB_SYSCALL_FAST)
			 : "rcx", "r11", "cc", "memory");
	return nr;
}

int __vdso_clock_gettime(int clock, struct spec *out)
{
	const struct df_time *t = times();
	uint64_t ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = t->realtime_base_ns;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		ns = t->monotonic_base_ns;
		break;
	case CLOCK_BOOTTIME:
		ns = t->boottime_base_ns;
		break;
	default:
		return (int)system_call(228, clock, out);
	}
	ns += since_base(t);
	out->s = (int64_t)(ns / NS);
	out->fraction = (int64_t)(ns % NS);
	return 0;
}

int __vdso_gettimeofday(struct spec *tv, int *zone)
{
	if (tv) {
		__vdso_clock_gettime(CLOCK_REALTIME, tv);
		tv->fraction /= 1000;
	}
	if (zone)
		zone[0] = zone[1] = 0;
	return 0;
}

int64_t __vdso_time(int64_t *out)
{
	struct spec now;

	__vdso_clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.s;
	return now.s;
}

int __vdso_clock_getres(int clock, struct spec *out)
{
	return (int)system_call(229, clock, out);
}

int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	(void)unused;
	if (cpu)
		*cpu = 0;
	if (node)
		*node = 0;
	return 0;
}
