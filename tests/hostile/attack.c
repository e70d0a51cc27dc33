// SPDX-License-Identifier: Apache-2.0
/* Chooses and starts one attack; what the attacks share. See attack.h. */
#include "attack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int caught(void (*f)(void *), void *arg)
{
	static const int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGFPE};
	struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	int r;

	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
	r = sigsetjmp(back, 1);
	if (!r)
		f(arg);
	act.sa_handler = SIG_DFL;
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
	return r;
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

int main(int argc, char **argv)
{
	static const struct attack *const tables[] = {attacks_instructions, attacks_flags,
		attacks_memory, attacks_stub, attacks_requests, attacks_limits};

	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct attack *a = tables[t]; a->name; a++) {
			if (argc < 2)
				printf("%s\n", a->name);
			else if (!strcmp(a->name, argv[1])) {
				a->run();
				printf("survived\n");
				return 0;
			}
		}
	return argc < 2 ? 0 : 99;
}
