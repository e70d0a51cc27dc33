/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions, and the registry that finds them by name.
 *
 * A struct function is one deployed revision of a name: its configuration, its snapshot and its root image never change once it is
 * in the registry. A redeploy puts a new struct function in its place; whoever holds the old one finishes with it, and
 * its processes and files go when the last reference does. What outlives a revision, counters and log, is the name's struct tally.
 *
 *	registry_find -> dispatch_call (dispatch.h) -> function_unref
 *
 * Every function here may be called from any thread. None blocks for longer than a lookup, except where it says so.
 */
#ifndef DAEMON_FUNCTION_H
#define DAEMON_FUNCTION_H

#include "host/err.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define FUNCTION_NAME_MAX 64 /* characters: a-z A-Z 0-9 - _ */
#define FUNCTION_REVISION_BYTES 37 /* a UUID, terminated */
#define FUNCTION_LATEST "$LATEST"

#define FUNCTION_MEMORY_DEFAULT (512ull << 20)
#define FUNCTION_MEMORY_MIN (1ull << 20)
#define FUNCTION_MEMORY_MAX (64ull << 30)
#define FUNCTION_TIMEOUT_DEFAULT_MS 3000u
#define FUNCTION_TIMEOUT_MAX_MS 3600000u
#define FUNCTION_CONCURRENCY_DEFAULT 16u
#define FUNCTION_CONCURRENCY_MAX 1000u
#define FUNCTION_BODY_DEFAULT (6ull << 20)
#define FUNCTION_LIST_MAX 256u /* words of a command, variables of an environment */
#define FUNCTION_SECRET_MAX 65536u /* bytes of a secret */
#define FUNCTION_WAITING_MAX 100000u
#define FUNCTION_LOG_DEFAULT (10ull << 20)
#define FUNCTION_LOG_AGE_DEFAULT_MS (7ull * 24 * 3600 * 1000)
#define FUNCTION_ATTEMPTS_DEFAULT 3u
#define FUNCTION_AGE_DEFAULT_MS (6ull * 3600 * 1000)
#define FUNCTION_BACKLOG_DEFAULT 10000u
#define FUNCTION_STOP_DEFAULT_MS 10000u

enum function_mode {
	FUNCTION_FRESH, /* every event gets a pristine instance */
	FUNCTION_WARM, /* an instance goes on from event to event until one fails (docs/sdk.md) */
	FUNCTION_SERVICE, /* no function at all: a program that always runs (service/service.h) */
};

/* Where the program must have been frozen. */
enum function_wait {
	FUNCTION_WAIT_ANY,
	FUNCTION_WAIT_STDIO,
	FUNCTION_WAIT_SDK,
	FUNCTION_WAIT_HTTP
};

/* How events that nobody waits for are tried, and where their results go. */
struct function_async {
	unsigned int attempts; /* in all */
	uint64_t age_max_ms;
	uint64_t backlog; /* events that wait on disk, at most */
	char *on_success, *on_failure; /* texts of destinations (destination_parse), or NULL */
};

/* When a service that has ended is started again. */
enum function_restart { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

/* What FUNCTION_SERVICE has beside the others (docs/services.md). */
struct function_service {
	char **publish; /* texts that df_publish_parse takes; may be empty, never NULL */
	enum function_restart restart;
	uint64_t stop_ms; /* from SIGTERM to SIGKILL */
	struct {
		char *path; /* what HTTP asks for; NULL: connecting is all */
		unsigned int port; /* of the guest, published as TCP; 0: no checks */
		uint64_t every_ms, timeout_ms;
		unsigned int failures; /* one after the other, until it is started anew */
	} health;
};

/* How a function is made and limited. All strings are its own; lists have a NULL at the end. */
struct function_config {
	char *name;
	char *description; /* or NULL */
	char **command; /* argv[0] and arguments */
	char *program; /* path of the executable in the root image */
	char **environment; /* "NAME=VALUE" */
	char **secrets; /* variables as well, but never shown: "NAME=VALUE" */
	char *features; /* "core,files,tmp,...": what the kernel has */
	char *workdir;
	char **egress; /* what it may reach outside (host/egress_rule.h), or NULL: no network */
	char *reply_type; /* content-type of replies that name none */
	char *lambda; /* JSON object: what Lambda's clients gave that dayfly only keeps (Role, Runtime, ...), or NULL */
	char *frozen; /* what its snapshot was made of (reuse.h), or NULL; the deployment's own word is not heeded */
	char *image_digest; /* of the image in the store that it was made from, or NULL; for those who clean it up */
	bool raw_root; /* the root image is the static executable itself (no feature files) */
	uint64_t memory_bytes;
	unsigned int timeout_ms, boot_timeout_ms;
	unsigned int concurrency; /* instances, at most */
	unsigned int waiting_max; /* callers that wait beyond `concurrency` */
	uint64_t body_max, reply_max; /* bytes */
	uint64_t log_max, log_age_ms; /* kept of its log: bytes, time */
	enum function_mode mode;
	enum function_wait wait;
	unsigned int port; /* FUNCTION_WAIT_HTTP: where the program listens */
	struct function_async async;
	struct function_service service;
	json_t *triggers; /* an array of {KIND: {...}}, checked (trigger/trigger.h); never NULL */
};

/*
 * From JSON as docs/reference-http.md has it. Unknown keys are refused. Returns 0, -EINVAL, or -ENOTSUP for what this daemon does not
 * have (a trigger, a destination), with *err set.
 */
int function_config_parse(const char *name, const json_t *json, struct function_config **config,
	struct df_err *err) __attribute__((warn_unused_result));

/* What stands in the place of secrets: their names, or what they are (for the state directory, and to deploy it again). */
enum function_secrets { SECRETS_NAMED, SECRETS_WHOLE };

/* How many rules it has. */
size_t function_egress_count(const struct function_config *config);

/* The same JSON again, a new reference; NULL without memory. With SECRETS_NAMED it can be shown, and is no deployment. */
json_t *function_config_json(const struct function_config *config, enum function_secrets secrets)
	__attribute__((warn_unused_result));

void function_config_free(struct function_config *config);

/* Environment and secrets as a program gets them: a list to be freed with free(), its texts are the configuration's. NULL without memory. */
char **function_config_variables(const struct function_config *config)
	__attribute__((warn_unused_result));

struct df_monitor_words; /* host/monitor_words.h */

/* What a monitor is told of the program, its features included. */
void function_config_words(const struct function_config *config, const char *root_path,
	struct df_monitor_words *words);

/* Is it a name that a function may have? */
bool function_name_ok(const char *name, size_t length);

enum function_state { FUNCTION_PENDING, FUNCTION_ACTIVE, FUNCTION_FAILED };

/* "Pending", ... */
const char *function_state_text(enum function_state state);

struct instance; /* process.h */
struct process;
struct tally; /* metrics.h */
struct waiter; /* dispatch.c */
LIST_HEAD(process_list, process);
TAILQ_HEAD(instance_queue, instance);
TAILQ_HEAD(waiter_queue, waiter);

struct function {
	/* Set before it is in the registry, never changed after that. */
	struct function_config *config;
	char version[24]; /* "$LATEST" or a number */
	char revision[FUNCTION_REVISION_BYTES];
	enum function_state
		state; /* ACTIVE or FAILED here; PENDING while it is deployed (deploy.h) */
	char *reason; /* why it failed, or NULL */
	char *snapshot_path, *root_path; /* NULL unless ACTIVE */
	uint64_t snapshot_bytes, boot_ns, event_pages, code_bytes;
	char wait_point[16]; /* "stdio", "sdk", "http", "entry" */
	unsigned int
		boot_status; /* "entry": how the program ended when it ran once, before it was frozen; forgotten with the process */
	bool reused; /* its snapshot was there already, as another revision's; not kept over a restart */
	uint64_t modified_ms; /* since 1970 */
	struct tally *tally;

	unsigned int references; /* atomic */
	bool owns_files; /* atomic: remove snapshot and root image with the last reference */

	/* Dispatch. */
	pthread_mutex_t lock;
	/* protected by lock: */
	bool retired; /* replaced or deleted: nothing new is started, processes end when they are idle */
	struct process_list processes;
	struct instance_queue idle; /* used last comes first */
	struct waiter_queue waiters;
	unsigned int waiting; /* callers in `waiters` */
	unsigned int growing; /* callers that start a process just now */
	unsigned int instances; /* live ones, those being started too */
	unsigned int busy;
	uint64_t grown_ns; /* when it last got a process */
	uint64_t freed_ns; /* when an instance was last given back */

	unsigned int counted; /* protected by the keeper's lock (keeper.h) */
};

/* Makes one with a single reference and takes `config`. NULL without memory (config is freed then). */
struct function *function_new(struct function_config *config, struct tally *tally)
	__attribute__((warn_unused_result));
struct function *function_ref(struct function *function);
void function_unref(struct function *function); /* NULL is allowed */

/* --- the registry: one per daemon --- */

void registry_init(void);
/* Drops everything. Only when no other thread uses it. */
void registry_deinit(void);

/*
 * The function of a name; `qualifier` is NULL, "$LATEST", a version or an alias, whose weights are rolled here. A
 * reference, for the caller to give back with function_unref; NULL: there is none.
 */
struct function *registry_find(const char *name, const char *qualifier)
	__attribute__((warn_unused_result));

/* Puts a function in, in place of the one with its name and version, which is retired. Takes its own reference. Returns 0 or -ENOMEM. */
int registry_put(struct function *function) __attribute__((warn_unused_result));

/* Takes out a version, or with NULL all versions and aliases of the name. False: there was none. */
bool registry_remove(const char *name, const char *version);

struct alias {
	char name[129];
	char version[24];
	char second[24]; /* version that gets `weight` of the calls; empty: none */
	double weight;
	char revision[FUNCTION_REVISION_BYTES];
	char *description; /* or NULL */
};

/* Sets or replaces an alias; copies it. Returns 0, -ENOENT (no such function or version) or -ENOMEM. */
int registry_put_alias(const char *name, const struct alias *alias)
	__attribute__((warn_unused_result));
bool registry_remove_alias(const char *name, const char *alias);
/* Calls `each` for the aliases of a name in order; they are borrowed, and the registry is locked meanwhile. */
void registry_each_alias(const char *name, void (*each)(void *into, const struct alias *alias),
	void *into);

/* All functions, or all versions of one name, in order of name and version: references in a list with a NULL at the end. NULL without memory. */
struct function **registry_list(const char *name) __attribute__((warn_unused_result));
void registry_list_free(struct function **list);

#endif
