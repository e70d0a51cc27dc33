/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing anew what can not be thawed: after a restore without snapshots, or when another version of dayfly wrote them. A thread goes over the
 * Pending functions once, one after the other; their calls are answered 503 until then.
 */
#ifndef DAEMON_MEND_H
#define DAEMON_MEND_H

#include "host/err.h"

/* After state_load. Returns 0 or -errno with *err set. */
int mend_start(struct df_err *err) __attribute__((warn_unused_result));

/* Waits for the one that is being frozen (freeze_abort ends it); the others stay Pending. Allowed when it was not started. */
void mend_stop(void);

#endif
