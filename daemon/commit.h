/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit: threads that want to write at the same time share one transaction.
 *
 * Who comes when nobody writes becomes the leader and writes at once, in its own thread, so a single writer pays for no hand-over.
 * Who comes while the leader writes is put on the list of the next batch and sleeps. The leader, when done, wakes those whose work it
 * did, and makes the first of the waiting ones the next leader, with all that wait as its batch.
 *
 * A batch is written in the order of arrival. Any thread.
 */
#ifndef DAEMON_COMMIT_H
#define DAEMON_COMMIT_H

#include <pthread.h>
#include <stdbool.h>

#define COMMIT_BATCH_MAX 1024

/* One thread's piece of work: the first member of what `write` knows. Lives on that thread's stack. */
struct commit_op {
	int result; /* set by `write` */
	/* protected by the commit's lock: */
	struct commit_op *next;
	bool done, lead;
	pthread_cond_t wake;
};

struct commit {
	/* Writes a list of ops and sets the result of each. Never called by two threads at once. */
	void (*write)(void *user, struct commit_op *batch);
	void *user;
	pthread_mutex_t lock;
	/* protected by lock: */
	struct commit_op *first, **last;
	bool busy; /* there is a leader */
};

void commit_init(struct commit *commit, void (*write)(void *user, struct commit_op *batch),
	void *user);
void commit_deinit(struct commit *commit); /* when no op is under way */

/* Has the op written; returns its result. */
int commit_run(struct commit *commit, struct commit_op *op) __attribute__((warn_unused_result));

#endif
