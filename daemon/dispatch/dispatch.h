/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Having events answered: each in a pristine instance of a function.
 *
 * The caller's own thread does all of it: it takes an idle instance, copies the event into the instance's slot, hands it to the
 * monitor and sleeps on the slot's futex until the reply is there. No other thread stands between.
 *
 * When no instance is idle the caller waits in the function's queue, which is bounded, and starts a process with more
 * instances if that lasts: 1 instance first, then 2, 4, up to 16 more, until the function's concurrency or the daemon's limit
 * is reached. Monitors that are started and jailed already (`prepared`) make that a matter of a millisecond.
 * Processes without events for `idle_ms` end. A keeper thread ends them and prepares new ones; it is never waited for.
 *
 * Monitors are taken for hostile (host/slot.h). One that dies or lies costs the events in its instances, nothing else.
 */
#ifndef DAEMON_DISPATCH_H
#define DAEMON_DISPATCH_H

#include "daemon/function/function.h"
#include "host/slot.h"

/* What can change while the daemon runs. */
struct dispatch_limits {
	unsigned int instances_max; /* of all functions together */
	unsigned int prepared; /* monitors that wait for a function */
	unsigned int idle_ms;
	unsigned int queue_max; /* callers that wait for one function */
	unsigned int queue_ms; /* how long one waits, at most */
};

struct dispatch_settings {
	const char *monitor_path, *net_path; /* dayfly-monitor, dayfly-net */
	const char *host_cache; /* where the monitor remembers what KVM supports */
	struct dispatch_limits limits; /* at first */
	bool no_jail; /* for tests under sanitizers */
};

/* Borrows the strings. Starts the keeper. Returns 0 or -errno with *err set. */
int dispatch_init(const struct dispatch_settings *settings, struct df_err *err)
	__attribute__((warn_unused_result));
/* From now on. Instances above a lower limit end when they become idle. */
void dispatch_change(const struct dispatch_limits *limits);
/* Ends all processes, whatever they do, and starts no more: calls that run are CALL_LOST, those that wait CALL_FAILED. */
void dispatch_abort(void);
/* Ends all processes and the keeper. Only when no call runs. */
void dispatch_deinit(void);

/* An event. */
struct call {
	const char *request_id;
	const void *body; /* or NULL, and then */
	int body_fd; /* -1, or a file that is copied from its beginning */
	size_t body_bytes;
	const char *attributes; /* pairs (host/attributes.h), or NULL */
	size_t attribute_bytes;
};

enum call_result {
	CALL_OK, /* the program exited with status 0, or replied (sdk) */
	CALL_FUNCTION_ERROR, /* it failed: status, signal, memory, reply too large: see outcome */
	CALL_TIMEOUT, /* it took longer than the function's timeout */
	CALL_LOST, /* its monitor died or lied; whether the event ran is not known */
	CALL_TOO_LARGE, /* body or attributes do not fit the function */
	CALL_BUSY, /* no instance became free: try again after retry_after_s */
	CALL_NOT_READY, /* the function is not Active; `text` says why */
	CALL_FAILED, /* the daemon could not start a process; `text` says why. The event did not run */
	CALL_RESULTS
};

/* "ok", "function_error", ...: for logs and metrics */
const char *call_result_text(enum call_result result);

/*
 * What came back. With OK, FUNCTION_ERROR and TIMEOUT `reply` is filled and its pointers lead into the instance's slot, which is
 * held until call_release. What lies there may change while it is read, should the monitor be hostile: copy before deciding.
 */
struct call_reply {
	enum call_result result;
	struct df_slot_reply reply;
	char text[512]; /* what went wrong, for people; empty if nothing did */
	unsigned int retry_after_s; /* BUSY */
	bool cold; /* a process was started for it */
	uint64_t duration_ns; /* from the instance's start to its reply */
	uint64_t queued_ns; /* until there was an instance */
	struct instance *held; /* dispatch's own */
};

/*
 * Has the event answered. Blocks the caller for at most queue_ms and the function's timeout, and some grace. Returns
 * reply->result. call_release must follow, whatever the result was; the function reference stays the caller's. Counts the call
 * (metrics.h) and logs what the program wrote to standard error and how it failed (log.h).
 */
enum call_result dispatch_call(struct function *function, const struct call *call,
	struct call_reply *reply);

/* Gives the instance back. Allowed more than once. */
void call_release(struct call_reply *reply);

/* Ends the processes of a function that is in the registry no more, as they become idle. */
void dispatch_retire(struct function *function);

/* What runs now: a JSON array of processes as GET /processes has them, without memory_bytes. A new reference; NULL without memory. */
json_t *dispatch_processes(void) __attribute__((warn_unused_result));

struct dispatch_gauges {
	unsigned int processes, prepared, instances, busy, waiting;
};
void dispatch_gauges(struct dispatch_gauges *gauges);

#endif
