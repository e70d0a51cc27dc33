/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: programs that always run, each in a microVM of its own (mode service, docs/services.md).
 *
 * A service is the $LATEST revision of a name in the registry; there are no other versions. It is not frozen: its process is
 * `dayfly-monitor run`, started by the one thread of this module, the supervisor, which also reads what the program writes into its log,
 * checks its health, ends it, and starts it again when it has ended by itself. What callers want is
 * noted under one lock and done by that thread; they wait for what comes of it.
 *
 *	deploy      service_replace, service_forget
 *	by hand     service_halt, service_resume
 *	the daemon  service_init, service_start_all, service_quiesce, service_active, service_abort, service_deinit
 *
 * Whoever calls one of the first four has the name's turn (function/turn.h), so no two of them meet in one service.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "daemon/function/function.h"
#include "host/str.h"

struct service_settings {
	const char *monitor_path, *net_path, *kernel_path, *host_cache;
	bool no_jail;
};

/* Borrows the strings. Starts the supervisor. Returns 0 or -errno with *err set. */
int service_init(const struct service_settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));

/* Starts all services of the registry but those that were stopped by hand. Waits for none of them. */
void service_start_all(void);

/* Asks all to end, and starts none any more; who waits gets an error. */
void service_quiesce(void);

/* How many have a process. */
unsigned int service_active(void);

/* Kills what is left. */
void service_abort(void);

/* Waits for the supervisor. After service_abort; allowed when it was not started. */
void service_deinit(void);

/*
 * Ends what runs under the function's name and starts this function in its place: in this order, because ports can be published once. Blocks until it is
 * up: its boot_timeout and the other's stop_time at most. Returns 0; or 1 if it did not come up, with the reason in *err and
 * what it wrote last in *output (NULL is allowed): then the one before runs again, if it did. -ENOMEM with *err set.
 */
int service_replace(struct function *function, struct df_str *output, struct df_err *err)
	__attribute__((warn_unused_result));

/* The one before again (NULL: nothing), in place of what service_replace has started. */
void service_put_back(const char *name, struct function *before);

/* Ends it and knows it no more. Blocks for its stop_time at most. Nothing happens if there is no such service. */
void service_forget(const char *name);

/*
 * Ends it until service_resume, over restarts of the daemon too. Blocks for its stop_time at most. Returns 0, -ENOENT, or -EIO if
 * that could not be remembered, with *err set.
 */
int service_halt(const char *name, struct df_err *err) __attribute__((warn_unused_result));

/*
 * Starts it, unless it runs, and waits until it is up. Returns 0, -ENOENT, -EIO as above, or 1 with the reason in *err if it ended instead: whether it
 * is tried again is its own setting.
 */
int service_resume(const char *name, struct df_err *err) __attribute__((warn_unused_result));

/* How it is now: the member "service" of GET /functions/NAME. A new reference; NULL if there is none. */
json_t *service_json(const char *name) __attribute__((warn_unused_result));

/* All of them, in order of names, each with its "name": a JSON array. NULL without memory. */
json_t *service_list(void) __attribute__((warn_unused_result));

/* Their part of metrics_write. */
void service_metrics(struct df_str *text);

#endif
