/*
 * futexes.c - the futex call itself, as C libraries and language runtimes use it.
 */
#include "case.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>

static long futex(void *word, int operation, uint32_t value, const struct timespec *limit,
	void *second, uint32_t mask)
{
	return syscall(SYS_futex, word, operation, value, limit, second, mask);
}

static void wait_value_differs(void)
{
	uint32_t word = 5;
	say("%s", rc(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0)));
	say("private=%s", rc(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0)));
	say("bitset=%s",
		rc(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 4, NULL, NULL, FUTEX_BITSET_MATCH_ANY)));
}

static void wait_timeout(void)
{
	uint32_t word = 5;
	struct timespec limit = {0, 20000000};
	int64_t start = now_ns(CLOCK_MONOTONIC);
	say("%s", rc(futex(&word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0)));
	say("waited=%s", waited(start, 20000000));
	limit.tv_nsec = 0;
	say("zero=%s", rc(futex(&word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0)));
}

static void wait_absolute(void)
{
	uint32_t word = 5;
	int64_t start = now_ns(CLOCK_MONOTONIC), target = start + 20000000;
	struct timespec limit = {target / 1000000000, target % 1000000000};
	say("%s",
		rc(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &limit, NULL,
			FUTEX_BITSET_MATCH_ANY)));
	say("waited=%s", waited(start, 20000000));
	start = now_ns(CLOCK_MONOTONIC);
	target = now_ns(CLOCK_REALTIME) + 15000000;
	limit = (struct timespec){target / 1000000000, target % 1000000000};
	say("wall=%s",
		rc(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 5, &limit, NULL,
			FUTEX_BITSET_MATCH_ANY)));
	limit = (struct timespec){1, 0};
	say("past=%s",
		rc(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &limit, NULL,
			FUTEX_BITSET_MATCH_ANY)));
}

static void errors(void)
{
	_Alignas(8) uint32_t words[2] = {0, 0};
	struct timespec bad = {0, 2000000000}, minus = {-1, 0};
	say("unaligned=%s", rc(futex((char *)words + 1, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)));
	say("null=%s", rc(futex(NULL, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)));
	say("bad-address=%s", rc(futex((void *)4096, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)));
	say("nsec=%s", rc(futex(words, FUTEX_WAIT_PRIVATE, 0, &bad, NULL, 0)));
	say("minus=%s", rc(futex(words, FUTEX_WAIT_PRIVATE, 0, &minus, NULL, 0)));
	say("operation=%s", rc(futex(words, 99, 0, NULL, NULL, 0)));
	say("mask=%s", rc(futex(words, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0)));
	say("wake-mask=%s", rc(futex(words, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0)));
}

static void wake_nobody(void)
{
	uint32_t word = 0;
	say("%s", num(futex(&word, FUTEX_WAKE, 100, NULL, NULL, 0)));
	say("%s", num(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)));
}

struct waiter {
	pthread_t thread;
	_Atomic int tid;
	_Atomic int done;
	uint32_t *word, mask;
	long result;
};

static void *wait_on_word(void *argument)
{
	struct waiter *w = argument;
	atomic_store(&w->tid, gettid());
	w->result = futex(w->word, w->mask ? FUTEX_WAIT_BITSET_PRIVATE : FUTEX_WAIT_PRIVATE, 1,
		NULL, NULL, w->mask);
	atomic_store(&w->done, 1);
	return NULL;
}

static void start(struct waiter *w, uint32_t *word, uint32_t mask)
{
	*w = (struct waiter){.word = word, .mask = mask};
	pthread_create(&w->thread, NULL, wait_on_word, w);
}

/*
 * Moves `want` waiters with the given operation, however long they take to arrive at the futex: a waiter
 * counts once it was really asleep. Returns how many.
 */
static long wake_until(uint32_t *word, int operation, uint32_t mask, long want)
{
	long woken = 0;
	while (woken < want) {
		long n = futex(word, operation, (uint32_t)(want - woken), NULL, NULL, mask);
		if (n < 0)
			return n;
		woken += n;
		sched_yield();
	}
	return woken;
}

static void wake_counts(void)
{
	uint32_t word = 1;
	struct waiter w[5];
	for (int i = 0; i < 5; i++)
		start(&w[i], &word, 0);
	say("two=%s", num(wake_until(&word, FUTEX_WAKE_PRIVATE, 0, 2)));
	say("rest=%s", num(wake_until(&word, FUTEX_WAKE_PRIVATE, 0, 3)));
	say("none=%s", num(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0)));
	int zero = 0;
	for (int i = 0; i < 5; i++) {
		pthread_join(w[i].thread, NULL);
		zero += w[i].result == 0;
	}
	say("results=%d", zero);
}

static void wake_bitset(void)
{
	uint32_t word = 1;
	struct waiter a, b;
	start(&a, &word, 1);
	start(&b, &word, 2);
	say("second=%s", num(wake_until(&word, FUTEX_WAKE_BITSET_PRIVATE, 2, 1)));
	pthread_join(b.thread, NULL);
	say("first-sleeps=%s", yes(!atomic_load(&a.done)));
	say("other-bits=%s", num(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 4)));
	say("first=%s", num(wake_until(&word, FUTEX_WAKE_BITSET_PRIVATE, 5, 1)));
	pthread_join(a.thread, NULL);
}

static void requeue(void)
{
	uint32_t from = 1, to = 0;
	struct waiter w[3];
	for (int i = 0; i < 3; i++)
		start(&w[i], &from, 0);
	/* Nobody is woken, all move: the third argument wakes 0, the fourth says how many move. */
	long moved = 0;
	while (moved < 3) {
		long n = syscall(SYS_futex, &from, FUTEX_CMP_REQUEUE_PRIVATE, 0, 10L, &to, 1);
		if (n < 0)
			break;
		moved += n;
		sched_yield();
	}
	say("moved=%s", num(moved));
	say("old=%s", num(futex(&from, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0)));
	say("new=%s", num(futex(&to, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0)));
	for (int i = 0; i < 3; i++)
		pthread_join(w[i].thread, NULL);
	say("differs=%s", rc(syscall(SYS_futex, &from, FUTEX_CMP_REQUEUE_PRIVATE, 0, 10L, &to, 7)));
}

static void wake_op(void)
{
	uint32_t first = 0, second = 4;
	/* second += 3; wake a second waiter only if the old value was 4 - nobody sleeps, but the addition is done. */
	int operation = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 4);
	say("%s",
		num(syscall(SYS_futex, &first, FUTEX_WAKE_OP_PRIVATE, 1, 1L, &second, operation)));
	say("second=%u", second);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	(void)number;
	caught++;
}

static void wait_interrupted(void)
{
	uint32_t word = 1;
	struct sigaction action = {.sa_handler = on_signal};
	timer_t timer;
	struct itimerspec when = {
		{0, 20000000}, {0, 20000000}}; /* again, should the first come too early */
	caught = 0;
	sigaction(SIGALRM, &action, NULL);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &when, NULL);
	say("%s", rc(futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0)));
	say("caught=%s", yes(caught > 0));
	/* A wait with a relative limit is not restarted, SA_RESTART or not. */
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	struct timespec limit = {10, 0};
	timer_settime(timer, 0, &when, NULL);
	say("limited=%s", rc(futex(&word, FUTEX_WAIT_PRIVATE, 1, &limit, NULL, 0)));
	say("caught=%s", yes(caught > 0));
	timer_delete(timer);
}

static void priority_inheritance(void)
{
	uint32_t word = 0;
	say("lock=%s", rc(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
	say("owner=%s", yes((word & FUTEX_TID_MASK) == (uint32_t)gettid()));
	say("again=%s", rc(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
	say("unlock=%s", rc(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
	say("word=%u", word);
	say("not-owner=%s", rc(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
}

static void robust_list(void)
{
	void *head = NULL;
	size_t length = 0;
	say("get=%s", rc(syscall(SYS_get_robust_list, 0, &head, &length)));
	say("length=%zu", length);
	say("bad-length=%s", rc(syscall(SYS_set_robust_list, head, 1L)));
}

static void *die_holding(void *argument)
{
	pthread_mutex_lock(argument);
	return NULL;
}

static void robust_mutex(void)
{
	pthread_mutexattr_t attribute;
	pthread_mutex_t mutex;
	pthread_t thread;
	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attribute);
	pthread_create(&thread, NULL, die_holding, &mutex);
	pthread_join(thread, NULL);
	say("lock=%s", errno_name(pthread_mutex_lock(&mutex)));
	say("consistent=%s", errno_name(pthread_mutex_consistent(&mutex)));
	say("unlock=%s", errno_name(pthread_mutex_unlock(&mutex)));
	say("lock=%s", errno_name(pthread_mutex_lock(&mutex)));
}

static const struct guest_case cases[] = {
	C(wait_value_differs),
	C(wait_timeout),
	C(wait_absolute),
	C(errors),
	C(wake_nobody),
	C(wake_counts),
	C(wake_bitset),
	C(requeue),
	C(wake_op),
	C(wait_interrupted),
	C(priority_inheritance),
	C(robust_list),
	C(robust_mutex),
};

GUEST_MAIN("futexes", cases)
