/*
 * abi.c - the processor state that a program may rely on: across system calls, across signal handlers,
 * across switches between threads.
 */
#include "case.h"

#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <ucontext.h>

/*
 * void probe(uint64_t regs[16], long number): loads rdx rbx rsi rdi rbp r8 r9 r10 r12 r13 r14 from regs[0..10],
 * makes system call `number`, stores them back; regs[11] = rcx, regs[12] = r11, regs[13] = result,
 * regs[14] = address after the syscall instruction, regs[15] = flags after it.
 */
void probe(uint64_t *regs, long number);
__asm__(".text\n.globl probe\n.type probe, @function\nprobe:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rdi, %r15\n mov %rsi, %rax\n"
	"mov 0(%r15), %rdx\n mov 8(%r15), %rbx\n mov 16(%r15), %rsi\n mov 24(%r15), %rdi\n"
	"mov 32(%r15), %rbp\n mov 40(%r15), %r8\n mov 48(%r15), %r9\n mov 56(%r15), %r10\n"
	"mov 64(%r15), %r12\n mov 72(%r15), %r13\n mov 80(%r15), %r14\n"
	"stc\n"
	"syscall\n"
	"1: pushf\n pop 120(%r15)\n"
	"mov %rdx, 0(%r15)\n mov %rbx, 8(%r15)\n mov %rsi, 16(%r15)\n mov %rdi, 24(%r15)\n"
	"mov %rbp, 32(%r15)\n mov %r8, 40(%r15)\n mov %r9, 48(%r15)\n mov %r10, 56(%r15)\n"
	"mov %r12, 64(%r15)\n mov %r13, 72(%r15)\n mov %r14, 80(%r15)\n"
	"mov %rcx, 88(%r15)\n mov %r11, 96(%r15)\n mov %rax, 104(%r15)\n"
	"lea 1b(%rip), %rax\n mov %rax, 112(%r15)\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
	".size probe, .-probe\n");

static void registers_across_a_call(void)
{
	int wrong = 0, address = 0, results = 0;
	for (int round = 0; round < 100; round++) {
		uint64_t regs[16];
		for (uint64_t i = 0; i < 16; i++)
			regs[i] = (i + 1) * 0x0101010101010101 + (uint64_t)round;
		probe(regs, SYS_getppid);
		for (uint64_t i = 0; i < 11; i++)
			wrong += regs[i] != (i + 1) * 0x0101010101010101 + (uint64_t)round;
		address += regs[11] == regs[14];
		results += (long)regs[13] == getppid();
	}
	say("wrong=%d rcx=%d results=%d", wrong, address, results);
}

static void arithmetic_flags_across_a_call(void)
{
	int carry = 0, copied = 0;
	for (int round = 0; round < 100; round++) {
		uint64_t regs[16] = {0};
		probe(regs, SYS_getppid);
		/* probe sets the carry flag right before the instruction; r11 is a copy of the flags. */
		carry += (regs[15] & 1) != 0;
		copied += (regs[12] & 0x8d5) == (regs[15] & 0x8d5);
	}
	say("carry=%d r11=%d", carry, copied);
}

static void registers_across_an_unknown_call(void)
{
	uint64_t regs[16];
	int wrong = 0;
	for (uint64_t i = 0; i < 16; i++)
		regs[i] = i + 100;
	probe(regs, 5555);
	for (uint64_t i = 0; i < 11; i++)
		wrong += regs[i] != i + 100;
	say("wrong=%d result=%s", wrong, errno_name((int)-(long)regs[13]));
	probe(regs, -1);
	say("minus=%s", errno_name((int)-(long)regs[13]));
}

static void upper_half_of_the_number(void)
{
	/* The number is the lower half of the register. */
	uint64_t regs[16] = {0};
	probe(regs, 1L << 32 | SYS_getppid);
	say("ignored=%s", yes((long)regs[13] == getppid()));
}

static void red_zone_across_a_call(void)
{
	/* A leaf function may keep data below rsp while it makes a system call. */
	uint64_t wrong = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t bad;
		__asm__ volatile(
			"mov $0x5566778811223344, %%rdx\n"
			"mov %%rdx, -8(%%rsp)\n mov %%rdx, -16(%%rsp)\n mov %%rdx, -24(%%rsp)\n"
			"mov %%rdx, -32(%%rsp)\n mov %%rdx, -128(%%rsp)\n"
			"mov $110, %%eax\n syscall\n"
			"xor %0, %0\n"
			"mov -8(%%rsp), %%rax\n xor %%rdx, %%rax\n or %%rax, %0\n"
			"mov -16(%%rsp), %%rax\n xor %%rdx, %%rax\n or %%rax, %0\n"
			"mov -24(%%rsp), %%rax\n xor %%rdx, %%rax\n or %%rax, %0\n"
			"mov -32(%%rsp), %%rax\n xor %%rdx, %%rax\n or %%rax, %0\n"
			"mov -128(%%rsp), %%rax\n xor %%rdx, %%rax\n or %%rax, %0\n"
			: "=&b"(bad)
			:
			: "rax", "rcx", "rdx", "r11", "memory", "cc");
		wrong += bad != 0;
	}
	say("wrong=%lu", (unsigned long)wrong);
}

/*
 * The ways in which code reaches a syscall instruction: a jump directly to it, a loop over it with the number
 * set far away, the number moved from a register, a two-byte zeroing before it, a prefix of another kind.
 */
static void shapes_of_call_sites(void)
{
	long parent = getppid(), wrong = 0;
	for (long i = 0; i < 50; i++) {
		long a, b, c, d, e;
		__asm__ volatile("mov $110, %%eax\n jmp 1f\n mov $39, %%eax\n 1: syscall\n"
				 : "=a"(a)
				 :
				 : "rcx", "r11", "memory");
		__asm__ volatile("mov $110, %%edx\n mov %%edx, %%eax\n syscall\n"
				 : "=a"(b)
				 :
				 : "rcx", "r11", "rdx", "memory");
		__asm__ volatile("push $110\n pop %%rax\n syscall\n"
				 : "=a"(c)
				 :
				 : "rcx", "r11", "memory");
		__asm__ volatile("xor %%eax, %%eax\n mov $110, %%al\n syscall\n"
				 : "=a"(d)
				 :
				 : "rcx", "r11", "memory");
		__asm__ volatile("lea 110, %%eax\n nop\n syscall\n nop\n"
				 : "=a"(e)
				 :
				 : "rcx", "r11", "memory");
		wrong += (a != parent) + (b != parent) + (c != parent) + (d != parent) +
			(e != parent);
	}
	say("wrong=%ld", wrong);
}

static void one_site_many_numbers(void)
{
	/* The same instruction, with the number from outside, and jumped to both before and at it. */
	long wrong = 0;
	for (long i = 0; i < 200; i++) {
		long number = i % 3 == 0 ? SYS_getpid
			: i % 3 == 1     ? SYS_getppid
					 : SYS_gettid,
		     result;
		long expect = i % 3 == 0 ? getpid() : i % 3 == 1 ? getppid() : gettid();
		long skip = i % 2;
		__asm__ volatile("test %2, %2\n jnz 1f\n mov %1, %%rax\n jmp 2f\n"
				 "1: mov %1, %%rax\n 2: syscall\n"
				 : "=&a"(result)
				 : "r"(number), "r"(skip)
				 : "rcx", "r11", "memory", "cc");
		wrong += result != expect;
	}
	/* The five bytes before the instruction are the target of a jump themselves. */
	for (long i = 0; i < 100; i++) {
		long result;
		__asm__ volatile("mov %1, %%rdx\n"
				 "1: mov $110, %%eax\n"
				 "syscall\n"
				 "dec %%rdx\n jnz 1b\n"
				 : "=&a"(result)
				 : "r"(3L)
				 : "rcx", "rdx", "r11", "memory", "cc");
		wrong += result != getppid();
	}
	say("wrong=%ld", wrong);
}

static bool has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

/* Loads all xmm registers with patterns, makes a system call, counts bytes that differ. */
static int xmm_round(long number, long a, long b)
{
	_Alignas(16) unsigned char in[256], out[256];
	long result;
	int wrong = 0;
	for (int i = 0; i < 256; i++)
		in[i] = (unsigned char)(i * 37 + 11);
	__asm__ volatile(
		"movdqa 0(%4), %%xmm0\n movdqa 16(%4), %%xmm1\n movdqa 32(%4), %%xmm2\n movdqa 48(%4), %%xmm3\n"
		"movdqa 64(%4), %%xmm4\n movdqa 80(%4), %%xmm5\n movdqa 96(%4), %%xmm6\n movdqa 112(%4), %%xmm7\n"
		"movdqa 128(%4), %%xmm8\n movdqa 144(%4), %%xmm9\n movdqa 160(%4), %%xmm10\n movdqa 176(%4), %%xmm11\n"
		"movdqa 192(%4), %%xmm12\n movdqa 208(%4), %%xmm13\n movdqa 224(%4), %%xmm14\n movdqa 240(%4), %%xmm15\n"
		"syscall\n"
		"movdqa %%xmm0, 0(%5)\n movdqa %%xmm1, 16(%5)\n movdqa %%xmm2, 32(%5)\n movdqa %%xmm3, 48(%5)\n"
		"movdqa %%xmm4, 64(%5)\n movdqa %%xmm5, 80(%5)\n movdqa %%xmm6, 96(%5)\n movdqa %%xmm7, 112(%5)\n"
		"movdqa %%xmm8, 128(%5)\n movdqa %%xmm9, 144(%5)\n movdqa %%xmm10, 160(%5)\n movdqa %%xmm11, 176(%5)\n"
		"movdqa %%xmm12, 192(%5)\n movdqa %%xmm13, 208(%5)\n movdqa %%xmm14, 224(%5)\n movdqa %%xmm15, 240(%5)\n"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "r"(in), "r"(out)
		: "rcx", "r11", "rdx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
		"xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
		"xmm15");
	(void)result;
	for (int i = 0; i < 256; i++)
		wrong += in[i] != out[i];
	return wrong;
}

static void xmm_across_calls(void)
{
	struct timespec t, pause = {0, 1000000};
	int wrong = 0;
	for (int i = 0; i < 20; i++) {
		wrong += xmm_round(SYS_getppid, 0, 0);
		wrong += xmm_round(SYS_sched_yield, 0, 0);
		wrong += xmm_round(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t);
		wrong += xmm_round(SYS_nanosleep, (long)&pause, 0);
		wrong += xmm_round(SYS_mkdir, (long)"d", 0755);
		wrong += xmm_round(5555, 0, 0);
	}
	say("wrong=%d", wrong);
}

__attribute__((target("avx"))) static int ymm_round(long number, long a, long b)
{
	_Alignas(32) unsigned char in[128], out[128];
	long result;
	int wrong = 0;
	for (int i = 0; i < 128; i++)
		in[i] = (unsigned char)(i * 91 + 5);
	__asm__ volatile(
		"vmovdqa 0(%4), %%ymm0\n vmovdqa 32(%4), %%ymm7\n vmovdqa 64(%4), %%ymm8\n vmovdqa 96(%4), %%ymm15\n"
		"syscall\n"
		"vmovdqa %%ymm0, 0(%5)\n vmovdqa %%ymm7, 32(%5)\n vmovdqa %%ymm8, 64(%5)\n vmovdqa %%ymm15, 96(%5)\n"
		"vzeroupper\n"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "r"(in), "r"(out)
		: "rcx", "r11", "rdx", "memory", "xmm0", "xmm7", "xmm8", "xmm15");
	(void)result;
	for (int i = 0; i < 128; i++)
		wrong += in[i] != out[i];
	return wrong;
}

static void ymm_across_calls(void)
{
	struct timespec pause = {0, 1000000};
	int wrong = 0;
	if (!has_avx()) {
		say("no avx");
		return;
	}
	for (int i = 0; i < 20; i++) {
		wrong += ymm_round(SYS_getppid, 0, 0);
		wrong += ymm_round(SYS_sched_yield, 0, 0);
		wrong += ymm_round(SYS_nanosleep, (long)&pause, 0);
	}
	say("wrong=%d", wrong);
}

__attribute__((target("avx512f"))) static int zmm_round(void)
{
	_Alignas(64) unsigned char in[256], out[256];
	uint64_t masks = 0x5aa5, masks_after = 0;
	struct timespec pause = {0, 1000000};
	long result;
	int wrong = 0;
	for (int i = 0; i < 256; i++)
		in[i] = (unsigned char)(i * 17 + 3);
	__asm__ volatile(
		"vmovdqa64 0(%4), %%zmm1\n vmovdqa64 64(%4), %%zmm9\n vmovdqa64 128(%4), %%zmm16\n"
		"vmovdqa64 192(%4), %%zmm31\n kmovw %k6, %%k3\n"
		"syscall\n"
		"vmovdqa64 %%zmm1, 0(%5)\n vmovdqa64 %%zmm9, 64(%5)\n vmovdqa64 %%zmm16, 128(%5)\n"
		"vmovdqa64 %%zmm31, 192(%5)\n kmovw %%k3, %k1\n vzeroupper\n"
		: "=a"(result), "=&r"(masks_after)
		: "a"(SYS_nanosleep), "D"(&pause), "r"(in), "r"(out), "r"(masks), "S"(0)
		: "rcx", "r11", "rdx", "memory");
	(void)result;
	for (int i = 0; i < 256; i++)
		wrong += in[i] != out[i];
	return wrong + (masks_after != masks);
}

static void zmm_across_calls(void)
{
	int wrong = 0;
	if (!__builtin_cpu_supports("avx512f")) {
		say("no avx512");
		return;
	}
	for (int i = 0; i < 5; i++)
		wrong += zmm_round();
	say("wrong=%d", wrong);
}

static volatile sig_atomic_t caught;

static void spoil_vectors(int number)
{
	(void)number;
	caught++;
	__asm__ volatile(
		"pcmpeqd %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm1\n movdqa %%xmm0, %%xmm7\n"
		"movdqa %%xmm0, %%xmm8\n movdqa %%xmm0, %%xmm15\n fninit\n fldz\n fldz\n fldz\n"
		:
		:
		: "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
	uint32_t control = 0x7f80; /* another rounding mode */
	__asm__ volatile("ldmxcsr %0" : : "m"(control));
}

static void start_timer(int number, long us)
{
	struct itimerval often = {{0, us}, {0, us}};
	caught = 0;
	signal(number, spoil_vectors);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void stop_timer(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &never, NULL);
}

/* Holds patterns in xmm registers through a loop without system calls. */
static int xmm_hold(long rounds)
{
	_Alignas(16) unsigned char in[64], out[64];
	int wrong = 0;
	for (int i = 0; i < 64; i++)
		in[i] = (unsigned char)(i * 73 + 19 + rounds);
	__asm__ volatile(
		"movdqa 0(%1), %%xmm0\n movdqa 16(%1), %%xmm7\n movdqa 32(%1), %%xmm8\n movdqa 48(%1), %%xmm15\n"
		"1: dec %0\n jnz 1b\n"
		"movdqa %%xmm0, 0(%2)\n movdqa %%xmm7, 16(%2)\n movdqa %%xmm8, 32(%2)\n movdqa %%xmm15, 48(%2)\n"
		: "+r"(rounds)
		: "r"(in), "r"(out)
		: "memory", "cc", "xmm0", "xmm7", "xmm8", "xmm15");
	for (int i = 0; i < 64; i++)
		wrong += in[i] != out[i];
	return wrong;
}

__attribute__((target("avx"))) static int ymm_hold(long rounds)
{
	_Alignas(32) unsigned char in[64], out[64];
	int wrong = 0;
	for (int i = 0; i < 64; i++)
		in[i] = (unsigned char)(i * 41 + 23 + rounds);
	__asm__ volatile("vmovdqa 0(%1), %%ymm1\n vmovdqa 32(%1), %%ymm8\n"
			 "1: dec %0\n jnz 1b\n"
			 "vmovdqa %%ymm1, 0(%2)\n vmovdqa %%ymm8, 32(%2)\n vzeroupper\n"
			 : "+r"(rounds)
			 : "r"(in), "r"(out)
			 : "memory", "cc", "xmm1", "xmm8");
	for (int i = 0; i < 64; i++)
		wrong += in[i] != out[i];
	return wrong;
}

static void vectors_across_signals(void)
{
	int wrong = 0;
	start_timer(SIGALRM, 1000);
	while (caught < 20)
		wrong += xmm_hold(20000);
	stop_timer();
	say("xmm=%d", wrong);
	wrong = 0;
	start_timer(SIGALRM, 1000);
	while (caught < 20)
		wrong += has_avx() ? ymm_hold(20000) : 0;
	stop_timer();
	say("ymm=%d", wrong);
}

static void x87_across_signals(void)
{
	int wrong = 0;
	start_timer(SIGALRM, 1000);
	while (caught < 20) {
		long rounds = 20000;
		double a = 1.5, b = 2.25, top = 0, below = 0;
		__asm__ volatile("fldl %3\n fldl %4\n 1: dec %0\n jnz 1b\n fstpl %1\n fstpl %2\n"
				 : "+r"(rounds), "=m"(top), "=m"(below)
				 : "m"(a), "m"(b)
				 : "cc");
		wrong += top != b || below != a;
	}
	stop_timer();
	say("wrong=%d", wrong);
}

static void rounding_modes(void)
{
	volatile double one = 1, three = 3;
	struct timespec pause = {0, 1000000};
	fesetround(FE_UPWARD);
	double up = one / three;
	nanosleep(&pause, NULL);
	getppid();
	say("kept=%s", yes(fegetround() == FE_UPWARD));
	say("same=%s", yes(up == one / three));
	start_timer(SIGALRM, 1000);
	int wrong = 0;
	while (caught < 10)
		wrong += one / three != up;
	stop_timer();
	say("wrong=%d", wrong);
	fesetround(FE_TONEAREST);
	say("differs=%s", yes(up > one / three));
}

static volatile unsigned handler_mxcsr, handler_control;
static volatile unsigned long handler_flags;

static void note_control(int number)
{
	unsigned mxcsr;
	unsigned short control;
	(void)number;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	handler_flags = __builtin_ia32_readeflags_u64();
	handler_mxcsr = mxcsr;
	handler_control = control;
}

static void handler_starts_clean(void)
{
	signal(SIGUSR1, note_control);
	/* The direction flag is clear in a handler, whatever the program had. */
	long pid = getpid(), result;
	__asm__ volatile("std\n syscall\n cld"
			 : "=a"(result)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			 : "rcx", "r11", "memory");
	say("%ld direction=%lu mxcsr=%x control=%x", result, handler_flags >> 10 & 1, handler_mxcsr,
		handler_control);
}

static void flags_across_calls(void)
{
	long result, flags;
	__asm__ volatile("std\n syscall\n pushf\n pop %1\n cld"
			 : "=a"(result), "=r"(flags)
			 : "a"(SYS_getppid)
			 : "rcx", "r11", "memory");
	say("direction=%ld", flags >> 10 & 1);
	__asm__ volatile("xor %%edx, %%edx\n syscall\n pushf\n pop %1"
			 : "=a"(result), "=r"(flags)
			 : "a"(SYS_getppid)
			 : "rcx", "rdx", "r11", "memory");
	say("zero=%ld", flags >> 6 & 1);
}

static atomic_int others_wrong, round_robin_stop;

static void *vector_thread(void *argument)
{
	long id = (long)(intptr_t)argument;
	int wrong = 0;
	fesetround(id % 2 ? FE_UPWARD : FE_DOWNWARD);
	volatile double one = 1, three = 3;
	double expect = one / three;
	for (int i = 0; i < 100; i++) {
		wrong += xmm_hold(3000 + id);
		wrong += has_avx() ? ymm_hold(3000 + id) : 0;
		wrong += one / three != expect;
		if (i % 10 == 0)
			sched_yield();
	}
	atomic_fetch_add(&others_wrong, wrong);
	return NULL;
}

static void vectors_across_threads(void)
{
	pthread_t threads[4];
	atomic_store(&others_wrong, 0);
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, vector_thread, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("wrong=%d", atomic_load(&others_wrong));
	say("own-mode=%s", yes(fegetround() == FE_TONEAREST));
}

static void *preempted_vectors(void *argument)
{
	int wrong = 0;
	while (!atomic_load(&round_robin_stop))
		wrong += xmm_hold(100000 + (long)(intptr_t)argument);
	atomic_fetch_add(&others_wrong, wrong);
	return NULL;
}

static void vectors_across_preemption(void)
{
	/* No system call in the threads: they are switched by time alone. */
	pthread_t threads[2];
	int wrong = 0;
	atomic_store(&others_wrong, 0);
	atomic_store(&round_robin_stop, 0);
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, preempted_vectors, (void *)(i + 1));
	int64_t start = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) - start < 150000000)
		wrong += xmm_hold(100000);
	atomic_store(&round_robin_stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	say("wrong=%d", wrong + atomic_load(&others_wrong));
}

static void *inherited_mode(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)fegetround();
}

static void new_thread_inherits_mode(void)
{
	pthread_t thread;
	void *result;
	fesetround(FE_TOWARDZERO);
	pthread_create(&thread, NULL, inherited_mode, NULL);
	pthread_join(thread, &result);
	fesetround(FE_TONEAREST);
	say("%s", yes((intptr_t)result == FE_TOWARDZERO));
}

static volatile int frame_magic, frame_matches, frame_size_sane;

static void look_at_frame(int number, siginfo_t *info, void *argument)
{
	ucontext_t *context = argument;
	unsigned char *fp = (unsigned char *)context->uc_mcontext.fpregs;
	(void)number;
	(void)info;
	/* struct _fpx_sw_bytes at offset 464 of the legacy area. */
	uint32_t magic1, extended_size;
	uint64_t features;
	memcpy(&magic1, fp + 464, 4);
	memcpy(&extended_size, fp + 468, 4);
	memcpy(&features, fp + 472, 8);
	frame_magic = magic1 == 0x46505853;
	uint32_t magic2 = 0;
	if (extended_size >= 516 && extended_size < 65536)
		memcpy(&magic2, fp + extended_size - 4, 4);
	frame_size_sane = magic2 == 0x46505845 && (features & 3) == 3 && ((uintptr_t)fp & 63) == 0;
	frame_matches = 0;
	for (int i = 0; i < 16; i++)
		frame_matches += fp[160 + 3 * 16 + i] == (unsigned char)(i + 1);
	fp[160 + 3 * 16] = 99; /* what the handler writes there is what the program sees */
}

static void vector_state_in_the_frame(void)
{
	_Alignas(16) unsigned char in[16], out[16];
	struct sigaction action = {.sa_sigaction = look_at_frame, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 16; i++)
		in[i] = (unsigned char)(i + 1);
	long result, pid = getpid();
	__asm__ volatile("movdqa (%4), %%xmm3\n syscall\n movdqa %%xmm3, (%5)\n"
			 : "=a"(result)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGUSR1), "r"(in), "r"(out)
			 : "rcx", "r11", "rdx", "memory", "xmm3");
	say("result=%ld magic=%d sane=%d matches=%d changed=%d rest=%d", result, frame_magic,
		frame_size_sane, frame_matches, out[0], out[15]);
}

static ucontext_t main_context, other_context;
static int switches;

static void other_side(void)
{
	for (int i = 0; i < 5; i++) {
		switches++;
		swapcontext(&other_context, &main_context);
	}
}

static void make_switch(void)
{
	static char stack[65536];
	switches = 0;
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = stack;
	other_context.uc_stack.ss_size = sizeof stack;
	other_context.uc_link = &main_context;
	makecontext(&other_context, other_side, 0);
	for (int i = 0; i < 6; i++)
		swapcontext(&main_context, &other_context);
	say("switches=%d", switches);
}

static void segment_bases(void)
{
	unsigned long fs = 0, gs = 1, old;
	say("get-fs=%s", rc(syscall(SYS_arch_prctl, 0x1003, &fs)));
	say("thread-pointer=%s", yes(fs == *(unsigned long *)fs && fs != 0));
	say("get-gs=%s", rc(syscall(SYS_arch_prctl, 0x1004, &old)));
	static unsigned long block[2] = {0x77, 0x88};
	say("set-gs=%s", rc(syscall(SYS_arch_prctl, 0x1001, block)));
	getppid();
	sched_yield();
	unsigned long value;
	__asm__ volatile("mov %%gs:8, %0" : "=r"(value));
	say("value=%lx", value);
	say("get-gs=%s", rc(syscall(SYS_arch_prctl, 0x1004, &gs)));
	say("same=%s", yes(gs == (unsigned long)block));
	syscall(SYS_arch_prctl, 0x1001, old);
	say("code=%s", rc(syscall(SYS_arch_prctl, 0x9999, 0)));
	say("kernel-half=%s", rc(syscall(SYS_arch_prctl, 0x1001, 0xffff800000000000)));
	say("bad-pointer=%s", rc(syscall(SYS_arch_prctl, 0x1003, 8)));
}

static void cycle_counter(void)
{
	unsigned long a = __builtin_ia32_rdtsc(), b = 0;
	for (int i = 0; i < 1000; i++) {
		b = __builtin_ia32_rdtsc();
		if (b < a)
			break;
		a = b;
	}
	say("rising=%s", yes(b >= a));
	unsigned eax, ebx, ecx, edx;
	say("cpuid=%s", yes(__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (edx & bit_SSE2)));
}

static const struct guest_case cases[] = {
	C(registers_across_a_call),
	C(arithmetic_flags_across_a_call),
	C(upper_half_of_the_number),
	C(registers_across_an_unknown_call),
	C(red_zone_across_a_call),
	C(shapes_of_call_sites),
	C(one_site_many_numbers),
	C(xmm_across_calls),
	C(ymm_across_calls),
	C(zmm_across_calls),
	C(vectors_across_signals),
	C(x87_across_signals),
	C(rounding_modes),
	C(handler_starts_clean),
	C(flags_across_calls),
	C(vectors_across_threads),
	C(vectors_across_preemption),
	C(new_thread_inherits_mode),
	C(vector_state_in_the_frame),
	C(make_switch),
	C(segment_bases),
	C(cycle_counter),
};

GUEST_MAIN("abi", cases)
