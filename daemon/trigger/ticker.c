/* SPDX-License-Identifier: Apache-2.0 */
/* The trigger `schedule`: see ticker.h. */
#include "daemon/trigger/ticker.h"

#include "daemon/clock.h"
#include "daemon/event/async.h"
#include "daemon/log.h"
#include "daemon/trigger/schedule.h"
#include "host/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MIN_MS 1000
#define EVERY_MAX_MS (366ll * 86400 * 1000)
/* The thread looks at the clock at least so often: it may have been set back. */
#define LOOK_AGAIN_MS 10000
/* After a tick could not be put. */
#define TRY_AGAIN_MS 2000

/* A trigger's state. */
struct ticking {
	LIST_ENTRY(ticking) link;
	struct trigger *trigger;
	struct schedule schedule;
	enum schedule_missed missed;
	/* The thread's; protected by the ticker's lock: */
	struct schedule_clock clock;
	int64_t next_ms; /* when it is to be looked at: the next tick, or a try */
};

static struct {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* held while ticks are put */
	pthread_cond_t changed;
	/* protected by lock: */
	LIST_HEAD(, ticking) all;
	bool stop;
} ticker = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* --- descriptions --- */

static int read_every(const json_t *settings, uint64_t *every_ms, struct df_err *err)
{
	const json_t *every = json_object_get(settings, "every");
	json_int_t ms = json_is_integer(every) ? json_integer_value(every) : 0;

	*every_ms = 0;
	if (!every)
		return 0;
	if (ms < EVERY_MIN_MS || ms > EVERY_MAX_MS)
		return df_err_set(err, -EINVAL,
			"every must be a number of milliseconds from 1000 to 31622400000");
	*every_ms = (uint64_t)ms;
	return 0;
}

static int read_missed(const json_t *settings, enum schedule_missed *missed, struct df_err *err)
{
	static const char *const words[] = {"skip", "once", "all"};
	const char *word = trigger_text(settings, "missed", "once");

	for (int i = SCHEDULE_SKIP; word && i <= SCHEDULE_ALL; i++) {
		if (strcmp(words[i], word) == 0) {
			*missed = (enum schedule_missed)i;
			return 0;
		}
	}
	return df_err_set(err, -EINVAL, "missed must be skip, once or all");
}

static const char *zone_of(const json_t *settings)
{
	return trigger_text(settings, "time_zone", "UTC");
}

static int check(const json_t *settings, struct df_err *err)
{
	static const char *const known[] = {"cron", "every", "time_zone", "missed", NULL};
	const char *cron = trigger_text(settings, "cron", "");
	enum schedule_missed missed;
	struct df_cron parsed;
	uint64_t every_ms;
	int error = trigger_check_keys(settings, "schedule", known, err);

	if (!error)
		error = read_every(settings, &every_ms, err);
	if (!error)
		error = read_missed(settings, &missed, err);
	if (error)
		return error;
	if (!cron || !zone_of(settings))
		return df_err_set(err, -EINVAL, "cron and time_zone must be strings");
	if ((every_ms != 0) == (*cron != '\0'))
		return df_err_set(err, -EINVAL, "a schedule needs either cron or every");
	return every_ms ? 0 : df_cron_parse(cron, &parsed, err);
}

static int make_schedule(const json_t *settings, struct schedule *schedule, struct df_err *err)
{
	uint64_t every_ms;
	int error = read_every(settings, &every_ms, err);

	return error ? error
		     : schedule_init(schedule, every_ms, trigger_text(settings, "cron", ""),
			       zone_of(settings), err);
}

static int prepare(const struct function_config *function, const json_t *settings,
	struct df_err *err)
{
	struct schedule schedule;
	int error = make_schedule(settings, &schedule, err);

	(void)function;
	if (!error)
		schedule_deinit(&schedule);
	return error;
}

static void identify(const json_t *settings, struct df_str *text)
{
	const json_t *every = json_object_get(settings, "every");

	if (every)
		df_str_addf(text, "every/%" JSON_INTEGER_FORMAT, json_integer_value(every));
	else
		df_str_addf(text, "cron/%s/%s", trigger_text(settings, "cron", ""),
			zone_of(settings));
}

/* --- putting --- */

static int put_tick(struct ticking *s, int64_t tick_ms, bool late, struct df_err *err)
{
	const char *cron = trigger_text(s->trigger->settings, "cron", NULL);
	DF_FREE char *every = df_format("every %g s", (double)s->schedule.every_ms / 1000);
	char mark[24], time[CLOCK_TEXT_BYTES];
	json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "schedule", cron ? cron : every,
		"time_zone", cron ? zone_of(s->trigger->settings) : "UTC", "time",
		clock_text((uint64_t)tick_ms, time), "missed", late);
	DF_FREE char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	const char *const more[] = {"missed", late ? "true" : "false", NULL};
	struct trigger_event event = {
		.identity = mark,
		.type = "dayfly.schedule",
		.subject = cron ? cron : every,
		.time_ms = (uint64_t)tick_ms,
		.content_type = "application/json",
		.more = more,
		.body = body,
		.body_bytes = body ? strlen(body) : 0,
		.key = "",
		.value = mark,
	};

	json_decref(json);
	if (!every || !body)
		return df_err_set(err, -ENOMEM, "out of memory");
	snprintf(mark, sizeof(mark), "%" PRId64, tick_ms);
	return trigger_put(s->trigger, &event, err);
}

/* Looks at one schedule, with the lock. */
static void look(struct ticking *s, int64_t now_ms, int64_t *ticks)
{
	struct df_err err = {0};
	bool late;
	size_t due = schedule_due(&s->schedule, s->missed, now_ms, &s->clock, ticks,
		TICKER_TICKS_MAX, &late);

	for (size_t i = 0; i < due; i++) {
		int error = put_tick(s, ticks[i], late, &err);

		if (error && error != -EEXIST) {
			trigger_problem(s->trigger, err.text);
			/* What was missed stays so until it could be put. */
			if (late)
				s->clock.looked_ms = 0;
			s->next_ms = now_ms + TRY_AGAIN_MS;
			return;
		}
		s->clock.last_ms = ticks[i];
	}
	if (due)
		trigger_problem(s->trigger, NULL);
	s->next_ms = schedule_next(&s->schedule, s->clock.last_ms);
}

/* Sleeps until `until_ms` of the wall clock; a change of the clock is noticed. */
static void sleep_until(int64_t until_ms)
{
	const struct timespec until = {
		.tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000,
	};

	(void)pthread_cond_timedwait(&ticker.changed, &ticker.lock, &until);
}

static void *run(void *ticks)
{
	pthread_mutex_lock(&ticker.lock);
	while (!ticker.stop) {
		int64_t now_ms = (int64_t)clock_wall_ms(), next_ms = now_ms + LOOK_AGAIN_MS;
		struct ticking *s;

		LIST_FOREACH(s, &ticker.all, link)
		{
			/* One that is not due is looked at too: its clock may have been set. */
			if (s->next_ms <= now_ms || schedule_clock_is_back(&s->clock, now_ms) ||
				s->clock.looked_ms == 0)
				look(s, now_ms, ticks);
			else
				s->clock.looked_ms = now_ms;
			if (s->next_ms < next_ms)
				next_ms = s->next_ms;
		}
		sleep_until(next_ms);
	}
	pthread_mutex_unlock(&ticker.lock);
	free(ticks);
	return NULL;
}

/* --- starting and stopping --- */

static int read_mark(void *user, const struct queue_mark *mark)
{
	*(int64_t *)user = strtoll(mark->value, NULL, 10);
	return 0;
}

/* When it ticked last, or that it begins now: that too is remembered, or a crash before the first tick would lose it. */
static int load_clock(struct ticking *s, struct df_err *err)
{
	char now[24];
	const struct queue_mark mark = {s->trigger->owner, "", now};
	int64_t last_ms = 0;
	int error = queue_each_mark(async_queue(), s->trigger->owner, read_mark, &last_ms);

	if (!error && last_ms <= 0) {
		last_ms = (int64_t)clock_wall_ms();
		snprintf(now, sizeof(now), "%" PRId64, last_ms);
		error = queue_mark(async_queue(), &mark, 1);
	}
	s->clock.last_ms = last_ms;
	/* Only a schedule that the daemon finds again has missed something. */
	if (!s->trigger->resumed)
		s->clock.looked_ms = (int64_t)clock_wall_ms();
	s->next_ms = schedule_next(&s->schedule, last_ms);
	return error
		? df_err_set(err, error, "the last tick cannot be read: %s", df_errno_text(error))
		: 0;
}

static int start(struct trigger *trigger, struct df_err *err)
{
	struct ticking *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return df_err_set(err, -ENOMEM, "out of memory");
	s->trigger = trigger;
	error = make_schedule(trigger->settings, &s->schedule, err);
	if (!error)
		error = read_missed(trigger->settings, &s->missed, err);
	if (!error)
		error = load_clock(s, err);
	if (error) {
		schedule_deinit(&s->schedule);
		free(s);
		return error;
	}
	trigger->state = s;
	pthread_mutex_lock(&ticker.lock);
	LIST_INSERT_HEAD(&ticker.all, s, link);
	pthread_cond_signal(&ticker.changed);
	pthread_mutex_unlock(&ticker.lock);
	return 0;
}

static void stop(struct trigger *trigger)
{
	struct ticking *s = trigger->state;

	pthread_mutex_lock(&ticker.lock);
	LIST_REMOVE(s, link);
	pthread_mutex_unlock(&ticker.lock);
	schedule_deinit(&s->schedule);
	free(s);
}

static void show(struct trigger *trigger, json_t *into)
{
	struct ticking *s = trigger->state;
	char time[CLOCK_TEXT_BYTES];
	int64_t next_ms;

	pthread_mutex_lock(&ticker.lock);
	next_ms = schedule_next(&s->schedule, s->clock.last_ms);
	pthread_mutex_unlock(&ticker.lock);
	if (next_ms != SCHEDULE_NEVER)
		(void)json_object_set_new(into, "next",
			json_string(clock_text((uint64_t)next_ms, time)));
}

const struct trigger_kind ticker_kind = {
	.name = "schedule",
	.check = check,
	.prepare = prepare,
	.identify = identify,
	.start = start,
	.stop = stop,
	.show = show,
};

int ticker_init(struct df_err *err)
{
	int64_t *ticks = calloc(TICKER_TICKS_MAX, sizeof(*ticks));
	int error = ticks ? pthread_create(&ticker.thread, NULL, run, ticks) : ENOMEM;

	if (error) {
		free(ticks);
		return df_err_set(err, -error, "starting the schedules' thread failed: %s",
			df_errno_text(error));
	}
	ticker.started = true;
	return 0;
}

void ticker_deinit(void)
{
	if (!ticker.started)
		return;
	pthread_mutex_lock(&ticker.lock);
	ticker.stop = true;
	pthread_cond_signal(&ticker.changed);
	pthread_mutex_unlock(&ticker.lock);
	pthread_join(ticker.thread, NULL);
	ticker.started = false;
	ticker.stop = false;
}
