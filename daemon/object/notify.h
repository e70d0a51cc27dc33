/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is told when an object comes or goes: functions, by the triggers of their manifests and by the notification configurations of buckets.
 *
 * A change of the store stores its events with it (objects.h, the outbox); notify_send then hands them to the durable queue. What a crash
 * leaves between the two is handed over at the next start, so every acknowledged change is told at least once.
 *
 * Events that a function's own result caused carry how many functions they have gone through (NOTIFY_HOPS); the NOTIFY_HOPS_MAXth causes none.
 *
 * Any thread, between notify_init and notify_deinit.
 */
#ifndef DAEMON_OBJECT_NOTIFY_H
#define DAEMON_OBJECT_NOTIFY_H

#include "daemon/event/destination.h"
#include "daemon/object/objects.h"

#include <jansson.h>

#define NOTIFY_HOPS DESTINATION_HOPS
#define NOTIFY_HOPS_MAX DESTINATION_HOPS_MAX
#define NOTIFY_BUCKET_MAX OBJECTS_EVENTS_MAX /* who is told about one bucket */
#define NOTIFY_ID_MAX 255
#define NOTIFY_REGION "us-east-1"

/* How a change came about; a subscription names them one by one or in groups. */
enum notify_change {
	NOTIFY_PUT,
	NOTIFY_POST, /* never made here; may be asked for */
	NOTIFY_COPY,
	NOTIFY_COMPLETE,
	NOTIFY_DELETE,
	NOTIFY_CHANGES
};

#define NOTIFY_CREATED \
	(1u << NOTIFY_PUT | 1u << NOTIFY_POST | 1u << NOTIFY_COPY | 1u << NOTIFY_COMPLETE)
#define NOTIFY_REMOVED (1u << NOTIFY_DELETE)

/* Bits of changes that "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", ... stands for; 0: unknown. */
unsigned int notify_changes(const char *name);
/* "ObjectCreated:Put", ... */
const char *notify_name(enum notify_change change);

/* One row of who is told. Texts are owned by whoever holds the struct. */
struct notify_subscription {
	char *bucket, *function, *id; /* id: its name in the configuration; "" of a trigger */
	char *prefix, *suffix;
	unsigned int changes; /* bits */
	bool body; /* the event's body is the object */
	struct trigger *trigger; /* whose it is; NULL: a bucket's */
};

struct notify_list {
	struct notify_subscription *items;
	size_t count, capacity;
};

void notify_list_free(struct notify_list *list);

/* Adds a copy. Returns 0 or -ENOMEM. */
int notify_list_add(struct notify_list *list, const struct notify_subscription *subscription)
	__attribute__((warn_unused_result));

void notify_list_remove(struct notify_list *list, size_t at);

/* Does it want to know about that? */
bool notify_fits(const struct notify_subscription *subscription, const char *bucket,
	const char *key, enum notify_change change);

/* Loads the buckets' configurations, hands over what was left, and starts the thread that tries again. Returns 0 or -errno with *err set. */
int notify_init(struct objects *objects, struct df_err *err) __attribute__((warn_unused_result));
void notify_stop(void); /* ends the thread; changes can still be told */
void notify_deinit(void);

/*
 * Adds a trigger's subscription, and removes it: `trigger` is who it is, and counts its events. Copies. Returns 0, -E2BIG (too many for one bucket) or
 * -ENOMEM with *err set.
 */
struct trigger;
int notify_subscribe(struct trigger *trigger, const struct notify_subscription *subscription,
	struct df_err *err) __attribute__((warn_unused_result));
void notify_unsubscribe(const struct trigger *trigger);

/* Replaces a bucket's configuration. Its text is the store's (OBJECTS_NOTIFICATION): notify_write makes it, notify_read reads it. */
int notify_set_bucket(const char *bucket, const struct notify_list *list, struct df_err *err)
	__attribute__((warn_unused_result));
char *notify_write(const struct notify_list *list) __attribute__((warn_unused_result));
int notify_read(const char *bucket, const char *text, struct notify_list *list)
	__attribute__((warn_unused_result));

/* Calls `each` for all subscriptions, under a lock. */
void notify_each(void (*each)(void *user, const struct notify_subscription *subscription),
	void *user);

/* --- a change --- */

struct notify_event {
	/* Set by the caller, borrowed: */
	enum notify_change change;
	const char *bucket, *key;
	const char *request_id, *remote; /* remote: an address, or "" */
	unsigned int hops; /* of the event that caused it; 0: a client did */
	/* Its own: */
	struct notify_list matches;
};

/* Finds who is told. Returns 0 or -ENOMEM. notify_send or notify_forget must follow. */
int notify_begin(struct notify_event *event, struct objects_teller *teller)
	__attribute__((warn_unused_result));

/* After the change: hands what it told to the queue, and frees both. */
void notify_send(struct notify_event *event, struct objects_told *told);
void notify_forget(struct notify_event *event);

#endif
