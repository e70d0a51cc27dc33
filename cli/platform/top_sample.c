/* SPDX-License-Identifier: Apache-2.0 */
/* From the daemon's counters to rates: see top.h. */
#include "cli/platform/top.h"

#include <stdlib.h>
#include <string.h>

int top_sample_take(struct top_sample *sample, struct df_err *err)
{
	int status;

	*sample = (struct top_sample){NULL, NULL};
	status = client_call("GET", "/stats", NULL, &sample->stats, err);
	if (!status)
		status = client_call("GET", "/processes", NULL, &sample->processes, err);
	if (status)
		top_sample_deinit(sample);
	return status;
}

void top_sample_deinit(struct top_sample *sample)
{
	json_decref(sample->stats);
	json_decref(sample->processes);
	*sample = (struct top_sample){NULL, NULL};
}

/* --- times --- */

/* How many events of this duration there were before. */
static uint64_t count_of(const json_t *durations, json_int_t limit_ns)
{
	const json_t *step;
	size_t index;

	json_array_foreach(durations, index, step)
	{
		if (json_integer_value(json_array_get(step, 0)) == limit_ns)
			return (uint64_t)json_integer_value(json_array_get(step, 1));
	}
	return 0;
}

/* The duration that `share` of the events between two samples did not exceed; 0 if there were none. Steps are in order. */
static uint64_t quantile(const json_t *before, const json_t *after, double share)
{
	uint64_t total = 0, sum = 0;
	const json_t *step;
	size_t index;

	for (int round = 0; round < 2; round++) {
		json_array_foreach(after, index, step)
		{
			json_int_t limit = json_integer_value(json_array_get(step, 0));
			uint64_t now = (uint64_t)json_integer_value(json_array_get(step, 1));
			uint64_t then = count_of(before, limit), more = now > then ? now - then : 0;

			total += round == 0 ? more : 0;
			sum += round == 1 ? more : 0;
			if (round == 1 && sum && (double)sum >= share * (double)total)
				return (uint64_t)limit;
		}
	}
	return 0;
}

/* --- rows --- */

static const json_t *find(const json_t *list, const char *name)
{
	const json_t *function;
	size_t index;

	json_array_foreach(list, index, function)
	{
		if (strcmp(member_text(function, "name"), name) == 0)
			return function;
	}
	return NULL;
}

static double rate(const json_t *before, const json_t *after, const char *key, double seconds)
{
	uint64_t now = member_number(after, key), then = member_number(before, key);

	return now > then ? (double)(now - then) / seconds : 0;
}

static uint64_t memory_of(const json_t *processes, const char *name)
{
	const json_t *process;
	uint64_t sum = 0;
	size_t index;

	json_array_foreach(processes, index, process)
	{
		if (strcmp(member_text(process, "function"), name) == 0)
			sum += member_number(process, "memory_bytes");
	}
	return sum;
}

static void fill(struct top_row *row, const json_t *before, const json_t *after,
	const json_t *processes, double seconds)
{
	const json_t *times_before = json_object_get(before, "durations");
	const json_t *times = json_object_get(after, "durations");

	row->name = member_text(after, "name");
	row->errors_per_s = rate(before, after, "errors", seconds);
	row->events_per_s = rate(before, after, "ok", seconds) + row->errors_per_s;
	row->p50_ns = quantile(times_before, times, 0.5);
	row->p99_ns = quantile(times_before, times, 0.99);
	row->instances = member_number(after, "instances");
	row->busy = member_number(after, "busy");
	row->memory_bytes = memory_of(processes, row->name);
	row->queued = member_number(after, "waiting") + member_number(after, "ready");
}

static void add_up(struct top_row *total, const struct top_row *row)
{
	total->events_per_s += row->events_per_s;
	total->errors_per_s += row->errors_per_s;
	total->instances += row->instances;
	total->busy += row->busy;
	total->memory_bytes += row->memory_bytes;
	total->queued += row->queued;
}

static int compare(const void *left, const void *right)
{
	const struct top_row *a = left, *b = right;

	if (a->events_per_s != b->events_per_s)
		return a->events_per_s < b->events_per_s ? 1 : -1;
	if (a->queued != b->queued)
		return a->queued < b->queued ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void count_services(const json_t *services, struct top_view *view)
{
	const json_t *service;
	size_t index;

	view->services = json_array_size(services);
	json_array_foreach(services, index, service) view->services_running +=
		strcmp(member_text(service, "state"), "running") == 0;
}

int top_view_make(const struct top_sample *before, const struct top_sample *after,
	struct top_view *view, struct df_err *err)
{
	const json_t *then = json_object_get(before->stats, "functions");
	const json_t *now = json_object_get(after->stats, "functions"), *function;
	const json_t *processes = json_object_get(after->processes, "processes");
	uint64_t since = member_number(before->stats, "uptime_ns");
	uint64_t until = member_number(after->stats, "uptime_ns");
	size_t index;

	if (until <= since) {
		since = 0;
		then = NULL;
	}
	*view = (struct top_view){
		.rows = calloc(json_array_size(now) + 1, sizeof(*view->rows)),
		.seconds = (double)(until - since + 1) / 1e9,
		.uptime_ms = until / 1000000,
		.processes = json_array_size(processes),
	};
	count_services(json_object_get(after->processes, "services"), view);
	if (!view->rows)
		return df_err_set(err, CLI_FAILED, "out of memory");
	json_array_foreach(now, index, function)
	{
		struct top_row *row = &view->rows[view->count++];

		fill(row, find(then, member_text(function, "name")), function, processes,
			view->seconds);
		add_up(&view->total, row);
	}
	qsort(view->rows, view->count, sizeof(*view->rows), compare);
	return 0;
}

void top_view_deinit(struct top_view *view)
{
	free(view->rows);
	view->rows = NULL;
}

json_t *top_view_json(const struct top_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->count; i++) {
		const struct top_row *row = &view->rows[i];

		(void)json_array_append_new(list,
			json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
				row->name, "events_per_s", row->events_per_s, "errors_per_s",
				row->errors_per_s, "p50_ns", (json_int_t)row->p50_ns, "p99_ns",
				(json_int_t)row->p99_ns, "instances", (json_int_t)row->instances,
				"busy", (json_int_t)row->busy, "memory_bytes",
				(json_int_t)row->memory_bytes, "queued", (json_int_t)row->queued));
	}
	return json_pack("{s:f, s:I, s:I, s:I, s:I, s:o}", "seconds", view->seconds, "uptime_ms",
		(json_int_t)view->uptime_ms, "processes", (json_int_t)view->processes, "services",
		(json_int_t)view->services, "services_running", (json_int_t)view->services_running,
		"functions", list);
}
