/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that are answered later: on disk before they are acknowledged, tried again with growing delays, at last kept as dead
 * letters that can be read and replayed. Every event is delivered at least once.
 *
 *	queue_put                       any thread that has accepted an event
 *	queue_take ... queue_done       workers: succeeded
 *	           ... queue_retry      failed: later again, unless attempts or age are used up, then
 *	           ... queue_dead       given up
 *	           ... queue_release    not tried at all: the daemon stops
 *
 * A directory with one SQLite database (WAL, synchronous=FULL) and files for bodies above QUEUE_INLINE_MAX. Writers that come together share one
 * transaction: the first one writes for all that wait (commit.h), so the rate grows with the number of writers while
 * a single one pays for nothing but its own transaction. Nobody's call returns before its own change is on disk.
 *
 * What is due next is known in memory (queue_lanes.h); events that workers have (leased) are marked there alone: after a crash all that
 * are not dead are ready again. Attempts are on disk, counted when one has failed.
 *
 * Work for one function never delays another one's: each function (whatever the qualifier) has a lane for its events and one for deliveries to its destinations;
 * lanes take turns, each with a limit of events that are taken at the same time, and a share of those who take.
 *
 * All functions may be called from any thread between queue_open and queue_close. They wait for the disk; queue_take waits for work.
 */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include "host/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_SCHEMA 2
#define QUEUE_INLINE_MAX 65536 /* bytes of a body that lies in the database */
#define QUEUE_BODY_MAX (64ull << 20) /* bytes of a body, at most */
#define QUEUE_ATTRIBUTES_MAX 65536 /* bytes */
#define QUEUE_REPLY_MAX 65536 /* bytes of a last reply that are kept */
#define QUEUE_FUNCTION_MAX 256 /* characters: name, or name and qualifier */
#define QUEUE_ID_MAX 64 /* characters of a request id */
#define QUEUE_OWNER_MAX 5000
#define QUEUE_MARK_MAX 1024

struct queue;
struct lane; /* queue_lanes.h */

enum queue_kind {
	QUEUE_EVENT, /* for the function */
	QUEUE_DELIVERY, /* a record for a destination (destination.h) */
};

/* 0 in any member: the default. */
struct queue_options {
	const char *directory; /* made if it is missing, 0700; the queue's alone */
	uint64_t events_max; /* ready and dead (1,000,000) */
	uint64_t bytes_max; /* bodies and attributes of them all (4 GiB) */
	uint64_t dead_ms; /* how long dead letters are kept (14 days) */
	uint64_t error_delay_ms; /* before the first retry of a function error; doubles (60,000) */
	uint64_t
		throttle_delay_ms; /* before the first retry after a throttle or a failure of the daemon's; doubles (1,000) */
	uint64_t delay_max_ms; /* (300,000) */
	unsigned int concurrency; /* events of a lane that are taken at the same time (16) */
	unsigned int
		takers; /* threads that take: a lane gets a share of them (queue_lanes.h). 0: all it wants, within its limit */
	/* Milliseconds since 1970; NULL: the system's clock. */
	uint64_t (*now_ms)(void *user);
	void *now_user;
};

/*
 * What a source of events remembers, beside the queue: the last tick of a schedule, files that were seen. A mark that comes with an event is stored in
 * the event's transaction, so after a crash both are there or neither; and an event whose mark is there already, with that value, is not stored again.
 */
struct queue_mark {
	const char *
		owner; /* 1 to QUEUE_OWNER_MAX characters: whose it is, such as "FUNCTION/schedule/..." */
	const char *key; /* tells it from the owner's others; at most QUEUE_MARK_MAX characters */
	const char
		*value; /* at most QUEUE_MARK_MAX characters; NULL (queue_mark only): remove it */
};

/* A new event. All is borrowed. */
struct queue_event_new {
	enum queue_kind kind;
	const char *function; /* 1 to QUEUE_FUNCTION_MAX characters */
	const char *request_id; /* 1 to QUEUE_ID_MAX characters */
	const char *
		target; /* of a delivery: the destination's text; of an event: what its body is read from when it is run; else NULL */
	const void *attributes; /* pairs (host/attributes.h), kept as they are; or NULL */
	size_t attribute_bytes;
	const void *body; /* or NULL */
	size_t body_bytes;
	unsigned int attempts_max; /* 1 to 1000; 0: 3, the first one and two retries */
	uint64_t age_max_ms; /* 0: 6 h */
	uint64_t
		backlog_max; /* so many of the function's events may be ready or under way, this one too; 0: no limit */
	const struct queue_mark *mark; /* or NULL */
};

/* Why an event was given up. */
enum queue_reason {
	QUEUE_ALIVE,
	QUEUE_RETRIES_EXHAUSTED,
	QUEUE_AGE_EXCEEDED,
	QUEUE_REFUSED, /* trying again would not help: too large, no such function, refused by the destination */
};

/* An event that was taken, or is looked at. */
struct queue_event {
	uint64_t id; /* unique and ascending for the life of the directory */
	enum queue_kind kind;
	const char *function, *request_id;
	const char *target; /* as it was put, or NULL */
	const void *attributes;
	size_t attribute_bytes;
	const void *body; /* NULL if empty, or if queue_list made this */
	size_t body_bytes;
	uint64_t put_ms, due_ms, expires_ms; /* since 1970 */
	unsigned int attempts; /* that have failed, and count against attempts_max */
	unsigned int throttles; /* that do not */
	unsigned int attempts_max;
	/* It is older than it may become, and must not be tried: queue_dead, QUEUE_AGE_EXCEEDED. It has no body if that could not be read. */
	bool expired;
	/* Dead letters: */
	enum queue_reason reason;
	unsigned int status; /* of the last attempt: as given to queue_dead */
	uint64_t dead_ms;
	const char *error; /* NULL: none */
	const void *reply;
	size_t reply_bytes;
	/* The queue's own: */
	void *memory;
	struct lane *lane; /* of an event that was taken */
};

/*
 * Opens or makes a queue. What a crash left is put in order: leased events are ready, files that no event names are removed.
 * Returns 0, -EBUSY (another process has it open), -EPROTONOSUPPORT (written by a newer version), -EINVAL (not a queue, or damaged) or -errno; *err is set.
 */
int queue_open(const struct queue_options *options, struct queue **queue, struct df_err *err)
	__attribute__((warn_unused_result));

/* Only when no other thread uses it; queue_stop wakes them. Events that are taken are ready again at the next open. NULL is allowed. */
void queue_close(struct queue *queue);

/*
 * Stores an event. On return with 0 it is on disk, and *id (may be NULL) is its number. Returns 0, -EINVAL (a member is out of range), -EFBIG (body or
 * attributes too large), -EDQUOT (the queue is full: events_max, bytes_max or backlog_max), -EEXIST (its mark has that value already), -ENOSPC (the disk is full), -EIO or
 * -ENOMEM, with *err set; nothing is stored then (after -EIO it may be).
 */
int queue_put(struct queue *queue, const struct queue_event_new *event, uint64_t *id,
	struct df_err *err) __attribute__((warn_unused_result));

enum queue_take_result { QUEUE_TAKEN, QUEUE_NOTHING, QUEUE_STOPPED };

/*
 * Takes the next event that is due, lane by lane in turn, waiting up to `wait_ms` (UINT64_MAX: forever). Returns QUEUE_TAKEN with *event, which the
 * caller must give back by exactly one of queue_done, queue_retry (0), queue_dead and queue_release, and free with queue_event_free; QUEUE_NOTHING;
 * QUEUE_STOPPED after queue_stop; or -errno (-EIO: the database or a body cannot be read; that event is put off a minute).
 */
int queue_take(struct queue *queue, uint64_t wait_ms, struct queue_event *event)
	__attribute__((warn_unused_result));

/* Frees what the event points to. Allowed more than once, and for an event that is all zero. */
void queue_event_free(struct queue_event *event);

/*
 * The event is over. It is removed, and `next` (a delivery to a destination, or an event of another function; may be NULL) is stored in the same
 * transaction, whatever the quotas say. Returns 0 or -errno: it is ready again then.
 */
int queue_done(struct queue *queue, const struct queue_event *event,
	const struct queue_event_new *next) __attribute__((warn_unused_result));

enum queue_failure {
	QUEUE_ERROR, /* of the function: counts as an attempt */
	QUEUE_THROTTLED, /* it was not run, or it is not known: counts for an event's age only, and as an attempt of a delivery */
};

/*
 * Tries again later: after error_delay_ms x 2^(n-1), or throttle_delay_ms x 2^(n-1), less up to a fifth by chance, at most delay_max_ms, and not after
 * it has expired. Returns 0, or with nothing changed an enum queue_reason: QUEUE_RETRIES_EXHAUSTED or QUEUE_AGE_EXCEEDED, and the caller calls queue_dead; or -errno: it is ready again.
 */
int queue_retry(struct queue *queue, const struct queue_event *event, enum queue_failure failure)
	__attribute__((warn_unused_result));

/* What is known of the last attempt. */
struct queue_end {
	enum queue_reason reason;
	unsigned int status; /* of HTTP or as in AWS's records; 0: none */
	const char *error; /* a text, cut to 1 KiB; or NULL */
	const void *reply; /* cut to QUEUE_REPLY_MAX; or NULL */
	size_t reply_bytes;
};

/* Gives the event up: it becomes a dead letter, and `next` is stored as by queue_done. The attempt counts. Returns 0 or -errno: it is ready again. */
int queue_dead(struct queue *queue, const struct queue_event *event, const struct queue_end *end,
	const struct queue_event_new *next) __attribute__((warn_unused_result));

/* It was not tried: it is ready at once, nothing is counted or written. */
void queue_release(struct queue *queue, const struct queue_event *event);

/* No more is taken: queue_take returns QUEUE_STOPPED, in all threads, from now on. The rest goes on working. */
void queue_stop(struct queue *queue);

/* Looks at the clock again (after it was set; tests). */
void queue_wake(struct queue *queue);

/* How many events of a function may be taken at the same time, at least 1. Its deliveries are not meant. Returns 0 or -ENOMEM. */
int queue_limit(struct queue *queue, const char *function, unsigned int concurrency)
	__attribute__((warn_unused_result));

/*
 * Dead letters, oldest first: those with numbers above `after`, of `function` with any qualifier or of all (NULL), `count` at most, without bodies. Returns how many,
 * each to be freed with queue_event_free, or -errno.
 */
int queue_list_dead(struct queue *queue, const char *function, uint64_t after,
	struct queue_event *events, unsigned int count) __attribute__((warn_unused_result));

/* Reads one event with its body, ready or dead. Returns 0, -ENOENT or -errno. */
int queue_read(struct queue *queue, uint64_t id, struct queue_event *event)
	__attribute__((warn_unused_result));

/* Makes a dead letter a fresh event: no attempts, and as much time as it had at first. Returns 0, -ENOENT (no such dead letter) or -errno. */
int queue_replay(struct queue *queue, uint64_t id) __attribute__((warn_unused_result));

/* Removes a dead letter. Returns 0, -ENOENT or -errno. */
int queue_delete(struct queue *queue, uint64_t id) __attribute__((warn_unused_result));

/*
 * Removes all that a function has, with any qualifier, dead letters and deliveries too; events that are taken now are removed when they are given back. Returns 0 or -errno; *count
 * is how many (may be NULL).
 */
int queue_purge(struct queue *queue, const char *function, uint64_t *count)
	__attribute__((warn_unused_result));

/* Other limits from now on; as in queue_options. */
void queue_change(struct queue *queue, uint64_t events_max, uint64_t bytes_max, uint64_t dead_ms);

/* Removes dead letters that are older than dead_ms. To be called now and then. Returns 0 or -errno. */
int queue_sweep(struct queue *queue) __attribute__((warn_unused_result));

/* Sets or removes marks, in one transaction. Returns 0, -EINVAL or -errno. */
int queue_mark(struct queue *queue, const struct queue_mark *marks, size_t count)
	__attribute__((warn_unused_result));

/* Removes all marks of an owner. Returns 0 or -errno. */
int queue_forget(struct queue *queue, const char *owner) __attribute__((warn_unused_result));

/*
 * Calls `each` for the marks of all owners that begin with `owner`, in order; what it gets is borrowed, and it may not use the queue. Ends early with
 * what `each` returns unless that is 0. Returns 0 or -errno.
 */
int queue_each_mark(struct queue *queue, const char *owner,
	int (*each)(void *user, const struct queue_mark *mark), void *user)
	__attribute__((warn_unused_result));

struct queue_gauges {
	uint64_t ready, leased, dead; /* events and deliveries */
	uint64_t bytes; /* of bodies and attributes, all of them */
	uint64_t oldest_due_ms; /* due for how long, the one that waits longest; 0: none is due */
	uint64_t commits; /* transactions since the start */
};

/* Of `function`'s lanes (bytes, dead and commits are 0 then) or of all (NULL). */
void queue_gauges(struct queue *queue, const char *function, struct queue_gauges *gauges);

#endif
