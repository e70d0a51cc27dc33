/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trigger `schedule`: one thread that puts a tick's event when its time has come.
 *
 * A schedule's mark is the time of its last tick, so that a tick is put once, whatever happens in between. Ticks that came while nobody was there to
 * look, because the daemon did not run, the machine slept or its clock was set forward, are missed ones: skipped, made up for by the
 * last of them, or by all (TICKER_TICKS_MAX at most).
 */
#ifndef DAEMON_TICKER_H
#define DAEMON_TICKER_H

#include "daemon/trigger/trigger.h"

#define TICKER_TICKS_MAX 1000

extern const struct trigger_kind ticker_kind;

/* Starts the thread. Returns 0 or -errno with *err set. */
int ticker_init(struct df_err *err) __attribute__((warn_unused_result));
void ticker_deinit(void); /* when there is no trigger of this kind any more */

#endif
