// SPDX-License-Identifier: Apache-2.0
/*
 * What a program that wants the event itself asks of the kernel: prctl(DF_PRCTL, op, argument, size).
 * Compiled by the kernel and by the library in sdk/. On Linux, and in a guest that runs without events,
 * prctl answers -EINVAL to DF_PRCTL: that is how a program finds out where it is.
 *
 * `argument` points to the structure of the operation, `size` is its size as the caller knows it.
 * Structures grow at their end: the kernel fills or reads what both sides know, and takes the rest for 0.
 */
#ifndef DAYFLY_SDK_H
#define DAYFLY_SDK_H

#include <stdint.h>

#define DF_PRCTL 0x64796679

enum df_prctl {
	/*
	 * Waits for the event and describes it in struct df_sdk_event. Result 0, -EINVAL (size), -EFAULT.
	 *
	 * The first such call is where the program is frozen (unless it read standard input before: then it
	 * already has its event, which this describes). When the program asks again, the event is over: the
	 * call does not return, the program ends with status 0. It ends at once, so buffers of stdio must
	 * have been flushed.
	 */
	DF_PRCTL_NEXT_EVENT = 1,
	/*
	 * Answers with struct df_sdk_reply; may be repeated, the last one counts. Result 0, -EAGAIN (there
	 * is no event yet), -EINVAL (size, status, flags, attributes that are not pairs), -E2BIG (attributes),
	 * -EFAULT. A body that is larger than df_sdk_event.reply_max ends the event at once.
	 */
	DF_PRCTL_REPLY = 2,
};

/* Addresses stay valid until the program ends. Body and attributes are read-only. */
struct df_sdk_event {
	uint64_t number; /* of this event in its instance, from 1 */
	uint64_t body, body_bytes; /* also what standard input gives */
	uint64_t attributes, attribute_bytes; /* "name\0value\0" pairs */
	/*
	 * Where the reply's body is put together: standard output appends here. A program may build a body
	 * here itself and name it in df_sdk_reply, which then copies nothing. Writable, `reply_max` bytes.
	 */
	uint64_t reply, reply_max;
};

struct df_sdk_reply {
	uint32_t status; /* 100 to 599, or 0: none */
	uint32_t flags; /* DF_REPLY_* */
	uint64_t attributes, attribute_bytes; /* "name\0value\0" pairs, at most 64 KiB */
	uint64_t body, body_bytes; /* with DF_REPLY_BODY */
};
/* The reply is this body, whatever standard output got before; later writes follow it. Without the flag
 * the reply's body is what standard output got. */
#define DF_REPLY_BODY 1u

#endif
