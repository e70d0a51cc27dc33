/* SPDX-License-Identifier: Apache-2.0 */
/* Having events answered: see dispatch.h. */
#include "daemon/dispatch/dispatch.h"

#include "daemon/clock.h"
#include "daemon/dispatch/keeper.h"
#include "daemon/dispatch/net_log.h"
#include "daemon/metrics.h"
#include "host/outcome.h"
#include "host/slot_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Guests compute, they do not wait: with an instance for every processor more of them only help if events take long. So a caller
 * waits this long before it starts another process; much longer if instances become free all the time, only not for everyone: then the
 * processors are what is short.
 */
#define PATIENCE_NS 10000000ull
#define LONG_PATIENCE_NS 200000000ull
#define FLOWING_NS 5000000ull
/* How often a function that is in line for instances asks again. */
#define HUNGRY_NS 5000000ull
/* What a monitor may take beyond an event's time limit before it is taken for broken. */
#define GRACE_NS 5000000000ull

struct waiter {
	TAILQ_ENTRY(waiter) link;
	pthread_cond_t wake;
	struct instance *instance; /* what it got; protected by function->lock */
};

static struct {
	struct dispatch_settings settings;
	unsigned int processors;
	unsigned int waiting; /* atomic: callers in all queues */
	bool aborting; /* atomic */
} dispatch;

static const char *const result_texts[CALL_RESULTS] = {
	[CALL_OK] = "ok",
	[CALL_FUNCTION_ERROR] = "function_error",
	[CALL_TIMEOUT] = "timeout",
	[CALL_LOST] = "lost",
	[CALL_TOO_LARGE] = "too_large",
	[CALL_BUSY] = "busy",
	[CALL_NOT_READY] = "not_ready",
	[CALL_FAILED] = "failed",
};

const char *call_result_text(enum call_result result)
{
	return result_texts[result];
}

int dispatch_init(const struct dispatch_settings *settings, struct df_err *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	dispatch.settings = *settings;
	dispatch.processors = processors > 0 ? (unsigned int)processors : 1;
	return keeper_init(&dispatch.settings, err);
}

void dispatch_change(const struct dispatch_limits *limits)
{
	struct dispatch_limits *now = &dispatch.settings.limits;

	__atomic_store_n(&now->instances_max, limits->instances_max, __ATOMIC_RELAXED);
	__atomic_store_n(&now->prepared, limits->prepared, __ATOMIC_RELAXED);
	__atomic_store_n(&now->idle_ms, limits->idle_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&now->queue_max, limits->queue_max, __ATOMIC_RELAXED);
	__atomic_store_n(&now->queue_ms, limits->queue_ms, __ATOMIC_RELAXED);
}

static bool is_aborting(void)
{
	return __atomic_load_n(&dispatch.aborting, __ATOMIC_RELAXED);
}

void dispatch_abort(void)
{
	__atomic_store_n(&dispatch.aborting, true, __ATOMIC_RELAXED);
	keeper_abort();
}

void dispatch_deinit(void)
{
	keeper_deinit();
	net_log_deinit();
}

/* --- instances: all of this with function->lock held --- */

static void use(struct instance *instance)
{
	/* The keeper reads it without the lock. */
	__atomic_add_fetch(&instance->process->busy, 1, __ATOMIC_RELAXED);
	instance->process->function->busy++;
}

static struct instance *pop_idle(struct function *function)
{
	struct instance *instance = TAILQ_FIRST(&function->idle);

	if (instance) {
		TAILQ_REMOVE(&function->idle, instance, link);
		use(instance);
	}
	return instance;
}

/* From here on it counts among those that are busy, or not at all. */
static void leave_queue(struct function *function, struct waiter *waiter)
{
	TAILQ_REMOVE(&function->waiters, waiter, link);
	function->waiting--;
	__atomic_sub_fetch(&dispatch.waiting, 1, __ATOMIC_RELAXED);
}

/* Gives it to who waits longest, else puts it back. */
static void hand_out(struct function *function, struct instance *instance)
{
	struct waiter *waiter = TAILQ_FIRST(&function->waiters);

	if (!waiter) {
		TAILQ_INSERT_HEAD(&function->idle, instance, link);
		return;
	}
	leave_queue(function, waiter);
	use(instance);
	waiter->instance = instance;
	pthread_cond_signal(&waiter->wake);
}

/* Someone who waits must look again: there may be room for another process. */
static void stir(struct function *function)
{
	struct waiter *waiter = TAILQ_FIRST(&function->waiters);

	if (waiter)
		pthread_cond_signal(&waiter->wake);
}

/* --- growing --- */

/* 1 instance, then 2, 4, 8, 16. */
static unsigned int next_size(const struct function *function)
{
	const struct process *process;
	unsigned int size = 1, room = function->config->concurrency - function->instances;

	LIST_FOREACH(process, &function->processes, link)
	{
		if (size < DF_INSTANCES_MAX)
			size *= 2;
	}
	return size < room ? size : room;
}

static bool may_grow(const struct function *function, uint64_t now_ns, uint64_t since_ns)
{
	uint64_t patience_ns;

	if (function->instances >= function->config->concurrency)
		return false;
	if (function->instances < dispatch.processors)
		return true;
	patience_ns = now_ns < function->freed_ns + FLOWING_NS ? LONG_PATIENCE_NS : PATIENCE_NS;
	return now_ns >= since_ns + patience_ns && now_ns >= function->grown_ns + PATIENCE_NS;
}

static struct process *start_process(struct function *function, unsigned int count,
	struct df_err *err)
{
	struct df_monitor monitor;

	if (keeper_take_monitor(&monitor, err))
		return NULL;
	return process_start(function, &monitor, dispatch.settings.net_path, count, err);
}

/*
 * Starts a process; its first instance is the caller's. function->lock is given up meanwhile. NULL: there is no room now,
 * or err->code says why not.
 */
static struct instance *grow(struct function *function, struct hunger *hunger, struct df_err *err)
{
	unsigned int have = function->instances, asked = next_size(function), count;
	struct process *process = NULL;

	function->instances += asked;
	function->growing++;
	pthread_mutex_unlock(&function->lock);
	count = keeper_reserve(function, hunger, have, asked);
	if (count)
		process = start_process(function, count, err);
	if (count && !process)
		keeper_give_back(count);
	pthread_mutex_lock(&function->lock);
	function->growing--;
	function->instances -= process ? asked - count : asked;
	if (!process) {
		stir(function);
		return NULL;
	}
	process->started_ns = process->last_used_ns = function->grown_ns = clock_now_ns();
	LIST_INSERT_HEAD(&function->processes, process, link);
	use(&process->instance[0]);
	for (unsigned int i = 1; i < count; i++)
		hand_out(function, &process->instance[i]);
	pthread_mutex_unlock(&function->lock);
	keeper_watch(process);
	pthread_mutex_lock(&function->lock);
	return &process->instance[0];
}

/* --- waiting for an instance --- */

static void init_waiter(struct waiter *waiter)
{
	pthread_condattr_t attributes;

	waiter->instance = NULL;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&waiter->wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* In the queue until `until_ns`, or until it is woken. `again`: it has been there before, and keeps its place. */
static struct instance *wait_in_queue(struct function *function, struct waiter *waiter,
	uint64_t until_ns, bool again)
{
	struct timespec until = clock_timespec(until_ns);

	if (again)
		TAILQ_INSERT_HEAD(&function->waiters, waiter, link);
	else
		TAILQ_INSERT_TAIL(&function->waiters, waiter, link);
	function->waiting++;
	__atomic_add_fetch(&dispatch.waiting, 1, __ATOMIC_RELAXED);
	(void)pthread_cond_timedwait(&waiter->wake, &function->lock, &until);
	if (!waiter->instance)
		leave_queue(function, waiter);
	return waiter->instance;
}

/* May one more caller wait? As many callers as there may be instances do not count: there is one for each of them, now or soon. */
static bool may_wait(const struct function *function)
{
	const struct function_config *config = function->config;
	unsigned int callers = function->busy + function->waiting + function->growing;

	return function->waiting < keeper_limit(&dispatch.settings.limits.queue_max) &&
		callers < config->concurrency + config->waiting_max;
}

/* An instance, although none is idle. NULL with reply->result and text set. With function->lock held. */
static struct instance *wait_for_instance(struct function *function, uint64_t start_ns,
	struct call_reply *reply)
{
	uint64_t deadline_ns =
		start_ns + keeper_limit(&dispatch.settings.limits.queue_ms) * 1000000ull;
	uint64_t now_ns = start_ns, until_ns;
	struct hunger hunger = {.function = NULL};
	struct instance *instance = NULL;
	struct df_err err = {0};
	struct waiter waiter;

	if (!may_wait(function))
		return NULL;
	init_waiter(&waiter);
	while (!instance && now_ns < deadline_ns && !is_aborting()) {
		if (may_grow(function, now_ns, start_ns)) {
			instance = grow(function, &hunger, &err);
			reply->cold = instance != NULL;
			if (instance || err.code)
				break;
			/* Something may have become idle meanwhile. */
			instance = pop_idle(function);
			if (instance)
				break;
		}
		until_ns = function->instances < function->config->concurrency
			? clock_now_ns() + (hunger.function ? HUNGRY_NS : PATIENCE_NS)
			: deadline_ns;
		instance = wait_in_queue(function, &waiter,
			until_ns < deadline_ns ? until_ns : deadline_ns, now_ns != start_ns);
		now_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&function->lock);
	keeper_sated(&hunger);
	pthread_mutex_lock(&function->lock);
	pthread_cond_destroy(&waiter.wake);
	if (!instance && !err.code && is_aborting()) {
		df_err_set(&err, -ESHUTDOWN, "the daemon is stopping");
		stir(function);
	}
	if (err.code) {
		reply->result = CALL_FAILED;
		snprintf(reply->text, sizeof(reply->text), "%.*s", (int)sizeof(reply->text) - 1,
			err.text);
	}
	return instance;
}

static struct instance *take(struct function *function, struct call_reply *reply)
{
	struct instance *instance;

	reply->result = CALL_BUSY;
	pthread_mutex_lock(&function->lock);
	instance = pop_idle(function);
	if (!instance) {
		uint64_t start_ns = clock_now_ns();

		instance = wait_for_instance(function, start_ns, reply);
		reply->queued_ns = clock_now_ns() - start_ns;
	}
	pthread_mutex_unlock(&function->lock);
	if (!instance && reply->result == CALL_BUSY) {
		reply->retry_after_s = 1;
		snprintf(reply->text, sizeof(reply->text),
			"all %u instances are busy and the queue is full or too slow; try again later",
			function->config->concurrency);
	}
	return instance;
}

static void give_back(struct instance *instance, uint64_t now_ns)
{
	struct process *process = instance->process;
	struct function *function = process->function;
	bool end;

	pthread_mutex_lock(&function->lock);
	__atomic_sub_fetch(&process->busy, 1, __ATOMIC_RELAXED);
	function->busy--;
	__atomic_store_n(&process->last_used_ns, now_ns, __ATOMIC_RELAXED);
	function->freed_ns = now_ns;
	process->events++;
	if (!process->leaving && keeper_wants_back(function->instances))
		process_withdraw(process);
	if (!process->leaving)
		hand_out(function, instance);
	end = process->busy == 0 && !process->detached && (process->leaving || function->retired);
	if (end) {
		process_detach(process);
		stir(function);
	}
	pthread_mutex_unlock(&function->lock);
	if (end)
		keeper_bury(process);
}

/* --- an event --- */

/* The monitor does what none of ours does, or nothing: no more events for it. */
static void break_process(struct process *process, const char *why)
{
	struct function *function = process->function;

	pthread_mutex_lock(&function->lock);
	/* Else the keeper has begun to reap it, and the id may be another process's soon. */
	if (!process->broken) {
		snprintf(process->text, sizeof(process->text), "%s", why);
		__atomic_store_n(&process->broken, true, __ATOMIC_SEQ_CST);
		process_withdraw(process);
		/* The keeper sees its socket close and wakes who else waits for it. */
		kill(process->pid, SIGKILL);
	}
	pthread_mutex_unlock(&function->lock);
}

static int fill(struct df_slot *slot, const struct call *call)
{
	int error;

	if (call->body || !call->body_bytes)
		error = df_slot_put_body(slot, call->body, call->body_bytes);
	else if (lseek(call->body_fd, 0, SEEK_SET) < 0)
		error = -errno;
	else
		error = df_slot_read_body(slot, call->body_fd);
	if (!error)
		error = df_slot_put_attributes(slot, call->attributes, call->attribute_bytes);
	return error;
}

/* Starts the event and waits for what the slot says. */
static int run(struct instance *instance, uint64_t start_ns)
{
	const struct function_config *config = instance->process->function->config;
	uint64_t wall_ns = config->timeout_ms * 1000000ull;
	const struct df_slot_limits limits = {.wall_ns = wall_ns, .reply_bytes = config->reply_max};
	int result;

	df_slot_start(&instance->slot, &limits);
	/* It may have died before it could see the event: whoever noticed that did not see it either. */
	if (__atomic_load_n(&instance->process->broken, __ATOMIC_SEQ_CST))
		return -EPIPE;
	do {
		result = df_slot_wait_reply(&instance->slot, start_ns + wall_ns + GRACE_NS);
	} while (result == -EINTR);
	return result;
}

static void lost(struct process *process, struct call_reply *reply)
{
	struct function *function = process->function;

	pthread_mutex_lock(&function->lock);
	reply->result = process->refused ? CALL_FAILED : CALL_LOST;
	snprintf(reply->text, sizeof(reply->text), "%s",
		*process->text ? process->text : "the monitor has ended");
	pthread_mutex_unlock(&function->lock);
}

static void explain(const struct function_config *config, struct call_reply *reply)
{
	const struct df_slot_reply *r = &reply->reply;
	char *text = reply->text;
	size_t size = sizeof(reply->text);

	switch (r->outcome) {
	case DF_OUTCOME_WALL_TIME:
		snprintf(text, size, "it took longer than its timeout, %u ms", config->timeout_ms);
		break;
	case DF_OUTCOME_MEMORY:
		snprintf(text, size,
			"it needed more memory than its %llu MiB (`memory` in the manifest)",
			(unsigned long long)(config->memory_bytes >> 20));
		break;
	case DF_OUTCOME_REPLY_SIZE:
		snprintf(text, size, "its reply is larger than %llu bytes",
			(unsigned long long)config->reply_max);
		break;
	case DF_OUTCOME_LOG_SIZE:
		snprintf(text, size, "it wrote too much to standard error");
		break;
	case DF_OUTCOME_EXIT:
	case DF_OUTCOME_SIGNAL:
		df_outcome_describe(r->outcome, r->status, text, size);
		break;
	default:
		snprintf(text, size, "it was stopped: %.400s", r->text);
	}
}

static void judge(const struct function_config *config, struct call_reply *reply)
{
	const struct df_slot_reply *r = &reply->reply;

	if (r->outcome == DF_OUTCOME_EXIT && r->status == 0) {
		reply->result = CALL_OK;
		return;
	}
	reply->result = r->outcome == DF_OUTCOME_WALL_TIME ? CALL_TIMEOUT : CALL_FUNCTION_ERROR;
	explain(config, reply);
}

static void answer(struct instance *instance, const struct call *call, struct call_reply *reply)
{
	struct process *process = instance->process;
	uint64_t start_ns = clock_now_ns();
	struct df_err err = {0};
	int error = fill(&instance->slot, call);

	if (error) {
		reply->result = error == -E2BIG ? CALL_TOO_LARGE : CALL_FAILED;
		snprintf(reply->text, sizeof(reply->text), "the event does not fit: %s",
			df_errno_text(error));
		return;
	}
	error = run(instance, start_ns);
	if (!error)
		error = df_slot_reply(&instance->slot, &reply->reply, &err);
	reply->duration_ns = clock_now_ns() - start_ns;
	if (!error) {
		judge(process->function->config, reply);
		return;
	}
	if (error != -EPIPE)
		break_process(process,
			err.code ? err.text : "the monitor did not keep the time limit");
	else
		break_process(process, "");
	lost(process, reply);
}

static void tell(const struct function *function, const struct call *call,
	const struct call_reply *reply)
{
	const struct log_event event = {
		.function = function->config->name,
		.version = function->version,
		.request_id = call->request_id,
		.level = reply->result == CALL_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		.message = reply->result == CALL_OK ? "output" : reply->text,
		.output = (const char *)reply->reply.log,
		.output_bytes = reply->reply.log_bytes,
		.duration_ns = reply->duration_ns,
	};

	log_event(function->tally->log, &event);
}

static bool acceptable(const struct function *function, const struct call *call,
	struct call_reply *reply)
{
	if (function->config->mode == FUNCTION_SERVICE) {
		reply->result = CALL_NOT_READY;
		snprintf(reply->text, sizeof(reply->text),
			"it is a service, which takes no events");
		return false;
	}
	if (function->state != FUNCTION_ACTIVE) {
		reply->result = CALL_NOT_READY;
		snprintf(reply->text, sizeof(reply->text), "the function is %s: %s",
			function_state_text(function->state),
			function->reason ? function->reason : "it is being deployed");
		return false;
	}
	if (call->body_bytes <= function->config->body_max && call->attribute_bytes <= DF_IN_BODY)
		return true;
	reply->result = CALL_TOO_LARGE;
	snprintf(reply->text, sizeof(reply->text),
		"the body has %zu bytes, the function takes %llu; attributes may have 1 MiB",
		call->body_bytes, (unsigned long long)function->config->body_max);
	return false;
}

enum call_result dispatch_call(struct function *function, const struct call *call,
	struct call_reply *reply)
{
	reply->text[0] = '\0';
	reply->held = NULL;
	reply->cold = false;
	reply->queued_ns = reply->duration_ns = 0;
	reply->retry_after_s = 0;
	reply->reply.log_bytes = reply->reply.body_bytes = reply->reply.attribute_bytes = 0;
	reply->reply.thaw_ns = reply->reply.pages = 0;
	if (acceptable(function, call, reply))
		reply->held = take(function, reply);
	if (reply->held)
		answer(reply->held, call, reply);
	tally_call(function->tally, call, reply);
	if (reply->result != CALL_OK || reply->reply.log_bytes)
		tell(function, call, reply);
	return reply->result;
}

void call_release(struct call_reply *reply)
{
	if (reply->held)
		give_back(reply->held, clock_now_ns());
	reply->held = NULL;
}

void dispatch_retire(struct function *function)
{
	struct process *process, *next;
	struct process_list ended = LIST_HEAD_INITIALIZER(ended);

	pthread_mutex_lock(&function->lock);
	function->retired = true;
	for (process = LIST_FIRST(&function->processes); process; process = next) {
		next = LIST_NEXT(process, link);
		if (process->busy)
			continue;
		process_detach(process);
		LIST_INSERT_HEAD(&ended, process, link);
	}
	pthread_mutex_unlock(&function->lock);
	while ((process = LIST_FIRST(&ended))) {
		LIST_REMOVE(process, link);
		keeper_bury(process);
	}
}

json_t *dispatch_processes(void)
{
	return keeper_processes();
}

void dispatch_gauges(struct dispatch_gauges *gauges)
{
	keeper_gauges(gauges);
	gauges->waiting = __atomic_load_n(&dispatch.waiting, __ATOMIC_RELAXED);
}
