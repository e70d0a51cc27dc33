/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Triggers: what makes events for a function, beside calls. docs/triggers.md tells it to users.
 *
 * A function's $LATEST may have triggers; they start when it is deployed, are exchanged when it is deployed anew and end when it is deleted. Each is
 * of a kind, and each kind is a row in the table of trigger.c: the clock (ticker.h), a directory of the host (directory.h).
 *
 * A trigger's events are asynchronous ones of its function, put with a mark (event/queue.h) that says what was seen: an event and the memory of it
 * reach the disk together or not at all. Marks belong to the trigger's `owner`, which is made of what the trigger looks at: a redeploy that
 * leaves that as it was goes on where the old one stopped, and what no trigger of the function owns any more is forgotten.
 */
#ifndef DAEMON_TRIGGER_H
#define DAEMON_TRIGGER_H

#include "daemon/event/queue.h"
#include "daemon/function/function.h"
#include "host/err.h"
#include "host/str.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define TRIGGERS_MAX 32u /* of one function */

struct trigger_kind;

struct trigger {
	/* Never changed: */
	const struct trigger_kind *kind;
	char *function; /* its name */
	char *owner; /* of its marks: "FUNCTION/KIND/WHAT IT LOOKS AT" */
	json_t *settings; /* as they were deployed */
	uint64_t body_max; /* bytes of an event's body */
	bool resumed; /* it starts with the daemon: what it looks at went on without it */
	struct tally *tally;
	/* Relaxed atomics: */
	uint64_t events; /* that are in the queue */
	uint64_t refused; /* that could not become one: too large, unreadable */
	uint64_t last_ms; /* when the last one was put; 0: there was none yet */

	pthread_mutex_t lock;
	/* protected by lock: */
	char problem[256]; /* what keeps it from working just now; empty: nothing */

	void *state; /* the kind's */
	LIST_ENTRY(trigger) link; /* of trigger.c's list */
};

struct trigger_kind {
	const char *name; /* its key in a deployment */
	bool standing; /* it remembers nothing: when it is exchanged, the new one starts before the old one ends, so that nothing is missed */
	/* Is it well described, wherever it may run? Returns 0 or -EINVAL with *err set. */
	int (*check)(const json_t *settings, struct df_err *err);
	/* Can it work on this machine? Asked when it is deployed. Returns 0 or -errno with *err set. */
	int (*prepare)(const struct function_config *function, const json_t *settings,
		struct df_err *err);
	/* Appends what it looks at: equal for two triggers that would make the same events. */
	void (*identify)(const json_t *settings, struct df_str *text);
	/* Makes it work, in threads of the kind's own; what keeps it from that for now is a problem, not an error. Returns 0 or -errno with *err set. */
	int (*start)(struct trigger *trigger, struct df_err *err);
	/* On return it puts no more events and is not used by the kind any more. */
	void (*stop)(struct trigger *trigger);
	/* Adds to what `dayfly inspect` shows. May be NULL. */
	void (*show)(struct trigger *trigger, json_t *into);
};

/* --- for function and main --- */

/* A deployment's list of triggers. Returns 0, -EINVAL, or -ENOTSUP (a kind that is not there) with *err set. */
int triggers_check(const json_t *list, struct df_err *err) __attribute__((warn_unused_result));

/* Can the triggers of this function, which is about to be deployed, work here? Returns 0 or -errno with *err set. */
int triggers_prepare(const struct function_config *function, struct df_err *err)
	__attribute__((warn_unused_result));

/* Starts the triggers of all functions in the registry. After the queue. Returns 0 or -errno with *err set. */
int triggers_init(struct df_err *err) __attribute__((warn_unused_result));
/* Stops all of them. Before the queue ends. */
void triggers_deinit(void);

/*
 * What is deployed under a name has changed: stops what ran, starts what $LATEST says now, forgets what is nobody's any more. NULL: the function was
 * deleted. Waits for events that are being put.
 */
void triggers_apply(const char *name, const struct function *function);

/* Of a function, for `dayfly inspect`: a list, a new reference. NULL without memory. */
json_t *triggers_json(const char *name) __attribute__((warn_unused_result));

/* Appends Prometheus text. */
void triggers_metrics(struct df_str *text);

/* --- for the kinds --- */

struct trigger_event {
	const char
		*identity; /* with the trigger's owner, what makes the event the same one again */
	const char *type; /* of CloudEvents, as are: */
	const char *subject; /* or NULL */
	uint64_t time_ms; /* since 1970 */
	const char *content_type;
	const char *const *more; /* further attributes: name, value, ..., NULL */
	const void *body;
	size_t body_bytes;
	const char *key, *value; /* of its mark */
};

/*
 * Puts an event. Returns 0 (it is on disk, and its mark), -EEXIST (it was put before), -EFBIG (it never fits), -EINVAL (an attribute has
 * control characters), or another -errno that may pass (the queue or the disk is full), with *err set.
 */
int trigger_put(struct trigger *trigger, const struct trigger_event *event, struct df_err *err)
	__attribute__((warn_unused_result));

/* Says what keeps it from working, in the function's log too, or with NULL that nothing does. What was said last is not said again. */
void trigger_problem(struct trigger *trigger, const char *text);

/* Says in the function's log that something will not become an event, and counts it. */
void trigger_refuse(struct trigger *trigger, const char *text);

/* Refuses keys that are not in `known` (NULL at the end). Returns 0 or -EINVAL with *err set. */
int trigger_check_keys(const json_t *settings, const char *kind, const char *const *known,
	struct df_err *err) __attribute__((warn_unused_result));

/* A text of the settings; `otherwise` if it is not there. NULL if it is something else, or has a zero byte in it. */
const char *trigger_text(const json_t *settings, const char *key, const char *otherwise);

#endif
