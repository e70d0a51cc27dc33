// SPDX-License-Identifier: Apache-2.0
/*
 * Programs that die, for the reports about them: `crash HOW`. The chain of callers is always
 * main > outer > inner, and the suite looks for these names.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

static volatile int zero;
static long *nowhere;
static const char *how;

static void on_signal(int signal)
{
	(void)signal;
	*(volatile long *)16 = 1;
}

static int compare(const void *a, const void *b)
{
	(void)b;
	return (int)(*nowhere + *(const char *)a);
}

static void *thread(void *arg)
{
	*(volatile long *)24 = 1;
	return arg;
}

KEPT static long recurse(long n)
{
	volatile char room[100];

	room[0] = (char)n;
	return recurse(n + 1) + room[0];
}

/* The frames above are gone, this one's return address is one that we choose. */
KEPT static void smash(uint64_t word)
{
	volatile uint64_t *frame = __builtin_frame_address(0);

	for (int i = 0; i < 64; i++)
		frame[i] = word + 8 * (uint64_t)i;
}

KEPT static void smash_circle(void)
{
	volatile uint64_t *frame = __builtin_frame_address(0);

	/* Frame pointer and return address lead back here. */
	for (int i = 0; i < 64; i += 2) {
		frame[i] = (uint64_t)frame;
		frame[i + 1] = (uint64_t)&smash;
	}
	*(volatile long *)40 = 1;
}

KEPT static long inner(void)
{
	char text[4] = "abc";

	if (!strcmp(how, "read"))
		return *nowhere;
	if (!strcmp(how, "write"))
		*(volatile long *)8 = 1;
	if (!strcmp(how, "text"))
		*(volatile char *)(uintptr_t)&recurse = 1;
	if (!strcmp(how, "jump"))
		((void (*)(void))(uintptr_t)(zero + 0x10))();
	if (!strcmp(how, "divide"))
		return 7777 / zero;
	if (!strcmp(how, "illegal"))
		__asm__ volatile("ud2");
	if (!strcmp(how, "privileged"))
		__asm__ volatile("hlt");
	if (!strcmp(how, "breakpoint"))
		__asm__ volatile("int3");
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGBUS);
	if (!strcmp(how, "callback"))
		qsort(text, 3, 1, compare);
	if (!strcmp(how, "handler")) {
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
	}
	if (!strcmp(how, "recursion"))
		return recurse(0);
	if (!strcmp(how, "smash"))
		smash(0x4141414141414141);
	if (!strcmp(how, "smash-text"))
		smash((uint64_t)&inner);
	if (!strcmp(how, "circle"))
		smash_circle();
	if (!strcmp(how, "no-stack"))
		__asm__ volatile("xor %esp, %esp; push %rax");
	return 0;
}

KEPT static long outer(void)
{
	return inner() + 1;
}

int main(int argc, char **argv)
{
	pthread_t t;

	how = argc > 1 ? argv[1] : "read";
	if (!strcmp(how, "thread") && !pthread_create(&t, NULL, thread, NULL))
		pthread_join(t, NULL);
	return (int)outer();
}
