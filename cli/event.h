/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `dayfly try`, `freeze` and `thaw` share: an event's limits and attributes (event_options.c), freezing a program, and having events
 * answered by `dayfly-monitor serve` (event.c).
 */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include "cli/net.h"
#include "cli/program.h"
#include "host/monitor.h"
#include "host/slot.h"
#include "host/str.h"

/* Windows of 8 MiB; as much as AWS Lambda's synchronous events carry, and more. */
#define EVENT_BODY_DEFAULT (7ull << 20)

struct event_options {
	struct df_slot_limits limits; /* 0: none, or what the window holds */
	uint64_t boot_limit_ms; /* 0: the monitor's default */
	uint64_t body_bytes; /* largest body of a snapshot on disk */
	struct df_str attributes; /* pairs */
	const char *
		http; /* port of a server that is to be frozen where it waits for a connection; "0": any. Or NULL */
	bool no_jail;
	bool json;
};

/* For a struct event_options each: */
extern const struct flag event_limit_flags[]; /* --wall --cpu --log-max --attribute */
extern const struct flag event_window_flags[]; /* --reply-max */
extern const struct flag event_body_flags[]; /* --body-max */
extern const struct flag event_boot_flags[]; /* --boot-limit --http */
extern const struct flag event_jail_flags[]; /* --no-jail */
extern const struct flag event_json_flags[]; /* --json */

void event_options_init(struct event_options *options);

/* Says on standard error what --no-jail means. */
void event_warn_unjailed(const struct event_options *options);

/* The out window for the largest reply. */
uint64_t event_out_window(const struct event_options *options);

/* A terminal is no event: says that the body is empty, and puts /dev/null in its place. */
void event_refuse_terminal(void);

/* Reads a body for the slot from standard input. Returns 0 or the exit status with *err set. */
int event_read_input(struct df_slot *slot, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Makes missing standard streams unusable instead of absent: else the next file that is opened would become one of them.
 */
void event_fill_streams(void);

/* --- freezing --- */

struct event_freezing {
	const struct program_options *program_options;
	const struct program *program;
	const struct event_options *options;
	struct df_slot *slot; /* sealed, with the rehearsal's body */
	int snapshot_fd; /* of an empty file */
	uint64_t rehearsal_wall_ns; /* limit, 0: none */
	const struct net_options *net; /* prepared (net_prepare) */
};

/*
 * Boots the program in a monitor of its own and has it frozen into the file. Prints on standard error what the program said there
 * until then. The out window is empty again afterwards. Returns 0 with *ready filled, or the exit status with *err set.
 */
int event_freeze(const struct event_freezing *freezing, struct df_ready *ready, struct df_err *err)
	__attribute__((warn_unused_result));

/* The wait point in words: "read(0)". */
const char *event_wait_point(uint32_t wait_point);

/* --- serving --- */

/* Starts `dayfly-monitor serve`. Returns 0 or the exit status with *err set. */
int event_start_server(const struct event_options *options, struct df_monitor *monitor,
	struct df_err *err) __attribute__((warn_unused_result));

struct event_serving {
	int snapshot_fd;
	int root_fd; /* -1: the snapshot holds the image */
	const struct df_slot *slots; /* sealed */
	uint32_t slot_count;
	uint32_t flags; /* DF_START_VERIFY */
	const struct df_net *net; /* with a guest for each slot, or NULL: no network */
};

/* Tells it what to serve. Returns 0 or the exit status with *err set. */
int event_send_server(struct df_monitor *monitor, const struct event_serving *serving,
	struct df_err *err) __attribute__((warn_unused_result));

/* Waits until it is ready for events. An event may be started before that. Returns 0 or the exit status with *err set. */
int event_wait_ready(struct df_monitor *monitor, struct df_ready *ready, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Waits for the reply to an event that was started with the wall limit `wall_ns` (0: none). Returns 0, or the exit status with *err
 * set; CLI_FAILED with err->code -EPIPE means that the monitor gave up: event_explain_end knows why. From any thread.
 */
int event_await(struct df_slot *slot, const struct df_monitor *monitor, uint64_t wall_ns,
	struct df_slot_reply *reply, struct df_err *err) __attribute__((warn_unused_result));

/* Why the monitor gave up, for *err: what it said last, or how it ended. Stops it. Returns CLI_FAILED. */
int event_explain_end(struct df_monitor *monitor, struct df_err *err);

/* --- numbers for people (units.c) --- */

#define UNITS_BYTES 32

/* "61 us", "2.9 ms", "1.3 s" */
const char *units_time(uint64_t ns, char text[UNITS_BYTES]);
/* "512 bytes", "428 KiB", "1.3 MiB" */
const char *units_size(uint64_t bytes, char text[UNITS_BYTES]);
/* "90 s", "5 min", "47 h", "2 d" */
const char *units_age(uint64_t ms, char text[UNITS_BYTES]);

#endif
