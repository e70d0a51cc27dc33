/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: see commit.h. */
#include "daemon/commit.h"

#include <stddef.h>

void commit_init(struct commit *commit, void (*write)(void *user, struct commit_op *batch),
	void *user)
{
	commit->write = write;
	commit->user = user;
	pthread_mutex_init(&commit->lock, NULL);
	commit->first = NULL;
	commit->last = &commit->first;
	commit->busy = false;
}

void commit_deinit(struct commit *commit)
{
	pthread_mutex_destroy(&commit->lock);
}

/* Takes up to COMMIT_BATCH_MAX ops off the list. */
static struct commit_op *take_batch(struct commit *commit)
{
	struct commit_op *batch = commit->first, *end = batch;

	for (unsigned int count = 1; end->next && count < COMMIT_BATCH_MAX; count++)
		end = end->next;
	commit->first = end->next;
	if (!commit->first)
		commit->last = &commit->first;
	end->next = NULL;
	return batch;
}

/* Once an op is marked done its thread may return, and the op is no more: its successor is read before. */
static void finish_batch(struct commit *commit, struct commit_op *batch)
{
	while (batch) {
		struct commit_op *next = batch->next;

		batch->done = true;
		pthread_cond_signal(&batch->wake);
		batch = next;
	}
	if (commit->first) {
		commit->first->lead = true;
		pthread_cond_signal(&commit->first->wake);
	} else {
		commit->busy = false;
	}
}

int commit_run(struct commit *commit, struct commit_op *op)
{
	op->next = NULL;
	op->done = false;
	pthread_cond_init(&op->wake, NULL);
	pthread_mutex_lock(&commit->lock);
	op->lead = !commit->busy;
	commit->busy = true;
	*commit->last = op;
	commit->last = &op->next;
	while (!op->done && !op->lead)
		pthread_cond_wait(&op->wake, &commit->lock);
	if (!op->done) {
		struct commit_op *batch = take_batch(commit);

		pthread_mutex_unlock(&commit->lock);
		commit->write(commit->user, batch);
		pthread_mutex_lock(&commit->lock);
		finish_batch(commit, batch);
	}
	pthread_mutex_unlock(&commit->lock);
	pthread_cond_destroy(&op->wake);
	return op->result;
}
