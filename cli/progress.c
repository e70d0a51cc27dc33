/* SPDX-License-Identifier: Apache-2.0 */
/* Progress: see progress.h. A thread of its own, because whoever works may be asleep in a system call. */
#include "cli/progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	pthread_t thread;
	const char *what, *whom;
	unsigned int depth;
	bool runs;
	/* protected by lock: */
	bool over;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void *tell(void *unused)
{
	struct timespec until;
	bool told = false;

	(void)unused;
	clock_gettime(CLOCK_REALTIME, &until);
	pthread_mutex_lock(&progress.lock);
	for (unsigned int seconds = 1; !progress.over; seconds++) {
		until.tv_sec++;
		while (!progress.over &&
			pthread_cond_timedwait(&progress.ended, &progress.lock, &until) !=
				ETIMEDOUT)
			;
		if (!progress.over) {
			dprintf(STDERR_FILENO, "\r\033[K%s%s%.200s ... %u s", progress.what,
				progress.whom ? " " : "", progress.whom ? progress.whom : "",
				seconds);
			told = true;
		}
	}
	pthread_mutex_unlock(&progress.lock);
	if (told)
		dprintf(STDERR_FILENO, "\r\033[K");
	return NULL;
}

void progress_begin(const char *what, const char *whom)
{
	if (progress.depth++ || !isatty(STDERR_FILENO))
		return;
	progress.what = what;
	progress.whom = whom;
	progress.over = false;
	progress.runs = pthread_create(&progress.thread, NULL, tell, NULL) == 0;
}

void progress_end(void)
{
	if (--progress.depth || !progress.runs)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.over = true;
	pthread_cond_signal(&progress.ended);
	pthread_mutex_unlock(&progress.lock);
	pthread_join(progress.thread, NULL);
	progress.runs = false;
}
