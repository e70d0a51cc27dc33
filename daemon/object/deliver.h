/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between events and the object store: bodies that are objects, and results that become objects. Any thread. Before deliver_init and without a store all is
 * put off (-EBUSY): an object must not be put before it is known who is told about it.
 */
#ifndef DAEMON_OBJECT_DELIVER_H
#define DAEMON_OBJECT_DELIVER_H

#include "daemon/dispatch/dispatch.h"
#include "daemon/event/queue.h"
#include "daemon/object/objects.h"

void deliver_init(struct objects *objects);
void deliver_deinit(void);

/* A body that was opened. */
struct deliver_body {
	int fd; /* -1: it is in memory */
	void *memory; /* to be freed; NULL: empty, or in fd */
	size_t bytes;
};

/*
 * Opens the object that an event's target names ("object:BUCKET/KEY"), as it is now. Returns 0, -ENOENT (it is there no more), -EFBIG (larger than `most`)
 * or -errno. deliver_close is allowed after all of these.
 */
int deliver_open(const char *target, uint64_t most, struct deliver_body *body)
	__attribute__((warn_unused_result));
void deliver_close(struct deliver_body *body);

/* Puts a delivery's body as an object, and tells those that want to know (destination.h, put_object). */
int deliver_object(const char *bucket, const char *key, const struct queue_event *event,
	struct df_err *err) __attribute__((warn_unused_result));

#endif
