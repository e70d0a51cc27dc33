/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trigger `schedule`: one thread that puts a tick's event when its time has come.
 *
 * A schedule's mark is the time of its last tick, so that a tick is put once, whatever happens in between. Ticks that came while nobody was there to
 * look, because the daemon did not run, the machine slept or its clock was set forward, are missed ones: skipped, made up for by the
 * last of them, or by all (TICKER_MISSED_MAX at most).
 */
#ifndef DAEMON_TICKER_H
#define DAEMON_TICKER_H

#include "daemon/trigger/schedule.h"
#include "daemon/trigger/trigger.h"

#define TICKER_MISSED_MAX 1000

extern const struct trigger_kind ticker_kind;

/* Starts the thread. Returns 0 or -errno with *err set. */
int ticker_init(struct df_err *err) __attribute__((warn_unused_result));
void ticker_deinit(void); /* when there is no trigger of this kind any more */

/* --- what it decides, apart from the clock: for ticker.c and its test --- */

enum ticker_missed { TICKER_SKIP, TICKER_ONCE, TICKER_ALL };

/* How far a clock may be set back before a schedule begins anew instead of waiting until its last tick has come once more. */
#define TICKER_BACK_MS (24 * 3600 * 1000)
/* Nobody has looked for so long: what came meanwhile was missed. */
#define TICKER_AWAY_MS 30000

struct ticker_clock {
	int64_t last_ms; /* the last tick that was put, or when the schedule was made */
	int64_t looked_ms; /* when it was looked at last; 0: not yet */
};

/*
 * Which ticks are to be put now: at most `count` (TICKER_MISSED_MAX), in order; *late says that they were missed. What is skipped is over:
 * clock->last_ms is set to it. Sets looked_ms. After each put the caller sets clock->last_ms to the tick.
 */
size_t ticker_due(const struct schedule *schedule, enum ticker_missed missed, int64_t now_ms,
	struct ticker_clock *clock, int64_t *ticks, size_t count, bool *late);

#endif
