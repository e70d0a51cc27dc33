/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that are answered later: see queue.h. This file holds the disk (queue_store.h), the writers (commit.h) and what is due
 * (queue_lanes.h) together.
 *
 * A change is first on disk, then in memory: the leader of a batch applies it to lanes and counts, in the batch's order, before it wakes
 * whoever asked for it. So what queue_take finds in a lane is in the database, unless it was purged meanwhile.
 *
 * Locks: the commit's, then none; the queue's own lock is held for short steps in memory alone.
 */
#include "daemon/event/queue.h"

#include "daemon/event/queue_lanes.h"
#include "daemon/event/queue_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define DEFAULT(value, otherwise) ((value) ? (value) : (otherwise))
#define ERROR_TEXT_MAX 1024
#define LOOK_AGAIN_MS \
	10000 /* waiting workers look at the clock at least so often: it may have been set */
#define AFTER_FAILURE_MS 5000 /* an event whose change could not be written is due again after */
#define AFTER_UNREADABLE_MS 60000

struct queue {
	struct queue_options
		options; /* with defaults filled in; what queue_change changes is protected by lock */
	struct store *store;
	struct commit commit;
	pthread_mutex_t lock;
	pthread_cond_t work; /* something is due, or stopped */
	/* protected by lock: */
	struct lanes lanes;
	struct store_totals totals; /* on disk, and on the way there */
	uint64_t commits;
	bool stopped;
};

static uint64_t now_ms(const struct queue *queue)
{
	struct timespec now;

	if (queue->options.now_ms)
		return queue->options.now_ms(queue->options.now_user);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- after a batch is on disk --- */

/* Puts the event that came with an op into its lane, where room was made. */
static void apply_next(struct queue *queue, const struct store_new *next)
{
	const struct queue_event_new *event = next->event;

	/* The lane exists: begin_put has made it. */
	lanes_put(&queue->lanes, lanes_get(&queue->lanes, event->kind, event->function), next->id,
		next->now_ms);
	pthread_cond_signal(&queue->work);
}

static void apply_replay(struct queue *queue, const struct store_op *op)
{
	struct lane *lane = lanes_get(&queue->lanes, op->replayed_kind, op->replayed);

	/* Without memory it is ready on disk, and found at the next start. */
	if (!lane || lanes_reserve(lane) < 0)
		return;
	lanes_put(&queue->lanes, lane, op->id, op->now_ms);
	pthread_cond_signal(&queue->work);
}

static void apply_purge(struct queue *queue, const char *function)
{
	for (int kind = QUEUE_EVENT; kind <= QUEUE_DELIVERY; kind++) {
		struct lane *lane = lanes_get(&queue->lanes, (enum queue_kind)kind, function);

		if (lane)
			lanes_clear(&queue->lanes, lane);
	}
}

static void apply(struct queue *queue, const struct store_op *op)
{
	if (op->next && !op->repeated)
		apply_next(queue, op->next);
	switch (op->kind) {
	case STORE_DEAD:
		queue->totals.dead += op->changed;
		break;
	case STORE_REPLAY:
		queue->totals.dead -= op->changed;
		if (op->changed)
			apply_replay(queue, op);
		break;
	case STORE_PURGE:
		apply_purge(queue, op->function);
		__attribute__((fallthrough));
	case STORE_DONE:
	case STORE_DELETE:
	case STORE_SWEEP:
		queue->totals.events -= op->changed;
		queue->totals.dead -= op->changed_dead;
		queue->totals.bytes -= op->bytes;
		break;
	default:
		break;
	}
}

static void write_batch(void *user, struct commit_op *batch)
{
	struct queue *queue = user;

	store_write(queue->store, batch);
	pthread_mutex_lock(&queue->lock);
	queue->commits++;
	for (; batch; batch = batch->next) {
		if (batch->result == 0)
			apply(queue, (struct store_op *)batch);
	}
	pthread_mutex_unlock(&queue->lock);
}

/* Writes one change; then bodies of rows that are no more go too. */
static int run(struct queue *queue, struct store_op *op)
{
	int error = commit_run(&queue->commit, &op->commit);

	for (size_t i = 0; i < op->file_count && error == 0; i++)
		store_body_remove(queue->store, op->files[i]);
	free(op->files);
	op->files = NULL;
	return error;
}

/* --- opening --- */

static void fill_defaults(struct queue_options *options)
{
	options->events_max = DEFAULT(options->events_max, 1000000);
	options->bytes_max = DEFAULT(options->bytes_max, 4ull << 30);
	options->dead_ms = DEFAULT(options->dead_ms, 14ull * 24 * 3600 * 1000);
	options->error_delay_ms = DEFAULT(options->error_delay_ms, 60000);
	options->throttle_delay_ms = DEFAULT(options->throttle_delay_ms, 1000);
	options->delay_max_ms = DEFAULT(options->delay_max_ms, 300000);
	options->concurrency = DEFAULT(options->concurrency, 16);
}

static int load_one(void *user, enum queue_kind kind, const char *function, uint64_t id,
	uint64_t due_ms)
{
	struct queue *queue = user;
	struct lane *lane = lanes_get(&queue->lanes, kind, function);

	if (!lane || lanes_reserve(lane) < 0)
		return -ENOMEM;
	lanes_put(&queue->lanes, lane, id, due_ms);
	return 0;
}

static void init_locks(struct queue *queue)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->work, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&queue->lock, NULL);
}

int queue_open(const struct queue_options *options, struct queue **queue, struct df_err *err)
{
	struct df_err unread;
	struct queue *made = calloc(1, sizeof(*made));
	int error;

	if (!err)
		err = &unread;
	if (!made)
		return df_err_set(err, -ENOMEM, "out of memory");
	made->options = *options;
	made->options.directory = NULL; /* borrowed for this call alone */
	fill_defaults(&made->options);
	init_locks(made);
	commit_init(&made->commit, write_batch, made);
	lanes_init(&made->lanes, made->options.concurrency, made->options.takers);
	error = store_open(options->directory, &made->store, err);
	if (error == 0)
		error = store_load(made->store, load_one, made, &made->totals, err);
	if (error < 0) {
		queue_close(made);
		return error;
	}
	*queue = made;
	return 0;
}

void queue_close(struct queue *queue)
{
	if (!queue)
		return;
	store_close(queue->store);
	lanes_deinit(&queue->lanes);
	commit_deinit(&queue->commit);
	pthread_cond_destroy(&queue->work);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

/* --- new events --- */

static bool text_ok(const char *text, size_t max)
{
	size_t length = text ? strnlen(text, max + 1) : 0;

	return length > 0 && length <= max;
}

static bool mark_ok(const struct queue_mark *mark)
{
	return text_ok(mark->owner, QUEUE_OWNER_MAX) && mark->key &&
		strlen(mark->key) <= QUEUE_MARK_MAX &&
		(!mark->value || strlen(mark->value) <= QUEUE_MARK_MAX);
}

static int check_new(const struct queue_event_new *event, struct df_err *err)
{
	if (event->attribute_bytes > QUEUE_ATTRIBUTES_MAX || event->body_bytes > QUEUE_BODY_MAX)
		return df_err_set(err, -EFBIG,
			"the event is too large: %zu bytes of body and %zu of attributes, and %llu and %d are allowed",
			event->body_bytes, event->attribute_bytes, QUEUE_BODY_MAX,
			QUEUE_ATTRIBUTES_MAX);
	if (!text_ok(event->function, QUEUE_FUNCTION_MAX) ||
		!text_ok(event->request_id, QUEUE_ID_MAX) || event->attempts_max > 1000 ||
		(event->kind == QUEUE_DELIVERY && !event->target))
		return df_err_set(err, -EINVAL, "the event's description is not valid");
	if (event->mark && (!mark_ok(event->mark) || !event->mark->value))
		return df_err_set(err, -EINVAL, "the event's mark is not valid");
	return 0;
}

/* Charges the event and makes room for it in its lane. */
static int begin_put(struct queue *queue, const struct store_new *next, bool quota,
	struct df_err *err)
{
	const struct queue_event_new *event = next->event;
	uint64_t bytes = event->attribute_bytes + event->body_bytes;
	struct lane *lane;
	int error = 0;

	pthread_mutex_lock(&queue->lock);
	lane = lanes_get(&queue->lanes, event->kind, event->function);
	if (quota && queue->totals.events >= queue->options.events_max)
		error = df_err_set(err, -EDQUOT,
			"the queue is full: it has %llu events, %llu of them dead letters; read and delete those, or raise its limit",
			(unsigned long long)queue->totals.events,
			(unsigned long long)queue->totals.dead);
	else if (quota && queue->totals.bytes + bytes > queue->options.bytes_max)
		error = df_err_set(err, -EDQUOT,
			"the queue is full: its events have %llu bytes; delete dead letters, or raise its limit",
			(unsigned long long)queue->totals.bytes);
	else if (quota && lane && event->backlog_max &&
		lane->count + lane->taken + lane->reserved >= event->backlog_max)
		error = df_err_set(err, -EDQUOT,
			"%llu events of %s wait already, as many as its async.backlog allows; try again later",
			(unsigned long long)event->backlog_max, event->function);
	else if (!lane || lanes_reserve(lane) < 0)
		error = df_err_set(err, -ENOMEM, "out of memory");
	if (error == 0) {
		queue->totals.events++;
		queue->totals.bytes += bytes;
	}
	pthread_mutex_unlock(&queue->lock);
	return error;
}

/* Undoes begin_put. */
static void cancel_put(struct queue *queue, const struct store_new *next)
{
	const struct queue_event_new *event = next->event;

	pthread_mutex_lock(&queue->lock);
	lanes_unreserve(lanes_get(&queue->lanes, event->kind, event->function));
	queue->totals.events--;
	queue->totals.bytes -= event->attribute_bytes + event->body_bytes;
	pthread_mutex_unlock(&queue->lock);
}

/* All that precedes the row: number, charge, and the body's file if it gets one. */
static int prepare_new(struct queue *queue, const struct queue_event_new *event, bool quota,
	struct store_new *next, struct df_err *err)
{
	int error = check_new(event, err);

	if (error < 0)
		return error;
	*next = (struct store_new){
		.event = event,
		.now_ms = now_ms(queue),
		.attempts_max = DEFAULT(event->attempts_max, 3),
		.age_max_ms = DEFAULT(event->age_max_ms, 6ull * 3600 * 1000),
	};
	error = begin_put(queue, next, quota, err);
	if (error < 0)
		return error;
	next->id = store_next_id(queue->store);
	if (event->body_bytes > QUEUE_INLINE_MAX)
		error = store_body_write(queue->store, next->id, event->body, event->body_bytes);
	if (error < 0) {
		cancel_put(queue, next);
		return df_err_set(err, error, "cannot store the event's body: %s",
			df_errno_text(error));
	}
	return 0;
}

/* After the row could not be written. */
static void abandon_new(struct queue *queue, const struct store_new *next, int error)
{
	/* After an input/output error the row may be there all the same, and will be read at the next start. */
	if (error != -EIO && next->event->body_bytes > QUEUE_INLINE_MAX)
		store_body_remove(queue->store, next->id);
	cancel_put(queue, next);
}

int queue_put(struct queue *queue, const struct queue_event_new *event, uint64_t *id,
	struct df_err *err)
{
	struct store_new next;
	struct store_op op = {.kind = STORE_PUT, .next = &next};
	int error = prepare_new(queue, event, true, &next, err);

	if (error < 0)
		return error;
	error = run(queue, &op);
	if (error < 0) {
		abandon_new(queue, &next, error);
		return df_err_set(err, error, "cannot store the event: %s", df_errno_text(error));
	}
	if (op.repeated) {
		abandon_new(queue, &next, -EEXIST);
		return df_err_set(err, -EEXIST, "the event was stored before");
	}
	if (id)
		*id = next.id;
	return 0;
}

/* --- workers --- */

/* Sleeps, under the lock, until something may be due at `due_ms`, or for `left_ms`. */
static void wait_for_work(struct queue *queue, uint64_t now, uint64_t due_ms, uint64_t left_ms)
{
	uint64_t wait_ms = due_ms > now ? due_ms - now : 0;
	struct timespec until;

	if (wait_ms > left_ms)
		wait_ms = left_ms;
	if (wait_ms > LOOK_AGAIN_MS)
		wait_ms = LOOK_AGAIN_MS;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(wait_ms / 1000);
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&queue->work, &queue->lock, &until);
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits for the next entry and takes it. NULL: *result says why there is none. */
static struct lane *take_entry(struct queue *queue, uint64_t wait_ms, uint64_t *id, int *result)
{
	uint64_t start = monotonic_ms(), passed, now, due_ms;
	struct lane *lane = NULL;

	pthread_mutex_lock(&queue->lock);
	for (;;) {
		*result = QUEUE_STOPPED;
		if (queue->stopped)
			break;
		now = now_ms(queue);
		lane = lanes_take(&queue->lanes, now, id, &due_ms);
		*result = QUEUE_NOTHING;
		passed = monotonic_ms() - start;
		if (lane || passed >= wait_ms)
			break;
		wait_for_work(queue, now, due_ms, wait_ms - passed);
	}
	/* One signal came for one event; whoever takes it sees to it that the next one is looked after too. */
	if (lane && queue->lanes.ring)
		pthread_cond_signal(&queue->work);
	pthread_mutex_unlock(&queue->lock);
	return lane;
}

/* Ends the lease of an entry: it is over, or due again. */
static void drop_entry(struct queue *queue, struct lane *lane)
{
	pthread_mutex_lock(&queue->lock);
	lanes_drop(&queue->lanes, lane);
	/* Its own next one, or one of a lane whose share has grown. */
	if (queue->lanes.ring)
		pthread_cond_signal(&queue->work);
	pthread_mutex_unlock(&queue->lock);
}

static void return_entry(struct queue *queue, struct lane *lane, uint64_t id, uint64_t due_ms)
{
	pthread_mutex_lock(&queue->lock);
	lanes_return(&queue->lanes, lane, id, due_ms);
	pthread_cond_signal(&queue->work);
	pthread_mutex_unlock(&queue->lock);
}

int queue_take(struct queue *queue, uint64_t wait_ms, struct queue_event *event)
{
	uint64_t id;
	int result;

	for (;;) {
		struct lane *lane = take_entry(queue, wait_ms, &id, &result);

		if (!lane)
			return result;
		result = store_read(queue->store, id, true, event);
		if (result != -ENOENT) {
			uint64_t now = now_ms(queue);

			event->expired = now >= event->expires_ms;
			event->lane = lane;
			/* An event that is given up anyway needs no body. */
			if (result == 0 || (result == -EIO && event->memory && event->expired))
				return QUEUE_TAKEN;
			queue_event_free(event);
			return_entry(queue, lane, id, now + AFTER_UNREADABLE_MS);
			return result;
		}
		/* Purged meanwhile. */
		drop_entry(queue, lane);
	}
}

void queue_event_free(struct queue_event *event)
{
	free(event->memory);
	*event = (struct queue_event){0};
}

/* Ends a taken event by an op, with what comes next. */
static int end_event(struct queue *queue, const struct queue_event *event, struct store_op op,
	const struct queue_event_new *next)
{
	struct lane *lane = event->lane;
	struct store_new stored;
	int error = 0;

	op.id = event->id;
	if (next) {
		error = prepare_new(queue, next, false, &stored, NULL);
		op.next = &stored;
	}
	if (error == 0) {
		error = run(queue, &op);
		if (error < 0 && next)
			abandon_new(queue, &stored, error);
	}
	if (error < 0)
		return_entry(queue, lane, event->id, now_ms(queue) + AFTER_FAILURE_MS);
	else
		drop_entry(queue, lane);
	return error;
}

int queue_done(struct queue *queue, const struct queue_event *event,
	const struct queue_event_new *next)
{
	struct store_op op = {.kind = STORE_DONE};

	return end_event(queue, event, op, next);
}

int queue_dead(struct queue *queue, const struct queue_event *event, const struct queue_end *end,
	const struct queue_event_new *next)
{
	char text[ERROR_TEXT_MAX + 1] = "";
	struct queue_end cut = *end;
	struct store_op op = {.kind = STORE_DEAD,
		.now_ms = now_ms(queue),
		.attempts = event->attempts + (end->reason != QUEUE_AGE_EXCEEDED),
		.end = &cut};

	if (end->error) {
		memcpy(text, end->error, strnlen(end->error, ERROR_TEXT_MAX));
		cut.error = text;
	}
	if (cut.reply_bytes > QUEUE_REPLY_MAX)
		cut.reply_bytes = QUEUE_REPLY_MAX;
	return end_event(queue, event, op, next);
}

/* base x 2^before, at most `max`, less up to a fifth by chance: what failed together is not to come back together. */
static uint64_t delay_ms(uint64_t base, unsigned int before, uint64_t max)
{
	uint64_t delay = base, random;

	while (before-- > 0 && delay < max)
		delay *= 2;
	if (delay > max)
		delay = max;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = 0;
	return delay - random % (delay / 5 + 1);
}

int queue_retry(struct queue *queue, const struct queue_event *event, enum queue_failure failure)
{
	const struct queue_options *options = &queue->options;
	bool counts = failure == QUEUE_ERROR || event->kind == QUEUE_DELIVERY;
	struct lane *lane = event->lane;
	uint64_t now = now_ms(queue);
	struct store_op op = {.kind = STORE_RETRY,
		.id = event->id,
		.attempts = event->attempts + counts,
		.throttles = event->throttles + (failure == QUEUE_THROTTLED)};
	int error;

	if (counts && op.attempts >= event->attempts_max)
		return QUEUE_RETRIES_EXHAUSTED;
	if (now >= event->expires_ms)
		return QUEUE_AGE_EXCEEDED;
	op.due_ms = now +
		(failure == QUEUE_ERROR ? delay_ms(options->error_delay_ms, event->attempts,
						  options->delay_max_ms)
					: delay_ms(options->throttle_delay_ms, event->throttles,
						  options->delay_max_ms));
	/* At its end it is taken once more, as expired, to be given up. */
	if (op.due_ms > event->expires_ms)
		op.due_ms = event->expires_ms;
	error = run(queue, &op);
	if (error < 0)
		return_entry(queue, lane, event->id, now + AFTER_FAILURE_MS);
	else if (op.changed)
		return_entry(queue, lane, event->id, op.due_ms);
	else
		drop_entry(queue, lane);
	return error;
}

void queue_release(struct queue *queue, const struct queue_event *event)
{
	return_entry(queue, event->lane, event->id, event->due_ms);
}

void queue_stop(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_broadcast(&queue->work);
	pthread_mutex_unlock(&queue->lock);
}

void queue_wake(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_broadcast(&queue->work);
	pthread_mutex_unlock(&queue->lock);
}

int queue_limit(struct queue *queue, const char *function, unsigned int concurrency)
{
	struct lane *lane;

	pthread_mutex_lock(&queue->lock);
	lane = lanes_get(&queue->lanes, QUEUE_EVENT, function);
	if (lane)
		lane->limit = concurrency ? concurrency : 1;
	pthread_cond_broadcast(&queue->work);
	pthread_mutex_unlock(&queue->lock);
	return lane ? 0 : -ENOMEM;
}

/* --- marks --- */

int queue_mark(struct queue *queue, const struct queue_mark *marks, size_t count)
{
	struct store_op op = {.kind = STORE_MARK, .marks = marks, .mark_count = count};

	for (size_t i = 0; i < count; i++) {
		if (!mark_ok(&marks[i]))
			return -EINVAL;
	}
	return count ? run(queue, &op) : 0;
}

int queue_forget(struct queue *queue, const char *owner)
{
	struct store_op op = {.kind = STORE_FORGET, .owner = owner};

	return run(queue, &op);
}

int queue_each_mark(struct queue *queue, const char *owner,
	int (*each)(void *user, const struct queue_mark *mark), void *user)
{
	return store_each_mark(queue->store, owner, each, user);
}

/* --- looking after it --- */

int queue_list_dead(struct queue *queue, const char *function, uint64_t after,
	struct queue_event *events, unsigned int count)
{
	return store_list_dead(queue->store, function, after, events, count);
}

int queue_read(struct queue *queue, uint64_t id, struct queue_event *event)
{
	int error = store_read(queue->store, id, true, event);

	if (error < 0)
		queue_event_free(event);
	else
		event->expired = now_ms(queue) >= event->expires_ms;
	return error;
}

int queue_replay(struct queue *queue, uint64_t id)
{
	struct store_op op = {.kind = STORE_REPLAY, .id = id, .now_ms = now_ms(queue)};
	int error = run(queue, &op);

	return error == 0 && op.changed == 0 ? -ENOENT : error;
}

int queue_delete(struct queue *queue, uint64_t id)
{
	struct store_op op = {.kind = STORE_DELETE, .id = id};
	int error = run(queue, &op);

	return error == 0 && op.changed == 0 ? -ENOENT : error;
}

int queue_purge(struct queue *queue, const char *function, uint64_t *count)
{
	struct store_op op = {.kind = STORE_PURGE, .function = function};
	int error = run(queue, &op);

	if (error == 0 && count)
		*count = op.changed;
	return error;
}

void queue_change(struct queue *queue, uint64_t events_max, uint64_t bytes_max, uint64_t dead_ms)
{
	pthread_mutex_lock(&queue->lock);
	queue->options.events_max = events_max;
	queue->options.bytes_max = bytes_max;
	queue->options.dead_ms = dead_ms;
	fill_defaults(&queue->options);
	pthread_mutex_unlock(&queue->lock);
}

int queue_sweep(struct queue *queue)
{
	struct store_op op = {.kind = STORE_SWEEP};
	uint64_t now = now_ms(queue), keep;

	pthread_mutex_lock(&queue->lock);
	keep = queue->options.dead_ms;
	pthread_mutex_unlock(&queue->lock);
	op.now_ms = now > keep ? now - keep : 0;
	return run(queue, &op);
}

static void add_lane(const struct lane *lane, uint64_t now, struct queue_gauges *gauges)
{
	gauges->ready += lane->count;
	gauges->leased += lane->taken;
	if (lane->count > 0 && lane->heap[0].due_ms < now &&
		now - lane->heap[0].due_ms > gauges->oldest_due_ms)
		gauges->oldest_due_ms = now - lane->heap[0].due_ms;
}

void queue_gauges(struct queue *queue, const char *function, struct queue_gauges *gauges)
{
	uint64_t now = now_ms(queue);

	*gauges = (struct queue_gauges){0};
	pthread_mutex_lock(&queue->lock);
	for (const struct lane *lane = queue->lanes.all; lane; lane = lane->all) {
		if (!function || strcmp(lane->key + 1, function) == 0)
			add_lane(lane, now, gauges);
	}
	if (!function) {
		gauges->dead = queue->totals.dead;
		gauges->bytes = queue->totals.bytes;
		gauges->commits = queue->commits;
	}
	pthread_mutex_unlock(&queue->lock);
}
