// SPDX-License-Identifier: Apache-2.0
/*
 * queue-kill [ROUNDS [SEED]]: a process that puts events into a queue and takes them is killed at a random moment, ROUNDS times (150), always
 * on the same directory. At the end the queue is emptied, and every event whose queue_put had returned must have come out, whole.
 *
 * What the process does is told to the parent through a pipe, which outlives it: ACKNOWLEDGED after queue_put, SEEN before queue_done. An event's
 * number says what becomes of it, so that it is the same however often it is delivered:
 *
 *	number % 8 == 1   dead letter at its first attempt; found in the list at the end
 *	number % 8 == 2   fails until its attempts are used up, then the same
 *	number % 8 == 3   done, with another event that is stored in the same transaction, which must come out too
 *	others            done
 *
 * The directory is in memory (/dev/shm) unless TMPDIR names one: a killed process loses nothing that it has written, synchronised or not.
 */
#include "daemon/event/queue.h"
#include "host/cleanup.h"
#include "host/path.h"
#include "host/str.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PUTTERS 3
#define TAKERS 2
#define PER_THREAD 4096 /* events of one thread in one round, at most */
#define LARGE (QUEUE_INLINE_MAX + 4000)
#define KILL_AFTER_US 20000
#define FOLLOWS (1ull << 62) /* the number of the event that follows another one */

enum tell { ACKNOWLEDGED = 1, SEEN, BROKEN };

struct message {
	enum tell tell;
	uint64_t number;
};

static char directory[256];
static struct queue *queue;
static int tell_fd;
static unsigned int round_number;

/* The parent's book, by number. */
static uint8_t *acknowledged, *seen, *followed;
static uint64_t numbers;

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static void tell(enum tell what, uint64_t number)
{
	const struct message message = {.tell = what, .number = number};

	/* One write of less than PIPE_BUF: whole or not there. */
	if (write(tell_fd, &message, sizeof(message)) != (ssize_t)sizeof(message))
		_exit(1);
}

static size_t body_bytes(uint64_t number)
{
	return mix(number) % 40 == 0 ? LARGE : 8 + mix(number) % 500;
}

static void fill_body(uint64_t number, uint8_t *body, size_t length)
{
	memcpy(body, &number, sizeof(number));
	for (size_t i = sizeof(number); i < length; i++)
		body[i] = (uint8_t)(mix(number + i / 64) + i);
}

/* The number that the body has; 0 if the event is not as it was put. */
static uint64_t check_body(const struct queue_event *event)
{
	static _Thread_local uint8_t want[LARGE];
	uint64_t number;

	if (!event->body || event->body_bytes < sizeof(number))
		return 0;
	memcpy(&number, event->body, sizeof(number));
	if (event->body_bytes != body_bytes(number))
		return 0;
	fill_body(number, want, event->body_bytes);
	return memcmp(want, event->body, event->body_bytes) == 0 ? number : 0;
}

static struct queue_event_new new_event(uint64_t number, uint8_t body[LARGE])
{
	size_t length = body_bytes(number);

	fill_body(number, body, length);
	return (struct queue_event_new){.function = number % 2 ? "odd" : "even",
		.request_id = "r",
		.body = body,
		.body_bytes = length};
}

static void *put_events(void *user)
{
	static _Thread_local uint8_t body[LARGE];
	uint64_t thread = (uint64_t)(uintptr_t)user;
	struct queue_gauges gauges;

	for (uint64_t i = 0; i < PER_THREAD; i++) {
		uint64_t number = ((uint64_t)round_number * PUTTERS + thread) * PER_THREAD + i + 1;
		struct queue_event_new event = new_event(number, body);

		if (queue_put(queue, &event, NULL, NULL) < 0)
			_exit(1);
		tell(ACKNOWLEDGED, number);
		queue_gauges(queue, NULL, &gauges);
		if (gauges.ready > 200)
			usleep(500);
	}
	return NULL;
}

static int give_up(const struct queue_event *event)
{
	const struct queue_end end = {.reason = QUEUE_RETRIES_EXHAUSTED, .error = "on purpose"};

	return queue_dead(queue, event, &end, NULL);
}

/* Does with an event what its number says. */
static int handle(const struct queue_event *event)
{
	static _Thread_local uint8_t body[LARGE];
	uint64_t number = check_body(event);
	struct queue_event_new next;
	int result;

	if (!number) {
		tell(BROKEN, event->id);
		return -EIO;
	}
	switch (number & FOLLOWS ? 0 : number % 8) {
	case 1:
		return give_up(event);
	case 2:
		result = queue_retry(queue, event, QUEUE_ERROR);
		return result == QUEUE_RETRIES_EXHAUSTED ? give_up(event) : result;
	case 3:
		next = new_event(number | FOLLOWS, body);
		tell(SEEN, number);
		return queue_done(queue, event, &next);
	default:
		tell(SEEN, number);
		return queue_done(queue, event, NULL);
	}
}

static void *take_events(void *user)
{
	struct queue_event event;

	(void)user;
	while (queue_take(queue, UINT64_MAX, &event) == QUEUE_TAKEN) {
		if (handle(&event) != 0)
			_exit(1);
		queue_event_free(&event);
	}
	return NULL;
}

static void open_queue(void)
{
	const struct queue_options options = {
		.directory = directory, .error_delay_ms = 2, .concurrency = 8};
	struct df_err err;

	if (queue_open(&options, &queue, &err) < 0) {
		fprintf(stderr, "cannot open the queue: %s\n", err.text);
		_exit(2);
	}
}

/* The process that will be killed. */
static void live(void)
{
	pthread_t thread;

	open_queue();
	for (uintptr_t i = 0; i < PUTTERS; i++)
		pthread_create(&thread, NULL, put_events, (void *)i);
	for (unsigned int i = 0; i < TAKERS; i++)
		pthread_create(&thread, NULL, take_events, NULL);
	for (;;)
		pause();
}

static bool note(const struct message *message)
{
	uint64_t number = message->number & ~FOLLOWS;

	if (message->tell == BROKEN || number > numbers) {
		printf("not ok queue-kill: event %" PRIu64 " is not what was put\n", number);
		return false;
	}
	if (message->tell == ACKNOWLEDGED)
		acknowledged[number] = 1;
	else if (message->number & FOLLOWS)
		followed[number] = 1;
	else if (seen[number] < 255)
		seen[number]++;
	return true;
}

/* Lets a process live for a while. False: it found an error, or died by itself. */
static bool one_round(unsigned int live_us)
{
	int ends[2], status;
	struct message message;
	bool good = true;
	pid_t child;

	if (pipe(ends) < 0 || (child = fork()) < 0) {
		perror("fork");
		return false;
	}
	if (child == 0) {
		close(ends[0]);
		tell_fd = ends[1];
		live();
	}
	close(ends[1]);
	usleep(live_us);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	while (read(ends[0], &message, sizeof(message)) == (ssize_t)sizeof(message))
		good = note(&message) && good;
	close(ends[0]);
	if (!WIFSIGNALED(status)) {
		printf("not ok queue-kill: the process ended by itself, with status %d\n",
			WEXITSTATUS(status));
		good = false;
	}
	return good;
}

/* Marks dead letters as seen, and deletes them. */
static bool collect_dead(void)
{
	struct queue_event letters[64], whole;
	int count;

	while ((count = queue_list_dead(queue, NULL, 0, letters, 64)) > 0) {
		for (int i = 0; i < count; i++) {
			struct message message = {.tell = SEEN};

			if (queue_read(queue, letters[i].id, &whole) < 0)
				return false;
			message.number = check_body(&whole);
			queue_event_free(&whole);
			if (!message.number || !note(&message) ||
				queue_delete(queue, letters[i].id) < 0)
				return false;
			queue_event_free(&letters[i]);
		}
	}
	return count == 0;
}

/* Does `handle` tell nothing about it? */
static bool is_silent(uint64_t number)
{
	return !(number & FOLLOWS) && (number % 8 == 1 || number % 8 == 2);
}

/* Takes all that is left. What `handle` tells goes through a pipe to ourselves, message by message. */
static bool empty_queue(void)
{
	struct queue_gauges gauges;
	struct queue_event event;
	struct message message;
	bool silent;
	int ends[2];

	if (pipe(ends) < 0)
		return false;
	tell_fd = ends[1];
	open_queue();
	for (;;) {
		queue_gauges(queue, NULL, &gauges);
		if (gauges.ready == 0)
			break;
		if (queue_take(queue, 1000, &event) != QUEUE_TAKEN || handle(&event) < 0)
			return false;
		silent = is_silent(check_body(&event));
		queue_event_free(&event);
		if (silent)
			continue;
		if (read(ends[0], &message, sizeof(message)) != (ssize_t)sizeof(message) ||
			!note(&message))
			return false;
	}
	if (!collect_dead())
		return false;
	queue_gauges(queue, NULL, &gauges);
	queue_close(queue);
	close(ends[0]);
	close(ends[1]);
	return gauges.bytes == 0;
}

/* No body may be left behind. */
static bool no_files(void)
{
	DF_FREE char *path = df_path_join(directory, "bodies");
	DF_CLOSEDIR DIR *dir = opendir(path);
	unsigned int count = 0;

	while (dir && readdir(dir))
		count++;
	return count == 2;
}

static bool judge(unsigned int rounds, bool good)
{
	uint64_t put = 0, lost = 0, twice = 0;

	for (uint64_t i = 1; i <= numbers; i++) {
		put += acknowledged[i];
		twice += seen[i] > 1;
		lost += acknowledged[i] && !seen[i];
		lost += acknowledged[i] && i % 8 == 3 && !followed[i];
	}
	good = good && lost == 0 && put > rounds;
	printf("%s queue-kill: %u kills, %" PRIu64 " events acknowledged, %" PRIu64
	       " lost, %" PRIu64 " delivered more than once\n",
		good ? "ok" : "not ok", rounds, put, lost, twice);
	return good;
}

static bool run(unsigned int rounds, uint64_t seed)
{
	bool good = true;

	for (round_number = 0; round_number < rounds && good; round_number++)
		good = one_round((unsigned int)(mix(seed + round_number) % KILL_AFTER_US));
	if (good && !empty_queue()) {
		printf("not ok queue-kill: the queue cannot be emptied\n");
		good = false;
	}
	if (good && !no_files()) {
		printf("not ok queue-kill: bodies are left behind\n");
		good = false;
	}
	return judge(rounds, good);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 150;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	const char *top = getenv("TMPDIR");
	DF_FREE char *command = NULL;
	bool good;

	if (!top)
		top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(directory, sizeof(directory), "%s/dayfly-queue-kill-XXXXXX", top);
	numbers = (uint64_t)rounds * PUTTERS * PER_THREAD;
	acknowledged = calloc(numbers + 1, 1);
	seen = calloc(numbers + 1, 1);
	followed = calloc(numbers + 1, 1);
	if (!acknowledged || !seen || !followed || !mkdtemp(directory)) {
		perror("queue-kill");
		return 1;
	}
	good = run(rounds, seed);
	if (!good)
		printf("# seed %" PRIu64 "\n", seed);
	command = df_format("rm -rf '%s'", directory);
	if (!command || system(command) != 0)
		good = false;
	free(acknowledged);
	free(seen);
	free(followed);
	return good ? 0 : 1;
}
