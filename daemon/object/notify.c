/* SPDX-License-Identifier: Apache-2.0 */
/* Telling functions about objects: see notify.h. Subscriptions are in notify_list.c. */
#include "daemon/object/notify.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/http/faces.h"
#include "daemon/log.h"
#include "daemon/trigger/trigger.h"
#include "host/array.h"
#include "host/attributes.h"
#include "host/cleanup.h"
#include "host/json.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_S 1
#define SWEEP_S 3600 /* old uploads are looked for so often */
#define AT_A_TIME 64u /* events of the outbox that are read at once */

static struct {
	struct objects *objects;
	pthread_t thread;
	bool started;
	pthread_rwlock_t lists_lock;
	/* protected by lists_lock: */
	struct notify_list triggers, buckets;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* protected by lock: */
	struct objects_event *later; /* that the queue did not take */
	size_t later_count, later_capacity;
	bool unflushed; /* something was told, and is still in the outbox */
	bool stopping;
} notify = {
	.lists_lock = PTHREAD_RWLOCK_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* --- who is told --- */

void notify_each(void (*each)(void *user, const struct notify_subscription *subscription),
	void *user)
{
	pthread_rwlock_rdlock(&notify.lists_lock);
	for (size_t i = 0; i < notify.triggers.count; i++)
		each(user, &notify.triggers.items[i]);
	for (size_t i = 0; i < notify.buckets.count; i++)
		each(user, &notify.buckets.items[i]);
	pthread_rwlock_unlock(&notify.lists_lock);
}

static size_t count_bucket(const char *bucket)
{
	size_t count = 0;

	for (size_t i = 0; i < notify.triggers.count; i++)
		count += strcmp(notify.triggers.items[i].bucket, bucket) == 0;
	for (size_t i = 0; i < notify.buckets.count; i++)
		count += strcmp(notify.buckets.items[i].bucket, bucket) == 0;
	return count;
}

static int too_many(struct df_err *err)
{
	return df_err_set(err, -E2BIG, "more than %d would be told about one bucket",
		NOTIFY_BUCKET_MAX);
}

int notify_subscribe(struct trigger *trigger, const struct notify_subscription *subscription,
	struct df_err *err)
{
	struct notify_subscription mine = *subscription;
	int error = -E2BIG;

	mine.trigger = trigger;
	pthread_rwlock_wrlock(&notify.lists_lock);
	if (count_bucket(mine.bucket) < NOTIFY_BUCKET_MAX)
		error = notify_list_add(&notify.triggers, &mine);
	pthread_rwlock_unlock(&notify.lists_lock);
	if (error == -E2BIG)
		return too_many(err);
	return error ? df_err_set(err, error, "out of memory") : 0;
}

void notify_unsubscribe(const struct trigger *trigger)
{
	struct notify_list *list = &notify.triggers;

	pthread_rwlock_wrlock(&notify.lists_lock);
	for (size_t i = list->count; i-- > 0;) {
		if (list->items[i].trigger == trigger)
			notify_list_remove(list, i);
	}
	pthread_rwlock_unlock(&notify.lists_lock);
}

/* The old list without the bucket's, and the new ones. */
static int make_list(const struct notify_list *old, const char *bucket,
	const struct notify_list *added, struct notify_list *made)
{
	int error = 0;

	for (size_t i = 0; i < old->count && error == 0; i++) {
		if (strcmp(old->items[i].bucket, bucket) != 0)
			error = notify_list_add(made, &old->items[i]);
	}
	for (size_t i = 0; i < added->count && error == 0; i++)
		error = notify_list_add(made, &added->items[i]);
	return error;
}

int notify_set_bucket(const char *bucket, const struct notify_list *added, struct df_err *err)
{
	struct notify_list made = {0}, old;
	int error;

	pthread_rwlock_wrlock(&notify.lists_lock);
	error = make_list(&notify.buckets, bucket, added, &made);
	old = notify.buckets;
	if (error == 0) {
		notify.buckets = made;
		if (added->count && count_bucket(bucket) > NOTIFY_BUCKET_MAX) {
			notify.buckets = old;
			error = -E2BIG;
		}
	}
	pthread_rwlock_unlock(&notify.lists_lock);
	notify_list_free(error ? &made : &old);
	if (error == -E2BIG)
		return too_many(err);
	return error ? df_err_set(err, error, "out of memory") : 0;
}

/* --- events --- */

static void add_key(struct df_str *json, const char *key)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*/";
	DF_STR struct df_str text = DF_STR_EMPTY;

	/* As a form is encoded, which is what S3 does here. */
	for (; *key; key++) {
		if (strchr(plain, *key))
			df_str_add_bytes(&text, key, 1);
		else if (*key == ' ')
			df_str_add(&text, "+");
		else
			df_str_addf(&text, "%%%02X", (unsigned char)*key);
	}
	json->failed = json->failed || text.failed;
	df_json_text(json, "key", df_str_text(&text));
}

static void add_subject(struct df_str *json, const struct notify_event *event,
	const struct notify_subscription *match, uint64_t sequence, const struct objects_info *info)
{
	DF_FREE char *arn = df_format("arn:aws:s3:::%s", event->bucket);
	char sequencer[24];

	df_json_open(json, "s3", '{');
	df_json_text(json, "s3SchemaVersion", "1.0");
	df_json_text(json, "configurationId", match->id);
	df_json_open(json, "bucket", '{');
	df_json_text(json, "name", event->bucket);
	df_json_open(json, "ownerIdentity", '{');
	df_json_text(json, "principalId", "dayfly");
	df_json_close(json, '}');
	df_json_text(json, "arn", arn ? arn : "");
	df_json_close(json, '}');
	df_json_open(json, "object", '{');
	add_key(json, event->key);
	if (event->change != NOTIFY_DELETE) {
		df_json_number(json, "size", info->bytes);
		df_json_text(json, "eTag", info->etag);
	}
	snprintf(sequencer, sizeof(sequencer), "%016" PRIX64, sequence);
	df_json_text(json, "sequencer", sequencer);
	df_json_close(json, '}');
	df_json_close(json, '}');
	json->failed = json->failed || !arn;
}

static void write_record(struct df_str *json, const struct notify_event *event,
	const struct notify_subscription *match, uint64_t sequence, const char *time,
	const struct objects_info *info)
{
	df_json_open(json, NULL, '{');
	df_json_open(json, "Records", '[');
	df_json_open(json, NULL, '{');
	df_json_text(json, "eventVersion", "2.1");
	df_json_text(json, "eventSource", "aws:s3");
	df_json_text(json, "awsRegion", NOTIFY_REGION);
	df_json_text(json, "eventTime", time);
	df_json_text(json, "eventName", notify_name(event->change));
	df_json_open(json, "userIdentity", '{');
	df_json_text(json, "principalId", "dayfly");
	df_json_close(json, '}');
	df_json_open(json, "requestParameters", '{');
	df_json_text(json, "sourceIPAddress", event->remote);
	df_json_close(json, '}');
	df_json_open(json, "responseElements", '{');
	df_json_text(json, "x-amz-request-id", event->request_id);
	df_json_text(json, "x-amz-id-2", event->request_id);
	df_json_close(json, '}');
	add_subject(json, event, match, sequence, info);
	df_json_close(json, '}');
	df_json_close(json, ']');
	df_json_close(json, '}');
}

static void add(struct df_str *attributes, const char *name, const char *value)
{
	/* What is not fit for an attribute is left out; the event's JSON has it. */
	(void)!df_attributes_add(attributes, name, value);
}

static void add_number(struct df_str *attributes, const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	add(attributes, name, text);
}

static const char *stored_type(const struct objects_info *info)
{
	const char *name, *value;
	size_t at = 0;

	while (df_attributes_next(info->headers, info->header_bytes, &at, &name, &value) == 1) {
		if (strcmp(name, "content-type") == 0)
			return value;
	}
	return "binary/octet-stream";
}

static void write_attributes(struct df_str *attributes, const struct notify_event *event,
	const struct notify_subscription *match, uint64_t sequence, const char *time,
	const struct objects_info *info)
{
	char text[OBJECTS_BUCKET_MAX + 64];
	bool removed = event->change == NOTIFY_DELETE;

	snprintf(text, sizeof(text), "aws:s3." NOTIFY_REGION ".%s", event->bucket);
	add(attributes, "source", text);
	snprintf(text, sizeof(text), "com.amazonaws.s3.%s", notify_name(event->change));
	add(attributes, "type", text);
	add(attributes, "subject", event->key);
	add(attributes, "time", time);
	add(attributes, "datacontenttype",
		match->body && !removed ? stored_type(info) : "application/json");
	add(attributes, "bucket", event->bucket);
	add(attributes, "key", event->key);
	if (!removed) {
		add_number(attributes, "size", info->bytes);
		add(attributes, "etag", info->etag);
		add(attributes, "content-type", stored_type(info));
	}
	snprintf(text, sizeof(text), "%016" PRIX64, sequence);
	add(attributes, "sequencer", text);
	if (event->hops)
		add_number(attributes, NOTIFY_HOPS, event->hops);
}

static void make_event(const struct notify_event *event, const struct notify_subscription *match,
	uint64_t sequence, unsigned int number, const struct objects_info *info,
	struct objects_event *made)
{
	bool body = match->body && event->change != NOTIFY_DELETE;
	char time[CLOCK_TEXT_BYTES];

	(void)clock_text(clock_wall_ms(), time);
	made->function = strdup(match->function);
	made->request_id = df_format("object-%016" PRIx64 "-%u", sequence, number);
	if (body)
		made->target = df_format("object:%s/%s", event->bucket, event->key);
	/* An event's id and its request's are the same. */
	add(&made->attributes, "id", made->request_id ? made->request_id : "");
	write_attributes(&made->attributes, event, match, sequence, time, info);
	if (!body)
		write_record(&made->body, event, match, sequence, time, info);
	made->attributes.failed = made->attributes.failed || (body && !made->target);
}

static int make_events(void *user, uint64_t sequence, const struct objects_info *info,
	struct objects_event *events, unsigned int room)
{
	const struct notify_event *event = user;
	unsigned int count = 0;

	for (; count < event->matches.count && count < room; count++)
		make_event(event, &event->matches.items[count], sequence, count, info,
			&events[count]);
	return (int)count;
}

/* --- a change --- */

/* A bucket's configuration outlives the functions that it names; what is for those that are gone is nobody's. */
static bool is_there(const struct notify_subscription *s)
{
	char name[FUNCTION_NAME_MAX + 1], qualifier[129] = "";
	struct function *function;

	if (s->trigger)
		return true;
	if (!face_name(s->function, strlen(s->function), name, qualifier))
		return false;
	function = registry_find(name, *qualifier ? qualifier : NULL);
	function_unref(function);
	return function != NULL;
}

static int find_matches(struct notify_event *event, const struct notify_list *list)
{
	int error = 0;

	for (size_t i = 0; i < list->count && error == 0; i++) {
		const struct notify_subscription *s = &list->items[i];

		if (!notify_fits(s, event->bucket, event->key, event->change) || !is_there(s))
			continue;
		error = notify_list_add(&event->matches, s);
		if (s->trigger) {
			__atomic_add_fetch(&s->trigger->events, 1, __ATOMIC_RELAXED);
			__atomic_store_n(&s->trigger->last_ms, clock_wall_ms(), __ATOMIC_RELAXED);
		}
	}
	return error;
}

int notify_begin(struct notify_event *event, struct objects_teller *teller)
{
	int error;

	event->matches = (struct notify_list){0};
	pthread_rwlock_rdlock(&notify.lists_lock);
	error = find_matches(event, &notify.triggers);
	if (error == 0)
		error = find_matches(event, &notify.buckets);
	pthread_rwlock_unlock(&notify.lists_lock);
	if (error || (event->matches.count && event->hops >= NOTIFY_HOPS_MAX)) {
		if (error == 0)
			log_line(LOG_LEVEL_WARNING,
				"%s/%s went through %u functions; nobody is told about it any more",
				event->bucket, event->key, event->hops);
		notify_list_free(&event->matches);
	}
	*teller = (struct objects_teller){
		.tell = make_events, .user = event, .count = (unsigned int)event->matches.count};
	return error;
}

void notify_forget(struct notify_event *event)
{
	notify_list_free(&event->matches);
}

/* --- from the outbox to the queue --- */

static int hand_over(const struct objects_event *event)
{
	const struct call call = {
		.request_id = event->request_id,
		.body = event->body.data,
		.body_fd = -1,
		.body_bytes = event->body.length,
		.attributes = event->attributes.data,
		.attribute_bytes = event->attributes.length,
	};
	struct df_err err = {0};
	int error = async_put_target(event->function, &call, event->target, &err);

	/* What can never be put is over; nothing that is made here should be. */
	if (error == -EINVAL || error == -EFBIG) {
		log_line(LOG_LEVEL_ERROR, "an object's event for %s was dropped: %s",
			event->function, err.text);
		return 0;
	}
	return error;
}

/* Takes the event over, to be tried again. */
static void keep(struct objects_event *event)
{
	pthread_mutex_lock(&notify.lock);
	if (df_array_reserve(&notify.later, &notify.later_capacity, notify.later_count + 1,
		    sizeof(*event)) == 0) {
		notify.later[notify.later_count++] = *event;
		*event = (struct objects_event){0};
	}
	/* Without memory it is found at the next start. */
	pthread_mutex_unlock(&notify.lock);
	objects_event_free(event);
}

static void flush_later(void)
{
	pthread_mutex_lock(&notify.lock);
	notify.unflushed = true;
	pthread_mutex_unlock(&notify.lock);
}

void notify_send(struct notify_event *event, struct objects_told *told)
{
	uint64_t done[OBJECTS_EVENTS_MAX];
	unsigned int count = 0;

	notify_list_free(&event->matches);
	for (unsigned int i = 0; i < told->count; i++) {
		if (hand_over(&told->events[i]) == 0)
			done[count++] = told->events[i].id;
		else
			keep(&told->events[i]);
	}
	objects_told(notify.objects, done, count);
	if (count)
		flush_later();
	objects_told_free(told);
}

/* Everything that a crash left, before there is anything else. */
static void send_left(void)
{
	struct objects_event events[AT_A_TIME];
	unsigned int count = 0;
	uint64_t after = 0;

	do {
		if (objects_outbox(notify.objects, after, events, AT_A_TIME, &count) != 0)
			return;
		for (unsigned int i = 0; i < count; i++) {
			after = events[i].id;
			if (hand_over(&events[i]) == 0) {
				objects_told(notify.objects, &after, 1);
				flush_later();
				objects_event_free(&events[i]);
			} else {
				keep(&events[i]);
			}
		}
	} while (count == AT_A_TIME);
}

static bool take_kept(struct objects_event *event)
{
	bool taken;

	pthread_mutex_lock(&notify.lock);
	taken = notify.later_count > 0 && !notify.stopping;
	if (taken)
		*event = notify.later[--notify.later_count];
	pthread_mutex_unlock(&notify.lock);
	return taken;
}

static void send_kept(void)
{
	struct objects_event event;

	while (take_kept(&event)) {
		uint64_t id = event.id;

		if (hand_over(&event) != 0) {
			keep(&event);
			return;
		}
		objects_told(notify.objects, &id, 1);
		flush_later();
		objects_event_free(&event);
	}
}

/* What was told is removed with the next change; if there is none, here. */
static void flush(void)
{
	bool needed;

	pthread_mutex_lock(&notify.lock);
	needed = notify.unflushed;
	notify.unflushed = false;
	pthread_mutex_unlock(&notify.lock);
	if (needed && notify.objects && objects_sweep(notify.objects) < 0)
		flush_later();
}

static void *work(void *unused)
{
	unsigned int looks = 0;
	bool stopping = false;

	(void)unused;
	while (!stopping) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_AGAIN_S;
		pthread_mutex_lock(&notify.lock);
		if (!notify.stopping)
			(void)pthread_cond_timedwait(&notify.wake, &notify.lock, &until);
		stopping = notify.stopping;
		pthread_mutex_unlock(&notify.lock);
		send_kept();
		if (++looks % (SWEEP_S / LOOK_AGAIN_S) == 0)
			flush_later();
		flush();
	}
	return NULL;
}

/* --- starting and stopping --- */

static int load_bucket(const char *name, struct df_err *err)
{
	DF_FREE char *text = NULL;
	struct notify_list list = {0};
	int error = objects_get_setting(notify.objects, name, OBJECTS_NOTIFICATION, &text);

	if (error == 0 && text)
		error = notify_read(name, text, &list);
	if (error == 0)
		error = notify_set_bucket(name, &list, err);
	else
		(void)df_err_set(err, error < 0 ? error : -EIO,
			"the notifications of bucket %s cannot be read", name);
	notify_list_free(&list);
	return error ? -EIO : 0;
}

static int load_buckets(struct df_err *err)
{
	struct objects_bucket *buckets = NULL;
	size_t count = 0;
	int error = objects_buckets(notify.objects, &buckets, &count);

	if (error)
		return df_err_set(err, error, "the buckets cannot be read: %s",
			df_errno_text(error));
	for (size_t i = 0; i < count && error == 0; i++)
		error = load_bucket(buckets[i].name, err);
	free(buckets);
	return error;
}

int notify_init(struct objects *objects, struct df_err *err)
{
	pthread_condattr_t attributes;
	int error;

	notify.objects = objects;
	notify.stopping = false;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&notify.wake, &attributes);
	pthread_condattr_destroy(&attributes);
	error = load_buckets(err);
	if (error)
		return error;
	send_left();
	error = pthread_create(&notify.thread, NULL, work, NULL);
	if (error)
		return df_err_set(err, -error, "a thread could not be started");
	notify.started = true;
	return 0;
}

void notify_stop(void)
{
	if (!notify.started)
		return;
	pthread_mutex_lock(&notify.lock);
	notify.stopping = true;
	pthread_cond_signal(&notify.wake);
	pthread_mutex_unlock(&notify.lock);
	pthread_join(notify.thread, NULL);
	notify.started = false;
}

void notify_deinit(void)
{
	notify_stop();
	flush();
	while (notify.later_count > 0)
		objects_event_free(&notify.later[--notify.later_count]);
	free(notify.later);
	notify.later = NULL;
	notify.later_capacity = 0;
	notify_list_free(&notify.triggers);
	notify_list_free(&notify.buckets);
}
