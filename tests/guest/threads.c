/*
 * threads.c - POSIX threads over clone and futex: life cycle, locks, storage, cancellation, spinning.
 */
#include "case.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <threads.h>

static void *plus_one(void *argument)
{
	return (void *)((intptr_t)argument + 1);
}

static void create_join(void)
{
	pthread_t thread;
	void *result = NULL;
	say("create=%s", errno_name(pthread_create(&thread, NULL, plus_one, (void *)41)));
	say("join=%s", errno_name(pthread_join(thread, &result)));
	say("result=%ld", (long)(intptr_t)result);
}

static void many_in_a_row(void)
{
	long sum = 0;
	for (long i = 0; i < 500; i++) {
		pthread_t thread;
		void *result = NULL;
		if (pthread_create(&thread, NULL, plus_one, (void *)i) != 0)
			break;
		pthread_join(thread, &result);
		sum += (intptr_t)result;
	}
	say("sum=%ld", sum);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter;

static void *count_locked(void *argument)
{
	for (long i = 0; i < (long)(intptr_t)argument; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void sixty_four(void)
{
	pthread_t threads[64];
	int created = 0;
	counter = 0;
	for (int i = 0; i < 64; i++)
		created += pthread_create(&threads[i], NULL, count_locked, (void *)1000) == 0;
	for (int i = 0; i < created; i++)
		pthread_join(threads[i], NULL);
	say("created=%d counter=%ld", created, counter);
}

static void *plain_increments(void *argument)
{
	atomic_long *shared = argument;
	for (int i = 0; i < 200000; i++)
		atomic_fetch_add(shared, 1);
	return NULL;
}

static void atomics(void)
{
	pthread_t threads[4];
	atomic_long shared = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, plain_increments, &shared);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	say("%ld", atomic_load(&shared));
}

static atomic_int turn;

static void *spin_partner(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++) {
		while (atomic_load_explicit(&turn, memory_order_acquire) != 1)
			;
		atomic_store_explicit(&turn, 0, memory_order_release);
	}
	return NULL;
}

static void spin_on_each_other(void)
{
	/* No system call in either loop: each makes progress only if the other is scheduled by time. */
	pthread_t thread;
	int rounds = 0;
	atomic_store(&turn, 0);
	pthread_create(&thread, NULL, spin_partner, NULL);
	for (int i = 0; i < 20; i++) {
		atomic_store_explicit(&turn, 1, memory_order_release);
		while (atomic_load_explicit(&turn, memory_order_acquire) != 0)
			;
		rounds++;
	}
	pthread_join(thread, NULL);
	say("rounds=%d", rounds);
}

static atomic_int stage;

static void *spin_until_told(void *unused)
{
	(void)unused;
	atomic_store(&stage, 1);
	while (atomic_load(&stage) != 2)
		;
	return (void *)7;
}

static void spinner_does_not_starve(void)
{
	/* A thread that sleeps gets the processor back from one that never stops. */
	pthread_t thread;
	void *result;
	struct timespec pause = {0, 5000000};
	atomic_store(&stage, 0);
	pthread_create(&thread, NULL, spin_until_told, NULL);
	while (atomic_load(&stage) != 1)
		sched_yield();
	for (int i = 0; i < 5; i++)
		nanosleep(&pause, NULL);
	atomic_store(&stage, 2);
	pthread_join(thread, &result);
	say("result=%ld", (long)(intptr_t)result);
}

static void *await_change(void *argument)
{
	pthread_mutex_lock(&lock);
	while (counter < (long)(intptr_t)argument)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void condition(void)
{
	pthread_t threads[8];
	counter = 0;
	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, await_change, (void *)(i + 1));
	for (int i = 0; i < 8; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	int joined = 0;
	for (int i = 0; i < 8; i++)
		joined += pthread_join(threads[i], NULL) == 0;
	say("joined=%d", joined);
}

static void *produce(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		while (counter != 0)
			pthread_cond_wait(&changed, &lock);
		counter = i + 1;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void ping_pong(void)
{
	pthread_t thread;
	long sum = 0;
	counter = 0;
	pthread_create(&thread, NULL, produce, NULL);
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		while (counter == 0)
			pthread_cond_wait(&changed, &lock);
		sum += counter;
		counter = 0;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	pthread_join(thread, NULL);
	say("sum=%ld", sum);
}

static void timed_waits(void)
{
	pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
	struct timespec limit;
	int64_t start = now_ns(CLOCK_MONOTONIC);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_nsec += 15000000;
	limit.tv_sec += limit.tv_nsec / 1000000000;
	limit.tv_nsec %= 1000000000;
	pthread_mutex_lock(&held);
	say("cond=%s", errno_name(pthread_cond_timedwait(&changed, &held, &limit)));
	say("waited=%s", waited(start, 10000000));
	say("mutex=%s", errno_name(pthread_mutex_timedlock(&held, &limit)));
	say("trylock=%s", errno_name(pthread_mutex_trylock(&held)));
	sem_t semaphore;
	sem_init(&semaphore, 0, 0);
	say("semaphore=%s", rc(sem_timedwait(&semaphore, &limit)));
	say("trywait=%s", rc(sem_trywait(&semaphore)));
}

static void mutex_kinds(void)
{
	pthread_mutexattr_t attribute;
	pthread_mutex_t recursive, checking;
	pthread_mutexattr_init(&attribute);
	pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &attribute);
	pthread_mutexattr_settype(&attribute, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&checking, &attribute);
	say("%s", errno_name(pthread_mutex_lock(&recursive)));
	say("%s", errno_name(pthread_mutex_lock(&recursive)));
	say("%s", errno_name(pthread_mutex_unlock(&recursive)));
	say("%s", errno_name(pthread_mutex_unlock(&recursive)));
	say("%s", errno_name(pthread_mutex_unlock(&recursive)));
	say("%s", errno_name(pthread_mutex_lock(&checking)));
	say("%s", errno_name(pthread_mutex_lock(&checking)));
	say("%s", errno_name(pthread_mutex_destroy(&checking)));
}

static void priority_mutex(void)
{
	pthread_mutexattr_t attribute;
	pthread_mutex_t mutex;
	pthread_mutexattr_init(&attribute);
	say("%s", errno_name(pthread_mutexattr_setprotocol(&attribute, PTHREAD_PRIO_INHERIT)));
	say("%s", errno_name(pthread_mutex_init(&mutex, &attribute)));
	say("%s", errno_name(pthread_mutex_lock(&mutex)));
	say("%s", errno_name(pthread_mutex_unlock(&mutex)));
}

static pthread_rwlock_t shared_lock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];

static void *read_pairs(void *unused)
{
	(void)unused;
	long torn = 0;
	for (int i = 0; i < 3000; i++) {
		pthread_rwlock_rdlock(&shared_lock);
		torn += pair[0] != pair[1];
		pthread_rwlock_unlock(&shared_lock);
	}
	return (void *)torn;
}

static void *write_pairs(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3000; i++) {
		pthread_rwlock_wrlock(&shared_lock);
		pair[0]++;
		pair[1]++;
		pthread_rwlock_unlock(&shared_lock);
	}
	return NULL;
}

static void reader_writer(void)
{
	pthread_t threads[5];
	long torn = 0;
	pair[0] = pair[1] = 0;
	for (int i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, i < 3 ? read_pairs : write_pairs, NULL);
	for (int i = 0; i < 5; i++) {
		void *result = NULL;
		pthread_join(threads[i], &result);
		torn += (intptr_t)result;
	}
	say("torn=%ld written=%ld", torn, pair[0]);
}

static pthread_barrier_t barrier;

static void *meet(void *argument)
{
	long serial = 0;
	for (int i = 0; i < 50; i++) {
		atomic_fetch_add((atomic_int *)argument, 1);
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
		/* Everyone has counted this round. */
		if (atomic_load((atomic_int *)argument) < (i + 1) * 6)
			serial += 1000000;
		pthread_barrier_wait(&barrier);
	}
	return (void *)serial;
}

static void barriers(void)
{
	pthread_t threads[6];
	atomic_int arrived = 0;
	long serial = 0;
	pthread_barrier_init(&barrier, NULL, 6);
	for (int i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, meet, &arrived);
	for (int i = 0; i < 6; i++) {
		void *result;
		pthread_join(threads[i], &result);
		serial += (intptr_t)result;
	}
	say("serial=%ld arrived=%d", serial, atomic_load(&arrived));
}

static sem_t items, space;

static void *take_items(void *unused)
{
	(void)unused;
	long taken = 0;
	for (int i = 0; i < 1000; i++) {
		sem_wait(&items);
		taken++;
		sem_post(&space);
	}
	return (void *)taken;
}

static void semaphores(void)
{
	pthread_t thread;
	void *result;
	int value;
	sem_init(&items, 0, 0);
	sem_init(&space, 0, 3);
	pthread_create(&thread, NULL, take_items, NULL);
	for (int i = 0; i < 1000; i++) {
		sem_wait(&space);
		sem_post(&items);
	}
	pthread_join(thread, &result);
	sem_getvalue(&space, &value);
	say("taken=%ld space=%d", (long)(intptr_t)result, value);
}

static _Thread_local int local = 5;
static _Thread_local char local_block[10000];

static void *use_local(void *argument)
{
	int first = local;
	local = (int)(intptr_t)argument;
	local_block[9999] = (char)local;
	for (int i = 0; i < 100; i++)
		sched_yield();
	return (void *)(intptr_t)(first * 1000 + local +
		(local_block[9999] == (char)local ? 0 : 100000));
}

static void thread_local_storage(void)
{
	pthread_t threads[8];
	local = 1;
	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, use_local, (void *)(100 + i));
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		say("%ld", (long)(intptr_t)result);
	}
	say("own=%d", local);
}

static atomic_int destroyed;

static void on_destroy(void *value)
{
	atomic_fetch_add(&destroyed, (int)(intptr_t)value);
}

static pthread_key_t key;

static void *use_key(void *argument)
{
	pthread_setspecific(key, argument);
	return (void *)(intptr_t)(pthread_getspecific(key) == argument);
}

static void specific_data(void)
{
	pthread_t threads[4];
	long own = 0;
	atomic_store(&destroyed, 0);
	say("%s", errno_name(pthread_key_create(&key, on_destroy)));
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, use_key, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(threads[i], &result);
		own += (intptr_t)result;
	}
	say("own=%ld destroyed=%d here=%s", own, atomic_load(&destroyed),
		yes(pthread_getspecific(key) == NULL));
	pthread_key_delete(key);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int initialised;

static void initialise(void)
{
	sched_yield();
	atomic_fetch_add(&initialised, 1);
}

static void *call_once_thread(void *unused)
{
	(void)unused;
	pthread_once(&once, initialise);
	return (void *)(intptr_t)atomic_load(&initialised);
}

static void only_once(void)
{
	pthread_t threads[8];
	long seen = 0;
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, call_once_thread, NULL);
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		seen += (intptr_t)result;
	}
	say("initialised=%d seen=%ld", atomic_load(&initialised), seen);
}

static atomic_int cleaned;

static void cleanup(void *argument)
{
	atomic_fetch_add(&cleaned, (int)(intptr_t)argument);
}

static void *wait_for_cancel(void *argument)
{
	char byte;
	pthread_cleanup_push(cleanup, (void *)10);
	read(*(int *)argument, &byte, 1); /* nothing ever comes: a cancellation point */
	pthread_cleanup_pop(0);
	return (void *)1;
}

static void cancel_blocked(void)
{
	pthread_t thread;
	void *result = NULL;
	int fds[2];
	pipe(fds);
	atomic_store(&cleaned, 0);
	pthread_create(&thread, NULL, wait_for_cancel, &fds[0]);
	say("cancel=%s", errno_name(pthread_cancel(thread)));
	say("join=%s", errno_name(pthread_join(thread, &result)));
	say("cancelled=%s cleaned=%d", yes(result == PTHREAD_CANCELED), atomic_load(&cleaned));
}

static void *spin_for_cancel(void *argument)
{
	int old;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	atomic_store((atomic_int *)argument, 1);
	for (;;)
		__asm__ volatile("pause");
	return NULL;
}

static void cancel_asynchronous(void)
{
	pthread_t thread;
	void *result = NULL;
	atomic_int started = 0;
	pthread_create(&thread, NULL, spin_for_cancel, &started);
	while (!atomic_load(&started))
		sched_yield();
	pthread_cancel(thread);
	pthread_join(thread, &result);
	say("cancelled=%s", yes(result == PTHREAD_CANCELED));
}

static void *deferred_cancel(void *argument)
{
	int old;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	pthread_testcancel();
	atomic_store((atomic_int *)argument, 1);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	pthread_testcancel();
	atomic_store((atomic_int *)argument, 2);
	return NULL;
}

static void cancel_deferred(void)
{
	pthread_t thread;
	void *result;
	atomic_int reached = 0;
	pthread_create(&thread, NULL, deferred_cancel, &reached);
	pthread_join(thread, &result);
	say("reached=%d cancelled=%s", atomic_load(&reached), yes(result == PTHREAD_CANCELED));
}

static void *post(void *argument)
{
	sem_post(argument);
	return NULL;
}

static void detached(void)
{
	pthread_t thread;
	sem_t done;
	pthread_attr_t attribute;
	sem_init(&done, 0, 0);
	pthread_attr_init(&attribute);
	pthread_attr_setdetachstate(&attribute, PTHREAD_CREATE_DETACHED);
	int created = 0;
	for (int i = 0; i < 50; i++)
		created += pthread_create(&thread, &attribute, post, &done) == 0;
	for (int i = 0; i < created; i++)
		sem_wait(&done);
	say("created=%d", created);
	pthread_create(&thread, NULL, post, &done);
	say("detach=%s", errno_name(pthread_detach(thread)));
	sem_wait(&done);
}

static void *deep(void *argument)
{
	/* 40 MiB of a 48 MiB stack, touched page by page downwards. */
	volatile char block[40 << 20];
	for (size_t i = sizeof block; i > 0; i -= 4096)
		block[i - 1] = 1;
	*(int *)argument = block[sizeof block - 1] + block[4095];
	return NULL;
}

static void large_stack(void)
{
	pthread_t thread;
	pthread_attr_t attribute;
	int result = 0;
	pthread_attr_init(&attribute);
	say("%s", errno_name(pthread_attr_setstacksize(&attribute, 48 << 20)));
	say("%s", errno_name(pthread_create(&thread, &attribute, deep, &result)));
	pthread_join(thread, NULL);
	say("%d", result);
}

static void *stack_address(void *argument)
{
	char here;
	return (void *)(intptr_t)(&here > ((char **)argument)[0] && &here < ((char **)argument)[1]);
}

static void own_stack(void)
{
	pthread_t thread;
	pthread_attr_t attribute;
	char *stack = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	char *range[2] = {stack, stack + (1 << 18)};
	void *result;
	pthread_attr_init(&attribute);
	say("%s", errno_name(pthread_attr_setstack(&attribute, stack, 1 << 18)));
	say("%s", errno_name(pthread_create(&thread, &attribute, stack_address, range)));
	pthread_join(thread, &result);
	say("inside=%ld", (long)(intptr_t)result);
	say("unmap=%s", rc(munmap(stack, 1 << 18)));
}

static void *report_ids(void *argument)
{
	long *out = argument;
	out[0] = getpid();
	out[1] = gettid();
	return NULL;
}

static void identities(void)
{
	pthread_t thread;
	long ids[2], second[2];
	say("main=%s", yes(getpid() == gettid()));
	pthread_create(&thread, NULL, report_ids, ids);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, report_ids, second);
	pthread_join(thread, NULL);
	say("same-pid=%s", yes(ids[0] == getpid()));
	say("own-tid=%s", yes(ids[1] != getpid()));
	say("new-tid=%s", yes(ids[1] != second[1]));
}

static void names(void)
{
	char name[16];
	say("set=%s", errno_name(pthread_setname_np(pthread_self(), "my-thread")));
	say("get=%s", errno_name(pthread_getname_np(pthread_self(), name, sizeof name)));
	say("%s", name);
	say("long=%s", errno_name(pthread_setname_np(pthread_self(), "a-name-that-is-too-long")));
}

static int c11_main(void *argument)
{
	return *(int *)argument + 1;
}

static void c11_threads(void)
{
	thrd_t thread;
	int value = 8, result = 0;
	mtx_t mutex;
	say("mtx=%d", mtx_init(&mutex, mtx_plain) == thrd_success);
	say("create=%d", thrd_create(&thread, c11_main, &value) == thrd_success);
	say("join=%d", thrd_join(thread, &result) == thrd_success);
	say("result=%d", result);
}

static void *fail_once(void *unused)
{
	(void)unused;
	close(-1);
	return (void *)(intptr_t)errno;
}

static void errno_is_per_thread(void)
{
	pthread_t thread;
	void *result;
	errno = EXDEV;
	pthread_create(&thread, NULL, fail_once, NULL);
	pthread_join(thread, &result);
	say("other=%s", errno_name((int)(intptr_t)result));
	say("own=%s", errno_name(errno));
}

static void *leave_last(void *unused)
{
	(void)unused;
	pthread_exit((void *)33);
}

static void exit_from_inside(void)
{
	pthread_t thread;
	void *result;
	pthread_create(&thread, NULL, leave_last, NULL);
	pthread_join(thread, &result);
	say("%ld", (long)(intptr_t)result);
}

static void *allocate_much(void *argument)
{
	unsigned seed = (unsigned)(intptr_t)argument;
	long bad = 0;
	unsigned char *blocks[64] = {NULL};
	for (int i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned slot = (seed >> 10) % 64;
		if (blocks[slot]) {
			bad += blocks[slot][0] != slot;
			free(blocks[slot]);
			blocks[slot] = NULL;
		} else if ((blocks[slot] = malloc(1 + (seed >> 4) % 5000))) {
			blocks[slot][0] = (unsigned char)slot;
		}
	}
	for (int i = 0; i < 64; i++)
		free(blocks[i]);
	return (void *)bad;
}

static void allocator(void)
{
	pthread_t threads[8];
	long bad = 0;
	for (long i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, allocate_much, (void *)(i + 1));
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		bad += (intptr_t)result;
	}
	say("bad=%ld", bad);
}

static atomic_int yielded[2];

static void *yield_partner(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		atomic_fetch_add(&yielded[1], 1);
		while (atomic_load(&yielded[0]) < atomic_load(&yielded[1]))
			sched_yield();
	}
	return NULL;
}

static void yielding(void)
{
	pthread_t thread;
	atomic_store(&yielded[0], 0);
	atomic_store(&yielded[1], 0);
	pthread_create(&thread, NULL, yield_partner, NULL);
	for (int i = 0; i < 1000; i++) {
		while (atomic_load(&yielded[1]) <= i)
			sched_yield();
		atomic_fetch_add(&yielded[0], 1);
	}
	pthread_join(thread, NULL);
	say("%d %d", atomic_load(&yielded[0]), atomic_load(&yielded[1]));
}

static void clone_errors(void)
{
	/* Sharing signal handlers without memory, or a thread without handlers, is refused. */
	say("sighand=%s", rc(syscall(SYS_clone, 0x800L /* CLONE_SIGHAND */, 0, 0, 0, 0)));
	say("thread=%s", rc(syscall(SYS_clone, 0x10000L /* CLONE_THREAD */, 0, 0, 0, 0)));
}

static const struct guest_case cases[] = {
	C(create_join),
	C(many_in_a_row),
	C(sixty_four),
	C(atomics),
	C(spin_on_each_other),
	C(spinner_does_not_starve),
	C(condition),
	C(ping_pong),
	C(timed_waits),
	C(mutex_kinds),
	C(priority_mutex),
	C(reader_writer),
	C(barriers),
	C(semaphores),
	C(thread_local_storage),
	C(specific_data),
	C(only_once),
	C(cancel_blocked),
	C(cancel_asynchronous),
	C(cancel_deferred),
	C(detached),
	C(large_stack),
	C(own_stack),
	C(identities),
	C(names),
	C(c11_threads),
	C(errno_is_per_thread),
	C(exit_from_inside),
	C(allocator),
	C(yielding),
	C(clone_errors),
};

GUEST_MAIN("threads", cases)
