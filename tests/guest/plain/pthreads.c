/*
 * pthreads.c - a plain demonstration: workers take numbers from a queue, the main thread adds up.
 */
#include <pthread.h>
#include <stdio.h>

#define WORKERS 4
#define NUMBERS 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int queue[16], filled, finished;
static long sum;
static _Thread_local long own;

static void *work(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (filled == 0 && !finished)
			pthread_cond_wait(&changed, &lock);
		if (filled == 0)
			break;
		own += queue[--filled];
		pthread_cond_broadcast(&changed);
	}
	sum += own;
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(void)
{
	pthread_t workers[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, work, NULL);
	for (int i = 1; i <= NUMBERS; i++) {
		pthread_mutex_lock(&lock);
		while (filled == 16)
			pthread_cond_wait(&changed, &lock);
		queue[filled++] = i;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	finished = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	printf("%d workers, %d numbers, sum %ld, own %ld\n", WORKERS, NUMBERS, sum, own);
	return 0;
}
