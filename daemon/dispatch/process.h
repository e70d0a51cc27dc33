/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor process that serves one function, and its instances. Used by dispatch.c alone, whose locks protect them.
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include "daemon/function/function.h"
#include "host/monitor.h"
#include "host/net.h"
#include "host/slot.h"

struct instance {
	struct df_slot slot;
	struct process *process;
	TAILQ_ENTRY(instance) link; /* in function->idle */
};

struct process {
	struct function *function; /* a reference */
	struct df_monitor monitor;
	struct df_net net; /* of a function with egress */
	pid_t pid; /* for people: the monitor's, also when it has ended */
	unsigned int count; /* instances */
	uint64_t started_ns;
	bool broken; /* atomic: it ended, or lied; its instances are not used again */

	/* protected by function->lock: */
	LIST_ENTRY(process) link; /* in function->processes */
	unsigned int busy;
	bool leaving; /* nobody gets its instances any more */
	bool detached; /* not in function->processes any more */
	bool refused; /* it could not be set up: no event ran in it */
	uint64_t last_used_ns, events;
	char text[256]; /* why it is broken */

	/* protected by dispatch's lock: */
	TAILQ_ENTRY(process) all_link;
	TAILQ_ENTRY(process) grave_link;

	struct instance instance[];
};

/*
 * Makes the instances' slots, starts dayfly-net (`net_path`) for a function that has egress, and hands them with the function's snapshot to `monitor`, which is taken, also on failure. The monitor sets itself
 * up meanwhile; events may be started before it has. Takes a reference on the function. NULL with *err set.
 */
struct process *process_start(struct function *function, struct df_monitor *monitor,
	const char *net_path, unsigned int count, struct df_err *err)
	__attribute__((warn_unused_result));

/* Finds out why a monitor has ended, for process->text and ->refused (the caller's to copy in under the lock). */
void process_explain(struct process *process, char *text, size_t size, bool *refused);

/* Ends the monitor, frees everything, gives the function back. */
void process_end(struct process *process);

#endif
