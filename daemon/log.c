/* SPDX-License-Identifier: Apache-2.0 */
/* The log: see log.h. */
#include "daemon/log.h"

#include "daemon/clock.h"
#include "host/cleanup.h"
#include "host/json.h"
#include "host/write.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	enum log_level least; /* atomic */
	/* protected by lock: */
	struct df_str waiting; /* for the writer */
	uint64_t dropped;
	bool started, ending;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

struct ring_line {
	STAILQ_ENTRY(ring_line) link;
	uint64_t number;
	size_t length;
	char text[];
};

struct log_ring {
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* protected by lock: */
	STAILQ_HEAD(, ring_line) lines;
	size_t bytes;
	uint64_t last; /* number of the last line */
};

static const char *const levels[] = {"debug", "info", "warning", "error"};

/* --- the writer --- */

static void *write_lines(void *unused)
{
	struct df_str lines = DF_STR_EMPTY;

	(void)unused;
	pthread_mutex_lock(&logger.lock);
	while (!logger.ending || logger.waiting.length) {
		struct df_str swap = lines;

		if (!logger.waiting.length) {
			pthread_cond_wait(&logger.more, &logger.lock);
			continue;
		}
		lines = logger.waiting;
		logger.waiting = swap;
		if (logger.dropped)
			df_str_addf(&lines,
				"{\"level\":\"warning\",\"message\":\"%llu lines were dropped\"}\n",
				(unsigned long long)logger.dropped);
		logger.dropped = 0;
		pthread_mutex_unlock(&logger.lock);
		df_write_error(df_str_text(&lines), lines.length);
		df_str_clear(&lines);
		pthread_mutex_lock(&logger.lock);
	}
	pthread_mutex_unlock(&logger.lock);
	df_str_deinit(&lines);
	return NULL;
}

void log_level(enum log_level least)
{
	__atomic_store_n(&logger.least, least, __ATOMIC_RELAXED);
}

static bool is_wanted(enum log_level level)
{
	return level >= __atomic_load_n(&logger.least, __ATOMIC_RELAXED);
}

int log_init(enum log_level least)
{
	int error;

	log_level(least);
	error = pthread_create(&logger.thread, NULL, write_lines, NULL);
	logger.started = error == 0;
	return -error;
}

void log_deinit(void)
{
	if (!logger.started)
		return;
	pthread_mutex_lock(&logger.lock);
	logger.ending = true;
	pthread_cond_signal(&logger.more);
	pthread_mutex_unlock(&logger.lock);
	pthread_join(logger.thread, NULL);
	logger.started = false;
	df_str_deinit(&logger.waiting);
}

static void hand_over(const struct df_str *line)
{
	pthread_mutex_lock(&logger.lock);
	if (!logger.started || logger.waiting.length + line->length > LOG_QUEUE_MAX)
		logger.dropped++;
	else
		df_str_add_bytes(&logger.waiting, line->data, line->length);
	pthread_cond_signal(&logger.more);
	pthread_mutex_unlock(&logger.lock);
}

/* --- lines --- */

static void begin(struct df_str *line, enum log_level level)
{
	char time[CLOCK_TEXT_BYTES];

	df_json_open(line, NULL, '{');
	df_json_text(line, "time", clock_text(clock_wall_ms(), time));
	df_json_text(line, "level", levels[level]);
}

static void finish(struct df_str *line)
{
	df_json_close(line, '}');
	df_str_add(line, "\n");
}

void log_line(enum log_level level, const char *format, ...)
{
	DF_STR struct df_str line = DF_STR_EMPTY;
	char text[1024];
	va_list arguments;

	if (!is_wanted(level))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	begin(&line, level);
	df_json_text(&line, "message", text);
	finish(&line);
	if (!line.failed)
		hand_over(&line);
}

static void put_in_ring(struct log_ring *ring, const struct df_str *line)
{
	struct ring_line *entry = malloc(sizeof(*entry) + line->length);

	if (!entry)
		return;
	entry->length = line->length;
	memcpy(entry->text, line->data, line->length);
	pthread_mutex_lock(&ring->lock);
	entry->number = ++ring->last;
	STAILQ_INSERT_TAIL(&ring->lines, entry, link);
	ring->bytes += entry->length;
	while (ring->bytes > LOG_RING_BYTES) {
		struct ring_line *first = STAILQ_FIRST(&ring->lines);

		STAILQ_REMOVE_HEAD(&ring->lines, link);
		ring->bytes -= first->length;
		free(first);
	}
	pthread_cond_broadcast(&ring->more);
	pthread_mutex_unlock(&ring->lock);
}

void log_event(struct log_ring *ring, const struct log_event *event)
{
	DF_STR struct df_str line = DF_STR_EMPTY;
	size_t skip = event->output_bytes > LOG_EVENT_MAX ? event->output_bytes - LOG_EVENT_MAX : 0;

	begin(&line, event->level);
	df_json_text(&line, "function", event->function);
	df_json_text(&line, "version", event->version);
	df_json_text(&line, "request_id", event->request_id);
	df_json_text(&line, "message", event->message);
	if (event->duration_ns)
		df_json_number(&line, "duration_us", event->duration_ns / 1000);
	if (event->output_bytes)
		df_json_bytes(&line, "output", event->output + skip, event->output_bytes - skip);
	if (skip)
		df_json_number(&line, "output_cut", skip);
	finish(&line);
	if (line.failed)
		return;
	put_in_ring(ring, &line);
	if (is_wanted(event->level))
		hand_over(&line);
}

/* --- rings --- */

struct log_ring *log_ring_new(void)
{
	struct log_ring *ring = calloc(1, sizeof(*ring));
	pthread_condattr_t attributes;

	if (!ring)
		return NULL;
	pthread_mutex_init(&ring->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&ring->more, &attributes);
	pthread_condattr_destroy(&attributes);
	STAILQ_INIT(&ring->lines);
	return ring;
}

void log_ring_free(struct log_ring *ring)
{
	struct ring_line *line;

	if (!ring)
		return;
	while ((line = STAILQ_FIRST(&ring->lines))) {
		STAILQ_REMOVE_HEAD(&ring->lines, link);
		free(line);
	}
	pthread_cond_destroy(&ring->more);
	pthread_mutex_destroy(&ring->lock);
	free(ring);
}

void log_ring_read(struct log_ring *ring, uint64_t *after, unsigned int wait_ms,
	struct df_str *lines)
{
	struct timespec until = clock_timespec(clock_now_ns() + wait_ms * 1000000ull);
	struct ring_line *line;

	pthread_mutex_lock(&ring->lock);
	/* Numbers start anew with the daemon: a reader from before gets all there is. */
	if (*after > ring->last)
		*after = 0;
	while (wait_ms && ring->last == *after &&
		pthread_cond_timedwait(&ring->more, &ring->lock, &until) == 0)
		;
	STAILQ_FOREACH(line, &ring->lines, link)
	{
		if (line->number > *after)
			df_str_add_bytes(lines, line->text, line->length);
	}
	*after = ring->last;
	pthread_mutex_unlock(&ring->lock);
}
