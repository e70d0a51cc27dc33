/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of queue.c and what it is made of. The clock is the test's; the directory lies in memory where there is one. */
#include "daemon/event/queue.h"

#include "daemon/event/queue_lanes.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE_MS 60000ull
#define HOUR_MS (60 * MINUTE_MS)
#define THREADS 8
#define PER_THREAD 50

static char directory[64];
static _Atomic uint64_t clock_ms = 1700000000000;

static uint64_t test_now(void *user)
{
	(void)user;
	return clock_ms;
}

static struct queue *open_with(struct queue_options options)
{
	struct queue *queue = NULL;
	struct df_err err;

	options.directory = directory;
	options.now_ms = test_now;
	if (queue_open(&options, &queue, &err) < 0)
		fail_msg("queue_open: %s", err.text);
	return queue;
}

static struct queue *open_queue(void)
{
	return open_with((struct queue_options){0});
}

static uint64_t put(struct queue *queue, const char *function, const char *body)
{
	struct queue_event_new event = {.function = function,
		.request_id = "r-1",
		.body = body,
		.body_bytes = strlen(body),
		.attributes = "a\0b\0",
		.attribute_bytes = 4};
	uint64_t id = 0;
	struct df_err err;

	if (queue_put(queue, &event, &id, &err) < 0)
		fail_msg("queue_put: %s", err.text);
	return id;
}

static struct queue_event take(struct queue *queue)
{
	struct queue_event event;

	assert_int_equal(queue_take(queue, 0, &event), QUEUE_TAKEN);
	return event;
}

static void take_nothing(struct queue *queue)
{
	struct queue_event event;

	assert_int_equal(queue_take(queue, 0, &event), QUEUE_NOTHING);
}

static void done(struct queue *queue, struct queue_event *event)
{
	assert_int_equal(queue_done(queue, event, NULL), 0);
	queue_event_free(event);
}

static void kill_event(struct queue *queue, struct queue_event *event, enum queue_reason reason)
{
	const struct queue_end end = {.reason = reason,
		.status = 200,
		.error = "it broke",
		.reply = "no",
		.reply_bytes = 2};

	assert_int_equal(queue_dead(queue, event, &end, NULL), 0);
	queue_event_free(event);
}

static unsigned int count_bodies(void)
{
	DF_FREE char *path = df_path_join(directory, "bodies");
	DF_CLOSEDIR DIR *dir = opendir(path);
	unsigned int count = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.' || entry->d_name[1] == 'w';
	return count;
}

static void test_put_take_done(void **state)
{
	struct queue *queue = open_queue();
	uint64_t first = put(queue, "f", "one");
	struct queue_event event = take(queue);
	struct queue_gauges gauges;

	(void)state;
	assert_int_equal(event.id, first);
	assert_string_equal(event.function, "f");
	assert_string_equal(event.request_id, "r-1");
	assert_null(event.target);
	assert_int_equal(event.attribute_bytes, 4);
	assert_memory_equal(event.attributes, "a\0b\0", 4);
	assert_int_equal(event.body_bytes, 3);
	assert_memory_equal(event.body, "one", 3);
	assert_int_equal(event.put_ms, clock_ms);
	assert_int_equal(event.expires_ms, clock_ms + 6 * HOUR_MS);
	assert_int_equal(event.attempts_max, 3);
	assert_false(event.expired);
	take_nothing(queue);
	queue_gauges(queue, NULL, &gauges);
	assert_int_equal(gauges.leased, 1);
	assert_int_equal(gauges.ready, 0);
	assert_int_equal(gauges.bytes, 7);
	done(queue, &event);
	queue_gauges(queue, NULL, &gauges);
	assert_int_equal(gauges.leased + gauges.ready + gauges.dead + gauges.bytes, 0);
	queue_close(queue);
}

/* What was taken at the end is ready again; numbers go on. */
static void test_reopen(void **state)
{
	struct queue *queue = open_queue();
	uint64_t a = put(queue, "f", "a"), b = put(queue, "f", "");
	struct queue_event event = take(queue);

	(void)state;
	assert_true(b > a);
	queue_event_free(&event);
	queue_close(queue);
	queue = open_queue();
	event = take(queue);
	assert_int_equal(event.id, a);
	done(queue, &event);
	event = take(queue);
	assert_int_equal(event.id, b);
	assert_int_equal(event.body_bytes, 0);
	done(queue, &event);
	queue_close(queue);
	queue = open_queue();
	take_nothing(queue);
	assert_true(put(queue, "f", "c") > b);
	event = take(queue);
	done(queue, &event);
	queue_close(queue);
}

static void test_large_body(void **state)
{
	struct queue *queue = open_queue();
	DF_FREE char *body = malloc(QUEUE_INLINE_MAX + 2);
	DF_FREE char *stray = df_path_join(directory, "bodies/00000000000fffff");
	struct queue_event event;

	(void)state;
	memset(body, 'x', QUEUE_INLINE_MAX);
	body[QUEUE_INLINE_MAX] = '\0';
	put(queue, "f", body);
	assert_int_equal(count_bodies(), 0);
	body[QUEUE_INLINE_MAX] = 'y';
	body[QUEUE_INLINE_MAX + 1] = '\0';
	put(queue, "f", body);
	assert_int_equal(count_bodies(), 1);
	queue_close(queue);

	/* A file whose event was never stored. */
	close(open(stray, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(count_bodies(), 2);
	queue = open_queue();
	assert_int_equal(count_bodies(), 1);
	event = take(queue);
	assert_int_equal(event.body_bytes, QUEUE_INLINE_MAX);
	done(queue, &event);
	event = take(queue);
	assert_int_equal(event.body_bytes, QUEUE_INLINE_MAX + 1);
	assert_memory_equal(event.body, body, QUEUE_INLINE_MAX + 1);
	done(queue, &event);
	assert_int_equal(count_bodies(), 0);
	queue_close(queue);
}

/* Delays lie between four fifths and all of `want_ms`. */
static void retry_after(struct queue *queue, struct queue_event *event, enum queue_failure failure,
	uint64_t want_ms)
{
	assert_int_equal(queue_retry(queue, event, failure), 0);
	queue_event_free(event);
	clock_ms += want_ms - want_ms / 5 - 1;
	take_nothing(queue);
	clock_ms += want_ms / 5 + 1;
	*event = take(queue);
}

static void test_function_errors(void **state)
{
	struct queue *queue = open_queue();
	struct queue_event event, letters[4];
	uint64_t id = put(queue, "f", "x");

	(void)state;
	event = take(queue);
	retry_after(queue, &event, QUEUE_ERROR, MINUTE_MS);
	assert_int_equal(event.attempts, 1);
	retry_after(queue, &event, QUEUE_ERROR, 2 * MINUTE_MS);
	assert_int_equal(event.attempts, 2);
	assert_int_equal(queue_retry(queue, &event, QUEUE_ERROR), QUEUE_RETRIES_EXHAUSTED);
	kill_event(queue, &event, QUEUE_RETRIES_EXHAUSTED);
	take_nothing(queue);

	assert_int_equal(queue_list_dead(queue, "g", 0, letters, 4), 0);
	assert_int_equal(queue_list_dead(queue, NULL, id, letters, 4), 0);
	assert_int_equal(queue_list_dead(queue, "f", 0, letters, 4), 1);
	assert_int_equal(letters[0].id, id);
	assert_int_equal(letters[0].attempts, 3);
	assert_int_equal(letters[0].reason, QUEUE_RETRIES_EXHAUSTED);
	assert_string_equal(letters[0].error, "it broke");
	assert_int_equal(letters[0].reply_bytes, 2);
	assert_null(letters[0].body);
	queue_event_free(&letters[0]);
	assert_int_equal(queue_read(queue, id, &event), 0);
	assert_memory_equal(event.body, "x", 1);
	queue_event_free(&event);

	assert_int_equal(queue_replay(queue, id), 0);
	assert_int_equal(queue_replay(queue, id), -ENOENT);
	event = take(queue);
	assert_int_equal(event.id, id);
	assert_int_equal(event.attempts, 0);
	assert_null(event.error);
	assert_int_equal(event.expires_ms, clock_ms + 6 * HOUR_MS);
	assert_int_equal(queue_delete(queue, id), -ENOENT);
	kill_event(queue, &event, QUEUE_REFUSED);
	assert_int_equal(queue_delete(queue, id), 0);
	assert_int_equal(queue_delete(queue, id), -ENOENT);
	assert_int_equal(queue_read(queue, id, &event), -ENOENT);
	queue_close(queue);
}

/* Throttles go on until the event is too old, and the last wait ends there. */
static void test_throttles_and_age(void **state)
{
	struct queue *queue = open_queue();
	struct queue_event_new new = {
		.function = "f", .request_id = "r", .age_max_ms = HOUR_MS, .attempts_max = 1};
	struct queue_event event;
	uint64_t start = clock_ms;

	(void)state;
	assert_int_equal(queue_put(queue, &new, NULL, NULL), 0);
	event = take(queue);
	for (unsigned int i = 0; i < 9; i++)
		retry_after(queue, &event, QUEUE_THROTTLED, i < 8 ? 1000ull << i : 256000);
	for (unsigned int i = 0; i < 5; i++)
		retry_after(queue, &event, QUEUE_THROTTLED, 300000);
	assert_int_equal(event.throttles, 14);
	assert_int_equal(event.attempts, 0);
	assert_false(event.expired);
	clock_ms = start + HOUR_MS - 1000;
	retry_after(queue, &event, QUEUE_THROTTLED, 1000);
	assert_true(event.expired);
	assert_int_equal(queue_retry(queue, &event, QUEUE_THROTTLED), QUEUE_AGE_EXCEEDED);
	kill_event(queue, &event, QUEUE_AGE_EXCEEDED);
	clock_ms += 14 * 24 * HOUR_MS;
	assert_int_equal(queue_sweep(queue), 0);
	assert_int_equal(queue_list_dead(queue, NULL, 0, &event, 1), 1);
	queue_event_free(&event);
	clock_ms += 1;
	assert_int_equal(queue_sweep(queue), 0);
	assert_int_equal(queue_list_dead(queue, NULL, 0, &event, 1), 0);
	queue_close(queue);
}

/* One transaction removes the event and stores what follows from it. */
static void test_next(void **state)
{
	struct queue *queue = open_queue();
	const struct queue_event_new next = {.kind = QUEUE_DELIVERY,
		.function = "f",
		.request_id = "r-2",
		.target = "https://example.com/",
		.attempts_max = 2};
	const struct queue_event_new wrong = {
		.kind = QUEUE_DELIVERY, .function = "f", .request_id = "r"};
	struct queue_event event;

	(void)state;
	put(queue, "f", "x");
	event = take(queue);
	assert_int_equal(queue_done(queue, &event, &wrong), -EINVAL);
	queue_event_free(&event);
	clock_ms += 5000;
	event = take(queue);
	assert_int_equal(queue_done(queue, &event, &next), 0);
	queue_event_free(&event);
	event = take(queue);
	assert_int_equal(event.kind, QUEUE_DELIVERY);
	assert_string_equal(event.target, "https://example.com/");
	/* Every attempt of a delivery counts. */
	retry_after(queue, &event, QUEUE_THROTTLED, 1000);
	assert_int_equal(queue_retry(queue, &event, QUEUE_THROTTLED), QUEUE_RETRIES_EXHAUSTED);
	done(queue, &event);
	queue_close(queue);
}

static void test_turns_and_limits(void **state)
{
	struct queue *queue = open_with((struct queue_options){.concurrency = 4});
	struct queue_event events[8];
	struct queue_gauges gauges;
	unsigned int of_g = 0;

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		put(queue, "f", "x");
	put(queue, "g", "x");
	put(queue, "g", "x");
	for (unsigned int i = 0; i < 4; i++) {
		events[i] = take(queue);
		of_g += strcmp(events[i].function, "g") == 0;
	}
	assert_int_equal(of_g, 2);
	assert_int_equal(queue_limit(queue, "f", 3), 0);
	events[4] = take(queue);
	take_nothing(queue);
	queue_gauges(queue, "f", &gauges);
	assert_int_equal(gauges.leased, 3);
	assert_int_equal(gauges.ready, 3);
	for (unsigned int i = 0; i < 5; i++)
		done(queue, &events[i]);
	for (unsigned int i = 0; i < 3; i++)
		events[i] = take(queue);
	take_nothing(queue);
	queue_release(queue, &events[0]);
	queue_event_free(&events[0]);
	events[0] = take(queue);
	for (unsigned int i = 0; i < 3; i++)
		done(queue, &events[i]);
	queue_close(queue);
}

/* With eight who take, a lane gets four of them, the next one two, and there is one for each that has none. */
static void test_shares(void **state)
{
	struct queue *queue = open_with((struct queue_options){.concurrency = 100, .takers = 8});
	struct queue_event events[8];

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		put(queue, "slow", "x");
	for (unsigned int i = 0; i < 4; i++)
		events[i] = take(queue);
	take_nothing(queue);
	for (unsigned int i = 0; i < 6; i++)
		put(queue, "slower", "x");
	events[4] = take(queue);
	events[5] = take(queue);
	assert_string_equal(events[5].function, "slower");
	take_nothing(queue);
	put(queue, "quick", "x");
	events[6] = take(queue);
	assert_string_equal(events[6].function, "quick");
	put(queue, "other", "x");
	events[7] = take(queue);
	assert_string_equal(events[7].function, "other");
	/* What is given back goes to who has fewest. */
	done(queue, &events[0]);
	done(queue, &events[1]);
	done(queue, &events[2]);
	events[0] = take(queue);
	take_nothing(queue);
	assert_string_equal(events[0].function, "slow");
	done(queue, &events[0]);
	for (unsigned int i = 3; i < 8; i++)
		done(queue, &events[i]);
	assert_int_equal(queue_purge(queue, "slow", NULL), 0);
	assert_int_equal(queue_purge(queue, "slower", NULL), 0);
	queue_close(queue);
}

/* A function's backlog is its own, and what is under way counts. */
static void test_backlog(void **state)
{
	struct queue *queue = open_queue();
	struct queue_event_new event = {.function = "piles:1", .request_id = "r", .backlog_max = 2};
	struct df_err err = {0};
	struct queue_event taken;

	(void)state;
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	event.function = "piles";
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EDQUOT);
	assert_non_null(strstr(err.text, "backlog"));
	taken = take(queue);
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EDQUOT);
	event.function = "heaps";
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	event.function = "piles";
	done(queue, &taken);
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	assert_int_equal(queue_purge(queue, "piles", NULL), 0);
	assert_int_equal(queue_purge(queue, "heaps", NULL), 0);
	queue_close(queue);
}

static void test_purge(void **state)
{
	struct queue *queue = open_queue();
	struct queue_event taken;
	struct queue_gauges gauges;
	uint64_t count;

	(void)state;
	put(queue, "f", "1");
	put(queue, "f", "2");
	put(queue, "f:live", "3");
	put(queue, "fg", "3");
	put(queue, "g", "4");
	queue_gauges(queue, "f", &gauges);
	assert_int_equal(gauges.ready, 3);
	assert_int_equal(queue_purge(queue, "fg", &count), 0);
	assert_int_equal(count, 1);
	taken = take(queue);
	if (strcmp(taken.function, "g") == 0) {
		done(queue, &taken);
		put(queue, "g", "4");
		taken = take(queue);
	}
	assert_int_equal(queue_purge(queue, "f", &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(queue_retry(queue, &taken, QUEUE_ERROR), 0);
	queue_event_free(&taken);
	clock_ms += HOUR_MS;
	taken = take(queue);
	assert_string_equal(taken.function, "g");
	done(queue, &taken);
	take_nothing(queue);
	queue_gauges(queue, NULL, &gauges);
	assert_int_equal(gauges.ready + gauges.leased + gauges.bytes, 0);
	queue_close(queue);
}

static void test_quotas(void **state)
{
	struct queue *queue = open_with((struct queue_options){.events_max = 2, .bytes_max = 20});
	struct queue_event_new event = {.function = "f", .request_id = "r"};
	struct queue_event taken;
	struct df_err err;

	(void)state;
	put(queue, "f", "0123456789");
	event.body = "01234567890123456789";
	event.body_bytes = 7;
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EDQUOT);
	event.body_bytes = 6;
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	event.body_bytes = 0;
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EDQUOT);
	taken = take(queue);
	done(queue, &taken);
	assert_int_equal(queue_put(queue, &event, NULL, &err), 0);
	event.body_bytes = QUEUE_BODY_MAX + 1;
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EFBIG);
	event.body_bytes = 0;
	event.function = "";
	assert_int_equal(queue_put(queue, &event, NULL, &err), -EINVAL);
	for (unsigned int i = 0; i < 2; i++) {
		taken = take(queue);
		done(queue, &taken);
	}
	queue_close(queue);
}

static void database(const char *sql)
{
	DF_FREE char *path = df_path_join(directory, "queue.db");
	sqlite3 *opened;

	assert_int_equal(sqlite3_open(path, &opened), SQLITE_OK);
	assert_int_equal(sqlite3_exec(opened, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(opened);
}

static void test_refused(void **state)
{
	DF_FREE char *path = df_path_join(directory, "queue.db");
	DF_FREE char *wal = df_path_join(directory, "queue.db-wal");
	struct queue_options options = {.directory = directory};
	struct queue *queue = open_queue(), *other;
	struct df_err err;

	(void)state;
	assert_int_equal(queue_open(&options, &other, &err), -EBUSY);
	queue_close(queue);
	database("PRAGMA user_version = 3");
	assert_int_equal(queue_open(&options, &other, &err), -EPROTONOSUPPORT);
	database("PRAGMA user_version = 1; PRAGMA application_id = 1");
	assert_int_equal(queue_open(&options, &other, &err), -EINVAL);
	unlink(wal);
	DF_CLOSE int fd = open(path, O_WRONLY | O_TRUNC);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(df_write(fd, "no database ", 12), 0);
	assert_int_equal(queue_open(&options, &other, &err), -EINVAL);
	unlink(path);
	options.directory = "/proc/none";
	assert_int_equal(queue_open(&options, &other, &err), -ENOENT);
}

/* Whatever is in the database, it is an error or an event, and nothing worse. */
static void test_damaged(void **state)
{
	DF_FREE char *path = df_path_join(directory, "queue.db");
	struct queue_options options = {.directory = directory, .now_ms = test_now};
	struct queue *queue = open_queue();
	uint64_t seed = 1, opened = 0;
	static char whole[1 << 18];
	struct df_err err;
	ssize_t length;

	(void)state;
	for (unsigned int i = 0; i < 60; i++)
		put(queue, i % 2 ? "odd" : "even", "some body or other");
	queue_close(queue);
	DF_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	length = read(fd, whole, sizeof(whole));
	assert_true(length > 4096);
	for (unsigned int i = 0; i < 60; i++) {
		for (unsigned int k = 0; k < 1 + i; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			assert_int_equal(pwrite(fd, &seed, 1 + seed % 4,
						 (off_t)(seed >> 20) % length) > 0,
				1);
		}
		if (queue_open(&options, &queue, &err) == 0) {
			struct queue_event event;

			opened++;
			for (int k = 0; k < 80; k++) {
				if (queue_take(queue, 0, &event) != QUEUE_TAKEN)
					continue;
				(void)!queue_retry(queue, &event, QUEUE_THROTTLED);
				queue_event_free(&event);
			}
			(void)!queue_sweep(queue);
			(void)!queue_purge(queue, "odd", NULL);
			queue_close(queue);
		}
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, whole, (size_t)length, 0), length);
	}
	assert_true(opened > 0);
	queue = open_queue();
	assert_int_equal(queue_purge(queue, "odd", NULL), 0);
	assert_int_equal(queue_purge(queue, "even", NULL), 0);
	queue_close(queue);
}

/* Another process must find the database locked, or it would take the log away when it is done with looking at it. */
static int look_in(void)
{
	DF_FREE char *path = df_path_join(directory, "queue.db");
	DF_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
		return 1;
	return lock.l_type == F_UNLCK ? 2 : 0;
}

static void test_database_in_use(void **state)
{
	struct queue *queue = open_queue();
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(look_in());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	queue_close(queue);
}

struct worker {
	struct queue *queue;
	pthread_t thread;
	unsigned int seen;
	uint64_t sum;
};

static void *put_many(void *user)
{
	struct worker *worker = user;

	for (unsigned int i = 0; i < PER_THREAD; i++)
		worker->sum += put(worker->queue, i % 2 ? "f" : "g", "body");
	return NULL;
}

static void *take_many(void *user)
{
	struct worker *worker = user;
	struct queue_event event;

	while (queue_take(worker->queue, UINT64_MAX, &event) == QUEUE_TAKEN) {
		worker->seen++;
		worker->sum += event.id;
		done(worker->queue, &event);
	}
	return NULL;
}

/* Each event is taken once, whoever put it; waiting workers are woken. */
static void test_threads(void **state)
{
	struct queue *queue = open_queue();
	struct worker putters[THREADS], takers[THREADS];
	struct queue_gauges gauges;
	uint64_t put_sum = 0, taken_sum = 0, seen = 0;

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		putters[i] = takers[i] = (struct worker){.queue = queue};
		pthread_create(&takers[i].thread, NULL, take_many, &takers[i]);
		pthread_create(&putters[i].thread, NULL, put_many, &putters[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(putters[i].thread, NULL);
		put_sum += putters[i].sum;
	}
	do {
		queue_gauges(queue, NULL, &gauges);
		sched_yield();
	} while (gauges.ready + gauges.leased > 0);
	queue_stop(queue);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(takers[i].thread, NULL);
		taken_sum += takers[i].sum;
		seen += takers[i].seen;
	}
	assert_int_equal(seen, THREADS * PER_THREAD);
	assert_int_equal(put_sum, taken_sum);
	assert_true(gauges.commits <= 2ull * THREADS * PER_THREAD);
	queue_close(queue);
}

static void *take_one(void *user)
{
	struct worker *worker = user;
	struct queue_event event;

	worker->seen = queue_take(worker->queue, UINT64_MAX, &event) == QUEUE_TAKEN;
	if (worker->seen)
		done(worker->queue, &event);
	return NULL;
}

/* Two sleep; an event that is due later, then one at once: both are taken, each by whoever is left. */
static void test_wake(void **state)
{
	struct queue *queue = open_queue();
	struct worker workers[2] = {{.queue = queue}, {.queue = queue}};
	struct queue_event event;

	(void)state;
	put(queue, "f", "later");
	event = take(queue);
	pthread_create(&workers[0].thread, NULL, take_one, &workers[0]);
	pthread_create(&workers[1].thread, NULL, take_one, &workers[1]);
	assert_int_equal(queue_retry(queue, &event, QUEUE_ERROR), 0);
	queue_event_free(&event);
	put(queue, "f", "now");
	clock_ms += MINUTE_MS;
	queue_wake(queue);
	pthread_join(workers[0].thread, NULL);
	pthread_join(workers[1].thread, NULL);
	assert_int_equal(workers[0].seen + workers[1].seen, 2);
	queue_stop(queue);
	assert_int_equal(queue_take(queue, UINT64_MAX, &event), QUEUE_STOPPED);
	queue_close(queue);
}

static void test_lanes_order(void **state)
{
	struct lanes lanes;
	struct lane *lane;
	uint64_t id, due, last = 0, seed = 1;

	(void)state;
	lanes_init(&lanes, 1000, 0);
	lane = lanes_get(&lanes, QUEUE_EVENT, "f");
	assert_non_null(lane);
	for (uint64_t i = 0; i < 500; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		assert_int_equal(lanes_reserve(lane), 0);
		lanes_put(&lanes, lane, i, seed >> 55);
	}
	assert_ptr_equal(lanes_take(&lanes, 0, &id, &due), NULL);
	for (uint64_t i = 0; i < 500; i++) {
		assert_ptr_equal(lanes_take(&lanes, 1000, &id, &due), lane);
		assert_true(due >= last);
		last = due;
		lanes_drop(&lanes, lane);
	}
	assert_null(lanes_take(&lanes, 1000, &id, &due));
	assert_int_equal(due, UINT64_MAX);
	lanes_deinit(&lanes);
}

static bool write_file(const char *path, const char *text)
{
	DF_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && df_write(fd, text, strlen(text)) == 0;
}

/* A file system of 600 KiB over the directory, in name spaces of this process alone. False where that is not allowed. */
static bool small_disk(void)
{
	DF_FREE char *user = df_format("0 %u 1", geteuid());
	DF_FREE char *group = df_format("0 %u 1", getegid());

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_file("/proc/self/uid_map", user) ||
		!write_file("/proc/self/setgroups", "deny") ||
		!write_file("/proc/self/gid_map", group))
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("none", directory, "tmpfs", 0, "size=600k") == 0;
}

/* Fills the disk, makes it larger, and takes out what was acknowledged. The exit status says which step failed. */
static int fill_disk(void)
{
	const struct queue_options options = {.directory = directory, .now_ms = test_now};
	struct queue_event_new event = {.function = "f", .request_id = "r"};
	unsigned int stored = 0, taken = 0;
	struct queue_event got;
	struct queue *queue;
	struct df_err err;
	int error;

	if (!small_disk())
		return 77;
	if (queue_open(&options, &queue, &err) < 0)
		return 8;
	event.body = calloc(1, QUEUE_INLINE_MAX * 2);
	event.body_bytes = 9000;
	while ((error = queue_put(queue, &event, NULL, &err)) == 0)
		stored++;
	if (error != -ENOSPC || stored == 0)
		return 1;
	event.body_bytes = QUEUE_INLINE_MAX * 2;
	if (queue_put(queue, &event, NULL, &err) != -ENOSPC || count_bodies() != 0)
		return 2;
	if (queue_take(queue, 0, &got) != QUEUE_TAKEN)
		return 3;
	/* It may not be possible to remove it; then it comes again. */
	taken += queue_done(queue, &got, NULL) == 0;
	queue_event_free(&got);
	if (mount("none", directory, "tmpfs", MS_REMOUNT, "size=8m") < 0)
		return 4;
	clock_ms += MINUTE_MS;
	if (queue_put(queue, &event, NULL, &err) < 0)
		return 5;
	while (queue_take(queue, 0, &got) == QUEUE_TAKEN) {
		taken++;
		if (queue_done(queue, &got, NULL) < 0)
			return 6;
		queue_event_free(&got);
	}
	queue_close(queue);
	free((void *)event.body);
	return taken == stored + 1 ? 0 : 7;
}

static void test_disk_full(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(fill_disk());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void remove_all(void)
{
	DF_FREE char *command = df_format("rm -rf '%s'", directory);

	if (system(command) != 0)
		fail_msg("cannot remove %s", directory);
}

static int setup(void **state)
{
	const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)state;
	snprintf(directory, sizeof(directory), "%s/dayfly-queue-XXXXXX", top);
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	remove_all();
	return 0;
}

/* --- marks --- */

struct seen_marks {
	char text[256];
	int stop_after;
};

static int see_mark(void *user, const struct queue_mark *mark)
{
	struct seen_marks *seen = user;
	size_t at = strlen(seen->text);

	snprintf(seen->text + at, sizeof(seen->text) - at, "%s|%s|%s;", mark->owner, mark->key,
		mark->value);
	return --seen->stop_after == 0 ? 7 : 0;
}

static void check_marks(struct queue *queue, const char *owner, const char *want)
{
	struct seen_marks seen = {.text = ""};

	assert_int_equal(queue_each_mark(queue, owner, see_mark, &seen), 0);
	assert_string_equal(seen.text, want);
}

static int put_marked(struct queue *queue, const char *owner, const char *key, const char *value,
	size_t body_bytes)
{
	static char body[QUEUE_INLINE_MAX + 1];
	const struct queue_mark mark = {owner, key, value};
	const struct queue_event_new event = {.function = "f",
		.request_id = "r",
		.body = body,
		.body_bytes = body_bytes,
		.mark = &mark};

	return queue_put(queue, &event, NULL, NULL);
}

static void test_marks(void **state)
{
	const struct queue_mark some[] = {{"a/2", "k", "w"}, {"a/1", "k", NULL}, {"b", "", ""}};
	struct seen_marks seen = {.stop_after = 1};
	struct queue *queue = open_queue();
	struct queue_gauges gauges;

	(void)state;
	assert_int_equal(put_marked(queue, "a/1", "k", "v", 1), 0);
	assert_int_equal(put_marked(queue, "a/1", "k", "v", 1), -EEXIST);
	/* One with a file leaves none, and is not charged. */
	assert_int_equal(put_marked(queue, "a/1", "k", "v", QUEUE_INLINE_MAX + 1), -EEXIST);
	assert_int_equal(put_marked(queue, "a/1", "k", "v2", 1), 0);
	assert_int_equal(put_marked(queue, "a/1", "l", "v", 1), 0);
	queue_gauges(queue, NULL, &gauges);
	assert_int_equal(gauges.ready, 3);
	assert_int_equal(gauges.bytes, 3);
	check_marks(queue, "a/", "a/1|k|v2;a/1|l|v;");
	queue_close(queue);

	queue = open_queue();
	assert_int_equal(put_marked(queue, "a/1", "k", "v2", 1), -EEXIST);
	assert_int_equal(queue_mark(queue, some, 3), 0);
	check_marks(queue, "", "a/1|l|v;a/2|k|w;b||;");
	assert_int_equal(queue_each_mark(queue, "", see_mark, &seen), 7);
	assert_int_equal(queue_forget(queue, "a/1"), 0);
	check_marks(queue, "a", "a/2|k|w;");
	/* What was forgotten is new again. */
	assert_int_equal(put_marked(queue, "a/1", "k", "v2", 1), 0);
	assert_int_equal(put_marked(queue, "", "k", "v", 1), -EINVAL);
	assert_int_equal(put_marked(queue, "a", "k", NULL, 1), -EINVAL);
	assert_int_equal(queue_mark(queue, &(struct queue_mark){"a", NULL, "v"}, 1), -EINVAL);
	queue_close(queue);
}

static void test_migration(void **state)
{
	struct queue *queue = open_queue();
	struct queue_event event;

	(void)state;
	assert_int_equal(queue_purge(queue, "f", NULL), 0);
	put(queue, "f", "one");
	queue_close(queue);
	database("DROP TABLE mark; PRAGMA user_version = 1");
	queue = open_queue();
	event = take(queue);
	assert_int_equal(event.body_bytes, 3);
	done(queue, &event);
	assert_int_equal(put_marked(queue, "a", "k", "v", 1), 0);
	queue_close(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_take_done),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_function_errors),
		cmocka_unit_test(test_throttles_and_age),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_turns_and_limits),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_lanes_order),
		cmocka_unit_test(test_database_in_use),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_migration),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
