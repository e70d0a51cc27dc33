/*
 * stack.c - the stack: depth, its guard, alternate stacks, jumps out of it.
 */
#include "case.h"
#include "fault.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

__attribute__((noinline)) static long recurse(long depth, volatile char *above)
{
	volatile char frame[1024];
	frame[0] = above[0];
	frame[1023] = (char)depth;
	if (depth == 0)
		return frame[0];
	long below = recurse(depth - 1, frame);
	return below + (frame[1023] == (char)depth);
}

static volatile int never;

__attribute__((noinline)) static void endless(volatile char *above)
{
	volatile char frame[512];
	frame[0] = above[0];
	if (never)
		return;
	endless(frame);
	frame[1] = frame[0]; /* keeps it from becoming a loop */
}

static void guard_page(void)
{
	char start = 0;
	FAULT(endless(&start));
	/* The default limit is 8 MiB: somewhere below the start, by about that much. */
	long below = (long)(&start - (char *)fault.address);
	say("%s deep=%s", fault_text(), yes(below > 1 << 20 && below < 1L << 30));
	start = 0;
	FAULT(endless(&start));
	say("again=%s", fault_text());
	say("still=%ld", recurse(100, &start));
}

static void *thread_guard(void *unused)
{
	static char stack[65536];
	(void)unused;
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	char start = 0;
	fault_catch();
	sigaltstack(&alternate, NULL);
	if (!sigsetjmp(fault_return, 1))
		endless(&start);
	return NULL;
}

static void guard_page_of_a_thread(void)
{
	pthread_t thread;
	pthread_attr_t attribute;
	pthread_attr_init(&attribute);
	pthread_attr_setstacksize(&attribute, 1 << 18);
	pthread_create(&thread, &attribute, thread_guard, NULL);
	pthread_join(thread, NULL);
	say("%s", fault_text());
}

static void six_mebibytes(void)
{
	volatile char block[6 << 20];
	for (size_t i = sizeof block; i > 0; i -= 4096)
		block[i - 1] = (char)(i >> 12);
	long sum = 0;
	for (size_t i = sizeof block; i > 0; i -= 4096)
		sum += block[i - 1] == (char)(i >> 12);
	say("%ld", sum);
}

static void deep_recursion(void)
{
	char start = 0;
	say("%ld", recurse(5000, &start));
}

static void far_below_first(void)
{
	/* The deepest page is touched first: the stack does not need to grow page by page. */
	volatile char block[4 << 20];
	FAULT(block[0] = 5);
	say("%s %d", fault_text(), block[0]);
}

static jmp_buf jump_target;

__attribute__((noinline)) static void jump_from(int depth)
{
	volatile char frame[200];
	frame[0] = (char)depth;
	if (depth == 0)
		longjmp(jump_target, 77);
	if (never)
		return;
	jump_from(depth - 1);
	frame[1] = frame[0];
}

static void long_jump(void)
{
	volatile int rounds = 0;
	int value = setjmp(jump_target);
	if (value == 0 || rounds < 100) {
		rounds++;
		jump_from(50);
	}
	say("value=%d rounds=%d", value, (int)rounds);
	value = setjmp(jump_target);
	if (value == 0)
		longjmp(jump_target, 0);
	say("zero-becomes=%d", value);
}

static void callee_saved_across_jump(void)
{
	volatile long wrong = 0;
	for (volatile long i = 1; i <= 100; i++) {
		volatile long a = i * 3, b = i * 5, c = i * 7;
		if (setjmp(jump_target) == 0)
			jump_from(3);
		wrong += a != i * 3 || b != i * 5 || c != i * 7;
	}
	say("wrong=%ld", wrong);
}

static void variable_length(void)
{
	long sum = 0;
	for (size_t n = 1; n < 200000; n = n * 3 + 1) {
		volatile char block[n];
		block[0] = 1;
		block[n - 1] = 2;
		sum += block[0] + block[n - 1];
	}
	volatile char *p = __builtin_alloca(100000);
	p[0] = p[99999] = 1;
	say("%ld %d", sum, p[0] + p[99999]);
}

static void not_executable_and_aligned(void)
{
	struct {
		_Alignas(64) char value[64];
	} aligned;
	memset(&aligned, 0, sizeof aligned);
	say("aligned=%s", yes(((uintptr_t)&aligned & 63) == 0));
	volatile unsigned char code[1] = {0xc3};
	FAULT(((void (*)(void))(uintptr_t)code)());
	say("exec=%s", fault_text());
}

static void handler_needs_a_stack(void)
{
	/* A signal that arrives while the stack pointer is far down still finds its way back. */
	volatile char block[2 << 20];
	block[0] = 3;
	FAULT(*(volatile int *)16 = 1);
	say("%s %d", fault_text(), block[0]);
}

static const struct guest_case cases[] = {
	C(guard_page),
	C(guard_page_of_a_thread),
	C(six_mebibytes),
	C(deep_recursion),
	C(far_below_first),
	C(long_jump),
	C(callee_saved_across_jump),
	C(variable_length),
	C(not_executable_and_aligned),
	C(handler_needs_a_stack),
};

GUEST_MAIN("stack", cases)
