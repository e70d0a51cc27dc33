/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: see metrics.h. */
#include "daemon/metrics.h"

#include "daemon/event/async.h"
#include "daemon/object/store.h"
#include "daemon/service/service.h"
#include "daemon/trigger/trigger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t limits_ns[METRICS_BUCKETS] = {50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, 25000000, 50000000, 100000000, 250000000, 500000000, 1000000000,
	5000000000, 30000000000};
static const char *const limits_text[METRICS_BUCKETS] = {"5e-05", "0.0001", "0.00025", "0.0005",
	"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "5", "30"};

static struct {
	pthread_mutex_t lock;
	/* protected by lock: */
	LIST_HEAD(, tally) list;
} tallies = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct tally *find(const char *name)
{
	struct tally *tally;

	LIST_FOREACH(tally, &tallies.list, link)
	{
		if (strcmp(tally->name, name) == 0)
			break;
	}
	return tally;
}

static struct tally *make(const char *name)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return NULL;
	tally->log = log_get(name);
	if (!tally->log) {
		free(tally);
		return NULL;
	}
	strncpy(tally->name, name, FUNCTION_NAME_MAX);
	LIST_INSERT_HEAD(&tallies.list, tally, link);
	return tally;
}

struct tally *tally_get(const char *name)
{
	struct tally *tally;

	pthread_mutex_lock(&tallies.lock);
	tally = find(name);
	if (!tally)
		tally = make(name);
	if (tally)
		tally->references++;
	pthread_mutex_unlock(&tallies.lock);
	return tally;
}

struct tally *tally_ref(struct tally *tally)
{
	pthread_mutex_lock(&tallies.lock);
	tally->references++;
	pthread_mutex_unlock(&tallies.lock);
	return tally;
}

void tally_unref(struct tally *tally)
{
	bool last;

	if (!tally)
		return;
	pthread_mutex_lock(&tallies.lock);
	last = --tally->references == 0;
	if (last)
		LIST_REMOVE(tally, link);
	pthread_mutex_unlock(&tallies.lock);
	if (!last)
		return;
	log_unref(tally->log);
	free(tally);
}

static void add(uint64_t *counter, uint64_t number)
{
	__atomic_add_fetch(counter, number, __ATOMIC_RELAXED);
}

uint64_t tally_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void observe(struct histogram *histogram, uint64_t ns)
{
	size_t i = 0;

	while (i < METRICS_BUCKETS && ns > limits_ns[i])
		i++;
	add(&histogram->bucket[i], 1);
	add(&histogram->sum_ns, ns);
}

/*
 * Steps of 1024 ns up to 8 of them, then 8 for each doubling: with e the highest bit of the number of 1024 ns, the three bits
 * behind it choose among the 8.
 */
static unsigned int spread_step(uint64_t ns)
{
	uint64_t units = ns >> 10;
	unsigned int exponent, step;

	if (units < 8)
		return (unsigned int)units;
	exponent = 63 - (unsigned int)__builtin_clzll(units);
	step = (exponent - 2) * 8 + (unsigned int)(units >> (exponent - 3) & 7);
	return step < SPREAD_STEPS ? step : SPREAD_STEPS - 1;
}

uint64_t spread_limit_ns(unsigned int step)
{
	return step < 8 ? (step + 1ull) << 10 : (step % 8 + 9ull) << (step / 8 - 1 + 10);
}

void tally_call(struct tally *tally, const struct call *call, const struct call_reply *reply)
{
	add(&tally->results[reply->result], 1);
	add(&tally->bytes_in, call->body_bytes);
	if (reply->queued_ns)
		observe(&tally->queued, reply->queued_ns);
	if (reply->cold)
		add(&tally->cold_starts, 1);
	if (!reply->duration_ns)
		return;
	observe(&tally->duration, reply->duration_ns);
	add(&tally->spread.count[spread_step(reply->duration_ns)], 1);
	observe(&tally->thaw, reply->reply.thaw_ns);
	add(&tally->pages, reply->reply.pages);
	add(&tally->bytes_out, reply->reply.body_bytes);
}

/* --- as text --- */

static void head(struct df_str *text, const char *name, const char *type, const char *help)
{
	df_str_addf(text, "# HELP dayfly_%s %s\n# TYPE dayfly_%s %s\n", name, help, name, type);
}

static void write_results(struct df_str *text)
{
	const struct tally *tally;

	head(text, "calls_total", "counter", "Calls by their result.");
	LIST_FOREACH(tally, &tallies.list, link)
	{
		for (int i = 0; i < CALL_RESULTS; i++)
			df_str_addf(text,
				"dayfly_calls_total{function=\"%s\",result=\"%s\"} %" PRIu64 "\n",
				tally->name, call_result_text(i), tally_read(&tally->results[i]));
	}
}

static void write_counter(struct df_str *text, const char *name, const char *help, size_t offset)
{
	const struct tally *tally;

	head(text, name, "counter", help);
	LIST_FOREACH(tally, &tallies.list, link)
	{
		const uint64_t *counter = (const uint64_t *)((const char *)tally + offset);

		df_str_addf(text, "dayfly_%s{function=\"%s\"} %" PRIu64 "\n", name, tally->name,
			tally_read(counter));
	}
}

static void write_histogram(struct df_str *text, const char *name, const char *help, size_t offset)
{
	const struct tally *tally;

	head(text, name, "histogram", help);
	LIST_FOREACH(tally, &tallies.list, link)
	{
		const struct histogram *h =
			(const struct histogram *)((const char *)tally + offset);
		uint64_t count = 0;

		for (int i = 0; i <= METRICS_BUCKETS; i++) {
			count += tally_read(&h->bucket[i]);
			df_str_addf(text,
				"dayfly_%s_bucket{function=\"%s\",le=\"%s\"} %" PRIu64 "\n", name,
				tally->name, i < METRICS_BUCKETS ? limits_text[i] : "+Inf", count);
		}
		df_str_addf(text, "dayfly_%s_sum{function=\"%s\"} %.9f\n", name, tally->name,
			(double)tally_read(&h->sum_ns) / 1e9);
		df_str_addf(text, "dayfly_%s_count{function=\"%s\"} %" PRIu64 "\n", name,
			tally->name, count);
	}
}

static void write_gauge(struct df_str *text, const char *name, const char *help, uint64_t value)
{
	head(text, name, "gauge", help);
	df_str_addf(text, "dayfly_%s %" PRIu64 "\n", name, value);
}

static void write_gauges(struct df_str *text)
{
	struct dispatch_gauges gauges;
	struct queue_gauges queue;

	dispatch_gauges(&gauges);
	write_gauge(text, "processes", "Monitor processes that serve a function.",
		gauges.processes);
	write_gauge(text, "prepared", "Monitors that wait for a function.", gauges.prepared);
	write_gauge(text, "instances", "MicroVMs.", gauges.instances);
	write_gauge(text, "instances_busy", "MicroVMs that have an event.", gauges.busy);
	queue_gauges(async_queue(), NULL, &queue);
	write_gauge(text, "async_ready", "Asynchronous events that wait.", queue.ready);
	write_gauge(text, "async_running", "Asynchronous events that run.", queue.leased);
	write_gauge(text, "async_dead", "Dead letters.", queue.dead);
	write_gauge(text, "waiting", "Callers that wait for a microVM.", gauges.waiting);
}

void metrics_write(struct df_str *text)
{
	write_gauges(text);
	triggers_metrics(text);
	store_metrics(text);
	service_metrics(text);
	pthread_mutex_lock(&tallies.lock);
	write_results(text);
	write_counter(text, "cold_starts_total", "Calls that a process was started for.",
		offsetof(struct tally, cold_starts));
	write_counter(text, "pages_restored_total", "Pages that were made pristine after an event.",
		offsetof(struct tally, pages));
	write_counter(text, "request_bytes_total", "Bytes of events' bodies.",
		offsetof(struct tally, bytes_in));
	write_counter(text, "reply_bytes_total", "Bytes of replies.",
		offsetof(struct tally, bytes_out));
	write_histogram(text, "duration_seconds", "From an event's start to its reply.",
		offsetof(struct tally, duration));
	write_histogram(text, "thaw_seconds", "Of that, until the guest's first instruction.",
		offsetof(struct tally, thaw));
	write_histogram(text, "queued_seconds", "Waiting for a microVM, of calls that had to.",
		offsetof(struct tally, queued));
	pthread_mutex_unlock(&tallies.lock);
}
