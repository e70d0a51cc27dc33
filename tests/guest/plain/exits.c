/*
 * exits.c - the ways in which a program ends. One word says which; the suite compares the status.
 *
 * exits return N | exit N | _exit N | group N | raise SIGNAL | and the words in the table below.
 */
#include "../case.h"

#include <pthread.h>
#include <sys/mman.h>

static void at_exit_one(void)
{
	case_write("one\n", 4);
}

static void at_exit_two(void)
{
	case_write("two\n", 4);
}

/* With both unknown to it, the compiler has to leave the division to the processor. */
static int divide(volatile long a, volatile long b)
{
	return (int)(a / b);
}

static void *exit_from_thread(void *argument)
{
	exit((int)(intptr_t)argument);
}

static void *last_words(void *main_thread)
{
	pthread_join(*(pthread_t *)main_thread, NULL);
	case_write("thread is last\n", 15);
	return NULL;
}

static void *spin(void *unused)
{
	(void)unused;
	for (;;)
		__asm__ volatile("pause");
	return NULL;
}

static void on_segv(int number)
{
	(void)number;
	_exit(44);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	long number = argc > 2 ? atol(argv[2]) : 0;
	pthread_t thread;
	static pthread_t self;

	if (strcmp(word, "return") == 0)
		return (int)number;
	if (strcmp(word, "exit") == 0) {
		atexit(at_exit_one);
		atexit(at_exit_two);
		printf("buffered"); /* flushed by exit */
		exit((int)number);
	}
	if (strcmp(word, "_exit") == 0) {
		atexit(at_exit_one);
		printf("lost"); /* not flushed */
		_exit((int)number);
	}
	if (strcmp(word, "group") == 0)
		syscall(SYS_exit_group, number);
	if (strcmp(word, "raise") == 0)
		kill(getpid(), (int)number);
	if (strcmp(word, "abort") == 0)
		abort();
	if (strcmp(word, "null") == 0)
		*(volatile int *)argv[argc] = 1;
	if (strcmp(word, "divide") == 0)
		return divide(1, number);
	if (strcmp(word, "ud2") == 0)
		__builtin_trap();
	if (strcmp(word, "int3") == 0)
		__asm__ volatile("int3");
	if (strcmp(word, "hlt") == 0)
		__asm__ volatile("hlt");
	if (strcmp(word, "jump") == 0)
		((void (*)(void))0x1234)();
	if (strcmp(word, "bus") == 0) {
		int fd = open("bus", O_CREAT | O_RDWR, 0644);
		*(volatile char *)mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) = 1;
	}
	if (strcmp(word, "readonly") == 0)
		*(volatile char *)(uintptr_t)main = 1;
	if (strcmp(word, "overflow") == 0) {
		/* A handler without a stack to run on does not help. */
		signal(SIGSEGV, on_segv);
		__asm__ volatile("mov $0x1000, %%esp\n push %%rax" ::: "memory");
	}
	if (strcmp(word, "blocked") == 0) {
		/* A fault that is blocked kills all the same. */
		sigset_t set;
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		*(volatile int *)argv[argc] = 1;
	}
	if (strcmp(word, "ignored") == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)argv[argc] = 1;
	}
	if (strcmp(word, "handled") == 0) {
		signal(SIGSEGV, on_segv);
		*(volatile int *)argv[argc] = 1;
	}
	if (strcmp(word, "pipe") == 0) {
		int fds[2];
		pipe(fds);
		close(fds[0]);
		write(fds[1], "x", 1);
	}
	if (strcmp(word, "alarm") == 0) {
		alarm(1);
		for (;;)
			__asm__ volatile("pause");
	}
	if (strcmp(word, "thread-exit") == 0) {
		pthread_create(&thread, NULL, exit_from_thread, (void *)number);
		for (;;)
			pause();
	}
	if (strcmp(word, "thread-null") == 0) {
		pthread_create(&thread, NULL, spin, NULL);
		*(volatile int *)argv[argc] = 1;
	}
	if (strcmp(word, "main-leaves") == 0) {
		self = pthread_self();
		pthread_create(&thread, NULL, last_words, &self);
		pthread_exit(NULL);
	}
	if (strcmp(word, "spinning-thread") == 0) {
		pthread_create(&thread, NULL, spin, NULL);
		return (int)number;
	}
	if (strcmp(word, "closed-streams") == 0) {
		close(0);
		close(1);
		close(2);
		return (int)number;
	}
	case_write("unknown word or still alive\n", 28);
	return 99;
}
