/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event slot as the client sees it (dayfly/wire.h, dayfly/event.h): three memory files that are shared with a
 * monitor, an event that goes in, a reply that comes out.
 *
 *	df_slot_init -> [df_slot_put_attributes, df_slot_put_body or df_slot_read_body] -> df_slot_seal -> the descriptors
 *	go to the monitor -> df_slot_start -> df_slot_wait_reply -> df_slot_reply -> put, start, ... -> df_slot_deinit
 *
 * The in file is mapped writable here and sealed, so that nobody else can map it so. No file can change its size
 * once it is sealed. An event's bytes are copied once, into the in file; a reply is read where it lies.
 *
 * The monitor is taken for hostile: numbers are copied once and checked, and what lies in the out file may change
 * while it is read. So whoever decides something by a reply's bytes copies them first.
 *
 * A slot belongs to one thread at a time. Functions that put something in, or start, may only be called while the
 * slot is the client's: before the first df_slot_start and after each df_slot_wait_reply that returned 0.
 */
#ifndef HOST_SLOT_H
#define HOST_SLOT_H

#include "host/err.h"

#include <dayfly/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct df_slot {
	int control_fd, in_fd, out_fd;
	struct df_control *control;
	uint8_t *in;
	const uint8_t *out; /* mapped read-only; NULL before df_slot_seal */
	uint64_t in_bytes, out_bytes;
	/* Of the event that is in the slot, or was. What lies in the in file behind them is zero. */
	uint64_t body_bytes, attribute_bytes;
	uint64_t reply_max, log_max; /* as the last df_slot_start asked */
};

#define DF_SLOT_NONE ((struct df_slot){.control_fd = -1, .in_fd = -1, .out_fd = -1})

/* For one event. 0 everywhere: no limit but the size of the out file. */
struct df_slot_limits {
	uint64_t wall_ns, cpu_ns;
	uint64_t reply_bytes, log_bytes;
};

/* A reply, checked. The pointers are into the out file and good until the next df_slot_start. */
struct df_slot_reply {
	enum df_outcome outcome;
	int status; /* exit status (0-255) or signal (1-64) */
	unsigned int reply_status; /* df_reply()'s, or 0 */
	const uint8_t *body, *log, *attributes;
	size_t body_bytes, log_bytes, attribute_bytes;
	uint64_t thaw_ns, run_ns, pages;
	uint32_t leaks; /* found after the event before this one (DF_START_VERIFY) */
	char text[DF_CONTROL_TEXT]; /* terminated, of unknown origin: clean it before showing it */
};

/* How large a window must be for this many bytes of body (or reply): whole large pages. 0: no window is so large. */
uint64_t df_slot_window(uint64_t body_bytes);

/*
 * Makes the control page and an in file for bodies of up to what df_slot_window(body) = `in_bytes` holds; costs no memory
 * before it is written to. Returns 0, -EINVAL for a size that is no window's, or -errno with *err set. df_slot_deinit is
 * allowed after a failure.
 */
int df_slot_init(struct df_slot *slot, uint64_t in_bytes, struct df_err *err)
	__attribute__((warn_unused_result));

/*
 * Cuts the in file to `in_bytes` (not less than the event that is in it needs; 0: that), makes the out file, and seals all
 * three. Returns 0 or -errno with *err set.
 */
int df_slot_seal(struct df_slot *slot, uint64_t in_bytes, uint64_t out_bytes, struct df_err *err)
	__attribute__((warn_unused_result));

/* Empties the out file, which another monitor may have used before. Returns 0 or -errno with *err set. */
int df_slot_wipe_out(struct df_slot *slot, struct df_err *err) __attribute__((warn_unused_result));

/* Frees everything; a monitor's mappings live on. Allowed on DF_SLOT_NONE and more than once. */
void df_slot_deinit(struct df_slot *slot);

/*
 * Put in an event's parts; each replaces what the event before left, down to the last byte. Without a call the part
 * stays as it is, so that an event can be sent again for nothing. Attributes are pairs as host/attributes.h makes
 * them. -E2BIG: larger than the window; the slot then holds an empty part.
 */
int df_slot_put_body(struct df_slot *slot, const void *bytes, size_t length)
	__attribute__((warn_unused_result));
int df_slot_put_attributes(struct df_slot *slot, const void *bytes, size_t length)
	__attribute__((warn_unused_result));

/* The same from a descriptor, read to its end. Returns 0, -E2BIG, or what read(2) failed with. */
int df_slot_read_body(struct df_slot *slot, int fd) __attribute__((warn_unused_result));

/* Writes the event's numbers into the control page, as df_slot_start does before it hands the slot over. */
void df_slot_describe(struct df_slot *slot, const struct df_slot_limits *limits);

/* Gives the event to the monitor. */
void df_slot_start(struct df_slot *slot, const struct df_slot_limits *limits);

/*
 * Waits until the monitor has answered or CLOCK_MONOTONIC is at `deadline_ns` (DF_SLOT_NO_DEADLINE). Returns 0, -ETIMEDOUT,
 * -EINTR (a signal was handled; wait again), or -EPIPE: the monitor gave the slot up or did what it must not.
 * A monitor that has died gives no answer: wait in steps, and look after it (host/monitor.h).
 */
int df_slot_wait_reply(struct df_slot *slot, uint64_t deadline_ns)
	__attribute__((warn_unused_result));

/* The same without a slot: what a control page says about an out file of `out_bytes` that is mapped at `out`. */
int df_slot_reply_from(const struct df_control *control, const uint8_t *out, uint64_t out_bytes,
	struct df_slot_reply *reply, struct df_err *err) __attribute__((warn_unused_result));

/* The reply, after df_slot_wait_reply returned 0. Returns 0, or -EPROTO with *err set if the monitor's numbers are impossible. */
int df_slot_reply(const struct df_slot *slot, struct df_slot_reply *reply, struct df_err *err)
	__attribute__((warn_unused_result));

#endif
