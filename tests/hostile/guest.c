// SPDX-License-Identifier: Apache-2.0
/* What hostile programs share: see guest.h. */
#include "guest.h"

#include <setjmp.h>
#include <signal.h>

uint64_t seed = 1;

uint64_t random_next(void)
{
	/* splitmix64 */
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int64_t request(uint32_t call, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	volatile struct df_request *q = &request_page()->request;

	q->call = call;
	q->arg[0] = a;
	q->arg[1] = b;
	q->arg[2] = c;
	q->arg[3] = d;
	__asm__ volatile("out %%al, (%%dx)" : : "a"(0), "d"(DF_PORT) : "memory");
	return q->result;
}

static sigjmp_buf back;
static char alternate[65536];

static void on_fault(int signal)
{
	siglongjmp(back, signal);
}

static const int faults[] = {SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGFPE};

static void handle(void (*handler)(int))
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_NODEFER};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &act, NULL);
}

static void catch_faults(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

	sigaltstack(&stack, NULL);
	handle(on_fault);
}

int caught(void (*f)(void *), void *arg)
{
	int r;

	catch_faults();
	r = sigsetjmp(back, 1);
	if (!r)
		f(arg);
	handle(SIG_DFL);
	return r;
}

void caught_again(void (*f)(void *), void (*skip)(void *), void *arg)
{
	catch_faults();
	/* The handler blocks nothing, so there is no mask to restore. */
	if (sigsetjmp(back, 0))
		skip(arg);
	f(arg);
	handle(SIG_DFL);
}

static void try_read(void *p)
{
	(void)*(volatile char *)p;
}

static void try_write(void *p)
{
	__asm__ volatile("lock orb $0, (%0)" : : "r"(p) : "memory");
}

bool readable(uint64_t va)
{
	return !caught(try_read, (void *)va);
}

bool writable(uint64_t va)
{
	return !caught(try_write, (void *)va);
}
