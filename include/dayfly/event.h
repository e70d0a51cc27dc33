// SPDX-License-Identifier: Apache-2.0
/*
 * An event's way into a guest and a reply's way out. Compiled by the kernel, the monitor and the
 * monitor's clients.
 *
 * Each instance has two windows of guest memory over files that its client made and shares with the
 * monitor, so bytes are copied once on each side:
 *
 *   in   (DF_VA_IN, read-only to the guest)
 *        0                     attributes: "name\0value\0" pairs, at most DF_IN_BODY bytes
 *        DF_IN_BODY            the body
 *   out  (DF_VA_OUT, read-write)
 *        DF_OUT_ATTRIBUTES     the reply's attributes, in the same form
 *        DF_OUT_LOG            what the program wrote to standard error
 *        DF_OUT_REPLY          the reply
 *
 * Lengths never lie in these windows: they travel in the boot page (in) and the request page (out), and
 * between monitor and client in the control page (dayfly/wire.h).
 */
#ifndef DAYFLY_EVENT_H
#define DAYFLY_EVENT_H

#include <dayfly/types.h>

#define DF_IN_BODY 0x100000ULL
#define DF_OUT_ATTRIBUTES 0x0ULL
#define DF_OUT_LOG 0x10000ULL
#define DF_OUT_REPLY 0x100000ULL
#define DF_OUT_ATTRIBUTES_MAX (DF_OUT_LOG - DF_OUT_ATTRIBUTES)
#define DF_OUT_LOG_MAX (DF_OUT_REPLY - DF_OUT_LOG)
/* Windows are whole large pages. */
#define DF_WINDOW_MIN DF_LARGE_SIZE
#define DF_WINDOW_MAX (1ULL << 30)

/* Where a program may be frozen (DF_CALL_FREEZE). */
enum df_wait_point {
	DF_WAIT_POINT_ENTRY = 1, /* before its first instruction */
	DF_WAIT_POINT_STDIO, /* it wants standard input for the first time */
	DF_WAIT_POINT_SDK, /* it called df_next_event() */
	DF_WAIT_POINT_HTTP, /* it waits for a connection to its port (feature `http`) */
	DF_WAIT_POINT_COUNT
};

/* What a guest goes on to do when DF_CALL_FREEZE returns. */
enum df_event_mode {
	DF_MODE_BOOT, /* not an event: go on booting to the next wait point (after ENTRY only) */
	DF_MODE_EVENT, /* an event */
	DF_MODE_REHEARSE, /* an event in a throw-away instance: fill struct df_learned at its end */
	DF_MODE_PREPARE, /* no event: take in struct df_learned, call DF_CALL_FREEZE again */
};

/* The program may go on with another event where this one ends (DF_CALL_NEXT). */
#define DF_EVENT_WARM 1u

/* In the boot page; the monitor fills it before each return of DF_CALL_FREEZE and DF_CALL_NEXT. */
struct df_event {
	uint32_t mode; /* enum df_event_mode */
	uint32_t flags; /* DF_EVENT_* */
	uint64_t number; /* of this event in its instance, from 1 */
	uint64_t body_bytes;
	uint64_t attribute_bytes;
	uint64_t reply_max; /* bytes that a reply may have, at most what the out window holds */
	uint64_t log_max;
};

/* In the request page; the kernel keeps it up to date, the monitor reads it when the event has ended. */
struct df_out {
	uint64_t reply_bytes;
	uint64_t log_bytes;
	uint32_t attribute_bytes;
	uint16_t status; /* df_reply()'s, 0: the program gave none */
	uint16_t stopped; /* enum df_stop */
};

/* Why the kernel ended an event before the program did. */
enum df_stop { DF_STOP_NONE, DF_STOP_REPLY_SIZE, DF_STOP_LOG_SIZE, DF_STOP_MEMORY };

/*
 * What a rehearsal found out, at DF_OUT_ATTRIBUTES of the out window. The monitor carries it over the
 * reset from the rehearsal to DF_MODE_PREPARE; only the kernel looks into it.
 */
#define DF_LEARNED_MAX 4000
struct df_learned {
	uint32_t sites, pages;
	uint64_t arena_bytes; /* that the arena had in the end; the monitor fills it in */
	uint64_t site
		[DF_LEARNED_MAX]; /* system-call sites that trapped; bits 48-63: the call's number */
	uint64_t page[DF_LEARNED_MAX]; /* addresses that faulted; bit 0: by a write */
};
_Static_assert(sizeof(struct df_learned) <= DF_OUT_ATTRIBUTES_MAX, "fits");

#endif
