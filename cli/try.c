/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dayfly try`: freezes a program at its wait point and sends it one event, as often as asked, each in a pristine
 * microVM; compares the replies and says how long it took.
 */
#include "cli/event.h"
#include "cli/page.h"

#include "host/attributes.h"
#include "host/cleanup.h"
#include "host/json.h"
#include "host/outcome.h"
#include "host/slot_state.h"
#include "host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define EVENTS_MAX 1000000ull

struct try_options {
	uint64_t events;
	uint32_t instances;
	bool verify, warm;
};

/* The reply that all others are compared with: a copy, because its slot is used again. */
struct first_reply {
	enum df_outcome outcome;
	int status;
	unsigned int reply_status;
	void *body;
	size_t body_bytes;
	struct df_str attributes;
};

struct measured {
	uint64_t latency_ns, thaw_ns, run_ns, pages;
};

struct trial {
	struct program_options program_options;
	struct event_options options;
	struct try_options how;
	struct program program;
	struct net_options net_options;
	struct df_net net;
	struct df_slot slots[DF_INSTANCES_MAX];
	struct df_monitor monitor;
	int snapshot_fd;
	struct df_ready frozen;
	struct first_reply first;
	struct measured *measured; /* one for each event */
};

/* A thread that sends its share of the events to one instance. */
struct worker {
	struct trial *trial;
	struct df_slot *slot;
	uint64_t next; /* number of the next event, from 0 */
	uint64_t differ, leaks;
	uint64_t first_different; /* its number */
	char difference[128];
	char leak_text[DF_CONTROL_TEXT];
	int status;
	struct df_err err;
};

static int set_count(const char *flag, const char *value, uint64_t most, uint64_t *count,
	struct df_err *err)
{
	char *end;

	errno = 0;
	*count = strtoull(value, &end, 10);
	if (errno || *end || end == value || *value == '-' || *count < 1 || *count > most)
		return df_err_set(err, -EINVAL, "%s %s is not a number from 1 to %" PRIu64, flag,
			value, most);
	return 0;
}

static int set_events(void *into, const char *value, struct df_err *err)
{
	return set_count("--events", value, EVENTS_MAX, &((struct try_options *)into)->events, err);
}

static int set_instances(void *into, const char *value, struct df_err *err)
{
	uint64_t count = 1;
	int error = set_count("--instances", value, DF_INSTANCES_MAX, &count, err);

	((struct try_options *)into)->instances = (uint32_t)count;
	return error;
}

static int set_verify(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct try_options *)into)->verify = true;
	return 0;
}

static int set_warm(void *into, const char *value, struct df_err *err)
{
	(void)value;
	(void)err;
	((struct try_options *)into)->warm = true;
	return 0;
}

static const struct flag try_flags[] = {
	{"--events", "COUNT", "send the event so often (default 1)", set_events},
	{"--instances", "COUNT", "to so many microVMs at once, at most 16 (default 1)",
		set_instances},
	{"--verify", NULL, "compare all memory with the snapshot after each event", set_verify},
	{"--warm", NULL, "a program that asks for another event goes on with it as it is",
		set_warm},
	{0},
};

static const struct page page = {"try [FLAGS] PROGRAM [--] [ARGUMENTS] < BODY",
	"Runs a program until it wants its standard input, freezes it there, and sends it\n"
	"an event: standard input becomes the event's body, and what the program writes the\n"
	"reply. Each event gets a pristine microVM with the frozen state, byte for byte. The\n"
	"first reply goes to standard output, times to standard error.\n",
	0, PAGE_PROGRAM, WORDS_FILES,
	"Exit status: the program's for the first event, 128+n when signal n ended it; 124\n"
	"for a limit of time, 137 of memory, 153 of size; 125 when dayfly fails, 126 when the\n"
	"program cannot be run, 127 when it is not found.\n\n"
	"  dayfly try --events 1000 zstd -- -19 -c < report.csv > report.csv.zst\n"
	"  dayfly try --wall 2s --memory 64M jq -- .name < package.json\n"
	"  dayfly try --events 100 --verify python3 handler.py < event.json\n"};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- setting up --- */

static int make_first_slot(struct trial *t, struct df_err *err)
{
	struct df_slot *slot = &t->slots[0];
	int status;

	/* How much comes in is known when all of it is there. */
	if (df_slot_init(slot, DF_WINDOW_MAX, err))
		return CLI_FAILED;
	status = event_read_input(slot, err);
	if (status)
		return status;
	if (df_slot_put_attributes(slot, t->options.attributes.data,
		    t->options.attributes.length) ||
		df_slot_seal(slot, 0, event_out_window(&t->options), err))
		return CLI_FAILED;
	return CLI_OK;
}

static int copy_slots(struct trial *t, struct df_err *err)
{
	const struct df_slot *first = &t->slots[0];

	for (uint32_t i = 1; i < t->how.instances; i++) {
		struct df_slot *slot = &t->slots[i];

		if (df_slot_init(slot, first->in_bytes, err) ||
			df_slot_put_body(slot, first->in + DF_IN_BODY, (size_t)first->body_bytes) ||
			df_slot_put_attributes(slot, first->in, (size_t)first->attribute_bytes) ||
			df_slot_seal(slot, first->in_bytes, first->out_bytes, err))
			return CLI_FAILED;
	}
	return CLI_OK;
}

static int freeze(struct trial *t, struct df_err *err)
{
	const struct event_freezing freezing = {
		.program_options = &t->program_options,
		.program = &t->program,
		.options = &t->options,
		.slot = &t->slots[0],
		.snapshot_fd = t->snapshot_fd,
		.rehearsal_wall_ns = t->options.limits.wall_ns,
		.net = &t->net_options,
	};
	char time[UNITS_BYTES], size[UNITS_BYTES];
	int status = event_freeze(&freezing, &t->frozen, err);

	if (!status &&
		fcntl(t->snapshot_fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) < 0)
		status = df_err_set(err, CLI_FAILED, "sealing the snapshot failed: %s",
			df_errno_text(errno));
	if (!status && !t->options.json)
		dprintf(STDERR_FILENO, "frozen at %s after %s: %s, %" PRIu64 " pages written\n",
			event_wait_point(t->frozen.wait_point), units_time(t->frozen.boot_ns, time),
			units_size(t->frozen.snapshot_bytes, size), t->frozen.event_pages);
	return status;
}

/* One CPU for both sides: a wake-up across CPUs takes ten times as long as one on the same. */
static void stay_here(void)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	(void)sched_setaffinity(0, sizeof(here), &here);
}

static int serve(struct trial *t, struct df_err *err)
{
	DF_CLOSE int root_fd = open(t->program.image, O_RDONLY | O_CLOEXEC);
	const struct event_serving serving = {
		.snapshot_fd = t->snapshot_fd,
		.root_fd = root_fd,
		.slots = t->slots,
		.slot_count = t->how.instances,
		.flags = (t->how.verify ? DF_START_VERIFY : 0) | (t->how.warm ? DF_START_WARM : 0),
		.net = t->net_options.wanted ? &t->net : NULL,
	};
	struct df_ready ready;
	int status = CLI_OK;

	if (root_fd < 0)
		return df_err_set(err, CLI_FAILED, "%s: %s", t->program.image,
			df_errno_text(errno));
	if (t->how.instances == 1)
		stay_here();
	if (t->net_options.wanted)
		status = net_start_beside(&t->net_options, t->program.typed, t->how.instances,
			&t->net, err);
	if (!status)
		status = event_start_server(&t->options, &t->monitor, err);
	if (!status)
		status = event_send_server(&t->monitor, &serving, err);
	return status ? status : event_wait_ready(&t->monitor, &ready, err);
}

/* --- events --- */

static int send_event(struct worker *w, struct df_slot_reply *reply, uint64_t *latency_ns)
{
	const struct trial *t = w->trial;
	uint64_t start = now_ns();
	int status;

	df_slot_start(w->slot, &t->options.limits);
	status = event_await(w->slot, &t->monitor, t->options.limits.wall_ns, reply, &w->err);
	*latency_ns = now_ns() - start;
	return status;
}

static void note_leaks(struct worker *w, const struct df_slot_reply *reply)
{
	if (reply->leaks && !w->leaks)
		memcpy(w->leak_text, reply->text, sizeof(w->leak_text));
	w->leaks += reply->leaks;
}

static void compare(struct worker *w, uint64_t number, const struct df_slot_reply *reply)
{
	const struct first_reply *first = &w->trial->first;
	bool same = reply->outcome == first->outcome && reply->status == first->status &&
		reply->reply_status == first->reply_status;

	if (same && reply->body_bytes == first->body_bytes &&
		memcmp(reply->body, first->body, first->body_bytes) == 0)
		return;
	if (w->differ++)
		return;
	w->first_different = number;
	if (same)
		snprintf(w->difference, sizeof(w->difference), "%zu bytes instead of %zu%s",
			reply->body_bytes, first->body_bytes,
			reply->body_bytes == first->body_bytes ? ", but others" : "");
	else
		df_outcome_describe(reply->outcome, reply->status, w->difference,
			sizeof(w->difference));
}

static void *work(void *argument)
{
	struct worker *w = argument;
	struct trial *t = w->trial;
	struct df_slot_reply reply;

	for (; w->next < t->how.events && !w->status; w->next += t->how.instances) {
		struct measured *m = &t->measured[w->next];

		w->status = send_event(w, &reply, &m->latency_ns);
		if (w->status)
			break;
		m->thaw_ns = reply.thaw_ns;
		m->run_ns = reply.run_ns;
		m->pages = reply.pages;
		note_leaks(w, &reply);
		compare(w, w->next, &reply);
	}
	/* What an event left behind is told with the reply to the next. */
	if (t->how.verify && !w->status) {
		uint64_t unused;

		w->status = send_event(w, &reply, &unused);
		if (!w->status)
			note_leaks(w, &reply);
	}
	return NULL;
}

/* The first event, alone: its reply is the one that counts. */
static int send_first(struct trial *t, int *exit_status, struct df_err *err)
{
	struct worker w = {.trial = t, .slot = &t->slots[0]};
	struct first_reply *first = &t->first;
	struct df_slot_reply reply;
	int status = send_event(&w, &reply, &t->measured[0].latency_ns);

	if (status) {
		*err = w.err;
		return status;
	}
	t->measured[0].thaw_ns = reply.thaw_ns;
	t->measured[0].run_ns = reply.run_ns;
	t->measured[0].pages = reply.pages;
	first->outcome = reply.outcome;
	first->status = reply.status;
	first->reply_status = reply.reply_status;
	first->body_bytes = reply.body_bytes;
	first->body = malloc(reply.body_bytes + 1);
	df_str_add_bytes(&first->attributes, reply.attributes, reply.attribute_bytes);
	if (!first->body || first->attributes.failed)
		return df_err_set(err, CLI_FAILED, "out of memory");
	memcpy(first->body, reply.body, reply.body_bytes);
	/* What is shown is what the others are compared with. */
	reply.body = first->body;
	*exit_status = df_outcome_status(&reply);
	return df_outcome_write(&reply, err) ? CLI_FAILED : CLI_OK;
}

static int send_others(struct trial *t, struct worker *workers, struct df_err *err)
{
	pthread_t threads[DF_INSTANCES_MAX];
	uint32_t started = 0;
	int status = CLI_OK;

	/* Flags have made this at least 1. */
	for (uint32_t i = 0; i == 0 || i < t->how.instances; i++)
		workers[i] = (struct worker){.trial = t,
			.slot = &t->slots[i],
			.next = i ? i : t->how.instances,
			.first_different = UINT64_MAX};
	for (; started + 1 < t->how.instances; started++) {
		if (pthread_create(&threads[started], NULL, work, &workers[started + 1])) {
			status = df_err_set(err, CLI_FAILED, "starting a thread failed");
			break;
		}
	}
	work(&workers[0]);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < t->how.instances && !status; i++) {
		status = workers[i].status;
		*err = workers[i].err;
	}
	return status;
}

/* --- what is said at the end --- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct percentiles {
	uint64_t p50, p99, max;
};

/* Of one member of all measurements, given by its offset. */
static struct percentiles percentiles_of(const struct trial *t, size_t offset)
{
	uint64_t count = t->how.events;
	DF_FREE uint64_t *sorted = malloc(count * sizeof(*sorted));

	if (!sorted)
		return (struct percentiles){0};
	for (uint64_t i = 0; i < count; i++)
		memcpy(&sorted[i], (const char *)&t->measured[i] + offset, sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_number);
	return (struct percentiles){
		sorted[(count - 1) / 2], sorted[(count * 99 + 99) / 100 - 1], sorted[count - 1]};
}

#define PERCENTILES(trial, member) percentiles_of(trial, offsetof(struct measured, member))

struct summary {
	uint64_t differ, leaks;
	const struct worker *different; /* that met the first difference */
	const char *leak_text;
};

static struct summary sum_up(const struct trial *t, const struct worker *workers)
{
	struct summary s = {.leak_text = ""};

	for (uint32_t i = 0; i < t->how.instances; i++) {
		const struct worker *w = &workers[i];

		s.differ += w->differ;
		s.leaks += w->leaks;
		if (w->differ &&
			(!s.different || w->first_different < s.different->first_different))
			s.different = w;
		if (w->leaks && !*s.leak_text)
			s.leak_text = w->leak_text;
	}
	return s;
}

/* What an SDK program said about its reply: "status 404 · content-type: text/plain". */
static void print_attributes(const struct first_reply *first)
{
	DF_STR struct df_str line = DF_STR_EMPTY;
	const char *name, *value;
	size_t at = 0;

	if (first->reply_status)
		df_str_addf(&line, "status %u", first->reply_status);
	while (df_attributes_next(first->attributes.data, first->attributes.length, &at, &name,
		       &value) > 0)
		df_str_addf(&line, "%s%s: %s", line.length ? " · " : "", name, value);
	if (line.length > 0)
		dprintf(STDERR_FILENO, "reply %s\n", df_str_text(&line));
}

static void print_summary(const struct trial *t, const struct summary *s)
{
	const struct percentiles latency = PERCENTILES(t, latency_ns),
				 thaw = PERCENTILES(t, thaw_ns);
	DF_STR struct df_str line = DF_STR_EMPTY;
	char a[UNITS_BYTES], b[UNITS_BYTES], c[UNITS_BYTES], d[UNITS_BYTES];
	const char *kind = t->how.warm ? "warm" : "pristine";

	print_attributes(&t->first);
	if (t->how.events == 1)
		df_str_addf(&line, "1 event in a %s microVM: %s (of which thaw %s)", kind,
			units_time(latency.max, a), units_time(thaw.max, b));
	else
		df_str_addf(&line,
			"%" PRIu64 " events, each in a %s microVM: p50 %s · p99 %s · max %s "
			"(of which thaw p50 %s) · %" PRIu64 " replies differ",
			t->how.events, kind, units_time(latency.p50, a), units_time(latency.p99, b),
			units_time(latency.max, c), units_time(thaw.p50, d), s->differ);
	if (t->how.verify)
		df_str_addf(&line, " · %" PRIu64 " leaks", s->leaks);
	df_str_add(&line, "\n");
	df_write_error(df_str_text(&line), line.length);
	if (s->different)
		dprintf(STDERR_FILENO,
			"dayfly: the first that differs is the reply to event %" PRIu64 ": %s\n",
			s->different->first_different + 1, s->different->difference);
}

static void add_percentiles(struct df_str *json, const char *key, struct percentiles p)
{
	df_json_open(json, key, '{');
	df_json_number(json, "p50", p.p50);
	df_json_number(json, "p99", p.p99);
	df_json_number(json, "max", p.max);
	df_json_close(json, '}');
}

static void add_reply(struct df_str *json, const struct first_reply *first, int exit_status)
{
	const char *name, *value;
	char text[128];
	size_t at = 0;

	df_outcome_describe(first->outcome, first->status, text, sizeof(text));
	df_json_open(json, "reply", '{');
	df_json_text(json, "outcome", text);
	df_json_number(json, "exit_status", (uint64_t)exit_status);
	df_json_number(json, "bytes", first->body_bytes);
	if (first->reply_status)
		df_json_number(json, "status", first->reply_status);
	df_json_open(json, "attributes", '{');
	while (df_attributes_next(first->attributes.data, first->attributes.length, &at, &name,
		       &value) > 0)
		df_json_text(json, name, value);
	df_json_close(json, '}');
	df_json_close(json, '}');
}

static void print_json(const struct trial *t, const struct summary *s, int exit_status)
{
	DF_STR struct df_str json = DF_STR_EMPTY;

	df_json_open(&json, NULL, '{');
	df_json_text(&json, "program", t->program.path);
	df_json_open(&json, "frozen", '{');
	df_json_text(&json, "at", event_wait_point(t->frozen.wait_point));
	df_json_number(&json, "boot_ns", t->frozen.boot_ns);
	df_json_number(&json, "bytes", t->frozen.snapshot_bytes);
	df_json_number(&json, "event_pages", t->frozen.event_pages);
	df_json_close(&json, '}');
	df_json_number(&json, "events", t->how.events);
	df_json_number(&json, "instances", t->how.instances);
	add_percentiles(&json, "latency_ns", PERCENTILES(t, latency_ns));
	add_percentiles(&json, "thaw_ns", PERCENTILES(t, thaw_ns));
	add_percentiles(&json, "run_ns", PERCENTILES(t, run_ns));
	add_percentiles(&json, "pages", PERCENTILES(t, pages));
	df_json_number(&json, "replies_differ", s->differ);
	if (t->how.verify)
		df_json_number(&json, "leaks", s->leaks);
	add_reply(&json, &t->first, exit_status);
	df_json_close(&json, '}');
	df_str_add(&json, "\n");
	df_write_error(df_str_text(&json), json.length);
}

static int finish(struct trial *t, const struct worker *workers, int exit_status,
	struct df_err *err)
{
	const struct summary s = sum_up(t, workers);
	int status = df_monitor_stop(&t->monitor, DF_MONITOR_GRACE_MS);

	if (t->options.json)
		print_json(t, &s, exit_status);
	else
		print_summary(t, &s);
	df_outcome_print(s.leak_text);
	if (s.leaks)
		return df_err_set(err, CLI_FAILED,
			"%" PRIu64
			" differences from the snapshot were found after events; please report it",
			s.leaks);
	if (status)
		return df_err_set(err, CLI_FAILED, "the monitor ended with status %d", status);
	return CLI_OK;
}

static int run_trial(struct trial *t, int *exit_status, struct df_err *err)
{
	struct worker *workers = calloc(DF_INSTANCES_MAX, sizeof(*workers));
	int status;

	t->measured = calloc(t->how.events, sizeof(*t->measured));
	t->snapshot_fd = memfd_create("dayfly-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!workers || !t->measured || t->snapshot_fd < 0)
		return df_err_set(err, CLI_FAILED, "making memory for the snapshot failed: %s",
			df_errno_text(errno));
	status = make_first_slot(t, err);
	if (!status)
		status = freeze(t, err);
	if (!status)
		status = copy_slots(t, err);
	if (!status)
		status = serve(t, err);
	if (!status)
		status = send_first(t, exit_status, err);
	if (!status)
		status = send_others(t, workers, err);
	if (!status)
		status = finish(t, workers, *exit_status, err);
	if (status && err->code == -EPIPE)
		status = event_explain_end(&t->monitor, err);
	(void)df_monitor_stop(&t->monitor, DF_MONITOR_GRACE_MS);
	df_net_end(&t->net);
	return status;
}

/* Like all commands this one ends the process, so nothing is freed. */
int command_try(int argc, char **argv)
{
	static struct trial trial = {
		.how = {.events = 1, .instances = 1},
		.monitor = {.pid = -1, .socket = -1},
		.net = {.pid = -1, .life = -1},
	};
	const struct flag_set sets[] = {{try_flags, &trial.how},
		{event_limit_flags, &trial.options}, {event_window_flags, &trial.options},
		{event_boot_flags, &trial.options}, {event_json_flags, &trial.options},
		{event_jail_flags, &trial.options}, {net_event_flags, &trial.net_options},
		{program_flags, &trial.program_options}, {0}};
	int next, status, exit_status = 0;
	struct df_err err = {0};

	event_fill_streams();
	program_options_init(&trial.program_options);
	event_options_init(&trial.options);
	status = page_flags(&page, sets, argc, argv, &next, &err);
	if (status)
		return page_end(status, &err);
	event_warn_unjailed(&trial.options);
	status = net_prepare(&trial.net_options, &trial.program_options, &err);
	if (!status)
		status = program_prepare(&trial.program_options, argc, argv, next, &trial.program,
			&err);
	if (!status)
		status = run_trial(&trial, &exit_status, &err);
	/* dayfly-net has said why, if it was that. */
	return !status ? exit_status : err.code ? cli_fail(&err, status) : status;
}
