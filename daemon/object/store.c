/* SPDX-License-Identifier: Apache-2.0 */
/* The object store as a part of the daemon: see store.h. */
#include "daemon/object/store.h"

#include "daemon/object/deliver.h"
#include "daemon/object/notify.h"
#include "daemon/state.h"
#include "host/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define USUAL "127.0.0.1:9000"
#define ANY "127.0.0.1:0"

static struct objects *objects;

bool store_is_there(void)
{
	return objects != NULL;
}

/* Who lets the system choose one port has no use for a fixed one. */
static const char *listen_of(const struct settings *s)
{
	if (s->objects.listen)
		return s->objects.listen;
	return df_ends_with(s->listen, ":0") ? ANY : USUAL;
}

int store_init(const struct settings *s, struct df_err *err)
{
	DF_FREE char *path = state_path("objects");
	const struct objects_options options = {.directory = path, .bytes_max = s->objects.quota};

	if (strcmp(listen_of(s), "none") == 0)
		return 0;
	return path ? objects_open(&options, &objects, err)
		    : df_err_set(err, -ENOMEM, "out of memory");
}

int store_start(const struct settings *s, struct df_err *err)
{
	const struct s3_settings settings = {
		.listen = listen_of(s),
		.connections_max = (unsigned int)s->connections,
		.idle_s = 60,
		.objects = objects,
	};
	int error;

	if (!objects)
		return 0;
	error = notify_init(objects, err);
	if (error)
		return error;
	deliver_init(objects);
	error = s3_start(&settings, err);
	if (error)
		df_err_add(err,
			"; choose another address for the object store with --object-listen, or none");
	return error;
}

void store_quiesce(void)
{
	s3_quiesce();
}

unsigned int store_active(void)
{
	return s3_active();
}

void store_stop(void)
{
	s3_stop();
	notify_stop();
}

void store_deinit(void)
{
	store_stop();
	deliver_deinit();
	notify_deinit();
	objects_close(objects);
	objects = NULL;
}

static void gauge(struct df_str *text, const char *name, const char *help, uint64_t value)
{
	df_str_addf(text, "# HELP dayfly_%s %s\n# TYPE dayfly_%s gauge\ndayfly_%s %" PRIu64 "\n",
		name, help, name, name, value);
}

void store_metrics(struct df_str *text)
{
	struct objects_gauges gauges;

	if (!objects)
		return;
	objects_gauges(objects, &gauges);
	gauge(text, "objects", "Objects in all buckets.", gauges.objects);
	gauge(text, "object_bytes", "Bytes of their bodies, unfinished uploads too.", gauges.bytes);
	gauge(text, "object_events_waiting", "Events of objects that are not in the queue yet.",
		gauges.outbox);
	gauge(text, "object_requests", "Requests to the object store that are being handled.",
		s3_active());
}
