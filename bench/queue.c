// SPDX-License-Identifier: Apache-2.0
/*
 * What storing an asynchronous event costs: bench-queue DIRECTORY [SECONDS [BODY]]
 *
 * Events acknowledged per second by the queue (daemon/event/queue.h) with 1 and with 32 threads, beside SQLite alone: the same columns, inserted into a table
 * like the queue's, one synchronous transaction each, by one thread. The sides take turns, in slices, since disks change their mind about what
 * a flush costs; the medians of the slices are printed, as one line of JSON. The files lie below DIRECTORY, which must be on the disk that is meant.
 */
#include "daemon/event/queue.h"
#include "host/cleanup.h"
#include "host/str.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MANY 32
#define SLICES 9

static struct queue *queue;
static sqlite3 *database;
static sqlite3_stmt *insert;
static struct queue_event_new event = {.function = "squeeze",
	.request_id = "0d1c8a5e-6f0b-4b0e-9d5b-1d0c5a1e7b11",
	.attributes = "content-type\0application/json\0",
	.attribute_bytes = 30};
static _Atomic bool over;
static uint64_t next_id = 1;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-queue: %s: %s\n", what, why);
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_beside(const char *path)
{
	static const char schema[] =
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"CREATE TABLE event (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, dead INTEGER NOT NULL,"
		" due_ms INTEGER NOT NULL, put_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
		" age_max_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, throttles INTEGER NOT NULL,"
		" attempts_max INTEGER NOT NULL, external INTEGER NOT NULL, attribute_bytes INTEGER NOT NULL,"
		" body_bytes INTEGER NOT NULL, reason INTEGER NOT NULL, dead_ms INTEGER NOT NULL,"
		" status INTEGER NOT NULL, function TEXT NOT NULL, request_id TEXT NOT NULL, target TEXT,"
		" error TEXT, attributes BLOB, reply BLOB, body BLOB) STRICT";
	static const char row[] =
		"INSERT INTO event VALUES (?1, 0, 0, ?2, ?2, ?2 + 21600000, 21600000, 0, 0, 3, 0, ?3, ?4,"
		" 0, 0, 0, ?5, ?6, NULL, NULL, ?7, NULL, ?8)";

	if (sqlite3_open(path, &database) != SQLITE_OK ||
		sqlite3_exec(database, schema, NULL, NULL, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(database, row, -1, &insert, NULL) != SQLITE_OK)
		die(path, sqlite3_errmsg(database));
}

/* A transaction of its own: SQLite commits what is not between BEGIN and COMMIT at once. */
static void insert_one(void)
{
	sqlite3_bind_int64(insert, 1, (sqlite3_int64)next_id++);
	sqlite3_bind_int64(insert, 2, (sqlite3_int64)time(NULL) * 1000);
	sqlite3_bind_int64(insert, 3, (sqlite3_int64)event.attribute_bytes);
	sqlite3_bind_int64(insert, 4, (sqlite3_int64)event.body_bytes);
	sqlite3_bind_text(insert, 5, event.function, -1, SQLITE_STATIC);
	sqlite3_bind_text(insert, 6, event.request_id, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(insert, 7, event.attributes, event.attribute_bytes, SQLITE_STATIC);
	sqlite3_bind_blob64(insert, 8, event.body, event.body_bytes, SQLITE_STATIC);
	if (sqlite3_step(insert) != SQLITE_DONE)
		die("insert", sqlite3_errmsg(database));
	sqlite3_reset(insert);
}

static double rate_beside(double seconds)
{
	double start = now_s(), end = start;
	unsigned int count = 0;

	for (; end - start < seconds; end = now_s(), count++)
		insert_one();
	return count / (end - start);
}

static void *put_events(void *user)
{
	unsigned int *count = user;
	struct df_err err;

	for (; !over; ++*count) {
		if (queue_put(queue, &event, NULL, &err) < 0)
			die("queue_put", err.text);
	}
	return NULL;
}

/* Events per second; a thread that is in the middle of one when time is up finishes it, and it counts. */
static double rate(unsigned int threads, double seconds)
{
	unsigned int counts[MANY] = {0}, sum = 0;
	pthread_t thread[MANY];
	const struct timespec pause = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
	double start = now_s();

	over = false;
	for (unsigned int i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, put_events, &counts[i]))
			die("pthread_create", strerror(errno));
	}
	nanosleep(&pause, NULL);
	over = true;
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += counts[i];
	}
	return sum / (now_s() - start);
}

/* With MANY threads; *batch is how many events a transaction had. */
static double rate_many(double seconds, double *batch)
{
	struct queue_gauges before, after;
	double per_second;

	queue_gauges(queue, NULL, &before);
	per_second = rate(MANY, seconds);
	queue_gauges(queue, NULL, &after);
	*batch = (double)(after.ready - before.ready) / (double)(after.commits - before.commits);
	return per_second;
}

static int compare(const void *left, const void *right)
{
	double a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return (a > b) - (a < b);
}

static double median(double *values)
{
	qsort(values, SLICES, sizeof(values[0]), compare);
	return values[SLICES / 2];
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 9, slice = seconds / SLICES / 3;
	double one[SLICES], many[SLICES], beside[SLICES], batch[SLICES];
	struct queue_options options = {.events_max = UINT64_MAX, .bytes_max = UINT64_MAX};
	DF_FREE char *made = argc > 1 ? df_format("%s/bench-queue-XXXXXX", argv[1]) : NULL;
	DF_FREE char *path = NULL;
	DF_FREE char *command = NULL;
	struct df_err err;

	if (!made || !mkdtemp(made))
		die(argc > 1 ? argv[1] : "usage", "bench-queue DIRECTORY [SECONDS [BODY]]");
	event.body_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 256;
	event.body = calloc(1, event.body_bytes + 1);
	path = df_format("%s/beside.db", made);
	open_beside(path);
	options.directory = made;
	if (queue_open(&options, &queue, &err) < 0)
		die("queue_open", err.text);
	for (unsigned int i = 0; i < SLICES; i++) {
		beside[i] = rate_beside(slice);
		one[i] = rate(1, slice);
		many[i] = rate_many(slice, &batch[i]);
	}
	queue_close(queue);
	sqlite3_finalize(insert);
	sqlite3_close(database);
	command = df_format("rm -rf '%s'", made);
	if (!command || system(command) != 0)
		die(made, "cannot be removed");
	printf("{\"threads_1\": %.1f, \"threads_%d\": %.1f, \"sqlite\": %.1f, \"batch_%d\": %.1f, \"body_bytes\": %zu}\n",
		median(one), MANY, median(many), median(beside), MANY, median(batch),
		event.body_bytes);
	free((void *)event.body);
	return 0;
}
