/* SPDX-License-Identifier: Apache-2.0 */
/* One service as its supervisor sees it (supervisor.c), for the files of this folder. */
#ifndef DAEMON_SERVICE_SUPERVISOR_H
#define DAEMON_SERVICE_SUPERVISOR_H

#include "daemon/lines.h"
#include "daemon/service/check.h"
#include "daemon/service/launch.h"
#include "daemon/service/service.h"

enum service_state {
	SERVICE_STOPPED, /* by hand, or it has ended and is not to be started again */
	SERVICE_STARTING, /* it has a process and is not up yet */
	SERVICE_RUNNING,
	SERVICE_STOPPING, /* it was asked to end */
	SERVICE_BACKING_OFF, /* it has ended and is started again soon */
	SERVICE_FAILED, /* it has ended badly and is not to be started again */
};

/* Standard output or standard error, on its way into the log. */
struct stream {
	struct lines lines;
	struct log *log; /* borrowed */
	const char *service, *name; /* "stdout" or "stderr" */
};

struct service {
	LIST_ENTRY(service) link;
	char name[FUNCTION_NAME_MAX + 1];

	/* What callers want; the supervisor acts on it. */
	struct function *function; /* a reference; changed only without a process */
	bool wanted; /* it is to run */
	bool trial; /* once: it is not started again if it ends before it is up */
	bool gone; /* to be freed */

	/* What is; the supervisor alone changes it. */
	enum service_state state;
	struct launched process;
	struct stream out, errors;
	struct check check;
	uint64_t started_ns, up_ns; /* of the process; up_ns is 0 until it is up */
	uint64_t due_ns; /* when the state's time is over: STARTING, STOPPING, BACKING_OFF */
	uint64_t check_ns; /* when the next check begins */
	unsigned int probe_ms; /* STARTING: between checks */
	unsigned int failed_checks; /* in a row */
	unsigned int backoff_ms;
	uint64_t restarts;
	uint64_t ends; /* of processes, for those who wait for one */
	char cause[160]; /* why it was asked to end; empty: it was not, or by hand */
	char reason[512]; /* how it ended last; empty: it has not */
	struct df_str tail; /* the end of what it wrote before it was up */
	int poll_at; /* its first entry, or -1 */
};

LIST_HEAD(service_head, service);

/* One per daemon. */
struct supervisor {
	struct service_settings settings;
	pthread_t thread;
	bool started;
	int wake_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a service's state */
	/* protected by lock: */
	struct service_head services;
	bool ending, aborting;
};

extern struct supervisor supervisor;

/* Has the supervisor look. */
void supervisor_wake(void);

/* The thread. */
void *supervisor_run(void *unused);

const char *service_state_text(enum service_state state);

/* With the lock: does it have a process? */
bool service_has_process(const struct service *service);

#endif
