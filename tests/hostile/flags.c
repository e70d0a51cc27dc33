// SPDX-License-Identifier: Apache-2.0
/*
 * Flags and registers that a kernel in the same ring would like to rely on: set before system calls,
 * in signal handlers, and while threads switch. None of this is wrong on Linux, so all must survive,
 * but where said otherwise.
 */
#include "attack.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define AC 0x40000UL
#define NT 0x4000UL
#define DF 0x400UL
#define TF 0x100UL

static void flags_or(uint64_t bits)
{
	__asm__ volatile("sub $128, %%rsp; pushfq; or %0, (%%rsp); popfq; add $128, %%rsp"
			 :
			 : "r"(bits)
			 : "cc", "memory");
}

static void flags_clear(uint64_t bits)
{
	__asm__ volatile("sub $128, %%rsp; pushfq; and %0, (%%rsp); popfq; add $128, %%rsp"
			 :
			 : "r"(~bits)
			 : "cc", "memory");
}

/* A few system calls with `bits` set around the instruction itself; libc must not see them. */
static void calls_with(uint64_t bits)
{
	static const long numbers[] = {SYS_getpid, SYS_sched_yield, SYS_gettid, 9999, SYS_write};

	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			long result;

			__asm__ volatile("sub $128, %%rsp; pushfq; or %5, (%%rsp); popfq; syscall;"
					 "pushfq; and %6, (%%rsp); popfq; add $128, %%rsp"
					 : "=a"(result)
					 : "a"(numbers[i]), "D"(1L), "S"("."), "d"(1L), "r"(bits),
					 "r"(~bits)
					 : "rcx", "r11", "memory", "cc");
			if (numbers[i] == 9999 ? result != -38 : result < 0) {
				printf("call %ld: %ld\n", numbers[i], result);
				exit(98);
			}
		}
}

static void flag_ac(void)
{
	calls_with(AC);
}

static void flag_nt(void)
{
	calls_with(NT);
}

static void flag_df(void)
{
	calls_with(DF);
}

static void flag_all(void)
{
	calls_with(AC | NT | DF);
}

/* Single steps arrive as SIGTRAP, which ends the program when nobody handles it. */
static void flag_tf(void)
{
	calls_with(TF);
}

static volatile long steps;

static void on_step(int signal)
{
	(void)signal;
	steps++;
}

static void flag_tf_handled(void)
{
	signal(SIGTRAP, on_step);
	calls_with(TF);
	signal(SIGTRAP, SIG_DFL);
	if (!steps)
		exit(98);
}

static void on_signal(int signal)
{
	(void)signal;
	flags_or(AC | NT | DF);
	syscall(SYS_getpid);
}

static void flags_in_handler(void)
{
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	flags_clear(AC | NT | DF);
}

static void on_tick(int signal)
{
	(void)signal;
	steps++;
}

/* Ticks hit a loop that has the flags set. */
static void flags_under_ticks(void)
{
	timer_t timer;
	struct itimerspec t = {{0, 1000000}, {0, 1000000}};

	signal(SIGALRM, on_tick);
	if (timer_create(CLOCK_MONOTONIC, NULL, &timer) || timer_settime(timer, 0, &t, NULL))
		exit(97);
	while (steps < 20) {
		flags_or(AC | NT);
		for (volatile int i = 0; i < 10000; i++)
			;
		flags_clear(AC | NT);
	}
	timer_delete(timer);
}

/* --- segment bases and the stack pointer --- */

/* System calls with gs, then fs, at kernel addresses; the kernel must not care. */
static void bases_at_kernel(void)
{
	static const uint64_t places[] = {DF_VA_KERNEL, DF_VA_REQUEST, DF_VA_KSTACK, DF_VA_STUB,
		0x7fffffffefff, 0, 0xffff800000000000};
	uint64_t fs;

	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		long result = SYS_getpid;

		__asm__ volatile("wrgsbase %1; wrfsbase %1; syscall; wrfsbase %2"
				 : "+a"(result)
				 : "r"(places[i]), "r"(fs)
				 : "rcx", "r11", "memory");
		if (result <= 0)
			exit(98);
	}
}

static void call_with_stack(uint64_t stack)
{
	long result = SYS_getpid;

	__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rsp; syscall; mov %%rbx, %%rsp"
			 : "+a"(result)
			 : "r"(stack)
			 : "rcx", "r11", "rbx", "memory");
	if (result <= 0)
		exit(98);
}

static void stack_at_kernel(void)
{
	static const uint64_t places[] = {DF_VA_KERNEL, DF_VA_REQUEST + 64, DF_VA_KSTACK + 0x8000,
		DF_VA_STUB, DF_VA_TABLES, 0, 8, 0x800000000000, ~0ULL, 0xffff800000000000};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		call_with_stack(places[i]);
}

/* A fault while the stack pointer is nonsense; the report must come all the same. */
static void stack_noncanonical_fault(void)
{
	__asm__ volatile("mov %0, %%rsp; movl $1, 8" : : "r"(0x8000000000001000UL));
}

static void stack_kernel_fault(void)
{
	__asm__ volatile("mov %0, %%rsp; movl $1, 8" : : "r"(DF_VA_KSTACK + 0x8000 - 256));
}

/* A handler is to run on a stack that lies in the kernel. */
static void sigaltstack_kernel(void)
{
	stack_t stack = {.ss_sp = (void *)(DF_VA_KSTACK + 0x4000), .ss_size = 0x4000};
	struct sigaction act = {.sa_handler = on_tick, .sa_flags = SA_ONSTACK};

	sigaction(SIGUSR1, &act, NULL);
	sigaltstack(&stack, NULL);
	raise(SIGUSR1);
}

/* A signal frame whose registers lead into ring 0: cs, ss and flags are the program's to write. */
static void on_forge(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)signal, (void)info;
	c->uc_mcontext.gregs[REG_CSGSFS] = DF_CS_KERNEL | DF_CS_KERNEL << 16;
	c->uc_mcontext.gregs[REG_EFL] = 0x3202 | NT | AC;
}

static void sigreturn_ring0(void)
{
	struct sigaction act = {.sa_sigaction = on_forge, .sa_flags = SA_SIGINFO};

	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	flags_clear(AC | NT);
	__asm__ volatile("mov %%cr3, %%rax" : : : "rax");
}

static void on_lost(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)signal, (void)info;
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)(1ULL << 63);
	c->uc_mcontext.gregs[REG_RSP] = (greg_t)(1ULL << 62);
}

static void sigreturn_noncanonical(void)
{
	struct sigaction act = {.sa_sigaction = on_lost, .sa_flags = SA_SIGINFO};

	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
}

/* rt_sigreturn with the stack anywhere. */
static void sigreturn_anywhere(void)
{
	__asm__ volatile("mov %0, %%rsp; syscall" : : "r"(DF_VA_BOOT + 64), "a"(SYS_rt_sigreturn));
}

#define ROW(name)           \
	{                   \
#name, name \
	}
const struct attack attacks_flags[] = {ROW(flag_ac), ROW(flag_nt), ROW(flag_df), ROW(flag_all),
	ROW(flag_tf), ROW(flag_tf_handled), ROW(flags_in_handler), ROW(flags_under_ticks),
	ROW(bases_at_kernel), ROW(stack_at_kernel), ROW(stack_noncanonical_fault),
	ROW(stack_kernel_fault), ROW(sigaltstack_kernel), ROW(sigreturn_ring0),
	ROW(sigreturn_noncanonical), ROW(sigreturn_anywhere), {NULL, NULL}};
