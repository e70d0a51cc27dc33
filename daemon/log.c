/* SPDX-License-Identifier: Apache-2.0 */
/* Logs: see log.h. */
#include "daemon/log.h"

#include "daemon/clock.h"
#include "daemon/log_files.h"
#include "host/cleanup.h"
#include "host/json.h"
#include "host/path.h"
#include "host/write.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define OWN_NAME "@dayflyd" /* functions' names have no @ */
#define OWN_BYTES (16ull << 20)
#define SWEEP_NS 60000000000ull
/* What a reader waits for lines that are on their way to the disk. */
#define FLUSH_LIMIT_NS 2000000000ull
#define COMPLAIN_NS 60000000000ull

struct log {
	char *name, *directory;
	struct log_files files; /* the writer's alone, but for log_get */
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* protected by lock: */
	uint64_t end; /* position behind what is on disk */
	uint64_t quota_bytes, age_ms;
	/* protected by logger.lock: */
	unsigned int references;
	LIST_ENTRY(log) link;
};

/* On its way to the writer. */
struct line {
	STAILQ_ENTRY(line) link;
	struct log *log; /* a reference */
	bool echo;
	bool forget; /* no line: the log is to be emptied */
	size_t length;
	char text[];
};

STAILQ_HEAD(line_queue, line);

static struct {
	char *directory;
	struct log *own;
	pthread_t thread;
	/* atomic: */
	enum log_level least;
	enum log_echo echo;

	pthread_mutex_t lock;
	pthread_cond_t more, done;
	/* protected by lock: */
	struct line_queue queue;
	size_t queued_bytes;
	uint64_t handed, written; /* lines, since the start */
	uint64_t dropped;
	uint64_t quota_bytes, age_ms;
	LIST_HEAD(, log) logs;
	bool started, ending;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .queue = STAILQ_HEAD_INITIALIZER(logger.queue)};

static const char *const levels[] = {"debug", "info", "warning", "error"};

/* --- logs --- */

static void free_log(struct log *log)
{
	pthread_cond_destroy(&log->more);
	pthread_mutex_destroy(&log->lock);
	free(log->directory);
	free(log->name);
	free(log);
}

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

static struct log *new_log(const char *name)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	pthread_mutex_init(&log->lock, NULL);
	init_condition(&log->more);
	log->references = 1;
	log->quota_bytes = LOG_BYTES_DEFAULT;
	log->age_ms = LOG_AGE_DEFAULT_MS;
	log->name = strdup(name);
	log->directory = df_path_join(logger.directory, name);
	if (!log->name || !log->directory) {
		free_log(log);
		return NULL;
	}
	log->files = (struct log_files){.directory = log->directory,
		.quota_bytes = log->quota_bytes,
		.age_ms = log->age_ms};
	/* A log that can not be opened is tried again with its first line. */
	if (log_files_open(&log->files) == 0)
		log->end = log_files_end(&log->files);
	return log;
}

/* A reference, or NULL. With logger.lock held. */
static struct log *find_log(const char *name)
{
	struct log *log;

	LIST_FOREACH(log, &logger.logs, link)
	{
		if (strcmp(log->name, name) == 0)
			break;
	}
	if (log)
		log->references++;
	return log;
}

struct log *log_get(const char *name)
{
	struct log *log, *made;

	pthread_mutex_lock(&logger.lock);
	log = find_log(name);
	pthread_mutex_unlock(&logger.lock);
	if (log)
		return log;
	/* Without the lock: it reads the disk, and calls need the lock for their lines. */
	made = new_log(name);
	pthread_mutex_lock(&logger.lock);
	log = find_log(name);
	if (!log && made) {
		log = made;
		LIST_INSERT_HEAD(&logger.logs, log, link);
		made = NULL;
	}
	pthread_mutex_unlock(&logger.lock);
	if (made)
		free_log(made);
	return log;
}

static void unref_locked(struct log *log)
{
	if (--log->references > 0)
		return;
	LIST_REMOVE(log, link);
	free_log(log);
}

void log_unref(struct log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(&logger.lock);
	unref_locked(log);
	pthread_mutex_unlock(&logger.lock);
}

struct log *log_own(void)
{
	return logger.own;
}

void log_limit(struct log *log, uint64_t bytes, uint64_t age_ms)
{
	pthread_mutex_lock(&log->lock);
	log->quota_bytes = bytes;
	log->age_ms = age_ms;
	pthread_mutex_unlock(&log->lock);
}

/* --- the writer --- */

static void take_limits(struct log *log)
{
	pthread_mutex_lock(&log->lock);
	log->files.quota_bytes = log->quota_bytes;
	log->files.age_ms = log->age_ms;
	pthread_mutex_unlock(&log->lock);
}

static void set_end(struct log *log)
{
	pthread_mutex_lock(&log->lock);
	log->end = log_files_end(&log->files);
	pthread_cond_broadcast(&log->more);
	pthread_mutex_unlock(&log->lock);
}

/* Not into the log: that is what can not be written. */
static void complain(const struct log *log, int error)
{
	static uint64_t next_ns;
	char text[256];
	uint64_t now_ns = clock_now_ns();
	int length;

	if (now_ns < next_ns)
		return;
	next_ns = now_ns + COMPLAIN_NS;
	length = snprintf(text, sizeof(text),
		"{\"level\":\"error\",\"message\":\"lines of the log %s cannot be written: %s\"}\n",
		log->name, df_errno_text(error));
	df_write_error(text, (size_t)length);
}

static void append(struct log *log, const struct df_str *lines)
{
	int error = 0;

	if (!lines->length)
		return;
	take_limits(log);
	if (!log->files.opened)
		error = log_files_open(&log->files);
	if (!error)
		error = log_files_append(&log->files, lines->data, lines->length);
	if (error)
		complain(log, error);
	set_end(log);
}

static void forget(struct log *log)
{
	log_files_remove(log->directory);
	log->files.start = log->files.begun_ms = log->files.bytes = 0;
	set_end(log);
}

/* Lines of one log that follow each other are written together. */
static void write_queue(struct line_queue *queue, struct df_str *lines, struct df_str *echo)
{
	struct line *line;

	STAILQ_FOREACH(line, queue, link)
	{
		const struct line *next = STAILQ_NEXT(line, link);

		df_str_add_bytes(lines, line->text, line->length);
		if (line->echo)
			df_str_add_bytes(echo, line->text, line->length);
		if (next && next->log == line->log && !line->forget)
			continue;
		append(line->log, lines);
		df_str_clear(lines);
		if (line->forget)
			forget(line->log);
	}
	df_write_error(df_str_text(echo), echo->length);
	df_str_clear(echo);
}

/* Returns how many they were. */
static uint64_t free_queue(struct line_queue *queue)
{
	uint64_t count = 0;
	struct line *line;

	for (; (line = STAILQ_FIRST(queue)); count++) {
		STAILQ_REMOVE_HEAD(queue, link);
		unref_locked(line->log);
		free(line);
	}
	return count;
}

/* Every log by its own limits, then all of them by the common ones. Logs appear at the list's head, so `log` finds all that were there. */
static void sweep(void)
{
	uint64_t quota_bytes = logger.quota_bytes, age_ms = logger.age_ms;
	struct log *log = LIST_FIRST(&logger.logs), *next;

	if (log)
		log->references++;
	for (; log; log = next) {
		pthread_mutex_unlock(&logger.lock);
		take_limits(log);
		if (log->files.age_ms > age_ms)
			log->files.age_ms = age_ms;
		if (log->files.opened)
			log_files_prune(&log->files);
		pthread_mutex_lock(&logger.lock);
		next = LIST_NEXT(log, link);
		if (next)
			next->references++;
		unref_locked(log);
	}
	pthread_mutex_unlock(&logger.lock);
	log_files_sweep(logger.directory, quota_bytes, age_ms);
	pthread_mutex_lock(&logger.lock);
}

static void *write_lines(void *unused)
{
	struct df_str lines = DF_STR_EMPTY, echo = DF_STR_EMPTY;
	uint64_t sweep_ns = clock_now_ns();

	(void)unused;
	pthread_mutex_lock(&logger.lock);
	while (!logger.ending || !STAILQ_EMPTY(&logger.queue)) {
		struct timespec until = clock_timespec(sweep_ns);
		struct line_queue queue = STAILQ_HEAD_INITIALIZER(queue);
		uint64_t dropped = logger.dropped;

		if (clock_now_ns() >= sweep_ns) {
			sweep();
			sweep_ns = clock_now_ns() + SWEEP_NS;
			continue;
		}
		if (STAILQ_EMPTY(&logger.queue)) {
			pthread_cond_timedwait(&logger.more, &logger.lock, &until);
			continue;
		}
		STAILQ_CONCAT(&queue, &logger.queue);
		logger.queued_bytes = 0;
		logger.dropped = 0;
		pthread_mutex_unlock(&logger.lock);
		write_queue(&queue, &lines, &echo);
		if (dropped)
			log_line(LOG_LEVEL_WARNING, "%llu lines of logs were dropped",
				(unsigned long long)dropped);
		pthread_mutex_lock(&logger.lock);
		logger.written += free_queue(&queue);
		pthread_cond_broadcast(&logger.done);
	}
	pthread_mutex_unlock(&logger.lock);
	df_str_deinit(&lines);
	df_str_deinit(&echo);
	return NULL;
}

/* --- starting and stopping --- */

void log_change(const struct log_settings *settings)
{
	__atomic_store_n(&logger.least, settings->least, __ATOMIC_RELAXED);
	__atomic_store_n(&logger.echo, settings->echo, __ATOMIC_RELAXED);
	pthread_mutex_lock(&logger.lock);
	logger.quota_bytes = settings->quota_bytes;
	logger.age_ms = settings->age_ms;
	pthread_mutex_unlock(&logger.lock);
}

static bool is_wanted(enum log_level level)
{
	return level >= __atomic_load_n(&logger.least, __ATOMIC_RELAXED);
}

static bool is_echoed(bool own)
{
	enum log_echo echo = __atomic_load_n(&logger.echo, __ATOMIC_RELAXED);

	return echo == LOG_ECHO_ALL || (own && echo == LOG_ECHO_OWN);
}

int log_init(const char *directory, const struct log_settings *settings, struct df_err *err)
{
	int error = df_make_dirs(directory, 0700);

	if (error)
		return df_err_set(err, error, "%s: %s", directory, df_errno_text(error));
	init_condition(&logger.more);
	init_condition(&logger.done);
	log_change(settings);
	logger.directory = strdup(directory);
	logger.own = logger.directory ? log_get(OWN_NAME) : NULL;
	if (!logger.own)
		return df_err_set(err, -ENOMEM, "out of memory");
	log_limit(logger.own, OWN_BYTES, UINT64_MAX);
	error = pthread_create(&logger.thread, NULL, write_lines, NULL);
	if (error)
		return df_err_set(err, -error, "starting the log failed: %s", df_errno_text(error));
	logger.started = true;
	return 0;
}

void log_deinit(void)
{
	if (logger.started) {
		pthread_mutex_lock(&logger.lock);
		logger.ending = true;
		pthread_cond_signal(&logger.more);
		pthread_mutex_unlock(&logger.lock);
		pthread_join(logger.thread, NULL);
	}
	logger.started = false;
	log_unref(logger.own);
	logger.own = NULL;
	free(logger.directory);
	logger.directory = NULL;
}

/* --- lines --- */

static void hand_over(struct log *log, const struct df_str *text, bool echo, bool forget_all)
{
	size_t length = text ? text->length : 0;
	struct line *line = log ? malloc(sizeof(*line) + length) : NULL;

	if (line) {
		*line = (struct line){
			.log = log, .echo = echo, .forget = forget_all, .length = length};
		if (length)
			memcpy(line->text, text->data, length);
	}
	pthread_mutex_lock(&logger.lock);
	if (line && logger.started && !logger.ending &&
		logger.queued_bytes + length <= LOG_QUEUE_MAX) {
		log->references++;
		STAILQ_INSERT_TAIL(&logger.queue, line, link);
		logger.queued_bytes += sizeof(*line) + length;
		logger.handed++;
		line = NULL;
	} else {
		logger.dropped++;
	}
	if (logger.started)
		pthread_cond_signal(&logger.more);
	pthread_mutex_unlock(&logger.lock);
	free(line);
}

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
		hand_over(logger.own, &line, is_echoed(true), false);
}

void log_event(struct log *log, const struct log_event *event)
{
	DF_STR struct df_str line = DF_STR_EMPTY;
	size_t skip = event->output_bytes > LOG_EVENT_MAX ? event->output_bytes - LOG_EVENT_MAX : 0;

	begin(&line, event->level);
	df_json_text(&line, "function", event->function);
	if (event->version)
		df_json_text(&line, "version", event->version);
	if (event->request_id)
		df_json_text(&line, "request_id", event->request_id);
	df_json_text(&line, "message", event->message);
	if (event->duration_ns)
		df_json_number(&line, "duration_us", event->duration_ns / 1000);
	if (event->output_bytes)
		df_json_bytes(&line, "output", event->output + skip, event->output_bytes - skip);
	if (skip)
		df_json_number(&line, "output_cut", skip);
	finish(&line);
	if (!line.failed)
		hand_over(log, &line, is_wanted(event->level) && is_echoed(false), false);
}

void log_output(struct log *log, const char *function, const char *stream, const char *text,
	size_t bytes)
{
	DF_STR struct df_str line = DF_STR_EMPTY;

	begin(&line, LOG_LEVEL_INFO);
	df_json_text(&line, "function", function);
	df_json_text(&line, "stream", stream);
	df_json_bytes(&line, "message", text, bytes);
	finish(&line);
	if (!line.failed)
		hand_over(log, &line, is_wanted(LOG_LEVEL_INFO) && is_echoed(false), false);
}

bool log_is_behind(void)
{
	bool behind;

	pthread_mutex_lock(&logger.lock);
	behind = logger.queued_bytes > LOG_QUEUE_MAX / 2;
	pthread_mutex_unlock(&logger.lock);
	return behind;
}

void log_forget(const char *name)
{
	struct log *log = log_get(name);

	hand_over(log, NULL, false, true);
	log_unref(log);
}

/* --- reading --- */

/* Until what was handed over is written; not for ever, should the disk hang. */
static void flush(void)
{
	struct timespec until = clock_timespec(clock_now_ns() + FLUSH_LIMIT_NS);
	uint64_t handed;

	pthread_mutex_lock(&logger.lock);
	handed = logger.handed;
	while (logger.written < handed &&
		pthread_cond_timedwait(&logger.done, &logger.lock, &until) == 0)
		;
	pthread_mutex_unlock(&logger.lock);
}

void log_read(struct log *log, uint64_t *after, unsigned int wait_ms, struct df_str *lines)
{
	struct timespec until = clock_timespec(clock_now_ns() + wait_ms * 1000000ull);
	uint64_t end;

	flush();
	pthread_mutex_lock(&log->lock);
	if (*after > log->end)
		*after = 0;
	while (wait_ms && log->end == *after &&
		pthread_cond_timedwait(&log->more, &log->lock, &until) == 0)
		;
	end = log->end;
	pthread_mutex_unlock(&log->lock);
	log_files_read(log->directory, after, end, lines);
}

uint64_t log_tail(struct log *log, unsigned int count)
{
	uint64_t end;

	flush();
	pthread_mutex_lock(&log->lock);
	end = log->end;
	pthread_mutex_unlock(&log->lock);
	return log_files_tail(log->directory, count, end);
}
