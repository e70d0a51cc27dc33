// SPDX-License-Identifier: Apache-2.0
/*
 * Between a monitor and its client (`dayfly try`, the daemon).
 *
 * Set-up goes over a SOCK_SEQPACKET Unix socket, which the monitor has as descriptor 3: the client sends
 * one struct df_start with descriptors, the monitor answers with one struct df_ready. When the client closes
 * its end, the monitor ends.
 *
 * Events go through shared memory alone. Each slot belongs to one instance:
 *   - a control page, struct df_control, that both sides write;
 *   - the in file (read-only to the monitor) and the out file of dayfly/event.h.
 * `state` is a futex (shared). The client may touch a slot in DF_SLOT_FREE and DF_SLOT_REPLY only, the
 * monitor in DF_SLOT_EVENT only. The monitor wipes the out file when the next event comes, so a reply can
 * be read in place until then.
 *
 * Neither side trusts the other: copy once, check, use the copy.
 */
#ifndef DAYFLY_WIRE_H
#define DAYFLY_WIRE_H

#include <dayfly/event.h>

#define DF_WIRE_MAGIC 0x31657269u /* "ire1" */
#define DF_WIRE_VERSION 1
#define DF_WIRE_SOCKET 3 /* the monitor's descriptor */
#define DF_INSTANCES_MAX 16

/* Client to monitor. Descriptors, in this order: the snapshot (written by `freeze`, read by `serve`), the
 * root image (serve only, when the snapshot does not hold it: DF_START_ROOT), then control, in and out
 * file of each slot; with DF_START_NET our end of dayfly-net's socket (host/net.h), then memory, kick and wake of each slot's
 * device (dayfly/net.h). `freeze` takes one slot, whose body serves for the rehearsal. */
struct df_start {
	uint32_t magic, version;
	uint32_t instances; /* 1 to DF_INSTANCES_MAX */
	uint32_t flags; /* DF_START_* */
	uint64_t in_bytes, out_bytes; /* of each slot: sizes of the files, whole large pages */
	uint64_t boot_limit_ms; /* freeze: the program must have come to its wait point, 0: 30 s */
};
#define DF_START_ROOT 1u
#define DF_START_VERIFY 2u /* compare all memory and CPU state with the snapshot after each event */
/* One event per slot and no more: nothing is put back, so more can be made ready at once. */
#define DF_START_ONCE 4u
/*
 * A program that asks for another event (DF_CALL_NEXT) gets it in the same instance, in the state that it is in. The instance is made pristine
 * when an event ends in any other way.
 */
#define DF_START_WARM 8u
/*
 * Guests have a network device. A snapshot is served as it was frozen: with one or without. When dayfly-net ends, so does the monitor.
 */
#define DF_START_NET 16u
#define DF_START_DESCRIPTORS_MAX (3 + 6 * DF_INSTANCES_MAX)

struct df_ready {
	uint32_t magic, version;
	int32_t error; /* 0 or -errno: nothing was set up, `text` says why */
	uint32_t exit_status; /* freeze: how the program ended that did not come to a wait point */
	uint64_t boot_ns; /* freeze: until the wait point */
	uint64_t snapshot_bytes; /* memory in the snapshot */
	uint64_t event_pages; /* pages that the rehearsal wrote */
	uint64_t setup_ns; /* serve: until instances and jail stood */
	uint32_t wait_point; /* enum df_wait_point */
	uint32_t
		log_bytes; /* freeze: standard error until the freeze, at DF_OUT_LOG of the out file */
	char text[1024]; /* zero-ended */
};

enum df_slot_state {
	DF_SLOT_FREE = 0, /* client: may put an event in */
	DF_SLOT_EVENT = 1, /* monitor: an event waits or runs */
	DF_SLOT_REPLY = 2, /* client: the reply is there; DF_SLOT_EVENT may follow at once */
	DF_SLOT_DEAD = 3, /* the instance can not be made pristine again; the process ends */
};

enum df_outcome {
	DF_OUTCOME_EXIT = 1, /* the program exited with `status`, 0-255 */
	DF_OUTCOME_SIGNAL, /* signal `status` ended it; `text` is the report */
	DF_OUTCOME_WALL_TIME, /* a limit was passed: */
	DF_OUTCOME_CPU_TIME,
	DF_OUTCOME_MEMORY,
	DF_OUTCOME_REPLY_SIZE,
	DF_OUTCOME_LOG_SIZE,
	DF_OUTCOME_STOPPED, /* the guest did what only an attack or a bug of ours does */
	DF_OUTCOME_COUNT
};

#define DF_CONTROL_BYTES 4096u
#define DF_CONTROL_TEXT 3072

struct df_control {
	uint32_t state; /* enum df_slot_state, futex */
	uint32_t waiters; /* bit 0: the monitor sleeps on state, bit 1: the client does */
	uint8_t pad0[56];

	/* The event. */
	uint64_t body_bytes; /* at in + DF_IN_BODY */
	uint64_t attribute_bytes; /* at in + 0 */
	uint64_t wall_limit_ns; /* 0: none */
	uint64_t cpu_limit_ns; /* 0: none */
	uint64_t reply_max, log_max; /* 0: what the out file holds */
	uint8_t pad1[16];

	/* The reply. */
	uint32_t outcome; /* enum df_outcome */
	int32_t status;
	uint64_t reply_bytes; /* at out + DF_OUT_REPLY */
	uint64_t log_bytes; /* at out + DF_OUT_LOG */
	uint32_t attribute_bytes_out; /* at out + DF_OUT_ATTRIBUTES */
	uint32_t reply_status; /* df_reply()'s, or 0 */
	uint64_t
		thaw_ns; /* time from the event's arrival to the guest's first instruction and what the last reset took */
	uint64_t run_ns; /* in the guest */
	uint64_t pages; /* put back after the last event */
	uint32_t leaks; /* DF_START_VERIFY: differences found after the event before this one */
	uint32_t text_bytes;
	char text[DF_CONTROL_TEXT]; /* zero-ended: why, and notes for the user */
};
_Static_assert(sizeof(struct df_control) <= DF_CONTROL_BYTES, "one page");

#endif
