// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the feature `freeze`: freeze.c stops and starts the guest, stream.c has the standard streams of an
 * event, sdk.c the calls of programs that want the event itself, learn.c what a rehearsal is for.
 */
#ifndef KERNEL_FREEZE_H
#define KERNEL_FREEZE_H

#include <dayfly/event.h>
#include <kernel/core/file.h>
#include <kernel/core/freeze.h>
#include <kernel/core/hypercall.h>

/* --- freeze.c --- */
/* Stops here; returns when there is an event, or (DF_WAIT_POINT_ENTRY) when the guest shall go on to boot. */
void freeze_at(enum df_wait_point at);

/* The event is over; returns when there is another one for the program as it is now (DF_EVENT_WARM). */
void freeze_next(void);

/* --- stream.c --- */
void streams_init(void);
/* Standard input is another event's. */
void streams_next(void);
struct file *stream_file(int n);
bool is_input(const struct file *f);
/* Waits for the event. `nonblock`: at most until the others can not run either. 0, -EAGAIN, -ERESTART. */
int input_wait(bool nonblock) must_check;
/* Sleeps until input_arrived. 0, -ERESTART. */
int input_sleep(void) must_check;
/* Does a thread wait for the event? own: the current one, through a queue that it did not sleep on. */
bool input_awaited(bool *own);
/* Wakes who waits for the event. */
void input_arrived(void);

/* --- sdk.c --- */
void sdk_init(void);
/* True when a thread waits in DF_PRCTL_NEXT_EVENT. */
bool sdk_waits(void);

/* --- learn.c --- */
void learn_start(void);
/* Takes in what a rehearsal found out, and wipes it. */
void learn_apply(void);
bool learn_trap(gva_t site, uint64_t nr);
void learn_fault(gva_t va, bool write);

#endif
