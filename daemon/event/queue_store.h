/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue on disk: a directory that one process has open.
 *
 *	lock            held by it
 *	queue.db        events; its user_version is QUEUE_SCHEMA
 *	bodies/ID       bodies above QUEUE_INLINE_MAX, ID as 16 hexadecimal digits; written before the row is, removed after it
 *
 * Two connections: one writes (store_write: one thread at a time), one reads, under a lock of its own, and never waits for the other.
 * Only queue.c uses this.
 */
#ifndef DAEMON_QUEUE_STORE_H
#define DAEMON_QUEUE_STORE_H

#include "daemon/event/queue.h"
#include "daemon/commit.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* An event to be stored. The body's file, if it needs one, is there (store_body_write). */
struct store_new {
	const struct queue_event_new *event;
	uint64_t id, now_ms, age_max_ms;
	unsigned int attempts_max;
};

enum store_kind {
	STORE_PUT, /* next, with its mark */
	STORE_DONE, /* id; next */
	STORE_RETRY, /* id, due_ms, attempts, throttles */
	STORE_DEAD, /* id, attempts, end, now_ms; next */
	STORE_REPLAY, /* id, now_ms */
	STORE_DELETE, /* id: a dead letter */
	STORE_PURGE, /* function */
	STORE_SWEEP, /* now_ms: dead letters before it */
	STORE_MARK, /* marks, mark_count */
	STORE_FORGET, /* owner */
	STORE_KINDS
};

/* One change; what it needs is said above. */
struct store_op {
	struct commit_op commit; /* first */
	enum store_kind kind;
	uint64_t id, due_ms, now_ms;
	unsigned int attempts, throttles;
	const char *function, *owner;
	const struct queue_mark *marks;
	size_t mark_count;
	const struct queue_end *end;
	const struct store_new *next; /* PUT: the event; DONE and DEAD: one more, or NULL */
	/* What it did, good when the result is 0: */
	uint64_t changed; /* rows that there were */
	bool repeated; /* PUT: its mark was there, and nothing was done */
	uint64_t changed_dead; /* of these, dead letters */
	uint64_t bytes; /* of the rows that it removed */
	enum queue_kind replayed_kind;
	char replayed[QUEUE_FUNCTION_MAX + 1]; /* REPLAY: the function */
	uint64_t *files; /* removed rows whose bodies are files: to be removed, then freed */
	size_t file_count, file_capacity;
};

struct store_totals {
	uint64_t events, dead, bytes;
};

/* As queue_open. */
int store_open(const char *directory, struct store **store, struct df_err *err)
	__attribute__((warn_unused_result));
void store_close(struct store *store);

/*
 * Calls `each` for every event that is ready, counts, and removes files without an event. Before the first store_write. Returns 0, -errno, or
 * what `each` returned if that was not 0.
 */
int store_load(struct store *store,
	int (*each)(void *user, enum queue_kind kind, const char *function, uint64_t id,
		uint64_t due_ms),
	void *user, struct store_totals *totals, struct df_err *err)
	__attribute__((warn_unused_result));

/* A number that no event had before. Any thread. */
uint64_t store_next_id(struct store *store);

/* Runs a list of ops (struct store_op) in one transaction: all get the same result if it fails, 0 or -errno. */
void store_write(struct store *store, struct commit_op *batch);

/* Reads an event, its body too if asked. Returns 0, -ENOENT or -errno; -EIO also if the body's file cannot be read. */
int store_read(struct store *store, uint64_t id, bool body, struct queue_event *event)
	__attribute__((warn_unused_result));

/* As queue_list_dead. */
int store_list_dead(struct store *store, const char *function, uint64_t after,
	struct queue_event *events, unsigned int count) __attribute__((warn_unused_result));

/* As queue_each_mark. */
int store_each_mark(struct store *store, const char *owner,
	int (*each)(void *user, const struct queue_mark *mark), void *user)
	__attribute__((warn_unused_result));

/* Body files. */
int store_body_write(struct store *store, uint64_t id, const void *body, size_t length)
	__attribute__((warn_unused_result));
void store_body_remove(struct store *store, uint64_t id);

#endif
