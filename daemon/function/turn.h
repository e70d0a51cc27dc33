/* SPDX-License-Identifier: Apache-2.0 */
/* One at a time may change what is deployed under a name. Any thread may call. */
#ifndef DAEMON_TURN_H
#define DAEMON_TURN_H

#include "host/err.h"

#include <stdbool.h>
#include <sys/queue.h>

struct turn {
	LIST_ENTRY(turn) link;
	const char *name;
};

/* Does not wait: returns -EBUSY with *err set if another one has it. `name` is borrowed until turn_end. */
int turn_take(struct turn *turn, const char *name, struct df_err *err)
	__attribute__((warn_unused_result));
void turn_end(struct turn *turn);

#endif
