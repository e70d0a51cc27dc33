/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on beside the calls: see keeper.h. */
#include "daemon/dispatch/keeper.h"

#include "daemon/clock.h"
#include "daemon/log.h"
#include "host/cleanup.h"
#include "host/slot_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PREPARED_MAX 16u
/* How often idle processes are looked for, at most and at least. */
#define ROUND_MIN_MS 20u
#define ROUND_MAX_MS 1000u
/* After a monitor could not be started. */
#define RETRY_NS 1000000000ull
/* After one was taken: starting another beside a function's first event would slow that down. */
#define LATER_NS 10000000ull

TAILQ_HEAD(process_queue, process);
TAILQ_HEAD(hunger_queue, hunger);

static struct {
	const struct dispatch_settings *settings;
	pthread_t thread;
	int epoll_fd, wake_fd;
	unsigned int hungry; /* atomic: entries in `line` */
	unsigned int share; /* atomic: instances that a function may keep while others are hungry */

	pthread_mutex_t lock;
	/* protected by lock: */
	bool ending, aborting;
	struct df_monitor prepared[PREPARED_MAX];
	unsigned int prepared_count;
	uint64_t prepare_ns; /* no monitor is prepared before */
	unsigned int live; /* instances */
	unsigned int generation; /* for counting functions */
	struct process_queue processes, graves;
	struct hunger_queue line;
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void wake(void)
{
	uint64_t one = 1;

	/* Full means awake. */
	(void)!write(keeper.wake_fd, &one, sizeof(one));
}

/* --- processes --- */

void process_withdraw(struct process *process)
{
	struct instance_queue *idle = &process->function->idle;
	struct instance *at, *next;

	for (at = TAILQ_FIRST(idle); at; at = next) {
		next = TAILQ_NEXT(at, link);
		if (at->process == process)
			TAILQ_REMOVE(idle, at, link);
	}
	process->leaving = true;
}

void process_detach(struct process *process)
{
	struct function *function = process->function;

	process_withdraw(process);
	process->detached = true;
	LIST_REMOVE(process, link);
	function->instances -= process->count;
}

static void bury(struct process *process)
{
	TAILQ_REMOVE(&keeper.processes, process, all_link);
	TAILQ_INSERT_TAIL(&keeper.graves, process, grave_link);
	keeper.live -= process->count;
}

void keeper_bury(struct process *process)
{
	pthread_mutex_lock(&keeper.lock);
	bury(process);
	pthread_mutex_unlock(&keeper.lock);
	wake();
}

/* Its socket closes, and all else follows from that. With keeper.lock held. */
static void kill_process(struct process *process)
{
	pthread_mutex_lock(&process->function->lock);
	/* Else it is being reaped, and the id may be another process's soon. */
	if (!process->broken)
		kill(process->pid, SIGKILL);
	pthread_mutex_unlock(&process->function->lock);
}

void keeper_watch(struct process *process)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = process};

	pthread_mutex_lock(&keeper.lock);
	TAILQ_INSERT_TAIL(&keeper.processes, process, all_link);
	if (epoll_ctl(keeper.epoll_fd, EPOLL_CTL_ADD, process->monitor.socket, &event) < 0)
		log_line(LOG_LEVEL_ERROR, "a monitor cannot be watched: %s", df_errno_text(errno));
	if (keeper.aborting)
		kill_process(process);
	pthread_mutex_unlock(&keeper.lock);
}

void keeper_abort(void)
{
	struct process *process;

	pthread_mutex_lock(&keeper.lock);
	keeper.aborting = true;
	TAILQ_FOREACH(process, &keeper.processes, all_link)
	kill_process(process);
	pthread_mutex_unlock(&keeper.lock);
}

static void end_buried(void)
{
	struct process *process;

	pthread_mutex_lock(&keeper.lock);
	while ((process = TAILQ_FIRST(&keeper.graves))) {
		TAILQ_REMOVE(&keeper.graves, process, grave_link);
		pthread_mutex_unlock(&keeper.lock);
		(void)epoll_ctl(keeper.epoll_fd, EPOLL_CTL_DEL, process->monitor.socket, NULL);
		process_end(process);
		pthread_mutex_lock(&keeper.lock);
	}
	pthread_mutex_unlock(&keeper.lock);
}

/* Wakes who waits for a reply that will not come. */
static void give_up_events(struct process *process)
{
	for (unsigned int i = 0; i < process->count; i++) {
		struct df_control *control = process->instance[i].slot.control;

		if (df_slot_state(control) == DF_SLOT_EVENT)
			df_slot_set(control, DF_SIDE_MONITOR, DF_SLOT_DEAD);
	}
}

static bool is_aborting(void)
{
	bool aborting;

	pthread_mutex_lock(&keeper.lock);
	aborting = keeper.aborting;
	pthread_mutex_unlock(&keeper.lock);
	return aborting;
}

static void process_died(struct process *process)
{
	struct function *function = process->function;
	char text[sizeof(process->text)];
	bool refused, gone;

	/* Nobody kills it by its process id from here on. */
	pthread_mutex_lock(&function->lock);
	__atomic_store_n(&process->broken, true, __ATOMIC_SEQ_CST);
	process_withdraw(process);
	pthread_mutex_unlock(&function->lock);
	process_explain(process, text, sizeof(text), &refused);
	/* At the daemon's end it was us. */
	log_line(is_aborting() ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "a process of %s is gone: %s",
		function->config->name, text);
	pthread_mutex_lock(&function->lock);
	if (!*process->text)
		memcpy(process->text, text, sizeof(text));
	process->refused = refused;
	gone = process->busy == 0 && !process->detached;
	if (gone)
		process_detach(process);
	pthread_mutex_unlock(&function->lock);
	give_up_events(process);
	if (gone)
		keeper_bury(process);
}

/* Takes a process from its function if it is not in use and `idle_ns` have passed. */
static bool try_end(struct process *process, uint64_t now_ns, uint64_t idle_ns)
{
	struct function *function = process->function;
	bool end;

	pthread_mutex_lock(&function->lock);
	if (function->retired)
		idle_ns = 0;
	end = !process->detached && process->busy == 0 && now_ns - process->last_used_ns >= idle_ns;
	if (end)
		process_detach(process);
	pthread_mutex_unlock(&function->lock);
	return end;
}

static void end_idle(void)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t idle_ns = keeper_limit(&keeper.settings->limits.idle_ms) * 1000000ull;
	struct process *process, *next;

	pthread_mutex_lock(&keeper.lock);
	for (process = TAILQ_FIRST(&keeper.processes); process; process = next) {
		next = TAILQ_NEXT(process, all_link);
		if (try_end(process, now_ns, idle_ns))
			bury(process);
	}
	pthread_mutex_unlock(&keeper.lock);
}

/* --- shares --- */

static unsigned int instances_max(void)
{
	return keeper_limit(&keeper.settings->limits.instances_max);
}

/* How many functions have instances. */
static unsigned int count_functions(void)
{
	struct process *process;
	unsigned int count = 0;

	keeper.generation++;
	TAILQ_FOREACH(process, &keeper.processes, all_link)
	{
		count += process->function->counted != keeper.generation;
		process->function->counted = keeper.generation;
	}
	return count;
}

/* Ends a process of another function that is idle; the one that is longest. */
static bool reclaim(const struct function *hungry)
{
	struct process *process, *best = NULL;
	uint64_t oldest_ns = UINT64_MAX;

	TAILQ_FOREACH(process, &keeper.processes, all_link)
	{
		/* Read without the function's lock: a guess, which try_end checks. */
		uint64_t used_ns = __atomic_load_n(&process->last_used_ns, __ATOMIC_RELAXED);

		if (process->function == hungry || used_ns >= oldest_ns ||
			__atomic_load_n(&process->busy, __ATOMIC_RELAXED) > 0)
			continue;
		best = process;
		oldest_ns = used_ns;
	}
	if (!best || !try_end(best, clock_now_ns(), 0))
		return false;
	bury(best);
	wake();
	return true;
}

static void line_up(struct function *function, struct hunger *hunger)
{
	unsigned int functions = count_functions(), line;

	if (!hunger->function) {
		hunger->function = function;
		TAILQ_INSERT_TAIL(&keeper.line, hunger, link);
		__atomic_add_fetch(&keeper.hungry, 1, __ATOMIC_RELAXED);
	}
	line = __atomic_load_n(&keeper.hungry, __ATOMIC_RELAXED);
	__atomic_store_n(&keeper.share, instances_max() / (functions + line), __ATOMIC_RELAXED);
}

static void leave_line(struct hunger *hunger)
{
	if (!hunger->function)
		return;
	TAILQ_REMOVE(&keeper.line, hunger, link);
	hunger->function = NULL;
	__atomic_sub_fetch(&keeper.hungry, 1, __ATOMIC_RELAXED);
}

void keeper_sated(struct hunger *hunger)
{
	if (!hunger->function)
		return;
	pthread_mutex_lock(&keeper.lock);
	leave_line(hunger);
	pthread_mutex_unlock(&keeper.lock);
}

/*
 * How many may live when a function that has `have` of them gets more. The last eighth is for functions that have none: else those
 * whose events take long could hold all, and nobody would get one before they end.
 */
static unsigned int most_for(unsigned int have)
{
	unsigned int most = instances_max(), kept = most / 8;

	if (have == 0)
		return most;
	return most > 1 ? most - (kept ? kept : 1) : most;
}

/* Has it less than its part of all, so that others should give some up? */
static bool is_entitled(unsigned int have, const struct hunger *hunger)
{
	unsigned int line = __atomic_load_n(&keeper.hungry, __ATOMIC_RELAXED);

	return have == 0 ||
		have < instances_max() / (count_functions() + line + (hunger->function ? 0 : 1));
}

unsigned int keeper_reserve(struct function *function, struct hunger *hunger, unsigned int have,
	unsigned int want)
{
	unsigned int room = 0, most;
	const struct hunger *first;

	pthread_mutex_lock(&keeper.lock);
	most = most_for(have);
	first = TAILQ_FIRST(&keeper.line);
	/* Who was in line before comes first, but for who has nothing. */
	if (have == 0 || !first || first == hunger) {
		while (keeper.live >= most && reclaim(function))
			;
		room = keeper.live < most ? most - keeper.live : 0;
	}
	if (want > room)
		want = room;
	keeper.live += want;
	if (want || !is_entitled(have, hunger))
		leave_line(hunger);
	else
		line_up(function, hunger);
	pthread_mutex_unlock(&keeper.lock);
	return want;
}

void keeper_give_back(unsigned int count)
{
	pthread_mutex_lock(&keeper.lock);
	keeper.live -= count;
	pthread_mutex_unlock(&keeper.lock);
}

bool keeper_wants_back(unsigned int instances)
{
	if (__atomic_load_n(&keeper.hungry, __ATOMIC_RELAXED) == 0)
		return false;
	return instances > 1 && instances > __atomic_load_n(&keeper.share, __ATOMIC_RELAXED);
}

/* --- prepared monitors --- */

static int start_monitor(struct df_monitor *monitor, struct df_err *err)
{
	char *words[] = {(char *)"dayfly-monitor", (char *)"serve", (char *)"--host-cache",
		(char *)keeper.settings->host_cache,
		keeper.settings->no_jail ? (char *)"--no-jail" : NULL, NULL};
	char *nothing[] = {NULL};

	return df_monitor_start(monitor, keeper.settings->monitor_path, words, nothing, err);
}

int keeper_take_monitor(struct df_monitor *monitor, struct df_err *err)
{
	bool aborting;

	*monitor = DF_MONITOR_NONE;
	pthread_mutex_lock(&keeper.lock);
	aborting = keeper.aborting;
	if (keeper.prepared_count && !aborting) {
		*monitor = keeper.prepared[--keeper.prepared_count];
		keeper.prepare_ns = clock_now_ns() + LATER_NS;
	}
	pthread_mutex_unlock(&keeper.lock);
	if (aborting)
		return df_err_set(err, -ESHUTDOWN, "the daemon is stopping");
	if (monitor->pid >= 0 && df_monitor_is_alive(monitor)) {
		wake();
		return 0;
	}
	df_monitor_deinit(monitor);
	return start_monitor(monitor, err);
}

/* One at a time, so that who takes one need not wait for the others. */
static bool prepare_one(void)
{
	DF_MONITOR struct df_monitor monitor = DF_MONITOR_NONE;
	uint64_t now_ns = clock_now_ns();
	struct df_err err = {0};
	bool want;

	pthread_mutex_lock(&keeper.lock);
	want = keeper.prepared_count < keeper_limit(&keeper.settings->limits.prepared) &&
		keeper.prepared_count < PREPARED_MAX && now_ns >= keeper.prepare_ns &&
		!keeper.aborting;
	pthread_mutex_unlock(&keeper.lock);
	if (!want)
		return false;
	if (start_monitor(&monitor, &err)) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		pthread_mutex_lock(&keeper.lock);
		keeper.prepare_ns = now_ns + RETRY_NS;
		pthread_mutex_unlock(&keeper.lock);
		return false;
	}
	pthread_mutex_lock(&keeper.lock);
	keeper.prepared[keeper.prepared_count++] = monitor;
	pthread_mutex_unlock(&keeper.lock);
	monitor = DF_MONITOR_NONE;
	return true;
}

/* Those that are too many since the limit was lowered. */
static void end_prepared(void)
{
	unsigned int most = keeper_limit(&keeper.settings->limits.prepared);
	DF_MONITOR struct df_monitor monitor = DF_MONITOR_NONE;

	pthread_mutex_lock(&keeper.lock);
	if (keeper.prepared_count > most)
		monitor = keeper.prepared[--keeper.prepared_count];
	pthread_mutex_unlock(&keeper.lock);
}

/* --- the thread --- */

/* How long the keeper may sleep. */
static int round_ms(void)
{
	unsigned int quarter = keeper_limit(&keeper.settings->limits.idle_ms) / 4;
	uint64_t now_ns = clock_now_ns(), prepare_ns;
	bool complete;

	pthread_mutex_lock(&keeper.lock);
	prepare_ns = keeper.prepare_ns;
	complete = keeper.prepared_count >= keeper_limit(&keeper.settings->limits.prepared);
	pthread_mutex_unlock(&keeper.lock);
	quarter = quarter < ROUND_MIN_MS ? ROUND_MIN_MS : quarter;
	quarter = quarter < ROUND_MAX_MS ? quarter : ROUND_MAX_MS;
	if (complete || now_ns >= prepare_ns)
		return (int)quarter;
	prepare_ns = (prepare_ns - now_ns) / 1000000 + 1;
	return prepare_ns < quarter ? (int)prepare_ns : (int)quarter;
}

static void *keep(void *unused)
{
	struct epoll_event events[16];
	bool ending = false;

	(void)unused;
	while (!ending) {
		int count = epoll_wait(keeper.epoll_fd, events, 16, round_ms());
		uint64_t ignored;

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				process_died(events[i].data.ptr);
			else
				(void)!read(keeper.wake_fd, &ignored, sizeof(ignored));
		}
		end_idle();
		end_buried();
		end_prepared();
		while (prepare_one())
			;
		pthread_mutex_lock(&keeper.lock);
		ending = keeper.ending;
		pthread_mutex_unlock(&keeper.lock);
	}
	return NULL;
}

int keeper_init(const struct dispatch_settings *settings, struct df_err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	int error = 0;

	keeper.settings = settings;
	TAILQ_INIT(&keeper.processes);
	TAILQ_INIT(&keeper.graves);
	TAILQ_INIT(&keeper.line);
	keeper.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	keeper.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper.epoll_fd < 0 || keeper.wake_fd < 0 ||
		epoll_ctl(keeper.epoll_fd, EPOLL_CTL_ADD, keeper.wake_fd, &event) < 0)
		error = errno;
	if (!error)
		error = pthread_create(&keeper.thread, NULL, keep, NULL);
	return error
		? df_err_set(err, -error, "starting the keeper failed: %s", df_errno_text(error))
		: 0;
}

/* All that are left, whether they are used or not. */
static void end_all(void)
{
	struct process *process;

	while ((process = TAILQ_FIRST(&keeper.processes))) {
		pthread_mutex_lock(&process->function->lock);
		process_detach(process);
		pthread_mutex_unlock(&process->function->lock);
		bury(process);
	}
}

void keeper_deinit(void)
{
	pthread_mutex_lock(&keeper.lock);
	keeper.ending = true;
	pthread_mutex_unlock(&keeper.lock);
	wake();
	pthread_join(keeper.thread, NULL);
	end_all();
	end_buried();
	while (keeper.prepared_count)
		df_monitor_deinit(&keeper.prepared[--keeper.prepared_count]);
	close(keeper.epoll_fd);
	close(keeper.wake_fd);
}

/* --- looking at it --- */

void keeper_gauges(struct dispatch_gauges *gauges)
{
	const struct process *process;

	*gauges = (struct dispatch_gauges){0};
	pthread_mutex_lock(&keeper.lock);
	gauges->prepared = keeper.prepared_count;
	gauges->instances = keeper.live;
	TAILQ_FOREACH(process, &keeper.processes, all_link)
	{
		gauges->processes++;
		gauges->busy += __atomic_load_n(&process->busy, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&keeper.lock);
}

static json_t *describe(struct process *process, uint64_t now_ns)
{
	struct function *function = process->function;
	json_t *json;

	pthread_mutex_lock(&function->lock);
	json = json_pack("{s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:I}", "pid", (int)process->pid,
		"function", function->config->name, "version", function->version, "instances",
		(int)process->count, "busy", (int)process->busy, "idle_ms",
		(json_int_t)(process->busy || now_ns < process->last_used_ns
				? 0
				: (now_ns - process->last_used_ns) / 1000000),
		"age_ms",
		(json_int_t)(now_ns < process->started_ns
				? 0
				: (now_ns - process->started_ns) / 1000000),
		"events", (json_int_t)process->events);
	pthread_mutex_unlock(&function->lock);
	return json;
}

json_t *keeper_processes(void)
{
	json_t *list = json_array();
	uint64_t now_ns = clock_now_ns();
	struct process *process;

	pthread_mutex_lock(&keeper.lock);
	TAILQ_FOREACH(process, &keeper.processes, all_link)
	(void)json_array_append_new(list, describe(process, now_ns));
	pthread_mutex_unlock(&keeper.lock);
	return list;
}
