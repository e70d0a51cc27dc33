/* SPDX-License-Identifier: Apache-2.0 */
/* What lives and happens now, for `dayfly ps` and `dayfly top`, on the local face: see docs/reference-http.md. */
#include "daemon/http/faces.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/memory.h"
#include "daemon/metrics.h"
#include "daemon/service/service.h"

#include <string.h>

/* --- processes --- */

static enum MHD_Result show_processes(struct request *request)
{
	json_t *list = dispatch_processes(), *process;
	size_t index;

	json_array_foreach(list, index, process)
	{
		json_int_t pid = json_integer_value(json_object_get(process, "pid"));

		(void)json_object_set_new(process, "memory_bytes",
			json_integer((json_int_t)memory_of((pid_t)pid)));
	}
	return http_send_json(request, MHD_HTTP_OK,
		json_pack("{s:o, s:o}", "processes", list, "services", service_list()));
}

/* --- functions --- */

static json_t *spread_json(const struct spread *spread)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < SPREAD_STEPS; i++) {
		uint64_t count = tally_read(&spread->count[i]);

		if (count)
			(void)json_array_append_new(list,
				json_pack("[I, I]", (json_int_t)spread_limit_ns(i),
					(json_int_t)count));
	}
	return list;
}

static json_int_t count_errors(const struct tally *tally)
{
	static const enum call_result errors[] = {
		CALL_FUNCTION_ERROR, CALL_TIMEOUT, CALL_LOST, CALL_TOO_LARGE, CALL_FAILED};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		sum += tally_read(&tally->results[errors[i]]);
	return (json_int_t)sum;
}

/* All versions of a name have one tally; instances and callers are this version's. */
static json_t *stats_json(struct function *function)
{
	const struct tally *tally = function->tally;
	struct queue_gauges queue;
	unsigned int instances, busy, waiting;

	queue_gauges(async_queue(), function->config->name, &queue);
	pthread_mutex_lock(&function->lock);
	instances = function->instances;
	busy = function->busy;
	waiting = function->waiting;
	pthread_mutex_unlock(&function->lock);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:I, s:o}", "name",
		function->config->name, "ok", (json_int_t)tally_read(&tally->results[CALL_OK]),
		"errors", count_errors(tally), "refused",
		(json_int_t)tally_read(&tally->results[CALL_BUSY]), "cold_starts",
		(json_int_t)tally_read(&tally->cold_starts), "instances", (int)instances, "busy",
		(int)busy, "waiting", (int)waiting, "ready", (json_int_t)queue.ready, "durations",
		spread_json(&tally->spread));
}

static enum MHD_Result show_stats(struct request *request)
{
	struct function **list = registry_list(NULL);
	json_t *functions = json_array();

	for (size_t i = 0; list && list[i]; i++) {
		if (strcmp(list[i]->version, FUNCTION_LATEST) == 0 &&
			list[i]->config->mode != FUNCTION_SERVICE)
			(void)json_array_append_new(functions, stats_json(list[i]));
	}
	registry_list_free(list);
	return http_send_json(request, MHD_HTTP_OK,
		json_pack("{s:I, s:o}", "uptime_ns",
			(json_int_t)(clock_now_ns() - daemon_started_ns), "functions", functions));
}

const struct route face_stats[] = {
	{"GET", "/processes", FACE_LOCAL, show_processes},
	{"GET", "/stats", FACE_LOCAL, show_stats},
	{0},
};
