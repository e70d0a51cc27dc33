/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous events: accepted when they are on disk (queue.h), run by workers of their own, tried again, at last dead letters; results
 * go to the function's destinations (destination.h). docs/async.md tells it to users.
 *
 * Any thread, between async_init and async_deinit.
 */
#ifndef DAEMON_ASYNC_H
#define DAEMON_ASYNC_H

#include "daemon/event/destination.h"
#include "daemon/dispatch/dispatch.h"

#define ASYNC_NETWORKS_MAX 64

/* Opens the queue below the state directory and starts so many workers, of whom each function gets a share. Returns 0 or -errno with *err set. */
int async_init(unsigned int workers, struct df_err *err) __attribute__((warn_unused_result));

/* What webhooks may reach though it is not public: at most ASYNC_NETWORKS_MAX, from now on. Copies. */
void async_allow(const struct destination_network *networks, size_t count);

/* How many events are run or delivered just now. */
unsigned int async_active(void);

/* Takes no more events from the queue. Events can still be put. */
void async_quiesce(void);
void async_deinit(void); /* waits for those that run */

/*
 * Stores an event for a function; `qualifier` is NULL or a version or alias. The call's body must be in memory. Returns 0 (it is on disk), -EFBIG, -EDQUOT (the
 * queue is full), or -errno, with *err set.
 */
int async_put(const char *name, const char *qualifier, const struct call *call, struct df_err *err)
	__attribute__((warn_unused_result));

/* The same with a mark (queue.h): also returns -EEXIST, and nothing is stored then. */
int async_put_marked(const char *name, const struct call *call, const struct queue_mark *mark,
	struct df_err *err) __attribute__((warn_unused_result));

/* The same for a name that may have a qualifier; `target` is what the body is read from when the event is run (object/deliver.h), or NULL. */
int async_put_target(const char *function, const struct call *call, const char *target,
	struct df_err *err) __attribute__((warn_unused_result));

/* No more events of the function are run at the same time than its concurrency. For a $LATEST that was deployed; others are left alone. */
void async_limit(const struct function *function);

/* Forgets the events and settings of a name that was deleted. */
void async_forget(const char *name);

/*
 * How a function's events are tried, and where their results go: what it was deployed with (struct function_async), unless Lambda's
 * interface has set something else since. Texts are destinations' (destination_parse); empty: none.
 */
struct async_config {
	unsigned int attempts_max;
	uint64_t age_max_ms, backlog_max;
	char on_success[DESTINATION_MAX + 1], on_failure[DESTINATION_MAX + 1];
	uint64_t modified_ms; /* 0: these are the defaults */
};

/* `qualifier` is NULL or a version or alias. Never fails: what can not be read is the default. */
void async_get_config(const char *name, const char *qualifier, struct async_config *config);
/* For all versions of the name, in the place of what they were deployed with; the backlog is not changed. */
int async_put_config(const char *name, const struct async_config *config, struct df_err *err)
	__attribute__((warn_unused_result));
int async_remove_config(const char *name, struct df_err *err) __attribute__((warn_unused_result));

/* For dead letters and gauges. */
struct queue *async_queue(void);

#endif
