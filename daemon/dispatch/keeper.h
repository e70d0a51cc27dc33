/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on beside the calls: a thread that prepares monitors, notices processes that die, ends those that are idle, and
 * keeps the books about the instances of all functions. Used by dispatch.c alone.
 *
 * Locks: the keeper's own comes before any function's. So nothing here may be called with a function's lock held.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include "daemon/dispatch/dispatch.h"
#include "daemon/dispatch/process.h"

/* One of the limits, which dispatch_change may be setting just now. */
static inline unsigned int keeper_limit(const unsigned int *limit)
{
	return __atomic_load_n(limit, __ATOMIC_RELAXED);
}

/* Kills all processes, and starts none from then on: keeper_take_monitor returns -ESHUTDOWN. */
void keeper_abort(void);

/* Borrows *settings for as long as it runs; its limits may change. Returns 0 or -errno with *err set. */
int keeper_init(const struct dispatch_settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));
void keeper_deinit(void);

/* A place in the line of functions that want more instances than there are. */
struct hunger {
	struct function *function; /* NULL: not in line */
	TAILQ_ENTRY(hunger) link;
};

/*
 * Asks for up to `want` instances for a function that has `have`, ends idle processes of others for it if need be, and lines up if there are none and it has
 * less than its part: ask again a little later. The last eighth of all is for functions that have none. Returns how many; 0: none yet. keeper_give_back for those that are not used after all.
 */
unsigned int keeper_reserve(struct function *function, struct hunger *hunger, unsigned int have,
	unsigned int want);
void keeper_give_back(unsigned int count);

/* Leaves the line. Allowed at any time. */
void keeper_sated(struct hunger *hunger);

/* Must a function with so many instances give some up, because others have none? One atomic read when nobody is hungry. */
bool keeper_wants_back(unsigned int instances);

/* A monitor that waits for a function: a prepared one, or a new one. Returns 0 or -errno with *err set. */
int keeper_take_monitor(struct df_monitor *monitor, struct df_err *err)
	__attribute__((warn_unused_result));

/* Looks after a process from now on. */
void keeper_watch(struct process *process);

/* Ends a process that is detached from its function (process_detach). */
void keeper_bury(struct process *process);

/* Takes a process away from its function; all its instances are idle, or it is broken and none is in use. With function->lock held. */
void process_detach(struct process *process);
/* Takes its idle instances out of the function's list. With function->lock held. */
void process_withdraw(struct process *process);

void keeper_gauges(struct dispatch_gauges *gauges);
json_t *keeper_processes(void) __attribute__((warn_unused_result));

#endif
